"""A protected environment stepped through in a real JupyterLab: it asks for its name, and for a tick below the plan."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from opened import opened
from playwright.sync_api import Page, expect, sync_playwright
from runs import environment, notebooks

pytestmark = pytest.mark.browser

PANEL = """
import time
from launchbook.display import Html
from launchbook.interact import Panel
panel = Panel()
for n in range(600):
    panel.update(Html(f"<p>{n} requests/s</p>", ""))
    time.sleep(0.1)
"""
APPROVAL = (
    "from launchbook.interact import Approval\napproval = Approval('sha256:1', None, asked=run.interactive)\napproval"
)
CELLS = {
    "A": [
        "run.confirm()", "print('may apply:', run.allowed('apply'))", APPROVAL, "print('plan approved:', approval.given)"
    ],
    "B": [PANEL],
}  # fmt: skip
SCRIPT = """
import sys
from pathlib import Path
from runs import environment
from launchbook.interactive import open_lab, prepare
place = Path(sys.argv[1])
overrides = {"cluster.protected": True}
folder = prepare(environment(place / "parameters", **overrides), notebooks=place / "notebooks", outputs=place / "outputs", read_only=False)
open_lab(folder)
"""


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """The URL of JupyterLab on an interactive run, as it tells it on its log."""
    environment(tmp_path / "parameters")
    notebooks(tmp_path / "notebooks", CELLS)
    helpers = Path(__file__).parents[1] / "launchbook"
    with opened([sys.executable, "-c", SCRIPT, tmp_path], tmp_path, {"PYTHONPATH": str(helpers)}) as url:
        yield url


def _execute(page: Page, cells: int) -> None:
    """Runs the first cells, one key a cell; a key that JupyterLab lost while it was busy is pressed again."""
    ran = page.locator(".jp-CodeCell .jp-InputPrompt", has_text=re.compile(r"\[[*\d]"))
    deadline = time.monotonic() + 60
    while (count := ran.count()) < cells:
        assert time.monotonic() < deadline, f"{count} of {cells} cells ran"
        if not count:
            page.locator(".jp-Notebook .jp-CodeCell").first.click()
        page.keyboard.press("Shift+Enter")
        page.wait_for_timeout(300)


def _again(page: Page, cell: str) -> None:
    page.locator(".jp-CodeCell", has_text=cell).locator(".jp-InputArea-editor").click()
    page.keyboard.press("Control+Enter")


def test_a_protected_environment_asks_for_its_name(address: str) -> None:
    """The box is there, says what it waits for, and opens the way once the name stands in it."""
    base, _, token = address.partition("/lab?token=")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1200, "height": 1400})
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{base}/lab/tree/A-manifests.ipynb?token={token}")
        page.locator(".jp-Notebook .jp-CodeCell").first.click(timeout=60_000)
        expect(page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]")).to_be_visible(timeout=60_000)
        _execute(page, 8)
        box = page.locator(".jp-OutputArea input[type=text]")
        box.wait_for(timeout=60_000)
        outputs = page.locator(".jp-Notebook")
        expect(outputs).to_contain_text("not confirmed; until 'mini' is typed, nothing is changed", timeout=30_000)
        expect(outputs).to_contain_text("may apply: False", timeout=30_000)
        box.fill("mini")
        expect(outputs).to_contain_text("Environment mini: confirmed.", timeout=30_000)
        _again(page, "may apply:")
        expect(outputs).to_contain_text("may apply: True", timeout=30_000)
        expect(outputs).to_contain_text("Plan sha256:1: not approved; until it is, nothing is applied.")
        expect(outputs).to_contain_text("plan approved: False")
        page.get_by_label("I have read this plan; it may be applied").check()
        expect(outputs).to_contain_text("Plan sha256:1: approved.", timeout=30_000)
        _again(page, "plan approved:")
        expect(outputs).to_contain_text("plan approved: True", timeout=30_000)
        browser.close()
    assert not [url for url in asked if not url.startswith((base, "data:", "blob:"))]


def test_figures_change_while_a_cell_runs(address: str) -> None:
    """The live view of a load: the widget shows one second after the other."""
    base, _, token = address.partition("/lab?token=")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1200, "height": 1400})
        page.goto(f"{base}/lab/tree/B-load-test.ipynb?token={token}")
        page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-CodeCell").first.click(timeout=60_000)
        expect(
            page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook-ExecutionIndicator[data-status=idle]")
        ).to_be_visible(timeout=60_000)
        _execute(page, 5)
        live = page.locator(".widget-html")
        live.wait_for(timeout=60_000)
        first = live.inner_text()
        assert re.fullmatch(r"\s*\d+ requests/s\s*", first)
        expect(live).not_to_have_text(first, timeout=30_000)
