"""Load shown: latency over time and its distribution, throughput, errors; the baseline document; k6's summary shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from launchbook import display
from launchbook.display import Chart, Html, escape_markdown, markdown_table
from launchbook.load.figures import trend
from launchbook.load.judge import Finding, Outcome, Plan, Reason, amount
from launchbook.load.samples import measured

_TRENDS = ("avg", "min", "med", "max", "p(90)", "p(95)", "p(99)")


def per_second(samples: pd.DataFrame) -> pd.DataFrame:
    """A row a second: second (since the first request), requests, failed, p50, p95, p99 (ms)."""
    if samples.empty:
        return pd.DataFrame(columns=["second", "requests", "failed", "p50", "p95", "p99"])
    second = (samples["start"] - samples["start"].min()).astype(int)
    grouped = samples.assign(second=second).groupby("second")
    frame = grouped["ms"].quantile(np.array([0.5, 0.95, 0.99])).unstack()
    frame.columns = pd.Index(["p50", "p95", "p99"])
    frame.insert(0, "failed", grouped["failed"].sum())
    frame.insert(0, "requests", grouped.size())
    return frame.reset_index()


def latency(samples: pd.DataFrame, warmup: float) -> Chart:
    """Percentiles of each second; the warm-up, which no figure contains, is marked."""
    frame = per_second(samples)
    fig = go.Figure()
    for name in ("p50", "p95", "p99"):
        fig.add_scatter(x=frame["second"], y=frame[name], name=name, mode="lines")
    if warmup:
        fig.add_vrect(x0=0, x1=warmup, fillcolor="gray", opacity=0.2, line_width=0, annotation_text="warm-up")
    _axes(fig, "Latency over time", "seconds since the first request", "ms")
    return display.figure(fig, frame)


def throughput(samples: pd.DataFrame, found: Sequence[Finding]) -> Chart:
    """Requests and failed requests in each second, with the rate that a threshold asks for."""
    target_rate = next((f.threshold.limit for f in found if f.threshold.asks_for_rate), None)
    frame = per_second(samples)
    fig = go.Figure()
    fig.add_scatter(x=frame["second"], y=frame["requests"], name="requests/s", mode="lines")
    fig.add_scatter(x=frame["second"], y=frame["failed"], name="failed/s", mode="lines", line_dash="dot")
    if target_rate:
        fig.add_hline(y=target_rate, line_dash="dash", annotation_text=f"target {target_rate:g}/s")
    _axes(fig, "Throughput", "seconds since the first request", "requests/s")
    return display.figure(fig, frame[["second", "requests", "failed"]])


def distribution(samples: pd.DataFrame) -> Chart:
    """How many requests took how long, on a logarithmic axis, a line a request name."""
    fig, rows = go.Figure(), []
    if not samples.empty:
        edges = np.geomspace(max(samples["ms"].min(), 0.1), max(samples["ms"].max(), 1.0) * 1.01, 60)
        for name, part in samples.groupby("name"):
            counts, _ = np.histogram(part["ms"], bins=edges)
            fig.add_scatter(x=edges[:-1], y=counts, name=str(name), mode="lines", line_shape="hv")
            shown = {a: trend(part["ms"].to_numpy(), a) for a in ("med", "p(95)", "p(99)", "max")}
            rows.append({"request": name, "requests": len(part), **shown})
    _axes(fig, "Distribution of latency", "ms", "requests")
    fig.update_xaxes(type="log")
    return display.figure(fig, pd.DataFrame(rows))


def errors(samples: pd.DataFrame) -> Chart:
    """Failed requests by kind and request."""
    failed = samples[samples["failed"]]
    frame = failed.groupby(["error", "name"]).size().reset_index(name="requests")
    fig = go.Figure()
    for name, part in frame.groupby("name"):
        fig.add_bar(x=part["error"], y=part["requests"], name=str(name))
    _axes(fig, f"Errors by kind: {len(failed)} of {len(samples)} requests", "", "requests")
    return display.figure(fig, frame)


def _axes(fig: go.Figure, title: str, x: str, y: str) -> None:
    fig.update_layout(
        title=title, xaxis_title=x, yaxis_title=y, height=360, margin={"l": 60, "r": 10, "t": 50, "b": 45}
    )
    fig.update_yaxes(rangemode="tozero")


def target_table(found: Sequence[Finding], result: Outcome) -> pd.DataFrame:
    """The mission's table: target, achieved, status."""
    return pd.DataFrame(
        [
            {
                "metric": f.threshold.metric,
                "target": f.threshold.expression,
                "achieved": "-" if f.figure is None else amount(f.threshold, f.figure),
                "status": str(f.status) if result in ("PASS", "FAIL") else result,
            }
            for f in found
        ],
        columns=["metric", "target", "achieved", "status"],
    )


def results(found: Sequence[Finding], result: Outcome) -> Html:
    """target_table() with badges."""
    return display.table(target_table(found, result), f"Load test: {result}")


def summary(samples: pd.DataFrame, found: Sequence[Finding], seconds: float, about: dict[str, Any]) -> dict[str, Any]:
    """k6's end-of-test summary (handleSummary's shape), and under `launchbook` which engine gave it."""
    values = samples["ms"].to_numpy()
    duration = {name: trend(values, name) for name in _TRENDS} if len(values) else {}
    failed = int(samples["failed"].sum())
    count = len(samples)
    metrics: dict[str, Any] = {
        "http_reqs": {
            "type": "counter", "contains": "default",
            "values": {"count": count, "rate": count / seconds if seconds else 0},
        },
        "http_req_failed": {
            "type": "rate", "contains": "default",
            "values": {"rate": failed / count if count else 0, "passes": failed, "fails": count - failed},
        },
        "http_req_duration": {"type": "trend", "contains": "time", "values": duration},
    }  # fmt: skip
    for f in found:
        metric = metrics.setdefault(f.threshold.metric, {"type": "counter", "contains": "default", "values": {}})
        metric.setdefault("thresholds", {})[f.threshold.expression] = {"ok": f.status == "PASS"}
    return {
        "metrics": metrics,
        "root_group": {"name": "", "path": "", "groups": [], "checks": []},
        "options": {"summaryTrendStats": list(_TRENDS), "summaryTimeUnit": "ms", "noColor": True},
        "state": {"isStdOutTTY": False, "isStdErrTTY": False, "testRunDurationMs": 1000 * seconds},
        "launchbook": about,
    }


def document(
    plan: Plan,
    about: dict[str, Any],
    found: Sequence[Finding],
    result: Outcome,
    reasons: Sequence[Reason],
    samples: pd.DataFrame,
) -> str:
    """load-test-baseline.md."""
    lines = [
        "# Load test baseline",
        "",
        f"**{result}**" + "".join(f" {r.message}" for r in reasons),
        "",
        f"{plan.vus:g} VUs, {plan.think_time:g} s think time, {plan.duration:g} s measured, engine {about['engine']} "
        f"{about['version']}, "
        f"{'from a pod' if about['where'] == 'pod' else 'from outside the cluster'} against "
        f"`{escape_markdown(about['url'])}`.",
        "",
        markdown_table(target_table(found, result)),
        "",
    ]
    if plan.think_time and plan.rate is None:
        lines += [
            f"The loop is closed: {plan.vus:g} VUs with {plan.think_time:g} s think time send at most "
            f"{plan.vus / plan.think_time:.0f} requests/s. The rate is a floor, not the capacity.",
            "",
        ]
    if len(samples):
        frame = pd.DataFrame(
            [
                {"request": name, "requests": len(part), "failed": int(part["failed"].sum()),
                 **{f"{a} (ms)": f"{trend(part['ms'].to_numpy(), a):.1f}" for a in ("med", "p(95)", "max")}}
                for name, part in samples.groupby("name")
            ]
        )  # fmt: skip
        lines += ["## By request", "", markdown_table(frame), ""]
    return "\n".join(lines)


__all__ = [
    "Chart", "distribution", "document", "errors", "latency", "measured", "per_second", "results", "summary",
    "target_table", "throughput",
]  # fmt: skip
