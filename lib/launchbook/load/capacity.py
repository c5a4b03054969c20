"""How much the target takes: which rate to try next, when the answer is known, and what it is worth. Pure.

An open loop is raised by half until a threshold breaks; the break is then bracketed by halving, and each end repeated,
since one bad minute is no bound. A step whose result can't be believed is tried once more, and bounds nothing.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from launchbook.load import intervals
from launchbook.load.figures import percent
from launchbook.load.terms import Finding, Reason, amount
from launchbook.thresholds import Threshold
from launchbook.words import Check, Status

FACTOR = 1.5
_AGAIN = 2  # times that each end of the bracket must have been seen, and a step that can't be believed
_USERS = {"rate-not-kept", "omitted"}  # the users all waited: for a slow target, or since they were too few
_GENERATORS = {"generator-saturated", "generator-unseen", "generator-floor", *_USERS}
Said = Literal["found", "bound not found", "not even the first", "can't tell"]


@dataclass(frozen=True)
class Step:
    """One rate (requests/s) that was tried.

    held: whether every threshold held, None where the result can't be believed; why: the reason, a sentence; sent:
    requests/s that went out; generators: whether it was the generator that gave out
    """

    rate: float
    held: bool | None
    why: str = ""
    sent: float = 0.0
    generators: bool = False


@dataclass(frozen=True)
class Next:
    """The rate to try next."""

    rate: float


@dataclass(frozen=True)
class Answer:
    """said: `found` (held was kept twice, broken broke twice), `bound not found` (nothing broke up to the most that may
    be sent, or to the generator's own end), `not even the first` (held is None), or `can't tell`.

    complete: whether held is as much as may be sent, and was kept twice
    """

    said: Said
    held: float | None
    broken: float | None
    because: str
    complete: bool = False


def most_steps(first: float, most: float, within: float) -> int:
    """How many steps a search takes at most on a target that always takes the same."""
    growth = math.ceil(math.log(most / first) / math.log(FACTOR) - 1e-9) + 1
    halvings = max(0, math.ceil(math.log2((FACTOR - 1) / within) - 1e-9))
    return growth + halvings + _AGAIN


def unfit(thresholds: Sequence[Threshold], first: float, seconds: float) -> str:
    """Why no search can be made with these, a sentence; empty where it can. seconds: measured in a step."""
    if not thresholds:
        return "no threshold of load.thresholds asks for latency or errors, so nothing could break"
    asked = [percent(one.aggregate) or 0.0 for one in thresholds]
    needed = max(intervals.needed(p) for p in asked) if any(asked) else 1
    if first * seconds < needed:
        return (
            f"a step of {seconds:g} s at {first:g} requests/s gives {first * seconds:.0f} samples, and p({max(asked):g}) "
            f"needs {needed}: raise load.capacity.first or load.capacity.duration"
        )
    return ""


def users(rate: float, thresholds: Sequence[Threshold], most: int) -> int:
    """As many as are busy where every answer takes twice what the slowest threshold allows (Little's law).

    With fewer, the users would wait for the target, and send less before the threshold breaks.
    """
    limits = [one.limit / 1000 for one in thresholds if one.metric == "http_req_duration"]
    return min(most, math.ceil(2 * rate * max(limits, default=1.0)) + 1)


def seen(rate: float, sent: float, found: Sequence[Finding], reasons: Sequence[Reason]) -> Step:
    """What a step says. reasons: every one against its result; found: of thresholds that ask for no rate."""
    bad = [r for r in reasons if r.makes == "INVALID"]
    broke = [f for f in found if f.status is Status.FAIL]
    against = [r.message for r in reasons if r.makes == "FAIL"]
    # A target that is too slow keeps the users busy, so that they send less: it breaks with even less than was planned.
    slow = bool(bad) and bool(broke) and {r.id for r in bad} <= _USERS
    if bad and not slow:
        why = " ".join(r.message for r in bad)
        return Step(rate, None, why, sent, all(r.id in _GENERATORS for r in bad))
    if any(f.status is Status.UNKNOWN for f in found):
        return Step(rate, None, "The samples don't carry every threshold.", sent)
    if broke or against:
        told = [f"{f.threshold.name} does not hold: {_figure(f)}." for f in broke] + against
        few = f" Only {sent:.1f} requests/s were sent, since the target kept every user waiting." if slow else ""
        return Step(rate, False, " ".join(told) + few, sent)
    return Step(rate, True, "Every threshold holds.", sent)


def _figure(found: Finding) -> str:
    assert found.figure is not None
    return f"{found.threshold.aggregate} = {amount(found.threshold, found.figure.value)}"


def decide(steps: Sequence[Step], *, first: float, most: float, within: float) -> Next | Answer:
    """What to do after these steps.

    first: the rate to begin with; most: that may be sent at all (both requests/s); within: how narrow a bracket is an
    answer, as a share of the rate that held
    """
    tried: dict[float, list[Step]] = defaultdict(list)
    for step in steps:
        tried[step.rate].append(step)
    believed = {rate: [s.held for s in some if s.held is not None] for rate, some in tried.items()}
    low = max((rate for rate, held in believed.items() if held and all(held)), default=None)
    high = min((rate for rate, held in believed.items() if held and not any(held)), default=None)
    torn = sorted(rate for rate, held in believed.items() if any(held) and not all(held))
    if steps and steps[-1].held is None:
        return _not_believed(tried[steps[-1].rate], low, high)
    if said := _contradiction(low, high, torn):
        return Answer("can't tell", None, high, said)
    if not any(believed.values()):
        return Next(first)
    times = {rate: len(held) for rate, held in believed.items()}
    if high is None:
        return _upwards(low, torn, times, most)
    if low is None:
        return _below_the_first(high, torn, times)
    if not torn and high - low > within * low:
        return Next((low + high) / 2)
    for end in (high, low):
        if times[end] < _AGAIN:
            return Next(end)
    return Answer(
        "found", low, high, f"{low:g} requests/s held and {high:g} broke, {_AGAIN} times each.{_inside(torn)}"
    )


def _not_believed(some: Sequence[Step], low: float | None, high: float | None) -> Next | Answer:
    last = some[-1]
    bad = [step for step in some if step.held is None]
    if len(bad) < _AGAIN:
        return Next(last.rate)
    if high is None and all(step.generators for step in bad):
        end = max(step.sent for step in bad)
        said = f"Bound not found: the generator ended at {end:.0f} requests/s, where {last.rate:g} were to be sent."
        return Answer("bound not found", low, None, f"{said} {last.why}")
    said = f"At {last.rate:g} requests/s the result could not be believed, {len(bad)} times."
    return Answer("can't tell", low, high, f"{said} {last.why}")


def _contradiction(low: float | None, high: float | None, torn: Sequence[float]) -> str:
    """A rate that broke below one that held: what the target takes isn't one figure."""
    if low is not None and high is not None and high < low:
        return f"{low:g} requests/s held, and {high:g} broke: the target does not always take the same."
    if low is not None and torn and torn[0] < low:
        return f"{low:g} requests/s held, and {torn[0]:g} only once of twice: the target does not always take the same."
    if high is not None and torn and torn[-1] > high:
        return f"{high:g} requests/s broke, and {torn[-1]:g} held once: the target does not always take the same."
    return ""


def _inside(torn: Sequence[float]) -> str:
    return "".join(f" {rate:g} held once and broke once." for rate in torn)


def _upwards(low: float | None, torn: Sequence[float], times: dict[float, int], most: float) -> Next | Answer:
    """Nothing has broken for good yet."""
    top = max([*torn, *([] if low is None else [low])])
    if top < most:
        return Next(min(top * FACTOR, most))
    if torn or low is None:
        return Answer("can't tell", low, None, f"No rate up to {most:g} requests/s broke twice.{_inside(torn)}")
    if times[low] < _AGAIN:
        return Next(low)
    said = f"Bound not found: {low:g} requests/s, the most that may be sent, held {_AGAIN} times."
    return Answer("bound not found", low, None, said, complete=True)


def _below_the_first(high: float, torn: Sequence[float], times: dict[float, int]) -> Next | Answer:
    if times[high] < _AGAIN:
        return Next(high)
    if torn:
        return Answer("can't tell", None, high, f"No rate below {high:g} requests/s held twice.{_inside(torn)}")
    said = f"{high:g} requests/s, the first rate, broke {_AGAIN} times."
    return Answer("not even the first", None, high, said)


def check(answer: Answer | None, wanted: float) -> Check:
    """B.capacity. answer: None where no search was asked for; wanted: requests/s that the target must take."""
    if answer is None:
        because = "Parameters ask for no search: load.capacity is not there."
        return Check("B.capacity", "load", Status.NA, "not searched", "what is asked for", because)
    expected = f"at least {wanted:g} requests/s, and a bound"
    evidence = ("evidence/load/capacity.json",)

    def say(status: Status, more: str = "") -> Check:
        because = f"{answer.because}{more}"
        return Check(
            "B.capacity",
            "load",
            status,
            _measured(answer),
            expected,
            because,
            evidence,
            figure=answer.held,
            bound=">= /s",
        )

    if answer.said in ("found", "not even the first"):
        assert answer.broken is not None
        if answer.held is not None and answer.held >= wanted:
            return say(Status.PASS)
        if answer.broken <= wanted:
            return say(Status.FAIL)
        if answer.held is None:
            return say(Status.UNKNOWN, f" Whether {wanted:g} hold is not known: lower load.capacity.first.")
        return say(Status.UNKNOWN, f" {wanted:g} lie between them: lower load.capacity.within.")
    if answer.complete and answer.held is not None and answer.held >= wanted:
        return say(Status.PASS)
    return say(Status.UNKNOWN)


def _measured(answer: Answer) -> str:
    held = "no rate held" if answer.held is None else f"{answer.held:g}/s held"
    return held if answer.broken is None else f"{held}, {answer.broken:g}/s broke"
