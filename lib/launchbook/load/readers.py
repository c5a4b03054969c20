"""Files of results read by what they hold: k6 (summary, NDJSON, CSV, each also gzipped), Locust, and our own Parquet."""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from launchbook.load.reading import Foreign, Reading
from launchbook.load.samples import gunzip
from launchbook.load.summaries import k6_summary, locust_stats


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
            return k6_summary(path, whole)
        return _ndjson(path, text.splitlines())
    if "metric_name" in head.splitlines()[0] or head.startswith("start,ms"):
        return _csv(path, text)
    if {"Name", "Request Count", "Failure Count"} <= set(head.splitlines()[0].replace('"', "").split(",")):
        return locust_stats(path, text)
    raise Foreign(
        f"{path}: is no load result. Expected k6's summary or `--out json` or `--out csv` (also gzipped), Locust's "
        f"_stats.csv, or this runbook's samples.parquet; it begins with {head[:40]!r}."
    )


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
