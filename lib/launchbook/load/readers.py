"""Files of results read by what they hold: k6 (summary, NDJSON, CSV, each also gzipped), Locust, and our own Parquet.

Samples are counted while they are read, so that a file of any length is read in bounded memory.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from launchbook.load.csvs import OwnRows
from launchbook.load.gathering import Gathered, counted
from launchbook.load.pairs import K6Rows, Pairs
from launchbook.load.parquet import Parquet
from launchbook.load.reading import Foreign, Reading
from launchbook.load.stream import Stream
from launchbook.load.summaries import k6_report, k6_summary, locust_history, locust_stats
from launchbook.load.tally import Tally
from launchbook.load.terms import Reason

_SUMMARY = 64 << 20  # bytes: a summary is small, whatever it sums up
_KINDS = {
    "http_req_duration": "took", "http_req_failed": "failed", "http_req_blocked": "blocked",
    "dropped_iterations": "dropped",
}  # fmt: skip
EXPECTED = (
    "Expected k6's summary or `--out json` or `--out csv` (also gzipped), Locust's _stats.csv or _stats_history.csv, or "
    "this runbook's samples.parquet"
)


@dataclass
class Found:
    """What a file of samples holds.

    tells: whether it says which requests failed; broken: lines that are none of its own; dropped: iterations that the
    generator left out
    """

    tally: Tally = field(default_factory=Tally)
    tells: bool = True
    broken: int = 0
    dropped: float = 0.0


def read(path: Path) -> Reading:
    """One result file. Raises Foreign, with what was expected, where it is none."""
    try:
        with path.open("rb") as file:
            head = file.read(4)
        if not head:
            return Reading()
        if head == b"PAR1":
            return _parquet(path)
        stream = Stream(path)
        reading = _by_shape(path, stream)
    except (OSError, ValueError) as error:
        raise Foreign(f"{path}: can't be read: {error}") from None
    if stream.cut:
        if not reading.count:
            raise Foreign(f"{path}: its gzip stream holds nothing that can be read.")
        reading.problems.append(Reason("truncated", f"{path.name} ends in the middle of its gzip stream."))
    return reading


def _by_shape(path: Path, stream: Stream) -> Reading:
    """Looks at the beginning; samples are then read from a stream of their own."""
    head = stream.head()[:4000].decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
    line = head.splitlines()[0] if head else ""
    columns = line.replace('"', "").split(",")
    if not head and not stream.cut:
        return Reading()
    if head.startswith("{"):
        return _json(path, stream, line)
    if {"metric_name", "timestamp", "metric_value"} <= set(columns):
        return _samples(path, _k6_csv(stream), "k6 points")
    if {"start", "ms", "failed"} <= set(columns):
        return _samples(path, _own_csv(stream), "samples")
    if columns[:2] == ["start", "ms"]:
        raise Foreign(f"{path}: has no columns start, ms and failed; it holds {', '.join(columns)}.")
    if {"Timestamp", "User Count", "Total Request Count"} <= set(columns):
        return locust_history(path, _text(path, stream))
    if {"Name", "Request Count", "Failure Count"} <= set(columns):
        return locust_stats(path, _text(path, stream))
    if stream.cut and not head:
        return Reading()
    raise Foreign(f"{path}: is no load result. {EXPECTED}; it begins with {head[:40]!r}.")


def _text(path: Path, stream: Stream) -> str:
    parts, size = [], 0
    for block in stream.blocks():
        parts.append(block)
        size += len(block)
        if size > _SUMMARY:
            raise Foreign(f"{path}: is no load result: a summary of more than {_SUMMARY >> 20} MiB.")
    return b"".join(parts).decode("utf-8", "replace")


def _json(path: Path, stream: Stream, line: str) -> Reading:
    """k6's NDJSON has an object a line; a summary is one object."""
    if '"type":"Metric"' in line or '"type":"Point"' in line or '"type": "Point"' in line or '"type": "Metric"' in line:
        return _samples(path, _ndjson(stream), "k6 points")
    try:
        whole = json.loads(_text(path, stream))
    except ValueError:
        found = _ndjson(stream)
        if not found.tally.count:
            raise Foreign(f"{path}: none of its {found.broken} lines is a k6 point.") from None
        return _samples(path, found, "k6 points")
    if isinstance(whole, dict) and "metrics" in whole:
        return k6_summary(path, whole)
    if isinstance(whole, dict) and isinstance(whole.get("results"), dict):
        return k6_report(path, whole)
    raise Foreign(f"{path}: is no load result. {EXPECTED}; it holds the keys {', '.join(map(str, whole))[:80]}.")


def _k6_csv(stream: Stream) -> Found:
    rows, gathered = K6Rows(stream), Gathered()
    for parts, _ in rows.frames():
        for part in parts:
            gathered.add(part)
    broken = rows.lines.broken or int(stream.ragged)
    return Found(gathered.tally(), rows.pairs.tells, broken, rows.dropped)


def _own_csv(stream: Stream) -> Found:
    rows, gathered = OwnRows(stream), Gathered()
    for part in rows.frames():
        gathered.add(part)
    return Found(gathered.tally(), broken=rows.lines.broken or int(stream.ragged))


def _ndjson(stream: Stream) -> Found:
    """https://grafana.com/docs/k6/latest/results-output/real-time/json/."""
    found, gathered, pairs = Found(), Gathered(), Pairs()
    for block in stream.blocks():
        points = pd.DataFrame(
            list(_points(block, found)), columns=["kind", "at", "metric_value", "name", "error", "status"]
        )
        at = pd.to_datetime(points["at"], utc=True, format="ISO8601", errors="coerce")
        points["timestamp"] = (at - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=1)
        values = {kind: rows["metric_value"].to_numpy(dtype=float) for kind, rows in points.groupby("kind")}
        none = np.empty(0)
        found.dropped += float(values.get("dropped", none).sum())
        took = points[points["kind"] == "took"]
        for part in pairs.take(took, values.get("failed", none), values.get("blocked", none)):
            gathered.add(part)
    for part in pairs.rest():
        gathered.add(part)
    found.tally, found.tells = gathered.tally(), pairs.tells
    return found


def _points(block: bytes, found: Found) -> Iterator[tuple[str, str, float, str, str, str]]:
    for line in block.splitlines():
        if not line.strip():
            continue
        try:
            point = json.loads(line)
            kind = _KINDS.get(point["metric"]) if point["type"] == "Point" else None
            if kind is None:
                continue
            data: Any = point["data"]
            tags = data.get("tags") or {}
            name, error, status = (str(tags.get(key, "")) for key in ("name", "error", "status"))
            yield kind, str(data["time"]), float(data["value"]), name, error, status
        except (ValueError, KeyError, TypeError, AttributeError):
            found.broken += 1


def _samples(path: Path, found: Found, what: str) -> Reading:
    tally = found.tally
    if found.broken and not tally.count:
        raise Foreign(f"{path}: none of its {found.broken} lines are {what}.")
    # A row that is impossible is still a row: without it the file would seem to hold nothing.
    reading = Reading(tally.count + tally.impossible, tally, found.tells)
    if found.broken:
        cut = f"{path.name}: {found.broken} lines are no {what}; the file may be cut off."
        reading.problems.append(Reason("truncated", cut))
    if found.dropped:
        lost = f"{found.dropped:g} iterations were dropped: the generator could not keep its rate."
        reading.problems.append(Reason("generator-saturated", lost))
    return reading


def _parquet(path: Path) -> Reading:
    try:
        table = Parquet(path)
        about = table.about
        tally, _ = counted(table, about.warmup if about else 0.0)
    except KeyError as error:
        raise Foreign(f"{path}: has no columns {error.args[0]}; a sample table has start (s), ms and failed.") from None
    except (ValueError, OSError, TypeError) as error:
        raise Foreign(f"{path}: is no whole Parquet file of samples: {error}") from None
    thresholds = about.thresholds if about else {}
    return Reading(tally.count + tally.impossible, tally, thresholds=thresholds, about=about)
