"""A histogram of durations that can be added up: sparse, each bucket 2 % wide. Runs beside Locust too.

Counts of processes, seconds and runners add up exactly, and a percentile read from the sum is at most 1 % off; averages
of percentiles would be neither (HdrHistogram and Prometheus' native histograms have the same rule).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

_GROWTH = 1.02
_LEAST = 0.01  # ms, in and below the first bucket


def bucket(ms: float) -> int:
    """The number of the bucket of a duration: 0 up to 0.01 ms, then 2 % wider each."""
    return 0 if ms <= _LEAST else math.ceil(math.log(ms / _LEAST) / math.log(_GROWTH))


def count(durations: Iterable[float]) -> dict[int, int]:
    """{bucket: how many}."""
    counts: dict[int, int] = {}
    for ms in durations:
        place = bucket(ms)
        counts[place] = counts.get(place, 0) + 1
    return counts


def add(parts: Iterable[Mapping[int, int]]) -> dict[int, int]:
    """The sum of histograms."""
    whole: dict[int, int] = {}
    for part in parts:
        for place, n in part.items():
            whole[place] = whole.get(place, 0) + n
    return whole


def quantile(counts: Mapping[int, int], share: float) -> float | None:
    """The duration (ms) below which `share` (0 to 1) lie, in the middle of its bucket; None for an empty histogram."""
    total = sum(counts.values())
    if not total:
        return None
    wanted, passed = max(1, math.ceil(share * total)), 0
    for place in sorted(counts):
        passed += counts[place]
        if passed >= wanted:
            return _LEAST if place == 0 else _LEAST * _GROWTH ** (place - 0.5)
    return None
