"""The matrix that people read: each edge as declared, as computed from the policies, and as observed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from launchbook import display
from launchbook.display import Chart, Html
from launchbook.isolation.judge import layer, reality_of

_CODES = {"closed": 0.0, "mixed": 1.0, "unknown": 2.0, "open": 3.0}
# Four steps that differ in lightness too; the word stands in every cell.
_SCALE = [(0.0, "#20476b"), (0.25, "#20476b"), (0.25, "#b3261e"), (0.5, "#b3261e"),
          (0.5, "#9aa3ad"), (0.75, "#9aa3ad"), (0.75, "#8fc7e8"), (1.0, "#8fc7e8")]  # fmt: skip


def three(edges: Sequence[Any], computed: pd.DataFrame, observed: Mapping[str, Any]) -> pd.DataFrame:
    """Columns edge, declared, computed, observed, why: open, closed, mixed or unknown."""
    rows = []
    for edge in edges:
        reality, why = reality_of(edge, observed)
        policies = layer(computed[computed["edge"] == edge.name])
        rows.append([edge.name, edge.expect, policies or "unknown", reality or "unknown", why])
    return pd.DataFrame(rows, columns=["edge", "declared", "computed", "observed", "why"])


def matrix(edges: Sequence[Any], computed: pd.DataFrame, observed: Mapping[str, Any]) -> Chart:
    """Heat map, a row an edge: declared, computed, observed. A row of one colour is as it should be."""
    frame = three(edges, computed, observed)
    layers = ["declared", "computed", "observed"]
    words = frame[layers].to_numpy().tolist()
    fig = go.Figure(
        go.Heatmap(
            z=[[_CODES[word] for word in row] for row in words], x=layers, y=frame["edge"].tolist(), text=words,
            texttemplate="%{text}", colorscale=_SCALE, zmin=0, zmax=3, showscale=False, xgap=2, ygap=2,
            customdata=[[why] * 3 for why in frame["why"]],
            hovertemplate="%{y}<br>%{x}: %{text}<br>%{customdata}<extra></extra>",
        )
    )  # fmt: skip
    fig.update_layout(title="Isolation", height=140 + 34 * len(frame), margin={"l": 10, "r": 10, "t": 50, "b": 40})
    fig.update_yaxes(automargin=True, autorange="reversed")
    return display.figure(fig, frame)


def attempts(observed: Mapping[str, Any]) -> Html:
    """Every target with the outcome of each attempt and its controls."""
    rows = [
        [
            edge, target["target"], target["kind"], f"{target['host']}:{target['port']}/{target['protocol']}",
            ", ".join(target["outcomes"]) or "not probed",
            "" if target["answers"] is None else "yes" if target["answers"] else "no",
            "yes" if all(seen["control"]) else "no",
        ]
        for edge, seen in observed["edges"].items()
        for target in seen["targets"]
    ]  # fmt: skip
    columns = ["edge", "target", "by", "address", "outcomes", "answers others", "control open"]
    return display.table(pd.DataFrame(rows, columns=columns), observed["problem"] or "Every attempt")


def canary(found: Mapping[str, Any]) -> Html:
    """Each node: whether its listener was open before the policy and silent after, and after how long."""
    columns = {"node": "node", "open": "open before", "blocked": "denied after", "lag": "lag (s)", "because": "because"}
    frame = pd.DataFrame(found["nodes"], columns=list(columns)).rename(columns=columns)
    return display.table(frame, found["problem"] or "Enforcement, node by node")
