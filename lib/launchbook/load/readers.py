"""Files of results read by what they hold: k6 (summary, NDJSON, CSV, each also gzipped), Locust, and our own Parquet.

Samples are counted while they are read, so that a file of any length is read in bounded memory.
"""

from __future__ import annotations

import json
from pathlib import Path

from launchbook.load import doubts, repeats
from launchbook.load.csvs import OwnRows
from launchbook.load.found import Found
from launchbook.load.gathering import Gathered, counted
from launchbook.load.locust_csvs import locust_history, locust_stats
from launchbook.load.pairs import K6Rows
from launchbook.load.parquet import Parquet
from launchbook.load.points import ndjson
from launchbook.load.reading import Foreign, Reading
from launchbook.load.series import Series
from launchbook.load.stream import Stream
from launchbook.load.summaries import k6_report, k6_summary
from launchbook.load.terms import Reason

_SUMMARY = 64 << 20  # bytes: a summary is small, whatever it sums up
EXPECTED = (
    "Expected k6's summary or `--out json` or `--out csv` (also gzipped), Locust's _stats.csv or _stats_history.csv, or "
    "this runbook's samples.parquet"
)


def read(path: Path) -> Reading:
    """One result file. Raises Foreign, with what was expected, where it is none."""
    reading = _read(path)
    reading.name = str(path)
    return reading


def _read(path: Path) -> Reading:
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
        return _samples(path, ndjson(stream), "k6 points")
    try:
        whole = json.loads(_text(path, stream))
    except ValueError:
        found = ndjson(stream)
        if not found.tally.count:
            raise Foreign(f"{path}: none of its {found.broken} lines is a k6 point.") from None
        return _samples(path, found, "k6 points")
    if isinstance(whole, dict) and "metrics" in whole:
        return k6_summary(path, whole)
    if isinstance(whole, dict) and isinstance(whole.get("results"), dict):
        return k6_report(path, whole)
    keys = f"the keys {', '.join(map(str, whole))[:80]}" if whole else "nothing"
    raise Foreign(f"{path}: is no load result. {EXPECTED}; it holds {keys}.")


def _k6_csv(stream: Stream) -> Found:
    rows, found, gathered, checks = K6Rows(stream), Found(), Gathered(), Series("checks", "rate")
    for parts, read in rows.frames():
        found.take(parts, gathered)
        if "checks" in read:
            values = read["checks"]["metric_value"].to_numpy(dtype=float)
            checks.count, checks.above = checks.count + len(values), checks.above + int((values > 0).sum())
    found.tally, found.tells, found.dropped = gathered.tally(), rows.pairs.tells, rows.dropped
    found.broken = rows.lines.broken or int(stream.ragged)
    found.series = {"checks": checks} if checks.count else {}
    return found


def _own_csv(stream: Stream) -> Found:
    rows, found, gathered = OwnRows(stream), Found(), Gathered()
    found.take(rows.frames(), gathered)
    found.tally, found.broken = gathered.tally(), rows.lines.broken or int(stream.ragged)
    return found


def _samples(path: Path, found: Found, what: str) -> Reading:
    tally = found.tally
    if found.broken and not tally.count:
        raise Foreign(f"{path}: none of its {found.broken} lines are {what}.")
    # A row that is impossible is still a row: without it the file would seem to hold nothing.
    count = tally.count + tally.impossible
    reading = Reading(
        count, tally, found.tells, thresholds=found.thresholds, asked=bool(found.thresholds or found.problems),
        series=found.series, unjudged=found.problems, vus=found.vus, rows=found.rows, refused=found.refused,
    )  # fmt: skip
    reading.problems += repeats.within(path.name, found.rows)
    reading.problems += doubts.unanswered(found.unanswered, tally.count)
    if found.broken:
        cut = f"{path.name}: {found.broken} lines are no {what}; the file may be cut off."
        reading.problems.append(Reason("truncated", cut))
    reading.problems += doubts.dropped(found.dropped)
    return reading


def _parquet(path: Path) -> Reading:
    found = Found()
    try:
        table = Parquet(path)
        about = table.about
        # What a run of our own wrote was looked at by that run.
        look, also = (found.see, ("status",)) if about is None else (found.rows.see, ())
        tally, _ = counted(table, about.warmup if about else 0.0, look, also)
    except KeyError as error:
        raise Foreign(f"{path}: has no columns {error.args[0]}; a sample table has start (s), ms and failed.") from None
    except (ValueError, OSError, TypeError) as error:
        raise Foreign(f"{path}: is no whole Parquet file of samples: {error}") from None
    thresholds = about.thresholds if about else {}
    reading = Reading(
        tally.count + tally.impossible,
        tally,
        thresholds=thresholds,
        asked=bool(thresholds),
        about=about,
        rows=found.rows,
        refused=found.refused,
    )
    reading.problems += repeats.within(path.name, found.rows) if about is None else []
    reading.problems += doubts.unanswered(found.unanswered, tally.count)
    return reading
