"""The pages in a real browser, from disk: they load nothing, run nothing foreign, and show the verdict first."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from playwright.sync_api import Browser
from runs import environment, notebooks, passing

from launchbook.batch import run_batch
from launchbook.pages import render
from launchbook.tracks import TRACKS

pytestmark = pytest.mark.browser

ATTACK = "<img src=x onerror=window.owned=1><script>window.owned=1</script>"
WIDE = f"# Wide\n\nSee [A.target](../index.html#A.target).\n\n|{'a column|' * 9}\n|{'-|' * 9}\n|{'text|' * 9}\n"
CELLS = [
    "seen = run.evidence('manifests/a b#1.json', {'seen': True})\n"
    f"run.check(Check('A.target', {ATTACK!r}, Status.FAIL, {ATTACK!r}, 'e' * 90, {ATTACK!r}, evidence=(seen,)))\n"
    f"run.document('wide.md', {WIDE!r})",
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


@pytest.mark.parametrize("page", ["index.html", "A-manifests.html", "documents/wide.html"])
def test_a_wide_table_scrolls_by_itself(browser: Browser, run: Path, page: str) -> None:
    """On a phone the page never moves sideways; on a desk every column of the checks is there to read."""
    tab, _, _ = visit(browser, run / page, 390)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    tab, _, _ = visit(browser, run / page, 1280)
    assert tab.evaluate(
        "[...document.querySelectorAll('.scroll:has(> .checks)')].every(e => e.scrollWidth <= e.clientWidth)"
    )


def test_a_claim_leads_to_its_check_and_the_check_to_its_evidence(browser: Browser, run: Path) -> None:
    """By links that work from a disk."""
    tab, _, wrong = visit(browser, run / "documents" / "wide.html")
    tab.click("text=A.target")
    assert tab.url.endswith("index.html#A.target")
    row = tab.locator("tr:target")
    assert "FAIL" in row.inner_text()
    target = row.locator("a.file").get_attribute("href")
    assert (run / unquote(target)).is_file()
    assert wrong == []


def test_the_filter_works_from_the_keyboard(browser: Browser, run: Path) -> None:
    """Text, then Tab to a status, then Space; what is shown is said."""
    tab, _, _ = visit(browser, run / "index.html")
    tab.focus("#find")
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.value") == "FAIL"
    tab.keyboard.press("Space")
    assert tab.locator("tr[data-status=FAIL]:visible").count() == 0
    assert tab.locator("#shown").get_attribute("role") == "status"
    assert "shown" in tab.locator("#shown").inner_text()


def test_a_dark_desk_gets_a_dark_page(browser: Browser, run: Path) -> None:
    """As the reader's system says."""
    grounds = []
    for scheme in ("light", "dark"):
        tab = browser.new_page(color_scheme=scheme)
        tab.goto((run / "index.html").as_uri())
        grounds.append(tab.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert grounds == ["rgb(255, 255, 255)", "rgb(20, 24, 29)"]


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
