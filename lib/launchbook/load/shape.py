"""What the shape of the samples says against their figures: a stall, a bad minute, a slow start, errors that flatter."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from launchbook.load import intervals
from launchbook.load.buckets import RELATIVE_ERROR, average, backfilled, edges, quantile
from launchbook.load.doubts import WHOLE
from launchbook.load.figures import Figure, aggregated, per_second, percent, sending, trend, unsent
from launchbook.load.hidden import FEWEST, MINUTE, flattered, worst_minute
from launchbook.load.partly import waits
from launchbook.load.tally import Tally
from launchbook.load.terms import Finding, Plan, Reason
from launchbook.load.windows import Windows, cut, last
from launchbook.thresholds import Threshold
from launchbook.words import Status

_STILL = 0.1  # of the usual requests/s: in such a second the target stood still
_SLOW = 3.0  # times the usual p(95): a slow start
_STRAY = 3.0  # requests, that may fall into the second before or after
_START = 0.2  # of the time, which a slow start may take at most


def doubts(tally: Tally, plan: Plan | None, found: Sequence[Finding]) -> list[Reason]:
    """Every reason that the samples themselves give. plan: None where it isn't known what was to be sent."""
    if not tally.count:
        return []
    return [
        *_flattering(tally, found),
        *_worst_minute(tally, plan, found),
        *_slow_start(tally, found),
        *(_stood_still(tally, plan, found) if plan else ()),
        *(_omitted(tally, plan, found) if plan else ()),
    ]


def _latencies(found: Sequence[Finding], status: Status) -> list[Threshold]:
    """The thresholds on percentiles and averages: those which a part of the samples can hide in."""
    return [one.threshold for one in found if one.status is status and _hides(one.threshold)]


def _hides(threshold: Threshold) -> bool:
    return threshold.metric == "http_req_duration" and (
        threshold.aggregate == "avg" or percent(threshold.aggregate) not in (None, 100.0)
    )


def _flattering(tally: Tally, found: Sequence[Finding]) -> list[Reason]:
    """Quick errors among slow answers: the figure of all requests holds, that of the successful ones does not."""
    held = _latencies(found, Status.PASS)
    if not tally.failed or tally.failed == tally.count or not held:
        return []
    exact = trend(tally, [t.aggregate for t in held if t.aggregate != "avg"], good=True)
    successes = {name: figure.value for name, figure in exact.items()} | {"avg": average(tally.good)[0]}
    return [
        flattered(t, successes[t.aggregate], tally.failed / tally.count)
        for t in held
        if (clearly(t, successes["avg"], holds=False) if t.aggregate == "avg" else not t.holds(successes[t.aggregate]))
    ]


def _worst_minute(tally: Tally, plan: Plan | None, found: Sequence[Finding]) -> list[Reason]:
    """A minute that breaks, by more than chance, what the whole keeps."""
    held = [one.threshold for one in found if one.status is Status.PASS and _by_minutes(one.threshold)]
    if not held:
        return []
    if tally.seconds < FEWEST * MINUTE:
        said = (
            f"The samples cover {tally.seconds:.0f} s, less than three minutes: no minute was held against the thresholds by "
            "itself, so a short bad time may be hidden in the whole."
        )
        return [Reason("no-minutes", said, "NOTE")]
    whole = cut(tally, MINUTE)
    minutes = [*((whole, n) for n in range(len(whole))), (last(tally, MINUTE), 0)]
    alpha = (1 - intervals.CONFIDENCE) / len(minutes)
    reasons = []
    for threshold in held:
        # Of a load that rises or falls a minute has another rate than the whole, and it may fall at the end of any.
        if threshold.asks_for_rate and plan and not plan.steady:
            continue
        judged = minutes[:-1] if threshold.asks_for_rate and not plan else minutes
        figures = [(one.begins[n], _of_minute(one, n, threshold, tally, alpha)) for one, n in judged]
        broken = [(begins, figure.value) for begins, figure in figures if figure and figure.beyond(threshold)]
        reasons += worst_minute(threshold, broken, len(judged))
    return reasons


def _by_minutes(threshold: Threshold) -> bool:
    """Whether the figure is one that a minute has, too."""
    return threshold.metric == "http_req_failed" or threshold.asks_for_rate or _hides(threshold)


def _of_minute(windows: Windows, n: int, threshold: Threshold, tally: Tally, alpha: float) -> Figure | None:
    """The figure of one window, with an interval that holds for all windows together."""
    count, grid = int(windows.requests[n]), windows.grid[n]
    if threshold.metric == "http_req_failed":
        failed = int(windows.failed[n])
        return Figure(failed / count, *intervals.share(failed, count, alpha)) if count else None
    if threshold.asks_for_rate:
        first = round(windows.begins[n] + tally.first) - int(tally.second.keys[0])
        # The load's last second is hardly ever a whole one.
        sent = per_second(tally)[:-1][first : first + windows.size].astype(float)
        bounds = intervals.mean(sent, alpha)
        return None if bounds is None else Figure(float(sent.mean()), *bounds)
    share = percent(threshold.aggregate)
    if share is None and count:
        mean, deviation = average(grid)
        return Figure(mean, *intervals.around(mean, deviation, count, alpha))
    places = None if share is None else intervals.ranks(count, share, alpha)
    if share is None or places is None:
        return None
    low, high = np.searchsorted(np.cumsum(grid), places, side="right")
    begins = edges(np.array([low, high + 1]))
    return Figure(quantile(grid, share / 100), float(begins[0]), float(begins[1]))


def _slow_start(tally: Tally, found: Sequence[Finding]) -> list[Reason]:
    """A start that is slow though the rest is not: cold caches and connections, which a warm-up leaves out."""
    windows = cut(tally, max(1, round(tally.seconds / 60)))
    most = int(_START * len(windows))
    if not most:
        return []
    p95 = np.array([quantile(row, 0.95) for row in windows.grid])
    usual = float(np.nanmedian(p95[most:])) if np.isfinite(p95[most:]).any() else 0.0
    slow = next((n for n, value in enumerate(p95) if not value > _SLOW * usual), len(p95))
    if not 0 < slow <= most or usual <= 0:
        return []
    seconds, rest = slow * windows.size, windows.within(slow, len(windows))
    told = f"The first {seconds} s were slower than the rest (p(95) {p95[:slow].max():.1f} ms against {usual:.1f} ms)"
    for threshold in _latencies(found, Status.FAIL):
        value = aggregated(rest, threshold.aggregate)
        if clearly(threshold, value, holds=True):
            without = f"without them {threshold.aggregate} is {value:.1f} ms, which keeps {threshold.expression}"
            return [Reason("warm-up-included", f"{told}; {without}. Leave them out as warm-up.")]
    return [Reason("slow-start", f"{told}.", "NOTE")]


def _stood_still(tally: Tally, plan: Plan, found: Sequence[Finding]) -> list[Reason]:
    """Coordinated omission: a closed loop sends nothing while it waits, so a stall hides most of itself."""
    if plan.rate is not None or not plan.steady:
        return []
    # A load that stands still until its end sends nothing after its last request, but that was planned.
    missing = int(unsent(tally, plan.duration))
    sent = np.concatenate([per_second(tally)[1:-1], np.zeros(missing, np.int64)])
    if len(sent) < 5:
        return []
    usual = float(np.median(sent))
    cycle = 1000 * plan.think_time + quantile(tally.histogram, 0.5)
    still = int((sent < _STILL * usual).sum())
    if usual < 1 / _STILL or tally.high < 10 * cycle:
        return []
    if still:
        told = f"The target stood still for about {still} s, and the closed loop waited with it"
        open_loop = backfilled(tally.histogram, cycle)
    elif found_waits := waits(tally, plan.vus, cycle):
        seconds, many, open_loop = found_waits
        told = f"For about {seconds} s up to {many} of {plan.vus:g} users waited for one answer each and sent nothing meanwhile"
    else:
        return []
    for threshold in _latencies(found, Status.PASS):
        value = aggregated(open_loop, threshold.aggregate)
        if clearly(threshold, value, holds=False):
            return [
                Reason(
                    "coordinated-omission",
                    f"{told}: an open loop with a request each {cycle:.0f} ms and VU would have seen {threshold.aggregate} = "
                    f"{value:.0f} ms, which breaks {threshold.expression}.",
                )
            ]
    if not still:
        return []
    return [Reason("stall", f"{told}; an open loop would have kept every threshold all the same.", "NOTE")]


def _omitted(tally: Tally, plan: Plan, found: Sequence[Finding]) -> list[Reason]:
    """An open loop that ran out of users left requests out just when they would have been slowest."""
    if plan.rate is None or not plan.steady:
        return []
    sent, seconds = sending(tally, plan.duration)
    planned = plan.rate * seconds
    if planned - sent <= _STRAY or sent < WHOLE * planned:  # the latter is said already: the rate was not kept
        return []
    for threshold in _latencies(found, Status.PASS):
        asked = percent(threshold.aggregate)
        if asked is None:
            continue
        share = asked / 100 * planned / sent if sent else 1.0
        if clearly(threshold, quantile(tally.histogram, min(1.0, share)), holds=False):
            return [
                Reason(
                    "omitted",
                    f"{planned - sent:.0f} of {planned:.0f} requests were not sent when they were due, since every user still "
                    f"waited: as slow as the slowest, they would break {threshold.name}.",
                )
            ]
    return []


def clearly(threshold: Threshold, value: float, *, holds: bool) -> bool:
    """Whether a figure from buckets says so whichever way it was rounded."""
    bounds = (value * (1 - RELATIVE_ERROR), value * (1 + RELATIVE_ERROR))
    return all(threshold.holds(bound) is holds for bound in bounds)
