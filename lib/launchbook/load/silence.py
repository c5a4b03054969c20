"""Time in which nothing was sent and no answer was waited for, though load was planned. Pure."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from launchbook.load.buckets import quantile
from launchbook.load.tally import TICKS, Tally
from launchbook.load.terms import Plan, Reason

_HOLE = 2.0  # s, past the wait that is planned
_DUE = 10  # requests of an open loop that may be due in it


def hole(tally: Tally, plan: Plan) -> list[Reason]:
    """Between the first request and the last answer: the generator stood still, or samples were lost."""
    if tally.count < 2 or not plan.steady:
        return []
    longest = max((end - begin for begin, end in _idle(tally)), default=0.0)
    if longest <= _patience(plan):
        return []
    return [Reason("hole", f"For {longest:.1f} s nothing was sent and no answer was waited for: samples are missing.")]


def unseen(tally: Tally, plan: Plan) -> list[Reason]:
    """Before the first request or after the last answer: what hangs when a generator ends its users has no sample.

    Only for a load that came to its end, since the reason would be another one.
    """
    missing = plan.duration - tally.seconds
    # Users that keep in step are all on their way when the load ends, and none of them may come back.
    usual = quantile(tally.histogram, 0.95) / 1000 if tally.count else 0.0
    if tally.count < 2 or not plan.steady or missing <= _patience(plan) + usual:
        return []
    said = (
        f"In {missing:.1f} s of the {plan.duration:g} s planned, at their beginning or their end, nothing was sent and no "
        "answer came: a request that still waits when the load ends leaves no sample."
    )
    return [Reason("hole", said)]


def _patience(plan: Plan) -> float:
    """s, in which a healthy load may send nothing."""
    return _HOLE + (_DUE / plan.rate if plan.rate else plan.think_time)


def _idle(tally: Tally) -> Iterator[tuple[float, float]]:
    """(from, until) in s since the epoch."""
    ticks, on_the_way = tally.busy.keys, np.cumsum(tally.busy.values)
    for place in np.flatnonzero(on_the_way[:-1] <= 0):
        yield ticks[place] / TICKS, ticks[place + 1] / TICKS
