"""Pages of a run folder: whatever is missing or broken in it is said, and nothing foreign gets into a page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest

from launchbook.pages import render
from launchbook.pages.notebook import cells, chart, markdown, sanitized
from launchbook.tracks import TRACKS

ATTACK = "<script>alert(1)</script>"


def check(id: str, **changed: Any) -> dict[str, Any]:
    return {
        "id": id, "track": id[0], "priority": "P0", "title": "Title", "subject": "s", "status": "PASS", "waiver": None,
        "measured": "m", "expected": "e", "because": "Why.", "evidence": [], "at": "", "remedy": "Mend it.", **changed,
    }  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run that was killed before any track began: no notebook, no document, no evidence."""
    tracks = [
        {"id": t.id, "title": t.title, "weight": t.weight, "status": "not run", "because": "did not run",
         "notebook": t.notebook, "seconds": None} for t in TRACKS
    ]  # fmt: skip
    write(tmp_path, checks=[], tracks=tracks)
    return tmp_path


def write(folder: Path, **changed: Any) -> None:
    path = folder / "verdict.json"
    verdict = json.loads(path.read_text()) if path.exists() else {
        "verdict": "INCOMPLETE", "run": "2026-11-24-084741z-lab", "environment": "lab", "because": ["It was stopped."],
        "counts": {"PASS": 0, "FAIL": 0, "UNKNOWN": 0, "WAIVED": 0, "NA": 0}, "started": "then", "finished": None,
        "cluster": None, "subject": {}, "valid_until": None, "waivers_ignored": [],
    }  # fmt: skip
    path.write_text(json.dumps(verdict | changed))


def text_of(folder: Path, name: str = "index.html") -> str:
    render(folder)
    return (folder / name).read_text()


def test_a_run_that_was_killed_before_it_began_has_a_page(folder: Path) -> None:
    """Without a cluster, a check or a notebook."""
    page = text_of(folder)
    assert "INCOMPLETE" in page
    assert "unfinished" in page
    assert "did not run" in page
    assert not list(folder.glob("[A-D]-*.html"))


@pytest.mark.parametrize("content", ["", "{", '{"cells": [', "[]", '{"cells": 1}', "null"])
def test_a_notebook_whose_writing_was_cut_off_is_said(folder: Path, content: str) -> None:
    """And the other pages are there: rendering must not stop a run from being sealed."""
    (folder / TRACKS[0].notebook).write_text(content)
    assert "can&#x27;t be read, so its cells are not shown" in text_of(folder, "A-manifests.html")


def test_a_check_leads_to_its_evidence(folder: Path) -> None:
    """Each file by a link that survives any character in its name; each id by one anchor, on its worst row."""
    write(folder, checks=[
        check("A.ready", evidence=["evidence/manifests/a b#1.json"]), check("A.ready", subject="t", status="FAIL")
    ])  # fmt: skip
    page = text_of(folder)
    assert '<a class="file" href="evidence/manifests/a%20b%231.json">evidence/manifests/a b#1.json</a>' in page
    assert page.count('id="A.ready"') == 1
    assert '<tr data-status="FAIL" id="A.ready">' in page


def test_text_from_a_cluster_is_text(folder: Path) -> None:
    """Wherever a page shows it."""
    said = {"subject": ATTACK, "measured": ATTACK, "because": ATTACK, "status": "FAIL", "remedy": ATTACK}
    write(folder, checks=[check("A.ready", **said)], because=[ATTACK], subject={"image": {ATTACK: ATTACK}})
    (folder / "documents").mkdir()
    (folder / "documents" / "status.md").write_text(f"# {ATTACK}\n\n[x](javascript:alert(1)) {ATTACK}")
    for page in (text_of(folder), (folder / "documents" / "status.html").read_text()):
        assert "alert(1)" in page
        assert ATTACK not in page
        assert 'href="javascript' not in page


def test_cells_that_never_ran_are_told_apart(folder: Path) -> None:
    """From those that ran and printed nothing."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("a"), nbformat.v4.new_code_cell("b")])
    notebook.cells[0].metadata["papermill"] = {"status": "completed"}
    notebook.cells[1].metadata["papermill"] = {"status": "pending"}
    nbformat.write(notebook, folder / "x.ipynb")
    assert [cell["ran"] for cell in cells(folder / "x.ipynb")] == [True, False]


@pytest.mark.parametrize(
    "html",
    [
        "<img src=x onerror=alert(1)>", "<iframe src='https://example.com'></iframe>", "<svg onload=alert(1)></svg>",
        "<a href='javascript:alert(1)'>x</a>", "<div style='background:url(https://example.com/x)'>x</div>",
        "<link rel=stylesheet href='https://example.com/x.css'>", "<form action='https://example.com'></form>",
        "<b onclick=alert(1)>x</b>", "<style>@import 'https://example.com'</style>",
    ],
)  # fmt: skip
def test_html_that_acts_or_loads_is_taken_out(html: str) -> None:
    """What is left shows text alone."""
    left = str(sanitized(html)).lower()
    for word in ("<img", "<iframe", "<svg", "javascript:", "url(", "<link", "<form", "onclick", "<style"):
        assert word not in left


def test_markdown_holds_no_html() -> None:
    """A document is Markdown; a tag in it is text."""
    assert "<script>" not in markdown(ATTACK)
    assert "alert(1)" in markdown(ATTACK)


def test_a_chart_cannot_end_its_own_element() -> None:
    """A name such as `</script>` in a figure stays data, and is the same data when read back."""
    shown = str(chart({"data": [{"x": ["</script>" + ATTACK]}], "layout": {"title": {"text": ATTACK}}}))
    assert shown.count("</script>") == 1
    data = shown.partition('type="application/json">')[2].partition("</script>")[0]
    assert json.loads(data)["data"][0]["x"] == ["</script>" + ATTACK]
