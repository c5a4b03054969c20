"""The figures that thresholds ask for, from samples that were counted, each with its interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from launchbook.load import intervals
from launchbook.load.buckets import average, quantile
from launchbook.load.exact import ordered
from launchbook.load.tally import Tally
from launchbook.thresholds import Threshold

_SECONDS = 3  # fewer whole ones say less of a rate than count and time do
TRENDS = ("avg", "min", "med", "max", "p(90)", "p(95)", "p(99)")


@dataclass(frozen=True)
class Figure:
    """A figure with its 95 % interval; low and high are None where the samples can't bound it."""

    value: float
    low: float | None = None
    high: float | None = None

    def beyond(self, threshold: Threshold) -> bool:
        """Whether the interval as a whole breaks a threshold: by more than chance."""
        if self.low is None or self.high is None:
            return False
        return not threshold.holds(self.low) and not threshold.holds(self.high)

    def sure(self, threshold: Threshold) -> bool:
        """Whether the interval as a whole says the same of a threshold as the figure does; True without one."""
        if self.low is None or self.high is None:
            return True
        return threshold.holds(self.low) == threshold.holds(self.high) == threshold.holds(self.value)


def percent(aggregate: str) -> float | None:
    """50 for med, N for p(N), None for anything else."""
    return 50.0 if aggregate == "med" else float(aggregate[2:-1]) if aggregate.startswith("p(") else None


def figures(thresholds: Sequence[Threshold], tally: Tally) -> list[Figure | None]:
    """The figure of each threshold; None where the samples can't carry it.

    Durations are of every request, failed ones too, in ms, linear between neighbours as k6 has it.
    """
    trends = trend(tally, [t.aggregate for t in thresholds if t.metric == "http_req_duration"])
    return [_figure(one, tally, trends) for one in thresholds]


def _figure(threshold: Threshold, tally: Tally, trends: dict[str, Figure]) -> Figure | None:
    if not tally.count or tally.seconds <= 0:
        return None
    if threshold.metric == "http_req_failed":
        return Figure(tally.failed / tally.count, *intervals.share(tally.failed, tally.count))
    if threshold.metric == "http_req_duration":
        return trends[threshold.aggregate]
    if threshold.aggregate == "count":
        return Figure(float(tally.count))
    return rate(tally)


def aggregated(counts: np.ndarray, aggregate: str) -> float:
    """avg, max, med or p(N) in ms of requests by bucket, within buckets.RELATIVE_ERROR; NaN for anything else."""
    share = percent(aggregate)
    if share is not None:
        return quantile(counts, share / 100)
    return average(counts)[0] if aggregate == "avg" else quantile(counts, 1.0) if aggregate == "max" else math.nan


def rate(tally: Tally) -> Figure:
    """Requests/s over the whole time; its interval is that of the whole seconds in it."""
    bounds = intervals.mean(per_second(tally)[1:-1].astype(float))
    found = tally.count / tally.seconds
    # The interval is of the whole seconds' mean, the figure of the whole time: it always lies within.
    return Figure(found) if bounds is None else Figure(found, min(bounds[0], found), max(bounds[1], found))


def per_second(tally: Tally) -> np.ndarray:
    """Requests sent in each second from the first to the last, those without one included."""
    keys = tally.second.keys
    if not len(keys) or keys[-1] - keys[0] > 40_000_000:  # a year: the clock is no clock
        return np.empty(0, np.int64)
    return np.bincount(keys - keys[0], tally.second.values).astype(np.int64)


def sending(tally: Tally, duration: float) -> tuple[int, float]:
    """(requests sent, in how many seconds) of a load that was to last `duration`: whole seconds alone.

    The wait for the last answers is no time of sending; the time in which nothing was sent any more, is.
    """
    counts = per_second(tally)[1:-1]
    if len(counts) < _SECONDS:
        return tally.count, tally.seconds
    return int(counts.sum()), len(counts) + unsent(tally, duration)


def unsent(tally: Tally, duration: float) -> float:
    """s at the end of a load that was to last `duration`, in which nothing was sent any more."""
    return max(0.0, tally.first + duration - (int(tally.second.keys[-1]) + 1)) if tally.count else 0.0


def trend(tally: Tally, aggregates: Sequence[str], *, good: bool = False) -> dict[str, Figure]:
    """avg, min, med, max or p(N) of the durations (ms), exact. good: percentiles of the successful requests alone."""
    count = tally.count - tally.failed if good else tally.count
    asked = {one: percent(one) for one in aggregates}
    places: dict[str, tuple[float, tuple[int, int] | None]] = {}
    if not count:
        return {}
    for name, share in asked.items():
        if share is not None:
            places[name] = (count - 1) * share / 100, intervals.ranks(count, share)
    ranks = {r for place, bounds in places.values() for r in (math.floor(place), math.ceil(place), *(bounds or ()))}
    values = ordered(tally, sorted(ranks), good=good) if ranks else {}
    found = {}
    for name in asked:
        if name in places:
            place, bounds = places[name]
            low, high = values[math.floor(place)], values[math.ceil(place)]
            value = low + (high - low) * (place - math.floor(place))
            found[name] = Figure(value, *(() if bounds is None else (values[bounds[0]], values[bounds[1]])))
        else:
            found[name] = _simple(tally, name)
    return found


def _simple(tally: Tally, aggregate: str) -> Figure:
    if aggregate == "min":
        return Figure(tally.low)
    if aggregate == "max":
        return Figure(tally.high)
    mean = tally.total / tally.count
    half = 1.96 * math.sqrt(max(0.0, tally.squares / tally.count - mean * mean) / tally.count)
    return Figure(mean, mean - half, mean + half)
