"""One shape for anybody's load results: samples, or the figures that a summary holds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from launchbook.errors import LaunchbookError
from launchbook.load.figures import trend
from launchbook.thresholds import METRICS, Threshold

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
