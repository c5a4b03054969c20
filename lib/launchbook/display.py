"""What a notebook cell shows: tables, charts, badges, and text made safe for HTML and for Markdown.

Whatever came from a cluster (names, labels, log lines) is text: it passes through here before it is shown.
Nothing here loads anything from anywhere. A chart is Plotly's own MIME type, which JupyterLab draws; `pages`
turns the same into a drawing beside one shared copy of plotly.js.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from markupsafe import Markup
from tabulate import tabulate

from launchbook.words import Priority, Status, Verdict

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

PLOTLY_MIME = "application/vnd.plotly.v1+json"

# White text on each of these has a contrast of at least 4.5:1, on a light page and on a dark one alike.
_COLOURS = {
    "PASS": "#1a7340",
    "FAIL": "#b3261e",
    "UNKNOWN": "#8a5300",
    "WAIVED": "#6941a5",
    "NA": "#5b6470",
    "GO": "#1a7340",
    "NO-GO": "#b3261e",
    "CONDITIONAL": "#8a5300",
    "INCOMPLETE": "#5b6470",
}
# Control characters and those that reverse the reading direction can make text look like other text.
_INVISIBLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2028\u2029\u2060-\u2069\ufeff]")
_MARKDOWN = re.compile(r"([\\`*_\[\]<>|~&#])")
# JupyterLab sets every cell flush right and lets one long word, a digest, push the columns after it out of sight.
_LEFT = "text-align:left"
_LONG_WORD = re.compile(r"[^\s-]{32}")
_MARKDOWN_AT_START = re.compile(r"^(\d*)([-+=.)])(?=[-+=\s]|$)")


def visible(text: object) -> str:
    """`text` with control characters and direction marks written out, `\\x1b`, so that none can act."""
    return _INVISIBLE.sub(lambda found: ascii(found[0])[1:-1], str(text))


def escape(text: object) -> Markup:
    """`text` as HTML that shows exactly its characters."""
    return Markup(html.escape(visible(text)))


def escape_lines(text: object) -> Markup:
    """escape() for text of several lines, which stay lines."""
    return Markup("\n").join(escape(line) for line in str(text).split("\n"))


def escape_markdown(text: object) -> str:
    """`text` as one line of Markdown that shows exactly its characters, in a paragraph or a table's cell."""
    line = _MARKDOWN.sub(r"\\\1", visible(" ".join(str(text).split())))
    return _MARKDOWN_AT_START.sub(r"\1\\\2", line)


def markdown_table(frame: pd.DataFrame) -> str:
    """`frame` without its index as a Markdown table, each cell escaped."""
    rows = [[escape_markdown(_cell(value)) for value in row] for row in frame.itertuples(index=False)]
    return tabulate(rows, [escape_markdown(name) for name in frame.columns], tablefmt="pipe", disable_numparse=True)


@dataclass(frozen=True)
class Html:
    """HTML that a notebook shows as it is, with the plain text that a terminal shows in its place."""

    html: str
    text: str

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": self.html, "text/plain": self.text}

    def __html__(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.text


def status_badge(status: Status | Verdict | Priority | str) -> Markup:
    """A status as a word on a colour of its own; the word alone carries the meaning."""
    colour = _COLOURS.get(str(status), "#5b6470")
    return Markup(
        '<span class="status" style="background-color:{};color:#fff;border-radius:.25em;padding:.1em .5em;'
        'font-weight:600;font-size:.85em;white-space:nowrap">{}</span>'
    ).format(colour, status)


def table(
    frame: pd.DataFrame,
    caption: str = "",
    *,
    index: bool = False,
    badges: Sequence[str] = ("status",),
    find: bool = False,
) -> Html:
    """`frame` as a table: each cell escaped, columns named in `badges` (any case) as status badges.

    Numbers are shown with four significant digits; give text where another form is wanted. find: the rendered page
    puts a field above it that hides the rows without the text typed.
    """
    shown = frame.reset_index() if index else frame
    marked = {str(name).casefold() for name in badges}
    head = Markup("").join(
        Markup('<th scope="col" style="{}">{}</th>').format(_LEFT, escape(name)) for name in shown.columns
    )
    body = Markup("").join(_row(shown.columns, row, marked) for row in shown.itertuples(index=False))
    title = Markup("<caption>{}</caption>").format(escape(caption)) if caption else ""
    markup = Markup(
        '<div class="table"><table class="launchbook{}">{}<thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>'
    )
    plain = tabulate(
        [[visible(_cell(value)) for value in row] for row in shown.itertuples(index=False)],
        [visible(name) for name in shown.columns],
        disable_numparse=True,
    )
    return Html(
        str(markup.format(" find" if find else "", title, head, body)),
        f"{visible(caption)}\n{plain}" if caption else plain,
    )


@dataclass(frozen=True)
class Chart:
    """A Plotly figure and, folded below it, its numbers."""

    figure: Figure
    title: str
    numbers: Html | None = None

    def bundle(self) -> dict[str, Any]:
        """The MIME bundle of the drawing: JupyterLab draws it, elsewhere the sentence stands in."""
        sentence = f"Chart: {self.title}. JupyterLab and the run's rendered page draw it."
        return {
            PLOTLY_MIME: json.loads(self.figure.to_json()),
            "text/html": str(Markup("<p>{}</p>").format(escape(sentence))),
            "text/plain": visible(sentence),
        }

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display(self.bundle(), raw=True)
        if self.numbers is not None:
            summary = Markup("<details><summary>{} as a table</summary>{}</details>")
            display(Html(str(summary.format(escape(self.title), Markup(self.numbers.html))), self.numbers.text))


def figure(fig: Figure, numbers: pd.DataFrame | None = None, *, title: str = "") -> Chart:
    """`fig` as a cell's last value, drawn in JupyterLab and in the rendered page.

    numbers: what the chart draws, shown folded below it, for who can't see the drawing; give it unless
             a table of the same figures stands beside the chart already
    title:   names the chart in words; default: the figure's own title
    """
    name = title or getattr(fig.layout.title, "text", None) or "chart"
    return Chart(fig, str(name), None if numbers is None else table(numbers))


def _row(columns: pd.Index[Any], row: Sequence[Any], marked: set[str]) -> Markup:
    cells = Markup("")
    for name, value in zip(columns, row, strict=True):
        shown = status_badge(_cell(value)) if str(name).casefold() in marked and value else _html_cell(value)
        cells += Markup("<td{}>{}</td>").format(_how(value), shown)
    return Markup("<tr>{}</tr>").format(cells)


def _how(value: Any) -> Markup:
    if _is_number(value):
        return Markup(' class="number"')
    breaks = ";overflow-wrap:anywhere" if _LONG_WORD.search(_cell(value)) else ""
    return Markup(' style="{}{}"').format(_LEFT, breaks)


def _html_cell(value: Any) -> Markup:
    return Markup(value.__html__()) if hasattr(value, "__html__") else escape(_cell(value))


def _is_number(value: Any) -> bool:
    return pd.api.types.is_number(value) and not isinstance(value, bool)


def _cell(value: Any) -> str:
    if value is None or (pd.api.types.is_scalar(value) and pd.isna(value)):
        return ""
    if isinstance(value, (float, np.floating)):
        number = float(value)
        return f"{number:.0f}" if abs(number) >= 1000 else f"{number:.4g}"
    return str(value)
