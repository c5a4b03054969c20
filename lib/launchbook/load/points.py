"""k6's NDJSON as a sample table: https://grafana.com/docs/k6/latest/results-output/real-time/json/."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from launchbook.load.found import Found
from launchbook.load.gathering import Gathered
from launchbook.load.pairs import Pairs
from launchbook.load.series import Asked
from launchbook.load.stream import Stream

_KINDS = {
    "http_req_duration": "took", "http_req_failed": "failed", "http_req_blocked": "blocked",
    "dropped_iterations": "dropped", "vus": "vus",
}  # fmt: skip
_COLUMNS = ["kind", "at", "metric_value", "name", "error", "status"]


def ndjson(stream: Stream) -> Found:
    """Its requests, and what its `Metric` lines ask for."""
    found, gathered, pairs, asked = Found(), Gathered(), Pairs(), Asked()
    for block in stream.blocks():
        points = pd.DataFrame(list(_points(block, found, asked)), columns=_COLUMNS)
        at = pd.to_datetime(points["at"], utc=True, format="ISO8601", errors="coerce")
        points["timestamp"] = (at - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=1)
        values = {kind: rows["metric_value"].to_numpy(dtype=float) for kind, rows in points.groupby("kind")}
        none = np.empty(0)
        found.dropped += float(values.get("dropped", none).sum())
        for _, one in points[(points["kind"] == "vus") & points["timestamp"].notna()].iterrows():
            second = int(one["timestamp"])
            found.vus[second] = max(found.vus.get(second, 0.0), float(one["metric_value"]))
        took = points[points["kind"] == "took"]
        found.take(pairs.take(took, values.get("failed", none), values.get("blocked", none)), gathered)
    found.take(pairs.rest(), gathered)
    found.tally, found.tells = gathered.tally(), pairs.tells
    found.series, found.thresholds, found.problems = asked.series(), asked.thresholds, list(asked.doubts())
    return found


def _points(block: bytes, found: Found, asked: Asked) -> Iterator[tuple[str, str, float, str, str, str]]:
    for line in block.splitlines():
        if not line.strip():
            continue
        try:
            point = json.loads(line)
            metric, data = point["metric"], point["data"]
            if point["type"] == "Metric":
                asked.metric(metric, data)
            if point["type"] != "Point":
                continue
            asked.seen.add(metric)
            if metric in asked.points:
                asked.point(metric, data)
            kind = _KINDS.get(metric)
            if kind is None:
                continue
            tags: Any = data.get("tags") or {}
            name, error, status = (str(tags.get(key, "")) for key in ("name", "error", "status"))
            yield kind, str(data["time"]), float(data["value"]), name, error, status
        except (ValueError, KeyError, TypeError, AttributeError):
            found.broken += 1
