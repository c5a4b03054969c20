"""Time in which nothing was sent and no answer was waited for, though load was planned. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from launchbook.load.buckets import quantile
from launchbook.load.tally import TICKS, Tally
from launchbook.load.terms import Plan, Reason

_HOLE = 2.0  # s, past the wait that is planned
_DUE = 10  # requests of an open loop that may be due in it


def hole(tally: Tally, plan: Plan) -> list[Reason]:
    """Between the first request and the last answer: the generator stood still, or samples were lost."""
    if tally.count < 2:
        return []
    gaps = [(begin - tally.first, end - tally.first) for begin, end in _idle(tally)]
    longest = max((end - begin for begin, end in gaps if _unexplained(plan, begin, end)), default=0.0)
    if not longest:
        return []
    return [Reason("hole", f"For {longest:.1f} s nothing was sent and no answer was waited for: samples are missing.")]


def unseen(tally: Tally, plan: Plan) -> list[Reason]:
    """Before the first request or after the last answer: what hangs when a generator ends its users has no sample.

    Only for a load that came to its end, since the reason would be another one.
    """
    missing = plan.duration - tally.seconds
    # Users that keep in step are all on their way when the load ends, and none of them may come back.
    usual = quantile(tally.histogram, 0.95) / 1000 if tally.count else 0.0
    if tally.count < 2 or not _unexplained(plan, tally.seconds + usual, plan.duration):
        return []
    said = (
        f"In {missing:.1f} s of the {plan.duration:g} s planned, at their beginning or their end, nothing was sent and no "
        "answer came: a request that still waits when the load ends leaves no sample."
    )
    return [Reason("hole", said)]


def levels(plan: Plan, first: float) -> dict[int, float]:
    """Users, or requests/s, that stages plan: second (since the epoch) -> how many. first: of the first request"""
    if not plan.shape:
        return {}
    seconds = np.arange(math.floor(first), math.ceil(first + plan.duration))
    return dict(zip(seconds.tolist(), _planned(plan, seconds + 0.5 - first).tolist(), strict=True))


def patience(plan: Plan) -> float:
    """s, in which a healthy load may send nothing."""
    return _HOLE + (_DUE / plan.rate if plan.rate and plan.steady else plan.think_time if plan.rate is None else 0.0)


def _unexplained(plan: Plan, begin: float, end: float) -> bool:
    """Whether a load that was to be sent then (s since its first request) was to send something."""
    if end - begin <= patience(plan) or not (plan.steady or plan.shape):
        return False
    if plan.steady:
        return True
    planned = _planned(plan, np.arange(begin, end, 1 / TICKS))
    if plan.rate is None:
        return int((planned >= 1).sum()) / TICKS > patience(plan)
    return float(planned[int(_HOLE * TICKS) :].sum()) / TICKS > _DUE


def _planned(plan: Plan, at: np.ndarray) -> np.ndarray:
    times, targets = zip(*plan.shape, strict=True)
    found: np.ndarray = np.interp(at, times, targets)
    return found


def _idle(tally: Tally) -> Iterator[tuple[float, float]]:
    """(from, until) in s since the epoch."""
    ticks, on_the_way = tally.busy.keys, np.cumsum(tally.busy.values)
    for place in np.flatnonzero(on_the_way[:-1] <= 0):
        yield ticks[place] / TICKS, ticks[place + 1] / TICKS
