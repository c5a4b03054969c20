"""What stands against results that hold totals alone, without samples, and what they can't show. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from launchbook.load import doubts
from launchbook.load.hidden import flattered
from launchbook.load.terms import Finding, Plan, Reason
from launchbook.thresholds import Threshold
from launchbook.words import Status

GOOD = "http_req_duration{expected_response:true}"  # k6 puts it into every summary
# Further metrics of k6 that are read of a summary, though no threshold here is judged by them.
READ = (GOOD, "http_req_blocked", "vus_max", "vus")
Figures = Mapping[str, Mapping[str, float]]


def reasons(
    figures: Figures, count: int, seconds: float | None, plan: Plan | None, found: Sequence[Finding]
) -> list[Reason]:
    """figures: metric -> aggregate -> figure; count: requests; seconds: how long the test ran, its warm-up included, as
    far as is known; plan: what was to be sent; found: the thresholds of requests"""
    asked = [one.threshold for one in found]
    share = figures.get("http_req_failed", {}).get("rate")
    waited, took = (figures.get(name, {}).get("p(95)", math.nan) for name in ("http_req_blocked", "http_req_duration"))
    return [
        *(_against(plan, count, seconds, asked, figures) if plan else ()),
        *doubts.queued(waited, took),
        *doubts.too_few(count, asked),
        *doubts.no_success(count, (share or 0.0) * count, asked),
        *doubts.errors_untold(share is not None),
        *_flattering(figures, share, found),
    ]


def _against(
    plan: Plan, count: int, seconds: float | None, asked: Sequence[Threshold], figures: Figures
) -> list[Reason]:
    if seconds is None:
        unknown = "The results don't say how long the test ran, so they can't be held against the plan."
        return [Reason("truncated", unknown), *doubts.out_of_reach(plan, asked)]
    if seconds < doubts.WHOLE * plan.duration:
        short = [Reason("truncated", f"The test ran {seconds:.1f} s of the {plan.duration:g} s planned.")]
    else:
        short = _fewer(plan, count)
    return [*short, *doubts.out_of_reach(plan, asked), *_users(plan, figures)]


def _fewer(plan: Plan, count: int) -> list[Reason]:
    """An open loop that sent less than its plan for the measured part alone: a warm-up only adds to it."""
    if plan.rate is None or count >= doubts.WHOLE * plan.rate * plan.duration:
        return []
    planned = f"{plan.rate:g} requests/s planned for {plan.duration:g} s are {plan.rate * plan.duration:.0f}"
    return [Reason("rate-not-kept", f"{count} requests were sent; {planned}.")]


def _users(plan: Plan, figures: Figures) -> list[Reason]:
    """Virtual users: a closed loop needs all of them, an open one should have some to spare."""
    most = max(figures.get("vus_max", {}).values(), default=math.nan)
    busy = figures.get("vus", {}).get("max", math.nan)
    if plan.rate is None:
        # What a script of its own or stages begin with is not known.
        if plan.steady and most < plan.vus:
            return [Reason("vus-too-few", f"There were {most:g} VUs at most, of the {plan.vus:g} planned.")]
        return []
    if not busy >= most:
        return []
    spare = f"All of the {most:g} VUs were busy at once, so the open loop had none to spare."
    return [Reason("vus-at-most", spare, "NOTE")]


def _flattering(figures: Figures, share: float | None, found: Sequence[Finding]) -> list[Reason]:
    """Quick errors among slow answers: the figure of all requests holds, that of the successful ones does not."""
    good = figures.get(GOOD, {})
    if not share or share >= 1:
        return []
    return [
        flattered(t, good[t.aggregate], share)
        for t in (one.threshold for one in found if one.status is Status.PASS)
        if t.metric == "http_req_duration" and t.relation in ("<", "<=")
        if t.aggregate in good and not t.holds(good[t.aggregate])
    ]


def rounded(found: Sequence[Finding], rounding: Callable[[Threshold, float], float]) -> list[Reason]:
    """Thresholds of which a rounded figure can't tell whether they hold. rounding: by how much it may be off"""
    unsure = []
    for threshold, value in ((one.threshold, one.figure.value) for one in found if one.figure is not None):
        off = rounding(threshold, value)
        if threshold.holds(value - off) == threshold.holds(value + off) == threshold.holds(value):
            continue
        told = f"{threshold.aggregate} was rounded to {value:g} ms and may be {value - off:g} to {value + off:g} ms"
        unsure.append(Reason("rounded", f"{threshold.name}: {told}, so it can't be told whether it holds."))
    return unsure


def unseen(figures: Figures, *, course: bool) -> Reason:
    """What totals can't show, for whoever reads a PASS. course: whether requests and failures over time are told"""
    hidden = ["how slow the worst minute was"] if course else ["a worst minute", "a standstill"]
    hidden += ["a slow start", "what the generator itself had to spare", "whether a warm-up is in them"]
    failed = figures.get("http_req_failed", {}).get("rate", 0.0)
    hidden += ["how long the successful requests took"] if failed > 0 and GOOD not in figures else []
    told = f"{', '.join(hidden[:-1])} and {hidden[-1]}"
    return Reason("totals-only", f"These results are totals over the whole test, which don't show {told}.", "NOTE")
