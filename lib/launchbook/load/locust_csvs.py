"""The statistics that Locust writes for `--csv`: totals, and their course over time."""

from __future__ import annotations

import csv
import io
import itertools
import math
from pathlib import Path

from launchbook.load import contradictions, course, doubts
from launchbook.load.figures import percent
from launchbook.load.reading import Foreign, Reading
from launchbook.load.summaries import sane
from launchbook.load.terms import Reason
from launchbook.thresholds import Threshold


def locust_stats(path: Path, text: str) -> Reading:
    """The row `Aggregated` of Locust's statistics: its percentiles are rounded by Locust, which keeps no samples."""
    every = list(csv.DictReader(io.StringIO(text)))
    rows = [row for row in every if row.get("Name") == "Aggregated"]
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
    reading = Reading(count=count, seconds=count / rate if rate > 0 else None, rounding=rounding)
    reading.figures = {
        "http_reqs": {"count": float(count), "rate": rate},
        "http_req_failed": {"rate": failures / count if count else math.nan},
        "http_req_duration": trends,
    }
    reading.problems = [p for name in reading.figures if count for p in sane(path, name, reading.figures[name])]
    if failures > count:
        reading.problems.append(Reason("impossible", f"{path.name}: {failures} of {count} requests failed."))
    parts = [one for one in every if one.get("Name") != "Aggregated"]
    for column, whole in (("Request Count", count), ("Failure Count", failures)):
        reading.problems += contradictions.of_rows(path.name, column, [one.get(column) for one in parts], whole)
    reading.problems += contradictions.of_trend(path.name, "http_req_duration", trends) if count else []
    reading.problems += doubts.timeless(count, failures, trends.get("max", math.inf))
    return reading


def locust_history(path: Path, text: str) -> Reading:
    """Locust's `_stats_history.csv`: totals from its last whole row `Aggregated`, and the course from all of them.

    Its percentiles are of the last ten seconds only, so they are none of the whole.
    """
    rows = [row for row in csv.DictReader(io.StringIO(text)) if row.get("Name") == "Aggregated"]
    try:
        first, last = int(rows[0]["Timestamp"]), int(rows[-1]["Timestamp"])
        row = rows[-1]
        count, failures = int(row["Total Request Count"]), int(row["Total Failure Count"])
        simple = {"avg": "Average", "min": "Min", "max": "Max", "med": "Median"}
        trends = {name: float(row[f"Total {column} Response Time"]) for name, column in simple.items()}
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise Foreign(f"{path}: its last row Aggregated is not whole: {error}.") from None
    reading = Reading(count=count, seconds=float(last - first), rounding=rounding)
    reading.figures = {
        "http_reqs": {"count": float(count), **({"rate": count / (last - first)} if last > first else {})},
        "http_req_failed": {"rate": failures / count if count else math.nan},
        "http_req_duration": trends,
    }
    reading.problems = [p for name in reading.figures if count for p in sane(path, name, reading.figures[name])]
    reading.course = course.of_rows(rows)
    if reading.course is not None:
        reading.figures["vus_max"] = {"max": float(reading.course.users.max())}
    times = [int(one["Timestamp"]) for one in rows if str(one.get("Timestamp", "")).isdigit()]
    if any(b < a - 60 for a, b in itertools.pairwise(times)):
        reading.problems.append(Reason("clock", f"{path.name}: the clock ran back by more than a minute."))
    if failures > count:
        reading.problems.append(Reason("impossible", f"{path.name}: {failures} of {count} requests failed."))
    reading.problems += contradictions.of_trend(path.name, "http_req_duration", trends) if count else []
    reading.problems += doubts.timeless(count, failures, trends["max"])
    return reading


def rounding(threshold: Threshold, value: float) -> float:
    """By how much (ms) a percentile may be off: Locust keeps durations to 1 ms below 100 ms, then to 10, 100, 1000.

    https://github.com/locustio/locust/blob/master/locust/stats.py, StatsEntry._log_response_time
    """
    if threshold.metric != "http_req_duration" or percent(threshold.aggregate) in (None, 100.0):
        return 0.0
    return next((step / 2 for step, below in ((1, 100), (10, 1000), (100, 10_000)) if value < below), 500.0)
