"""The pages in a real browser, from disk: they load nothing, run nothing foreign, and show the verdict first."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright
from runs import environment, notebooks, passing

from launchbook.batch import run_batch
from launchbook.pages import render
from launchbook.tracks import TRACKS

pytestmark = pytest.mark.browser

ATTACK = "<img src=x onerror=window.owned=1><script>window.owned=1</script>"
CELLS = [
    f"run.check(Check('A.target', {ATTACK!r}, Status.FAIL, {ATTACK!r}, 'e', {ATTACK!r}))",
    "import plotly.graph_objects as go\nfrom launchbook import display\n"
    f"display.figure(go.Figure(go.Bar(x=[{ATTACK!r}], y=[1])), title='Bars')",
    f"from IPython.display import HTML\nHTML({ATTACK!r} + '<iframe src=\"https://example.com\"></iframe><b>kept</b>')",
    f"print({ATTACK!r})",
    "run.finish()",
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder: track A full of markup that wants to act, B broken off, C passing, D not selected."""
    folder = tmp_path_factory.mktemp("pages")
    run_batch(
        environment(folder / "parameters"), None,
        notebooks=notebooks(folder / "notebooks", {"A": CELLS, "B": ["1 / 0"], "C": passing(TRACKS[2])}),
        outputs=folder / "outputs", tracks=["A", "B", "C"], read_only=False, say=lambda line: None, render=render,
    )  # fmt: skip
    return (folder / "outputs" / "latest").resolve()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield started
        started.close()


def visit(browser: Browser, page: Path, width: int = 1280) -> tuple[Any, list[str], list[str]]:
    """The page, what it asked of anything but the disk, and what went wrong in it."""
    tab = browser.new_page(viewport={"width": width, "height": 800})
    asked: list[str] = []
    wrong: list[str] = []
    tab.on("request", lambda request: asked.append(request.url) if not request.url.startswith("file:") else None)
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    tab.goto(page.as_uri())
    tab.wait_for_load_state("load")
    return tab, [url for url in asked if not url.startswith(("data:", "blob:"))], wrong


@pytest.mark.parametrize("width", [1280, 390])
def test_the_first_screen_is_the_verdict(browser: Browser, run: Path, width: int) -> None:
    """Without scrolling, on a desk and on a phone, and without a word cut off at the side."""
    tab, asked, wrong = visit(browser, run / "index.html", width)
    box = tab.locator(".verdict").bounding_box()
    assert tab.locator(".verdict").inner_text() == "NO-GO"
    assert box["y"] + box["height"] < 800
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert (asked, wrong) == ([], [])


def test_checks_can_be_found(browser: Browser, run: Path) -> None:
    """By text, and by status."""
    tab, _, _ = visit(browser, run / "index.html")
    rows = tab.locator("table.checks tbody tr:visible")
    every = rows.count()
    tab.fill("#find", "C.rate")
    assert rows.count() == 1
    tab.fill("#find", "")
    tab.uncheck(".filter[value=UNKNOWN]")
    assert 0 < rows.count() < every


@pytest.mark.parametrize("page", ["index.html", "A-manifests.html", "B-load-test.html"])
def test_text_from_a_cluster_never_acts(browser: Browser, run: Path, page: str) -> None:
    """No script of its own runs, no image or frame is asked for, and the text is there to read."""
    tab, asked, wrong = visit(browser, run / page)
    assert tab.evaluate("window.owned") is None
    assert (asked, wrong) == ([], [])
    assert tab.locator("iframe, img").count() == 0


def test_charts_are_drawn(browser: Browser, run: Path) -> None:
    """By the one copy of plotly.js beside the pages."""
    tab, _, _ = visit(browser, run / "A-manifests.html")
    tab.wait_for_selector(".chart .main-svg")
    assert "onerror" in tab.locator(".chart").inner_text()
    assert "kept" in tab.locator("main").inner_text()


def test_a_broken_track_says_so_and_one_that_never_ran_has_no_page(browser: Browser, run: Path) -> None:
    """An INCOMPLETE run is as readable as any."""
    tab, _, _ = visit(browser, run / "B-load-test.html")
    assert "Track B did not finish" in tab.locator("main").inner_text()
    assert "ZeroDivisionError" in tab.locator("main").inner_text()
    assert not (run / "D-launch.html").exists()
