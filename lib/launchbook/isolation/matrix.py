"""The three layers of isolation, workload by workload: a heat map, and the same as a table."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from launchbook import display
from launchbook.display import Chart, Html
from launchbook.isolation.layers import by_labels, layer
from launchbook.isolation.reality import reality_of

LAYERS = ("agreement", "declared", "computed", "observed")
COLUMNS = ["edge", "source", "destination", "declared", "computed", "observed", "agreement", "rule", "seen", "outcomes"]
_CODES = {"closed": 0, "mixed": 1, "differ": 1, "unknown": 2, "open": 3, "agree": 4}
# Steps that differ in lightness too; the word stands in every cell, dark on light and light on dark.
_COLOURS = ("#20476b", "#b3261e", "#c9ced4", "#8fc7e8", "#9ad1a8")
_HOVER = 80  # characters of a line
_CELL, _LABEL = 74, 190  # px, of a column and of the labels beside them


def three(edges: Sequence[Any], computed: pd.DataFrame, observed: Mapping[str, Any]) -> pd.DataFrame:
    """A row for each declared edge, COLUMNS.

    declared, computed, observed: open, closed, mixed or unknown; agreement: agree, differ, or unknown where one of the
    three is; rule: what decides on either side; seen: what the probes saw; outcomes: of every attempt, by target.
    """
    rows = []
    for edge in edges:
        source, _, destination = edge.name.partition(" -> ")
        reality, seen = reality_of(edge, observed)
        mine = computed[computed["edge"] == edge.name]
        labelled, labels = by_labels(mine)
        policies = "mixed" if labelled else "unknown" if labels else layer(mine) or "unknown"
        words = [edge.expect, policies, reality or "unknown"]
        agreement = "unknown" if "unknown" in words else "agree" if len(set(words)) == 1 else "differ"
        rule = "; ".join(filter(None, dict.fromkeys([*mine["because"], *mine["labels"]]))) or "nothing was computed"
        rows.append([edge.name, source, destination, *words, agreement, rule, seen, _outcomes(edge.name, observed)])
    return pd.DataFrame(rows, columns=COLUMNS)


def matrix(edges: Sequence[Any], computed: pd.DataFrame, observed: Mapping[str, Any]) -> Chart:
    """Heat map of sources against destinations with a word in each cell; a menu chooses the layer.

    Hovering tells the three layers, the deciding rule and the outcomes. What is not declared has no cell. The longer
    of the two sides runs downwards.
    """
    frame = three(edges, computed, observed)
    across, down = "destination", "source"
    if frame[across].nunique() > frame[down].nunique():
        across, down = down, across
    columns, rows = list(dict.fromkeys(frame[across])), list(dict.fromkeys(frame[down]))
    cells = {(row[down], row[across]): row for row in _records(frame)}
    words = {name: [[cells.get((y, x), {}).get(name, "") for x in columns] for y in rows] for name in LAYERS}
    codes = {name: [[_CODES.get(word) for word in line] for line in shown] for name, shown in words.items()}
    hover = [[_hover(cells[y, x]) if (y, x) in cells else "" for x in columns] for y in rows]
    fig = go.Figure(
        go.Heatmap(
            z=codes["agreement"], x=[html.escape(x) for x in columns], y=[html.escape(y) for y in rows],
            text=words["agreement"], customdata=hover, texttemplate="%{text}", hoverongaps=False,
            hovertemplate="%{customdata}<extra></extra>", colorscale=_scale(), zmin=-0.5, zmax=len(_COLOURS) - 0.5,
            showscale=False, xgap=2, ygap=2,
        )
    )  # fmt: skip
    buttons = [
        {"label": name, "method": "restyle", "args": [{"z": [codes[name]], "text": [words[name]]}]} for name in LAYERS
    ]
    menu = {"buttons": buttons, "x": 0, "xanchor": "left", "y": 1, "yanchor": "bottom", "pad": {"b": 8}, "active": 0}
    fig.update_layout(
        title="Isolation, source against destination", height=230 + 34 * len(rows), updatemenus=[menu],
        margin={"l": 10, "r": 10, "t": 96, "b": 10}, meta={"min_width": _LABEL + _CELL * len(columns)},
        plot_bgcolor="#fff",
    )  # fmt: skip
    fig.update_xaxes(automargin=True, type="category", showgrid=False)
    fig.update_yaxes(automargin=True, type="category", autorange="reversed", showgrid=False)
    return display.figure(fig)


def table(edges: Sequence[Any], computed: pd.DataFrame, observed: Mapping[str, Any]) -> Html:
    """The same with the rule and what was seen, an edge a row; the rendered page has a filter above it."""
    frame = three(edges, computed, observed).drop(columns=["edge", "outcomes"])
    return display.table(frame, "Every declared edge: declared, computed, observed", find=True)


def _outcomes(edge: str, observed: Mapping[str, Any]) -> str:
    seen = observed["edges"].get(edge) or {"targets": []}
    return "; ".join(
        f"{t['target']} ({t['kind']}) {t['host']}:{t['port']}/{t['protocol']}: {', '.join(t['outcomes']) or 'not probed'}"
        for t in seen["targets"]
    )


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [dict(zip(COLUMNS, row, strict=True)) for row in frame.itertuples(index=False)]


def _hover(row: Mapping[str, Any]) -> str:
    lines = [row["edge"], f"declared {row['declared']} · computed {row['computed']} · observed {row['observed']}"]
    lines += [f"rule: {row['rule']}", f"seen: {row['seen']}", f"outcomes: {row['outcomes'] or 'none'}"]
    wrapped = [part for line in lines for part in textwrap.wrap(display.visible(line), _HOVER)]
    return "<br>".join(html.escape(part) for part in wrapped)


def _scale() -> list[tuple[float, str]]:
    """Plotly's colour scale of plain steps, one a code."""
    steps = len(_COLOURS)
    return [(edge / steps, colour) for n, colour in enumerate(_COLOURS) for edge in (n, n + 1)]
