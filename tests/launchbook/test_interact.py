"""What a notebook says of confirming: only a protected environment waits for its name."""

from __future__ import annotations

import nbformat
import pytest
from nbclient import NotebookClient

from launchbook.interact import Approval, Confirmation


@pytest.mark.parametrize(
    ("protected", "typed", "given", "said"),
    [
        (False, None, True, "Environment shop: not protected; what its parameters allow is done without asking."),
        (True, None, False, "Environment shop: not confirmed; until 'shop' is typed, nothing is changed."),
        (True, "shpo", False, "Environment shop: not confirmed; until 'shop' is typed, nothing is changed."),
        (True, "shop", True, "Environment shop: confirmed."),
    ],
)
def test_a_confirmation(
    protected: bool, typed: str | None, given: bool, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The saved notebook holds the sentence, and it is true of what may be changed."""
    confirmation = Confirmation("shop", typed, protected=protected)
    assert confirmation.given is given
    confirmation._ipython_display_()
    assert said in capsys.readouterr().out


@pytest.mark.parametrize(
    ("approved", "asked", "given", "said"),
    [
        (None, False, True, "Plan sha256:1: no approval is asked."),
        (None, True, False, "Plan sha256:1: not approved; until it is, nothing is applied."),
        ("sha256:2", True, False, "Plan sha256:1: not approved; sha256:2 was."),
        ("sha256:2", False, False, "Plan sha256:1: not approved; sha256:2 was."),
        ("sha256:1", True, True, "Plan sha256:1: approved."),
    ],
)
def test_an_approval(
    approved: str | None, asked: bool, given: bool, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A parameter goes before the box; nobody is asked in a batch."""
    approval = Approval("sha256:1", approved, asked=asked)
    assert approval.given is given
    approval._ipython_display_()
    assert said in capsys.readouterr().out


def test_a_panel_leaves_in_the_saved_notebook_what_it_said_last() -> None:
    """As HTML that needs no widget: a real kernel, and what nbclient saves of it."""
    source = (
        "from launchbook.display import Html\nfrom launchbook.interact import Panel\npanel = Panel()\n"
        "for n in range(3):\n    panel.update(Html(f'<p>{n} requests/s</p>', f'{n} requests/s'))\n"
    )
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source), nbformat.v4.new_code_cell("panel.close()")]
    )
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    outputs = [one["data"] for one in notebook.cells[0]["outputs"] if "data" in one]
    assert [one for one in outputs if "application/vnd.jupyter.widget-view+json" in one]
    assert [one["text/html"] for one in outputs if "text/html" in one] == ["<p>2 requests/s</p>"]


@pytest.mark.parametrize("approved", [None, "sha256:1"])
def test_a_plan_that_was_made_after_the_approval_is_not_covered(approved: str | None) -> None:
    """Its cell can be run again alone, after a manifest was changed."""
    approval = Approval("sha256:1", approved, asked=True)
    approval._ipython_display_()
    if approval._widget:
        approval._widget.value = True
    assert approval.given
    assert not approval.covers("sha256:2")
    assert Approval("sha256:1", None, asked=False).covers("sha256:2")
