"""Results without samples: k6's end-of-test summary, and the statistics that Locust writes for `--csv`."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from launchbook.load.reading import Foreign, Problem, Reading
from launchbook.thresholds import METRICS, known


def k6_summary(path: Path, whole: Mapping[str, Any]) -> Reading:
    """handleSummary's shape (values, thresholds ok) or --summary-export's (flat, where true means broken)."""
    metrics = whole["metrics"]
    if not isinstance(metrics, dict):
        raise Foreign(f"{path}: `metrics` is no mapping, so this is no k6 summary.")
    reading = Reading()
    for name in METRICS:
        metric = metrics.get(name)
        if not isinstance(metric, dict):
            continue
        values = _values(path, name, metric)
        shown = {k.replace(" ", ""): float(v) for k, v in values.items() if isinstance(v, (int, float))}
        if name == "http_req_failed" and "rate" not in shown and "value" in shown:
            shown["rate"] = shown["value"]
        reading.figures[name] = shown
        reading.problems += _sane(path, name, shown)
    _own_thresholds(path, metrics, reading)
    count = reading.figures.get("http_reqs", {}).get("count", 0.0)
    reading.count = int(count) if math.isfinite(count) else 0
    dropped = metrics.get("dropped_iterations")
    lost = _values(path, "dropped_iterations", dropped).get("count", 0) if isinstance(dropped, dict) else 0
    if not isinstance(lost, (int, float)):
        raise Foreign(f"{path}: the count of dropped_iterations is no number, so this is no k6 summary.")
    if lost:
        reading.problems.append(
            ("generator-saturated", f"{lost:g} iterations were dropped: the generator could not keep its rate.")
        )
    return reading


def _values(path: Path, name: str, metric: Mapping[str, Any]) -> Mapping[str, Any]:
    values = metric.get("values", {k: v for k, v in metric.items() if k != "thresholds"})
    if not isinstance(values, dict):
        raise Foreign(f"{path}: the values of {name} are no mapping, so this is no k6 summary.")
    return values


def _own_thresholds(path: Path, metrics: Mapping[str, Any], reading: Reading) -> None:
    """What can be judged here goes to `thresholds`; of the rest (checks, a metric with tags) k6's own word is taken."""
    for name, metric in metrics.items():
        given = metric.get("thresholds") if isinstance(metric, dict) else None
        if not given:
            continue
        if not isinstance(given, dict):
            raise Foreign(f"{path}: the thresholds of {name} are no mapping, so this is no k6 summary.")
        for expression, said in given.items():
            if known(name, expression):
                reading.thresholds.setdefault(name, []).append(expression)
                continue
            # --summary-export writes true for a broken threshold, handleSummary {"ok": true} for a kept one
            ok = not said if isinstance(said, bool) else said.get("ok") if isinstance(said, dict) else None
            if ok is False:
                reading.crossed.append(("threshold", f"{name}: {expression} does not hold, says k6."))
            elif ok is not True:
                reading.problems.append(
                    ("figure-missing", f"{name}: {expression}: the summary doesn't say if it holds.")
                )


def _sane(path: Path, name: str, values: Mapping[str, float]) -> Iterable[Problem]:
    bad = [k for k, v in values.items() if math.isnan(v) or math.isinf(v) or v < 0]
    return [("impossible", f"{path.name}: {name} {k} is {values[k]}.") for k in bad]


def locust_stats(path: Path, text: str) -> Reading:
    """The row `Aggregated` of Locust's statistics: its percentiles are rounded by Locust, which keeps no samples."""
    rows = [row for row in csv.DictReader(io.StringIO(text)) if row.get("Name") == "Aggregated"]
    if not rows:
        raise Foreign(f"{path}: has no row named Aggregated, so it is cut off or no Locust `_stats.csv`.")
    row = rows[-1]
    try:
        count, failures = int(row["Request Count"]), int(row["Failure Count"])
        rate = float(row["Requests/s"])
        simple = {"avg": "Average", "min": "Min", "max": "Max", "med": "Median"}
        duration = {name: row[f"{column} Response Time"] for name, column in simple.items()}
        duration |= {f"p({column[:-1]})": row[column] for column in row if column and column.endswith("%")}
        trends = {name: float(value) for name, value in duration.items() if value not in ("", "N/A", None)}
    except (KeyError, TypeError, ValueError) as error:
        raise Foreign(f"{path}: its row Aggregated is not whole: {error}.") from None
    reading = Reading(count=count, failed=failures)
    reading.figures = {
        "http_reqs": {"count": float(count), "rate": rate},
        "http_req_failed": {"rate": failures / count if count else math.nan},
        "http_req_duration": trends,
    }
    reading.problems = [p for name in reading.figures if count for p in _sane(path, name, reading.figures[name])]
    if failures > count:
        reading.problems.append(("impossible", f"{path.name}: {failures} of {count} requests failed."))
    return reading
