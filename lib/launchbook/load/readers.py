"""Results of k6 (summary, NDJSON, CSV, each also gzipped) and of this runbook (Parquet), read into one shape."""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from launchbook.errors import LaunchbookError
from launchbook.load.samples import gunzip
from launchbook.load.thresholds import METRICS, Threshold, known, trend

Problem = tuple[str, str]


class Foreign(LaunchbookError):
    """A file that is no result, or is cut off before anything could be read."""


@dataclass
class Reading:
    """Either samples (durations in ms, failed or not) or the figures that a summary holds.

    failed: None where the samples don't say; problems: (id, sentence) for each reason why these figures can't be
    believed; crossed: the same for thresholds of metrics that are not judged here, as the summary itself judged them
    """

    count: int = 0
    durations: np.ndarray | None = None
    failed: int | None = 0
    seconds: float | None = None
    figures: dict[str, dict[str, float]] = field(default_factory=dict)
    thresholds: dict[str, list[str]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    crossed: list[Problem] = field(default_factory=list)
    first: float = math.inf
    last: float = -math.inf

    @staticmethod
    def merged(readings: Sequence[Reading]) -> Reading:
        """Several results as one: samples add up; percentiles of summaries don't, so two summaries can't be merged."""
        if len(readings) == 1:
            return readings[0]
        if any(one.durations is None for one in readings):
            raise Foreign("several summaries can't be merged: percentiles don't add up. Give samples (NDJSON, CSV).")
        first, last = min(one.first for one in readings), max(one.last for one in readings)
        parts = [one.durations for one in readings if one.durations is not None]
        return Reading(
            count=sum(one.count for one in readings), durations=np.concatenate(parts),
            failed=_sum(one.failed for one in readings), seconds=last - first,
            problems=[p for one in readings for p in one.problems], first=first, last=last,
        )  # fmt: skip

    def figure(self, threshold: Threshold) -> float | None:
        """The figure that a threshold asks for; None where these results don't hold it."""
        if self.durations is None:
            return self.figures.get(threshold.metric, {}).get(threshold.aggregate)
        if threshold.metric == "http_req_failed":
            return None if self.failed is None else self.failed / self.count
        if METRICS[threshold.metric] == "counter":
            if threshold.aggregate == "count":
                return float(self.count)
            return self.count / self.seconds if self.seconds else None
        return trend(self.durations, threshold.aggregate) if len(self.durations) else None


def _sum(counts: Iterable[int | None]) -> int | None:
    known = list(counts)
    return None if None in known else sum(n for n in known if n is not None)


def read(path: Path) -> Reading:
    """One result file. Raises Foreign, with what was expected, where it is none."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Foreign(f"{path}: can't be read: {error}") from None
    if not data:
        return Reading()
    if data[:4] == b"PAR1":
        return _table(path, data)
    text, cut = _text(path, data)
    reading = _by_shape(path, text)
    if cut:
        reading.problems.append(("truncated", f"{path.name} ends in the middle of its gzip stream."))
    return reading


def _text(path: Path, data: bytes) -> tuple[str, bool]:
    if data[:2] != b"\x1f\x8b":
        return data.decode("utf-8", "replace"), False
    out, whole = gunzip(data)
    if not out:
        raise Foreign(f"{path}: its gzip stream holds nothing that can be read.")
    return out.decode("utf-8", "replace"), not whole


def _by_shape(path: Path, text: str) -> Reading:
    head = text.lstrip()[:200]
    if not head:
        return Reading()
    if head.startswith("{"):
        try:
            whole = json.loads(text)
        except ValueError:
            return _ndjson(path, text.splitlines())
        if isinstance(whole, dict) and "metrics" in whole:
            return _summary(path, whole)
        return _ndjson(path, text.splitlines())
    if "metric_name" in head.splitlines()[0] or head.startswith("start,ms"):
        return _csv(path, text)
    raise Foreign(
        f"{path}: is no load result. Expected k6's summary or `--out json` or `--out csv` (also gzipped), or this "
        f"runbook's samples.parquet; it begins with {head[:40]!r}."
    )


def _summary(path: Path, whole: Mapping[str, Any]) -> Reading:
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


def _ndjson(path: Path, lines: Sequence[str]) -> Reading:
    points: list[tuple[float, str, float, str]] = []
    broken = 0
    for line in lines:
        if not line.strip():
            continue
        try:
            point = json.loads(line)
            if point.get("type") != "Point":
                continue
            data = point["data"]
            when = pd.Timestamp(data["time"]).timestamp()
            points.append(
                (when, point["metric"], float(data["value"]), str((data.get("tags") or {}).get("status", "")))
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            broken += 1
    return _points(path, points, broken)


def _csv(path: Path, text: str) -> Reading:
    rows = csv.DictReader(io.StringIO(text))
    if rows.fieldnames and "ms" in rows.fieldnames:
        return _frame(path, pd.read_csv(io.StringIO(text), on_bad_lines="skip", low_memory=False))
    points, broken = [], 0
    for row in rows:
        try:
            points.append(
                (float(row["timestamp"]), row["metric_name"], float(row["metric_value"]), row.get("status") or "")
            )
        except (ValueError, KeyError, TypeError):
            broken += 1
    return _points(path, points, broken)


def _points(path: Path, points: Sequence[tuple[float, str, float, str]], broken: int) -> Reading:
    durations = np.array([value for _, metric, value, _ in points if metric == "http_req_duration"])
    times = [when for when, metric, _, _ in points if metric in ("http_reqs", "http_req_duration")]
    if broken and not points:
        raise Foreign(f"{path}: none of its {broken} lines is a k6 point.")
    reading = Reading(count=len(durations), durations=durations)
    flags = [value > 0 for _, metric, value, _ in points if metric == "http_req_failed"]
    reading.failed = sum(flags) if len(flags) == reading.count else None
    if times:
        reading.first, reading.last = min(times), max(times)
        reading.seconds = reading.last - reading.first
    if broken:
        reading.problems.append(
            ("truncated", f"{path.name}: {broken} lines are no k6 points; the file may be cut off.")
        )
    if any(b < a - 60 for a, b in itertools.pairwise(times)):
        reading.problems.append(("clock", f"{path.name}: the clock ran back by more than a minute."))
    lost = sum(value for _, metric, value, _ in points if metric == "dropped_iterations")
    if lost:
        reading.problems.append(
            ("generator-saturated", f"{lost:g} iterations were dropped: the generator could not keep its rate.")
        )
    return _checked(path, reading)


def _table(path: Path, data: bytes) -> Reading:
    try:
        return _frame(path, pd.read_parquet(io.BytesIO(data)))
    except (ValueError, OSError) as error:
        raise Foreign(f"{path}: is no whole Parquet file: {error}") from None


def _frame(path: Path, frame: pd.DataFrame) -> Reading:
    if not {"start", "ms", "failed"} <= set(frame.columns):
        raise Foreign(f"{path}: has no columns start, ms and failed; it holds {', '.join(map(str, frame.columns))}.")
    given = len(frame)
    numbers = frame[["start", "ms"]].apply(pd.to_numeric, errors="coerce")
    flags = frame["failed"].astype(str).str.lower().map({"0": 0, "1": 1, "false": 0, "true": 1, "0.0": 0, "1.0": 1})
    frame = numbers.assign(failed=flags)
    frame = frame[np.isfinite(frame["start"]) & frame["failed"].notna()]
    durations = frame["ms"].to_numpy(dtype=float)
    reading = Reading(count=len(frame), durations=durations, failed=int(frame["failed"].sum()))
    if len(frame) < given:
        lost = given - len(frame)
        reading.problems.append(("impossible", f"{path.name}: {lost} rows have no time, or no word if they failed."))
    if len(frame):
        reading.first, reading.last = float(frame["start"].min()), float((frame["start"] + frame["ms"] / 1000).max())
        reading.seconds = reading.last - reading.first
    return _checked(path, reading)


def _checked(path: Path, reading: Reading) -> Reading:
    assert reading.durations is not None
    bad = ~np.isfinite(reading.durations) | (reading.durations < 0)
    if bad.any():
        reading.problems.append(("impossible", f"{path.name}: {int(bad.sum())} durations are negative or no number."))
        reading.durations = reading.durations[~bad]
    return reading
