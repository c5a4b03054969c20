"""Load drawn: each figure with its numbers, from samples that were counted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from launchbook import display
from launchbook.display import Chart, visible
from launchbook.load.buckets import BUCKETS, edges, quantile
from launchbook.load.show import by_request
from launchbook.load.tally import Tally
from launchbook.load.terms import Finding
from launchbook.load.windows import Windows, cut

_POINTS = 600  # windows along an axis of time, at most
_ROWS = 48  # of a heat map
_BLUE, _RED, _GRAY = "#1f6feb", "#b3261e", "#5b6470"
_TIME = "seconds since the first request"


@dataclass(frozen=True)
class Moments:
    """What is marked along the time: the warm-up (s), which no figure contains, and events (see happened.COLUMNS)."""

    warmup: float = 0.0
    events: pd.DataFrame | None = None


def _windows(tally: Tally) -> Windows:
    return cut(tally, max(1, math.ceil(tally.seconds / _POINTS)))


def _percentiles(windows: Windows) -> pd.DataFrame:
    frame = pd.DataFrame({"second": windows.begins.round(), "requests": windows.requests, "failed": windows.failed})
    for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
        frame[name] = [quantile(row, share) for row in windows.grid]
    return frame


def latency(tally: Tally, found: Sequence[Finding], moments: Moments) -> Chart:
    """Median and the bands up to p95 and p99 of each window, with the limits of the thresholds and what happened.

    tally: with the warm-up. Percentiles are read from 1 % wide buckets.
    """
    frame = _percentiles(_windows(tally))
    fig = go.Figure()
    for name, fill, colour in (("p50", None, _BLUE), ("p95", "tonexty", "#6ea8fe"), ("p99", "tonexty", "#b6d3fe")):
        fig.add_scatter(x=frame["second"], y=frame[name], name=name, mode="lines", fill=fill, line_color=colour)
    for one in found:
        if one.threshold.metric == "http_req_duration" and one.threshold.limit < 3 * tally.high:
            fig.add_hline(
                y=one.threshold.limit, line_dash="dash", line_color=_RED, annotation_text=one.threshold.expression,
                annotation_position="top right",
            )  # fmt: skip
    _axes(fig, "Latency over time", _TIME, "ms")
    rows = _mark(fig, tally, moments)
    table = frame if rows.empty else pd.concat([frame, rows]).sort_values("second", ignore_index=True)
    return display.figure(fig, table)


def throughput(tally: Tally, found: Sequence[Finding], moments: Moments) -> Chart:
    """Requests/s and failed requests/s, with the rate that a threshold asks for. tally: with the warm-up."""
    windows = _windows(tally)
    frame = pd.DataFrame(
        {
            "second": windows.begins.round(),
            "requests/s": windows.requests / windows.size,
            "failed/s": windows.failed / windows.size,
        }
    )
    fig = go.Figure()
    fig.add_scatter(x=frame["second"], y=frame["requests/s"], name="requests/s", mode="lines", line_color=_BLUE)
    fig.add_scatter(x=frame["second"], y=frame["failed/s"], name="failed/s", mode="lines", line_color=_RED)
    for limit in {one.threshold.limit for one in found if one.threshold.asks_for_rate}:
        fig.add_hline(y=limit, line_dash="dash", line_color=_GRAY, annotation_text=f"target {limit:g}/s")
    _axes(fig, "Throughput", _TIME, "requests/s")
    _mark(fig, tally, moments)
    return display.figure(fig, frame)


def heat(tally: Tally) -> Chart:
    """How many requests took how long in each window: a second cloud, or a climb, that percentiles would blur."""
    windows = cut(tally, max(1, math.ceil(tally.seconds / 120)))
    used = np.flatnonzero(windows.grid.sum(axis=0)) if len(windows) else np.empty(0, int)
    fig, frame = go.Figure(), pd.DataFrame(columns=["second", "ms from", "ms below", "requests"])
    if used.size:
        step = max(1, math.ceil((used[-1] - used[0] + 1) / _ROWS))
        begins = np.arange(used[0], used[-1] + 1, step)
        grid = np.add.reduceat(windows.grid[:, : used[-1] + 1], begins, axis=1)
        low, high = edges(begins), edges(np.minimum(begins + step, BUCKETS))
        shown = np.where(grid > 0, np.log10(np.maximum(grid, 1)), np.nan).T
        most = math.ceil(float(np.nanmax(shown))) or 1
        fig.add_heatmap(
            x=windows.begins.round(), y=(low + high) / 2, z=shown, zmin=0, zmax=most, colorscale="Viridis",
            customdata=grid.T, hovertemplate="%{x} s, %{y:.1f} ms: %{customdata} requests<extra></extra>",
            colorbar={"title": "requests", "tickvals": list(range(most + 1)), "ticktext": [f"{10**n}" for n in range(most + 1)]},
        )  # fmt: skip
        when, place = np.nonzero(grid)
        columns = [windows.begins.round()[when], low[place], high[place], grid[when, place]]
        frame = pd.DataFrame(dict(zip(frame.columns, columns, strict=True)))
    _axes(fig, f"Latency heat map, {windows.size} s a column", _TIME, "ms")
    fig.update_yaxes(type="log", rangemode="normal", dtick=1)
    return display.figure(fig, frame)


def distribution(tally: Tally) -> Chart:
    """How many requests took how long, on a logarithmic axis, a line a request name."""
    fig = go.Figure()
    used = np.flatnonzero(tally.histogram)
    if used.size:
        step = max(1, math.ceil((used[-1] - used[0] + 1) / 60))
        # A bucket without requests on either side brings each line down to zero.
        begins = np.arange(max(0, used[0] - step), min(BUCKETS, used[-1] + 2 * step), step)
        for name, row in sorted(tally.by_name.items()):
            counts = np.add.reduceat(row[2:], begins)
            counts[-1] = 0
            fig.add_scatter(x=edges(begins + step), y=counts, name=_label(name), mode="lines", line_shape="vh")
    _axes(fig, "Distribution of latency", "ms", "requests")
    fig.update_xaxes(type="log")
    return display.figure(fig, by_request(tally))


def errors(tally: Tally) -> Chart:
    """Failed requests by kind and request."""
    rows = [{"error": kind, "name": name, "requests": many} for (kind, name), many in tally.errors.items()]
    frame = pd.DataFrame(rows, columns=["error", "name", "requests"]).sort_values(["error", "name"], ignore_index=True)
    fig = go.Figure()
    for name, part in frame.groupby("name"):
        kinds = [_label(kind) for kind in part["error"]]
        fig.add_bar(y=kinds, x=part["requests"], name=_label(name), orientation="h")
    _axes(fig, f"Errors by kind: {tally.failed} of {tally.count} requests", "requests", "")
    fig.update_layout(barmode="stack")
    fig.update_yaxes(automargin=True)
    if frame.empty:
        fig.add_annotation(text="No request failed.", showarrow=False)
    return display.figure(fig, frame)


def _label(text: object) -> str:
    """Text from elsewhere as Plotly shows it: it knows some HTML, which a name must not use."""
    return visible(text)[:60].replace("&", "&amp;").replace("<", "&lt;")


def _mark(fig: go.Figure, tally: Tally, moments: Moments) -> pd.DataFrame:
    """Draws the moments; the events as rows of a table (second, event)."""
    if moments.warmup:
        fig.add_vrect(
            x0=0, x1=moments.warmup, fillcolor="gray", opacity=0.2, line_width=0, annotation_text="warm-up",
            annotation_position="top left",
        )  # fmt: skip
    events = moments.events
    if events is None or events.empty or not tally.count:
        return pd.DataFrame()
    second = (events["at"] - tally.first).round()
    said = [visible(f"{reason} {name}") for reason, name in zip(events["reason"], events["object"], strict=True)]
    for at in second.unique():
        fig.add_vline(x=float(at), line_width=1, line_dash="dot", line_color=_GRAY)
    # The names stand in the hover text and in the table: side by side on the chart they would cover each other.
    fig.add_scatter(
        x=second, y=[0] * len(said), mode="markers", name="events", text=[_label(one) for one in said],
        hovertemplate="%{x} s: %{text}<extra></extra>", marker={"symbol": "triangle-up", "size": 10, "color": _GRAY},
    )  # fmt: skip
    return pd.DataFrame({"second": second, "event": said})


def _axes(fig: go.Figure, title: str, x: str, y: str) -> None:
    fig.update_layout(
        title=title, xaxis_title=x, yaxis_title=y, height=360, margin={"l": 60, "r": 10, "t": 50, "b": 45}
    )
    fig.update_yaxes(rangemode="tozero")
