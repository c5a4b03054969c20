"""The search for a capacity shown: what it will take, its steps as a chart and a table, and its part of the document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from launchbook.display import Chart, Html, escape_markdown, figure, markdown_table, table
from launchbook.load.searching import Searched, Tried
from launchbook.load.terms import amount
from launchbook.parameters import Load

_SAYS = {True: "held", False: "broke", None: "not believed"}
_COLOURS = {"held": "#1a7f37", "broke": "#b3261e", "not believed": "#5b6470"}


def plan(load: Load, idle: float, expected: Mapping[str, Any]) -> Html:
    """How long load will be sent, before it begins. idle: s, in which logs are counted first; expected: see foretold()."""
    rows = [("logs at idle", f"{idle:g} s", ""), ("the scenario", f"{load.scenario.seconds:g} s", _size(load))]
    if expected:
        given = load.capacity
        assert given is not None
        each = f"{given.warmup + given.duration:g} s each, from {given.first:g} up to {given.most:g} requests/s"
        most = f"up to {expected['steps']} steps, {each}; none begins after {expected['deadline']:g} s"
        rows.append(("the search for the capacity", f"{expected['seconds']:g} s at most", most))
    said = "Starting a generator takes some seconds more each time."
    return table(pd.DataFrame(rows, columns=["part", "takes", ""]), f"How long load is sent. {said}")


def _size(load: Load) -> str:
    given = load.scenario
    if given.script:
        return "as its script says"
    return f"{given.rate:g} requests/s" if given.rate else f"{given.vus} VUs, {given.think_time:g} s think time"


def rows(found: Searched) -> pd.DataFrame:
    """A row a step: requests/s planned, sent and answered, each threshold's figure, what it says, and why."""
    return pd.DataFrame([_row(number, one) for number, one in enumerate(found.tried, 1)])


def _row(number: int, one: Tried) -> dict[str, Any]:
    figures = {
        f.threshold.name: "-" if f.figure is None else amount(f.threshold, f.figure.value) for f in one.found
    }  # fmt: skip
    return {
        "step": number, "requests/s": f"{one.step.rate:g}", "sent/s": f"{one.step.sent:.1f}",
        "answered/s": f"{one.answered:.1f}", **figures, "says": _SAYS[one.step.held], "because": one.step.why,
    }  # fmt: skip


def climb(found: Searched | None) -> Chart | Html:
    """Each threshold's figure at each rate, as a share of its limit: what lies above 1 breaks it. With rows()."""
    if found is None:
        return Html("<p>No search for the capacity was asked for.</p>", "No search for the capacity was asked for.")
    points = [
        (one.step.rate, f.figure.value / f.threshold.limit, _SAYS[one.step.held], f.threshold.name)
        for one in found.tried
        for f in one.found
        if f.figure is not None and f.threshold.limit > 0
    ]
    frame = pd.DataFrame(points, columns=["rate", "share", "says", "threshold"])
    fig = go.Figure()
    symbols = dict(zip(frame["threshold"].unique(), ("circle", "diamond", "square", "x", "cross") * 4, strict=False))
    for (says, threshold), part in frame.groupby(["says", "threshold"]):
        fig.add_scatter(
            x=part["rate"], y=part["share"], mode="markers", name=f"{threshold}: {says}",
            marker={"size": 11, "color": _COLOURS[str(says)], "symbol": symbols[threshold]},
        )  # fmt: skip
    fig.add_hline(y=1, line_dash="dash", line_color="#b3261e", annotation_text="limit", annotation_position="top right")
    fig.add_vline(x=found.wanted, line_dash="dash", line_color="#5b6470", annotation_text=f"needed {found.wanted:g}/s")
    fig.update_layout(
        title=f"Capacity: {found.answer.said}", xaxis_title="requests/s planned", yaxis_title="share of the limit",
        height=360, margin={"l": 60, "r": 10, "t": 50, "b": 45},
    )  # fmt: skip
    fig.update_yaxes(rangemode="tozero")
    return figure(fig, rows(found))


def section(found: Searched | None) -> str:
    """The part of load-test-baseline.md; empty where no search was asked for."""
    if found is None:
        return ""
    told = f"At least {found.wanted:g} requests/s are needed."
    said = f"**{found.answer.said}** {escape_markdown(found.answer.because)} {told}"
    steps = ["", markdown_table(rows(found)), ""] if found.tried else []
    return "\n".join(["", "## Capacity", "", said, *steps])
