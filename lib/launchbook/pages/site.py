"""The pages of a run folder: the verdict first, then tracks, checks, documents, and one page a notebook."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jinja2
from plotly.offline import get_plotlyjs

from launchbook.display import status_badge
from launchbook.pages.notebook import cells, markdown
from launchbook.record import write_atomically

_ORDER = {"FAIL": 0, "UNKNOWN": 1, "WAIVED": 2, "PASS": 3, "NA": 4}
_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("launchbook.pages"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.globals["badge"] = status_badge


def render(folder: Path) -> Path:
    """Writes index.html, a page for each notebook and document, and plotly.min.js; returns index.html.

    Whatever is missing (a track that never ran) is left out and said; a page needs nothing but the run folder.
    """
    verdict = json.loads((folder / "verdict.json").read_text(encoding="utf-8"))
    write_atomically(folder / "plotly.min.js", get_plotlyjs())
    documents = [_document(folder, path, verdict) for path in sorted((folder / "documents").glob("*.md"))]
    for track in verdict["tracks"]:
        source = folder / track["notebook"]
        track["page"] = _notebook(folder, source, track, verdict) if source.exists() else None
    checks = sorted(verdict["checks"], key=lambda c: (_ORDER[c["status"]], c["priority"], c["id"], c["subject"]))
    evidence = sorted(str(path.relative_to(folder)) for path in (folder / "evidence").rglob("*") if path.is_file())
    others = sorted(
        str(path.relative_to(folder))
        for path in (folder / "documents").glob("*")
        if path.suffix not in (".md", ".html")
    )
    index = folder / "index.html"
    page = _TEMPLATES.get_template("index.html").render(
        verdict=verdict,
        checks=checks,
        documents=documents,
        evidence=evidence,
        others=others,
        root="",
        title=_title(verdict),
    )
    write_atomically(index, page)
    return index


def _title(verdict: dict[str, Any]) -> str:
    return f"{verdict['verdict']} · {verdict['environment']} · {verdict['run']}"


def _document(folder: Path, path: Path, verdict: dict[str, Any]) -> dict[str, str]:
    page = path.with_suffix(".html")
    text = path.read_text(encoding="utf-8")
    html = _TEMPLATES.get_template("document.html").render(
        body=markdown(text), verdict=verdict, title=path.stem, root="../"
    )
    write_atomically(page, html)
    heading = next((line.lstrip("# ") for line in text.splitlines() if line.startswith("#")), path.stem)
    return {"page": str(page.relative_to(folder)), "source": str(path.relative_to(folder)), "heading": heading}


def _notebook(folder: Path, source: Path, track: dict[str, Any], verdict: dict[str, Any]) -> str:
    page = source.with_suffix(".html")
    mine = [c for c in verdict["checks"] if c["track"] == track["id"]]
    html = _TEMPLATES.get_template("notebook.html").render(
        cells=cells(source),
        track=track,
        checks=mine,
        verdict=verdict,
        title=f"{track['id']} · {track['title']}",
        root="",
    )
    write_atomically(page, html)
    return page.name
