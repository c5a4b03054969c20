"""Budgets as a table; ready pods over time while an evicted one was replaced."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from launchbook import display
from launchbook.display import Chart, Html


def table(found: Mapping[str, Any]) -> Html:
    """One row a budget: what it asks for and what its status says."""
    rows = []
    for one in found["budgets"]:
        live = one["budget"] or {"spec": {}, "status": {}}
        spec, status = live["spec"], live.get("status") or {}
        asks = ", ".join(f"{k} {spec[k]}" for k in ("minAvailable", "maxUnavailable") if k in spec)
        rows.append(
            [one["name"], asks, status.get("currentHealthy"), status.get("desiredHealthy"),
             status.get("disruptionsAllowed"), ", ".join(one["pods"])]
        )  # fmt: skip
    columns = ["budget", "asks for", "currentHealthy", "desiredHealthy", "disruptionsAllowed", "pods"]
    return display.table(pd.DataFrame(rows, columns=columns), found["problem"] or "Disruption budgets")


def timeline(found: Mapping[str, Any]) -> Chart | Html:
    """Ready pods since the first eviction, with the number that the budget promises."""
    proofs = [one for one in found["proofs"] if one["healthy"]]
    if not proofs:
        problems = [found["problem"]] + [one["problem"] for one in found["proofs"]]
        return display.table(pd.DataFrame({"because": [p for p in problems if p]}), "No pod was evicted")
    fig = go.Figure()
    rows = []
    for one in proofs:
        seconds, counts = zip(*one["healthy"], strict=True)
        fig.add_scatter(x=seconds, y=counts, name=f"{one['name']}: ready", mode="lines", line_shape="hv")
        fig.add_hline(y=one["desired"], line_dash="dash", annotation_text=f"{one['name']} promises {one['desired']}")
        rows += [[one["name"], *pair] for pair in one["healthy"]]
    fig.update_layout(title="Ready pods after the eviction", xaxis_title="seconds since the eviction", height=320)
    fig.update_yaxes(title="pods", rangemode="tozero")
    return display.figure(fig, pd.DataFrame(rows, columns=["budget", "seconds", "pods ready"]))
