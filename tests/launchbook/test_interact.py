"""What a notebook says of confirming: only a protected environment waits for its name."""

from __future__ import annotations

import pytest

from launchbook.interact import Confirmation


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
