"""Why a load result can't be believed: its generator, its plan, or too little of it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from launchbook import bounds
from launchbook.load import health, intervals, silence
from launchbook.load.buckets import quantile
from launchbook.load.figures import percent, sending
from launchbook.load.tally import Tally
from launchbook.load.terms import Finding, Plan, Reason, Sender
from launchbook.thresholds import Threshold
from launchbook.words import Status

WHOLE = 0.95  # of the planned time, and of an open loop's planned rate
_BACK = 2.0  # s, by which rows may be out of order: k6 may round to whole seconds, and writes once a second
_JUMP = 2.0  # s, by which the generator's clock may have moved further than ours
_QUEUED = 5.0  # ms, that a request may wait for a connection
_KEPT_BUSY = 0.9  # of what the VUs could send at the latency they met: they were busy all the time


def of_sender(sender: Sender, tally: Tally) -> list[Reason]:
    """What is known of the generator against its samples, whatever they were to be."""
    lost = [Reason("truncated", sender.problem or "The generator did not come to its end.")]
    return [
        *(lost if sender.problem or not sender.complete else ()), *clock(tally, sender.elapsed),
        *health.doubts(sender, tally.seconds), *sender.reasons,
    ]  # fmt: skip


def of_samples(tally: Tally, plan: Plan | None, thresholds: Sequence[Threshold]) -> list[Reason]:
    """What the samples lack, or what is impossible in them. plan: None where it isn't known."""
    return [
        *_impossible(tally),
        *(silence.hole(tally, plan) if plan else ()),
        *(out_of_reach(plan, thresholds) if plan else ()),
        *(_rate_not_kept(tally, plan) if plan else ()),
        *queued(quantile(tally.blocked, 0.95), quantile(tally.histogram, 0.95)),
        *no_success(tally.count, tally.failed, thresholds),
        *too_few(tally.count, thresholds),
    ]


def short(tally: Tally, plan: Plan) -> list[Reason]:
    """Less than was planned, of a load that came to its end."""
    if tally.seconds >= WHOLE * plan.duration:
        return silence.unseen(tally, plan)
    return [Reason("truncated", f"The samples cover {tally.seconds:.1f} s of the {plan.duration:g} s planned.")]


def clock(tally: Tally, elapsed: float | None) -> list[Reason]:
    """A clock that jumped. elapsed: s that passed here while load was sent, by a clock that can't jump."""
    found = []
    if tally.back > _BACK:
        found.append(Reason("clock", f"The clock ran back by {tally.back:.0f} s."))
    if elapsed is not None and tally.seconds > elapsed + _JUMP:
        jumped = (
            f"The samples cover {tally.seconds:.1f} s by the generator's clock, but {elapsed:.1f} s passed: it jumped."
        )
        found.append(Reason("clock", jumped))
    return found


def _impossible(tally: Tally) -> list[Reason]:
    if not tally.impossible:
        return []
    return [Reason("impossible", f"{tally.impossible} rows have no time, or a duration that is negative or no number.")]


def out_of_reach(plan: Plan, thresholds: Sequence[Threshold]) -> list[Reason]:
    """Little's law: a closed loop of V users with think time Z sends at most V / Z requests/s."""
    wanted = max((t.limit for t in thresholds if t.asks_for_rate), default=0.0)
    ceiling = plan.rate if plan.rate is not None else plan.vus / plan.think_time if plan.think_time else float("inf")
    if ceiling >= wanted:
        return []
    if plan.rate is not None:
        sent = f"The open loop sends {plan.rate:g} requests/s; {wanted:g} are asked for."
        return [Reason("rate-out-of-reach", sent)]
    return [
        Reason(
            "rate-out-of-reach",
            f"{plan.vus:g} VUs with {plan.think_time:g} s think time send at most {ceiling:.1f} requests/s, however fast the "
            f"target is; {wanted:g} are asked for.",
        )
    ]


def vus_too_few(tally: Tally, plan: Plan, found: Sequence[Finding]) -> list[Reason]:
    """Little's law at the latency that was met: busy all the time, and still below a rate that is asked for.

    Said only where every other threshold holds: then it is the script that sent no more, and the target kept up.
    """
    missed = [f.threshold for f in found if f.status is Status.FAIL]
    if plan.rate is not None or not plan.steady or not missed or not all(t.asks_for_rate for t in missed):
        return []
    mean, sent = tally.total / tally.count / 1000, tally.count / tally.seconds
    ceiling, wanted = plan.vus / (plan.think_time + mean), max(t.limit for t in missed)
    needed = math.ceil(wanted * (plan.think_time + mean))
    if sent < _KEPT_BUSY * ceiling or out_of_reach(plan, missed):
        return []
    return [
        Reason(
            "vus-too-few",
            f"{plan.vus:g} VUs with {plan.think_time:g} s think time were busy all the time: at the mean latency of "
            f"{1000 * mean:.1f} ms they send {ceiling:.1f} requests/s; {wanted:g} need {needed} VUs.",
        )
    ]


def _rate_not_kept(tally: Tally, plan: Plan) -> list[Reason]:
    """An open loop that falls behind has become a closed one: it no longer sees how slow the target is."""
    if not tally.count or plan.rate is None:
        return []
    # The wait for the last answers is no time of sending.
    lasted = min(tally.seconds, max(plan.duration, int(tally.second.keys[-1]) + 1 - tally.first))
    count, seconds = sending(tally, plan.duration) if plan.steady else (tally.count, lasted)
    if seconds <= 0 or count / seconds >= WHOLE * plan.rate:
        return []
    return [
        Reason(
            "rate-not-kept",
            f"{count / seconds:.1f} of the {plan.rate:g} requests/s planned were sent: {plan.vus:g} VUs were too few, or the "
            "target too slow for them.",
        )
    ]


def queued(waited: float, took: float) -> list[Reason]:
    """Time before a request is sent is in no duration, but its user waits for it too. Both: p(95) in ms."""
    if not waited > max(_QUEUED, took / 2):
        return []
    return [
        Reason(
            "generator-saturated",
            f"Requests waited for a connection before they were sent, p(95) = {waited:.0f} ms (http_req_blocked), which their "
            "durations don't contain: the generator opens too many, or has too few.",
        )
    ]


def no_success(count: int, failed: float, thresholds: Sequence[Threshold]) -> list[Reason]:
    """A target that refuses everything answers fast; unless a threshold asks for errors, nothing else would tell."""
    if not count or failed < count or any(t.metric == "http_req_failed" and not bounds.empty(t) for t in thresholds):
        return []
    return [Reason("no-success", f"None of the {count} requests succeeded, so rate and latency say nothing of it.")]


def too_few(count: int, thresholds: Sequence[Threshold]) -> list[Reason]:
    """A percentile needs samples above it."""
    asked = [percent(t.aggregate) or 0.0 for t in thresholds if t.aggregate.startswith("p(")]
    needed = max((intervals.needed(p) for p in asked), default=1)
    if count >= needed:
        return []
    return [Reason("too-few-samples", f"{count} samples; {needed} are needed for p({max(asked, default=0):g}).")]


def dropped(iterations: float) -> list[Reason]:
    """Iterations that k6 left out: its load was not the one that was asked for."""
    if not iterations:
        return []
    lost = f"{iterations:g} iterations were dropped: there was no free VU for them, or no time left, so the rate was not kept."
    return [Reason("rate-not-kept", lost)]


def unanswered(successes: int, count: int) -> list[Reason]:
    """Successes with status 0, which stands for no answer. count: of all requests."""
    if not successes:
        return []
    said = (
        f"{successes} of {count} requests have status 0, which stands for no answer, and are not said to have failed."
    )
    return [Reason("contradiction", said, "INVALID" if successes == count else "NOTE")]


def timeless(count: int, failed: float, longest: float) -> list[Reason]:
    """Answers that took no time at all. longest: ms"""
    if not count or failed >= count or longest > 0:
        return []
    return [Reason("impossible", f"All of the {count} requests took 0 ms, which no answer does: nothing was measured.")]


def errors_untold(told: bool) -> list[Reason]:
    """Results that don't say which requests failed: where no threshold asks for it, nothing else would tell."""
    if told:
        return []
    return [Reason("errors-untold", "The results don't say (http_req_failed) whether requests failed.", "NOTE")]


def checks_broken(count: int, held: float) -> list[Reason]:
    """Checks that did not hold, which break nothing by themselves."""
    if not count or held >= count:
        return []
    said = f"{100 * held / count:.4g} % of {count} checks held; only a threshold on checks would make that a FAIL."
    return [Reason("checks", said, "NOTE")]
