"""A standstill in samples of a load that is not the same all the time, or of which nobody knows what was planned."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from launchbook.load import silence
from launchbook.load.buckets import BUCKETS, bucket
from launchbook.load.figures import aggregated, per_second
from launchbook.load.shape import clearly
from launchbook.load.tally import TICKS, Tally
from launchbook.load.terms import Finding, Plan, Reason
from launchbook.words import Status

_CHANCE = 1000  # runs, of which one has such a pause by chance
_NEARLY = 0.01  # of the usual requests/s are nearly none
_FEWEST = 10  # requests, below which a rate is no rate
_LONG = 30  # s, over which the rate before a pause and the one after are looked at
_SHORT = 2  # s
_ABRUPT = 0.5  # of the rate before, which still was sent just before the pause
_AGAIN = 0.1  # of it, which must be sent after the pause: it was not the end of the load
_AFTERWARDS = 30  # s, for which k6 waits for iterations under way when a load ends (gracefulStop)
_STAYED = 0.5  # of the users, who were still there: the load had not ended
_RHYTHM = 3  # pauses of about the same length are how the load was meant


@dataclass(frozen=True)
class Pause:
    """begins: s since the first request; seconds: how long; rate: requests/s that were to be expected in it; waited:
    whether an answer was waited for in its middle; ended: whether nothing was sent afterwards either"""

    begins: float
    seconds: int
    rate: float
    waited: bool
    ended: bool = False


def doubts(
    tally: Tally, found: Sequence[Finding], users: Mapping[int, float], plan: Plan | None = None
) -> Iterator[Reason]:
    """What a pause that the load's own shape does not explain says against the figures.

    It is a pause where requests that come by chance at the rate before it (a Poisson stream, in which a gap of t has
    the probability exp(-rate t)) would leave such a gap in one run of a thousand, so a sparse load has none. A load
    that was ramped down to it explains it, as does one without users, and one that pauses again and again. What was
    due meanwhile would have waited until its end, as in coordinated omission (Tene, "How NOT to Measure Latency";
    HdrHistogram, copyCorrectedForCoordinatedOmission).

    users: second -> how many there were, where the generator told; plan: of a load in stages or of a script, which says
    how many there were to be, or requests/s, and until when
    """
    if plan:
        users = silence.levels(plan, tally.first)
    found_pauses = _pauses(tally, users, plan)
    idle = [one for one in found_pauses if not one.waited]
    longest = max((one.seconds for one in idle), default=0)
    alike = [one for one in idle if 2 * one.seconds >= longest]
    if len(alike) >= _RHYTHM:
        said = f"The load paused {len(idle)} times, for up to {longest} s: that is taken for its rhythm, not for a standstill."
        yield Reason("pauses", said, "NOTE")
        found_pauses = [one for one in found_pauses if one.waited]
    if found_pauses:
        yield _judged(max(found_pauses, key=lambda one: one.seconds), found_pauses, tally, found)


def _pauses(tally: Tally, users: Mapping[int, float], plan: Plan | None) -> list[Pause]:
    sent = per_second(tally)
    if tally.count < 2 * _FEWEST or not len(sent):
        return []
    after = _after(tally, users, plan)
    sent = np.concatenate([sent, np.zeros(after, np.int64)])
    none = sent <= _NEARLY * float(np.median(sent[sent > 0]))
    edges = np.flatnonzero(np.diff(np.concatenate([[0], none.astype(np.int8), [0]])))
    pauses = (
        _pause(tally, sent, int(a), int(b), users, after > 0 and int(b) == len(sent))
        for a, b in zip(edges[::2], edges[1::2], strict=True)
    )
    least = silence.patience(plan) if plan else 0.0
    return [one for one in pauses if one and one.seconds > least]


def _after(tally: Tally, users: Mapping[int, float], plan: Plan | None) -> int:
    """Seconds after the last request in which the load had not ended."""
    last = int(tally.second.keys[-1])
    if plan:
        return max(0, int(tally.first + plan.duration) - last - 1) if plan.shape else 0
    there = [many for second, many in users.items() if second <= last and many]
    most = _STAYED * float(np.median(there)) if there else math.inf
    after = max((second for second, many in users.items() if many >= most), default=last) - last
    return after if after > _AFTERWARDS else 0


def _pause(
    tally: Tally, sent: np.ndarray, begins: int, ends: int, users: Mapping[int, float], ended: bool
) -> Pause | None:
    """The one from second `begins` up to but not `ends`, if it is one. A second that it cuts into is no whole one."""
    before, after = sent[max(0, begins - 1 - _LONG) : begins - 1], sent[ends + 1 : ends + 1 + _LONG]
    seconds, first = ends - begins, int(tally.second.keys[0])
    if before.sum() < _FEWEST or (after.sum() < _FEWEST and not ended):
        return None
    usual = float(before.mean())
    just = before[-max(_SHORT, math.ceil(_FEWEST / usual)) :]
    rate = usual * _share(users, first + begins - 1 - len(before), first + begins, first + ends)
    chance = math.log(_CHANCE * tally.count)
    if seconds < _SHORT or rate * seconds < chance or just.mean() < _ABRUPT * usual:
        return None
    if not ended and after.mean() < _AGAIN * usual:
        return None
    middle = TICKS * (first + begins) + TICKS // 2 * seconds
    waiting = int(tally.busy.values[: int(np.searchsorted(tally.busy.keys, middle, side="right"))].sum())
    return Pause(first + begins - tally.first, seconds, rate, waiting > 0, ended)


def _share(users: Mapping[int, float], before: int, begins: int, ends: int) -> float:
    """Of the load before a pause, how much there was in it; 1 where it isn't told."""
    then = [users[second] for second in range(before, begins) if second in users]
    now = [users[second] for second in range(begins, ends) if second in users]
    if 2 * len(now) < ends - begins:
        return 1.0
    usual = float(np.mean(then)) if then else 0.0
    return min(1.0, float(np.mean(now)) / usual) if usual else float(any(now))


def _judged(longest: Pause, pauses: Sequence[Pause], tally: Tally, found: Sequence[Finding]) -> Reason:
    told = _told(longest, pauses)
    missed = sum(one.rate * one.seconds for one in pauses)
    filled = tally.histogram + sum(_due(one) for one in pauses)
    idle = sum(one.rate * one.seconds for one in pauses if not one.waited)
    whole = tally.seconds + max((one.begins + one.seconds - tally.seconds for one in pauses if one.ended), default=0.0)
    for one in found:
        threshold = one.threshold
        if one.status is not Status.PASS:
            continue
        if threshold.metric == "http_req_duration":
            value = aggregated(filled, threshold.aggregate)
            if not math.isnan(value) and clearly(threshold, value, holds=False):
                said = f"sent all the same, {missed:.0f} requests more would have made {threshold.aggregate} {value:.0f} ms"
                break
        elif threshold.metric == "http_req_failed":
            value = (tally.failed + idle) / (tally.count + idle)
            if not threshold.holds(value):
                said = f"had the {idle:.0f} requests that are missing failed, {100 * value:.2f} % would have"
                break
        elif threshold.asks_for_rate and not threshold.holds(tally.count / whole):
            said = f"over all of the {whole:.0f} s it is {tally.count / whole:.3g} requests/s"
            break
    else:
        return Reason("stall", f"{told}; requests sent all the same would have kept every threshold.", "NOTE")
    return Reason(
        "coordinated-omission" if longest.waited else "hole", f"{told}: {said}, which breaks {threshold.name}."
    )


def _told(longest: Pause, pauses: Sequence[Pause]) -> str:
    often = f" ({len(pauses)} pauses in all)" if len(pauses) > 1 else ""
    why = "while answers were waited for" if longest.waited else "and no answer was waited for"
    return (
        f"From {longest.begins:.0f} s on nothing was sent for {longest.seconds} s, {why}{often}, after "
        f"{longest.rate:.3g} requests/s, which nothing in the load explains"
    )


def _due(one: Pause) -> np.ndarray:
    """By bucket, the requests that were due in a pause: spread over it, each waits until its end."""
    many = max(1, round(one.rate * one.seconds))
    # So many that their percentiles are exact enough, each standing for its share of them.
    waits = 1000 * one.seconds * (np.arange(min(many, 10_000)) + 1) / min(many, 10_000)
    counts = np.bincount(bucket(waits), minlength=BUCKETS)
    due: np.ndarray = np.round(counts * (many / len(waits))).astype(np.int64)
    return due
