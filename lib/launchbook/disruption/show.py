"""Budgets and simulated drains as tables; ready pods and requests over time while an evicted pod was replaced."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from launchbook import display
from launchbook.counted import counted
from launchbook.display import Chart, Html
from launchbook.disruption.drain import Drain
from launchbook.disruption.drain import drains as simulated


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


def drains(found: Mapping[str, Any]) -> Html:
    """One row for each eviction of each node's drain, in order, and for each pod that stands in its way."""
    every = simulated(found)
    rows = [row for one in every for row in _rows(one)]
    granted, stuck = sum(len(one.steps) for one in every), sum(len(one.blocked) for one in every)
    gone = counted(granted, "pod is", "pods are")
    told = f"A drain of each of {len(every)} nodes, simulated: {gone} evicted, {stuck} never are"
    columns = [
        "node",
        "pod",
        "answer",
        "budget",
        "healthy after",
        "disruptionsAllowed after",
        "waits before",
        "runs again on",
    ]
    return display.table(pd.DataFrame(rows, columns=columns), found["problem"] or told)


def _rows(one: Drain) -> list[list[Any]]:
    waits = {0: "", 1: "1 replacement round"}
    rows: list[list[Any]] = [
        [one.node, step.pod, f"evicted: {step.why}", step.budget or "", step.healthy, step.left,
         waits.get(step.waits, f"{step.waits} replacement rounds"), _then(one, step.pod, step.replacement)]
        for step in one.steps
    ]  # fmt: skip
    rows += [[one.node, pod, "never evicted", "", None, None, "for ever", why] for pod, why in one.blocked]
    left_out = "left out: a mirror pod, or a DaemonSet's (--ignore-daemonsets)"
    return rows + [[one.node, pod, left_out, "", None, None, "", ""] for pod in one.left_out]


def _then(one: Drain, pod: str, replacement: str) -> str:
    flags = [flag for flag, pods in (("--force", one.forced), ("--delete-emptydir-data", one.emptied)) if pod in pods]
    return f"{replacement} (needs {' '.join(flags)})" if flags else replacement


def timeline(found: Mapping[str, Any]) -> Chart | Html:
    """Ready pods since the first eviction, with the number that the budget promises; below, each request meanwhile."""
    proofs = [one for one in found["proofs"] if one["healthy"]]
    if not proofs:
        problems = [found["problem"]] + [one["problem"] for one in found["proofs"]]
        return display.table(pd.DataFrame({"because": [p for p in problems if p]}), "No pod was evicted")
    asked = any(one["requests"] for one in proofs)
    fig = make_subplots(rows=1 + asked, cols=1, shared_xaxes=True, vertical_spacing=0.08)
    rows = []
    for one in proofs:
        seconds, counts = zip(*one["healthy"], strict=True)
        fig.add_scatter(x=seconds, y=counts, name=f"{one['name']}: ready", mode="lines", line_shape="hv", row=1, col=1)
        promise = f"{one['name']} promises {one['desired']}"
        fig.add_hline(y=one["desired"], line_dash="dash", annotation_text=promise, row=1, col=1)
        _requests(fig, one)
        rows += [[one["name"], *pair, *_meanwhile(one, pair[0])] for pair in one["healthy"]]
    title = "Ready pods and requests after the eviction" if asked else "Ready pods after the eviction"
    legend = {"orientation": "h", "yanchor": "bottom", "y": 1.01}
    fig.update_layout(title=title, height=480 if asked else 320, legend=legend)
    fig.update_xaxes(title="seconds since the eviction", row=1 + asked, col=1)
    fig.update_yaxes(title="pods", rangemode="tozero", row=1, col=1)
    if asked:
        fig.update_yaxes(title="ms a request", rangemode="tozero", row=2, col=1)
    columns = ["budget", "seconds", "pods ready", "requests so far", "failed so far"]
    return display.figure(fig, pd.DataFrame(rows, columns=columns))


def _requests(fig: go.Figure, one: Mapping[str, Any]) -> None:
    samples = one["requests"]["samples"] if one["requests"] else []
    for failed, name, symbol, colour in ((False, "answered", "circle", "#1a7340"), (True, "failed", "x", "#b3261e")):
        points = [(at, took * 1000, error) for at, took, error in samples if bool(error) == failed]
        if points:
            at, took, errors = zip(*points, strict=True)
            fig.add_scatter(
                x=at, y=took, text=[display.visible(error) for error in errors], name=f"{one['requests']['to']}: {name}",
                mode="markers", marker={"symbol": symbol, "color": colour, "size": 5}, row=2, col=1,
            )  # fmt: skip


def _meanwhile(one: Mapping[str, Any], until: float) -> list[int | None]:
    if not one["requests"]:
        return [None, None]
    begun = [error for at, _, error in one["requests"]["samples"] if at <= until]
    return [len(begun), sum(bool(error) for error in begun)]
