"""The isolation matrix in a real browser: words in every cell, a menu of layers, a filter, and nothing from outside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser
from runs import environment, notebooks, passing

from launchbook.batch import run_batch
from launchbook.pages import render
from launchbook.tracks import TRACKS

pytestmark = pytest.mark.browser

HELPERS = Path(__file__).parents[1] / "launchbook"
CELLS = [
    f"import sys\nsys.path.insert(0, {str(HELPERS)!r})\nfrom edges import field\n"
    "from launchbook import isolation\nedges, computed, observed = field(4, 6)",
    "isolation.matrix(edges, computed, observed)",
    "isolation.table(edges, computed, observed)",
    "run.finish()",
]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a track A that shows 24 edges, a third of them closed."""
    folder = tmp_path_factory.mktemp("matrix")
    run_batch(
        environment(folder / "parameters"), None,
        notebooks=notebooks(folder / "notebooks", {"A": CELLS, "C": passing(TRACKS[2])}),
        outputs=folder / "outputs", tracks=["A", "C"], read_only=False, say=lambda line: None, render=render,
    )  # fmt: skip
    return (folder / "outputs" / "latest").resolve() / "A-manifests.html"


def visit(browser: Browser, page: Path, width: int) -> tuple[Any, list[str]]:
    """The page, and what it asked for outside the disk or complained of."""
    tab = browser.new_page(viewport={"width": width, "height": 900})
    wrong: list[str] = []
    tab.on("request", lambda r: wrong.append(r.url) if not r.url.startswith(("file:", "data:", "blob:")) else None)
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    tab.goto(page.as_uri())
    tab.wait_for_selector(".chart .heatmaplayer text")
    return tab, wrong


def words(tab: Any) -> list[str]:
    return [text for text in tab.locator(".chart .heatmaplayer text").all_text_contents() if text.strip()]


@pytest.mark.parametrize("width", [1280, 390])
def test_every_cell_says_its_word_in_every_layer(browser: Browser, page: Path, width: int) -> None:
    """On a desk and on a phone, where the chart scrolls and the page doesn't."""
    tab, wrong = visit(browser, page, width)
    assert sorted(set(words(tab))) == ["agree", "differ", "unknown"]
    assert len(words(tab)) == 24
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    boxes = tab.evaluate(
        "[...document.querySelectorAll('.chart .heatmaplayer text')].map(t => t.getBoundingClientRect().width)"
    )
    assert max(boxes) < 74  # px, a column: no word runs into the next
    tab.locator(".chart .updatemenu-header").click()
    tab.locator(".chart .updatemenu-dropdown-button", has_text="observed").click()
    tab.wait_for_function(
        "[...document.querySelectorAll('.chart .heatmaplayer text')].some(t => t.textContent === 'open')"
    )
    assert set(words(tab)) == {"open", "closed"}
    assert wrong == []


def test_hovering_tells_the_rule_and_the_outcomes(browser: Browser, page: Path) -> None:
    """All three layers, what decides, and each attempt."""
    tab, wrong = visit(browser, page, 1280)
    tab.locator(".chart .heatmaplayer text").first.scroll_into_view_if_needed()
    box = tab.locator(".chart .heatmaplayer text").first.bounding_box()
    tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2 + 8)
    tab.wait_for_selector(".chart .hoverlayer .hovertext")
    told = tab.locator(".chart .hoverlayer .hovertext").text_content()
    assert "declared closed" in told
    assert "rule: ingress: denied by d/p" in told
    assert "DROPPED, DROPPED, DROPPED" in told
    assert wrong == []


@pytest.mark.parametrize("width", [1280, 390])
def test_the_table_is_filtered_by_what_is_typed(browser: Browser, page: Path, width: int) -> None:
    """Rows without the text are hidden, and their number is told."""
    tab, wrong = visit(browser, page, width)
    tab.get_by_label("Find").fill("differ")
    rows = tab.locator("table.find tbody tr:visible")
    assert tab.get_by_role("status").last.inner_text() == f"{rows.count()} of 24 shown"
    assert 0 < rows.count() < 24
    assert all("differ" in text for text in rows.all_inner_texts())
    assert wrong == []
