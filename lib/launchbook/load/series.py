"""k6's other metrics, gathered from its points for the thresholds on them: custom ones, and those of certain tags."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from launchbook.load import doubts, intervals
from launchbook.load.figures import Figure, trend
from launchbook.load.gathering import Gathered
from launchbook.load.tally import Tally, merged
from launchbook.load.terms import Reason
from launchbook.thresholds import Threshold, unclear, understood

_AT_ONCE = 1 << 16  # values that wait to be gathered
_KINDS = {kind: kind for kind in ("trend", "rate", "counter", "gauge")}
_SAMPLES = ("http_req_duration", "http_req_failed", "http_reqs")  # judged from the requests themselves
_OF_K6 = "http_req_duration{expected_response:true}"  # k6 adds it to every run, with or without a threshold


@dataclass
class Series:
    """The points of one metric, or those of them that carry certain tags.

    kind: in k6: trend, rate, counter or gauge; values: of a trend
    """

    name: str
    kind: str
    count: int = 0
    total: float = 0.0
    above: int = 0  # zero
    last: float = math.nan
    values: Tally = field(default_factory=Tally)

    def figure(self, threshold: Threshold, seconds: float) -> Figure | None:
        """What it says of a threshold; None where it has no points. seconds: of the run, for a counter's rate."""
        if not self.count or (self.kind == "trend" and self.values.impossible):
            return None
        if self.kind == "trend":
            return trend(self.values, [threshold.aggregate])[threshold.aggregate]
        if self.kind == "rate":
            return Figure(self.above / self.count, *intervals.share(self.above, self.count))
        if self.kind == "gauge":
            return Figure(self.last)
        if threshold.aggregate == "count":
            return Figure(self.total)
        return Figure(self.total / seconds) if seconds > 0 else None

    def doubts(self, threshold: Threshold) -> list[Reason]:
        """Why its figure can't be believed."""
        if self.kind != "trend":
            return []
        few = [
            Reason(one.id, f"{threshold.name}: {one.message}") for one in doubts.too_few(self.count, [threshold])
        ]  # fmt: skip
        if not self.values.impossible:
            return few
        bad = f"{threshold.name}: {self.values.impossible} points are negative or no number."
        return [*few, Reason("impossible", bad)]


def added(many: Sequence[Series]) -> Series:
    """The same series of several files as one."""
    return Series(
        many[0].name, many[0].kind, sum(one.count for one in many), math.fsum(one.total for one in many),
        sum(one.above for one in many), many[-1].last, merged([one.values for one in many]),
    )  # fmt: skip


class _Points:
    """One series while its file is read."""

    def __init__(self, name: str, kind: str, tags: Mapping[str, str]) -> None:
        self.found, self.tags = Series(name, kind), tags
        self._waiting: list[float] = []
        self._gathered = Gathered()

    def add(self, value: float, tags: Mapping[str, Any]) -> None:
        if any(str(tags.get(key)) != wanted for key, wanted in self.tags.items()):
            return
        self.found.count += 1
        self.found.total += value
        self.found.above += value > 0
        self.found.last = value
        if self.found.kind == "trend":
            self._waiting.append(value)
            if len(self._waiting) == _AT_ONCE:
                self._gather()

    def whole(self) -> Series:
        self._gather()
        self.found.values = self._gathered.tally()
        return self.found

    def _gather(self) -> None:
        values = np.array(self._waiting, dtype=float)
        self._gathered.add(pd.DataFrame({"start": 0.0, "ms": values, "failed": False}))
        self._waiting.clear()


class Asked:
    """What the `Metric` lines of k6's NDJSON ask for, and the points that it takes to judge that.

    k6 writes a metric's line before the first of its points
    (https://grafana.com/docs/k6/latest/results-output/real-time/json/). It writes the thresholds of a metric with tags
    nowhere, but lists that metric among the `submetrics`, which only thresholds make.

    thresholds: metric -> expressions; problems: why some of them can't be judged; points: metric -> what is gathered of
    it; seen: metrics that had a point
    """

    def __init__(self) -> None:
        self.thresholds: dict[str, list[str]] = {}
        self.problems: list[Reason] = []
        self._unsaid: dict[str, None] = {}
        self.seen: set[str] = set()
        self.points: dict[str, list[_Points]] = {
            "checks": [_Points("checks", "rate", {})], "iterations": [_Points("iterations", "counter", {})],
        }  # fmt: skip

    def metric(self, name: str, data: Mapping[str, Any]) -> None:
        """A `Metric` line. Raises KeyError, TypeError or AttributeError for one that is none."""
        kind = _KINDS[data["type"]]
        self._ask(name, kind, data.get("thresholds") or [])
        for one in data.get("submetrics") or []:
            if isinstance(one, dict) and one.get("thresholds"):
                self._ask(str(one["name"]), kind, one["thresholds"])
            else:
                self._unsaid[str(one["name"] if isinstance(one, dict) else one)] = None

    def _ask(self, name: str, kind: str, given: Sequence[Any]) -> None:
        if not isinstance(given, list):
            raise TypeError(f"the thresholds of {name} are no list")
        base, tags = _parted(name)
        for one in given:
            text = str(one.get("threshold") if isinstance(one, dict) else one)
            if text in self.thresholds.get(name, ()):
                continue
            if understood(name, text, kind) is None:
                said = (
                    f"A threshold of the results isn't understood, so it can't be judged: {unclear(name, text, kind)}"
                )
                self.problems.append(Reason("threshold-unclear", said))
                continue
            self.thresholds.setdefault(name, []).append(text)
        asked = self.points.setdefault(base, [])
        if name not in self.thresholds or name in _SAMPLES or name in (one.found.name for one in asked):
            return
        asked.append(_Points(name, kind, tags))
        if base in self.seen:
            late = f"{name}: its thresholds stand behind some of its points, so they can't be judged."
            self.problems.append(Reason("threshold-unclear", late))

    def point(self, metric: str, data: Mapping[str, Any]) -> None:
        """A `Point` line of one of `points`. Raises what a line raises that is none."""
        value, tags = float(data["value"]), data.get("tags") or {}
        for one in self.points[metric]:
            one.add(value, tags)

    def series(self) -> dict[str, Series]:
        """Known once all lines were read; those without points too, where a threshold asks for them."""
        found = [one.whole() for points in self.points.values() for one in points]
        return {one.name: one for one in found if one.count or one.name in self.thresholds}

    def doubts(self) -> Iterator[Reason]:
        """Why thresholds can't be judged from this file."""
        yield from self.problems
        for name in self._unsaid.keys() - self.thresholds.keys() - {_OF_K6}:
            unsaid = (
                f"The run had thresholds on {name}, which k6 doesn't write into this file: judge its summary, or give "
                "yours with --scenario."
            )
            yield Reason("threshold-unsaid", unsaid)


def _parted(name: str) -> tuple[str, dict[str, str]]:
    """`http_req_duration{name:checkout}` as the metric and its tags."""
    base, _, rest = name.partition("{")
    pairs = (one.partition(":") for one in rest.rstrip("}").split(",") if one.strip())
    return base.strip(), {key.strip(): value.strip().strip("\"'") for key, _, value in pairs}


def of_thresholds(thresholds: Mapping[str, Sequence[str]], series: Mapping[str, Series]) -> list[Threshold]:
    """A file's own thresholds, which were understood when it was read."""
    asked = (
        (name, text, series[name].kind if name in series else None) for name, ts in thresholds.items() for text in ts
    )
    return [one for name, text, kind in asked if (one := understood(name, text, kind))]
