"""Load shown: latency over time, heat map, distribution, throughput, errors; the baseline document; k6's summary shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from launchbook import display
from launchbook.display import Html, escape_markdown, markdown_table
from launchbook.load import intervals
from launchbook.load.buckets import quantile
from launchbook.load.figures import TRENDS, Figure, percent
from launchbook.load.soak import LONG, Slope
from launchbook.load.soak import table as growth
from launchbook.load.tally import Tally
from launchbook.load.terms import Finding, Outcome, Plan, Reason, amount, interval


def target_table(found: Sequence[Finding], result: Outcome) -> pd.DataFrame:
    """The mission's table: target, achieved with its 95 % interval, status."""
    return pd.DataFrame(
        [
            {
                "metric": f.threshold.metric,
                "target": f.threshold.expression,
                "achieved": "-" if f.figure is None else amount(f.threshold, f.figure.value),
                "95 % interval": interval(f.threshold, f.figure),
                "status": str(f.status) if result in ("PASS", "FAIL") else result,
            }
            for f in found
        ],
        columns=["metric", "target", "achieved", "95 % interval", "status"],
    )


def results(found: Sequence[Finding], result: Outcome) -> Html:
    """target_table() with badges."""
    return display.table(target_table(found, result), f"Load test: {result}")


def summary(
    tally: Tally, found: Sequence[Finding], trends: Mapping[str, Figure], about: dict[str, Any]
) -> dict[str, Any]:
    """k6's end-of-test summary (handleSummary's shape), and under `launchbook` which engine gave it, and the intervals.

    trends: those of figures.TRENDS. Under launchbook.intervals: metric -> aggregate -> [low, high] at 95 %, None where
    the samples can't bound it.
    """
    failed, count, seconds = tally.failed, tally.count, tally.seconds
    duration = {name: trends[name].value for name in TRENDS if name in trends}
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
        "options": {"summaryTrendStats": list(TRENDS), "summaryTimeUnit": "ms", "noColor": True},
        "state": {"isStdOutTTY": False, "isStdErrTTY": False, "testRunDurationMs": 1000 * seconds},
        "launchbook": {**about, "intervals": _intervals(found, trends, count)},
    }


def _intervals(found: Sequence[Finding], trends: Mapping[str, Figure], count: int) -> dict[str, dict[str, Any]]:
    bounds: dict[str, dict[str, Any]] = {"http_req_duration": {}}
    for name, figure in trends.items():
        bounds["http_req_duration"][name] = _bounds(figure if carried(name, count) else None)
    for one in found:
        bounds.setdefault(one.threshold.metric, {})[one.threshold.aggregate] = _bounds(one.figure)
    return bounds


def _bounds(figure: Figure | None) -> list[float] | None:
    return None if figure is None or figure.low is None or figure.high is None else [figure.low, figure.high]


def carried(aggregate: str, count: int) -> bool:
    """Whether so many samples carry a percentile: some of them must lie above it."""
    share = percent(aggregate)
    return share is None or count >= intervals.needed(share)


def document(
    plan: Plan, about: dict[str, Any], found: Sequence[Finding], result: Outcome, reasons: Sequence[Reason], tally: Tally,
    trends: Mapping[str, Figure], slopes: Sequence[Slope] = (),
) -> str:  # fmt: skip
    """load-test-baseline.md."""
    lines = [
        "# Load test baseline",
        "",
        f"**{result}**" + "".join(f" {escape_markdown(r.message)}" for r in reasons),
        "",
        f"{plan.vus:g} VUs, {plan.think_time:g} s think time, {plan.duration:g} s measured, engine {about['engine']} "
        f"{escape_markdown(about['version'])}, "
        f"{'from a pod' if about['where'] == 'pod' else 'from outside the cluster'} against "
        f"`{escape_markdown(about['url'])}`.",
        "",
        markdown_table(target_table(found, result)),
        "",
        escape_markdown(about.get("floor_says", "")),
        "",
    ]
    if about.get("script"):
        lines += [
            "The script was the user's own: its think time and weights are not known here, so nothing is said of the rate "
            "that it could reach. k6 judged its own thresholds over the whole test; where one broke, a check did not hold "
            "or it threw an exception, that is said above.",
            "",
        ]
    if plan.think_time and plan.rate is None:
        lines += [
            f"The loop is closed: {plan.vus:g} VUs with {plan.think_time:g} s think time send at most "
            f"{plan.vus / plan.think_time:.0f} requests/s. The rate is a floor, not the capacity.",
            "",
        ]
    if tally.count:
        lines += ["## Latency", "", markdown_table(trend_table(trends, tally.count)), ""]
        if tally.seconds >= LONG:
            lines += ["## What grows", "", markdown_table(growth(list(slopes))), ""]
        lines += ["## By request", "", markdown_table(by_request(tally)), ""]
    return "\n".join(lines)


def trend_table(trends: Mapping[str, Figure], count: int) -> pd.DataFrame:
    """Each figure of the latency with its 95 % interval; a dash where so few samples can't carry it."""
    rows = []
    for name, figure in trends.items():
        bounds = _bounds(figure)
        known = carried(name, count)
        rows.append(
            {
                "latency": name,
                "ms": f"{figure.value:.1f}" if known else "-",
                "95 % interval": f"{bounds[0]:.1f} to {bounds[1]:.1f}" if bounds and known else "-",
            }
        )
    return pd.DataFrame(rows, columns=["latency", "ms", "95 % interval"])


def by_request(tally: Tally) -> pd.DataFrame:
    """A row a name: requests, failed, and percentiles (ms) read from 1 % wide buckets; a dash where too few carry one."""
    rows = []
    for name, row in sorted(tally.by_name.items()):
        count = int(row[0])
        figures = {
            f"{a} (ms)": f"{quantile(row[2:], share):.1f}" if carried(a, count) else "-"
            for a, share in (("med", 0.5), ("p(95)", 0.95), ("p(99)", 0.99))
        }
        rows.append({"request": name, "requests": count, "failed": int(row[1]), **figures})
    return pd.DataFrame(rows)
