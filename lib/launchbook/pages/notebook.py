"""An executed notebook as HTML: text, code folded, outputs as they were, charts drawn from their own figures."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import bleach
import nbformat
from bleach.css_sanitizer import CSSSanitizer
from markdown_it import MarkdownIt
from markupsafe import Markup

from launchbook.display import PLOTLY_MIME, escape_lines

_TAGS = [
    "a", "b", "br", "caption", "code", "details", "div", "em", "h1", "h2", "h3", "h4", "hr", "i", "li", "ol", "p", "pre",
    "span", "strong", "summary", "table", "tbody", "td", "th", "thead", "tr", "ul",
]  # fmt: skip
_ATTRIBUTES = {"*": ["class", "style", "scope"], "a": ["href", "title"]}
_STYLE = CSSSanitizer(
    allowed_css_properties=[
        "background-color",  # `background` could load an image
        "color",
        "border-radius",
        "padding",
        "font-weight",
        "font-size",
        "white-space",
    ]
)
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_WIDGET = "application/vnd.jupyter.widget-view+json"


def markdown(text: str) -> Markup:
    """Markdown as HTML; HTML inside it is text. A table that is wider than the page scrolls by itself."""
    html = MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
    html = html.replace("<table>", '<div class="scroll"><table>').replace("</table>", "</table></div>")
    return sanitized(html)


def sanitized(html: str) -> Markup:
    """HTML without anything that acts or loads: scripts, handlers, images, frames and foreign links are gone."""
    return Markup(
        bleach.clean(
            html, tags=_TAGS, attributes=_ATTRIBUTES, protocols=["http", "https"], css_sanitizer=_STYLE, strip=True
        )
    )


def cells(path: Path) -> list[dict[str, Any]]:
    """Each cell as {"kind", "html", "source", "ran", "outputs"}: what the page's template draws.

    A file that is no notebook (its writing was cut off) is one cell that says so: a page must not stop the seal.
    """
    try:
        notebook = nbformat.read(path, as_version=4)
    except (OSError, ValueError, KeyError, AttributeError, TypeError, nbformat.ValidationError) as error:
        said = f"{path.name} can't be read, so its cells are not shown: {type(error).__name__}."
        return [{"kind": "markdown", "html": _pre(said, "error"), "source": "", "outputs": []}]
    return [_cell(cell) for cell in notebook.cells if cell.source.strip()]


def _cell(cell: Any) -> dict[str, Any]:
    if cell.cell_type != "code":
        return {"kind": "markdown", "html": markdown(cell.source), "source": "", "outputs": []}
    status = (cell.metadata.get("papermill") or {}).get("status", "")
    return {
        "kind": "code",
        "html": Markup(""),
        "source": cell.source,
        "ran": status not in ("pending", "") or bool(cell.outputs),
        "outputs": [shown for output in cell.outputs if (shown := _output(output))],
    }


def _output(output: Mapping[str, Any]) -> Markup:
    if output["output_type"] == "stream":
        return _pre(output["text"])
    if output["output_type"] == "error":
        return _pre("\n".join(output["traceback"]), "error")
    data = output.get("data") or {}
    if PLOTLY_MIME in data:
        return chart(data[PLOTLY_MIME])
    if _WIDGET in data:
        return Markup("")
    if "text/html" in data:
        return sanitized(_joined(data["text/html"]))
    return _pre(_joined(data["text/plain"])) if "text/plain" in data else Markup("")


def chart(figure: Mapping[str, Any]) -> Markup:
    """A figure as data that the page's own script draws. `<` is written out, so that no text in it ends the element."""
    data = json.dumps({"data": figure["data"], "layout": figure.get("layout", {})}).replace("<", "\\u003c")
    title = (figure.get("layout", {}).get("title") or {}).get("text", "chart")
    return Markup(
        '<div class="chart" role="img" aria-label="{}"><script type="application/json">{}</script></div>'
    ).format(title, Markup(data))


def _joined(text: str | list[str]) -> str:
    return text if isinstance(text, str) else "".join(text)


def _pre(text: str | list[str], kind: str = "") -> Markup:
    return Markup('<pre class="output {}">{}</pre>').format(kind, escape_lines(_ANSI.sub("", _joined(text))))
