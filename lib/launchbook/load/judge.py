"""What a load result is worth, then what it says: validity first, thresholds after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from launchbook import bounds
from launchbook.load import doubts, floor, health, pauses, shape
from launchbook.load.figures import figures, trend
from launchbook.load.soak import LONG, Slope, lasting
from launchbook.load.tally import Tally
from launchbook.load.terms import Finding, Outcome, Plan, Reason, Sender, amount, bound_of, interval
from launchbook.thresholds import Threshold
from launchbook.words import Check, Status

__all__ = [
    "Finding", "Outcome", "Plan", "Reason", "Sender", "baseline", "findings", "logs", "outcome", "reasons", "soak", "target",
    "thresholds", "unbounded", "validity",
]  # fmt: skip


def reasons(
    tally: Tally, plan: Plan | None, asked: Sequence[Threshold], found: Sequence[Finding], sender: Sender | None = None
) -> list[Reason]:
    """Everything that stands against a result, or is to be read beside it: its generator, its plan, its samples.

    tally: of the samples without the warm-up; plan, sender: None where it isn't known what was to be sent, or by whom
    """
    whole = sender is None or (sender.complete and not sender.problem)
    said = doubts.short(tally, plan) if plan and whole else []
    said += doubts.of_sender(sender, tally) if sender else doubts.clock(tally, None)
    said += doubts.of_samples(tally, plan, asked)
    said += doubts.vus_too_few(tally, plan, found) if plan and tally.count else []
    said += shape.doubts(tally, plan, found)
    if plan and not plan.steady and not any(one.id == "hole" for one in said):
        said += pauses.doubts(tally, found, {}, plan)
    if sender and sender.floor:
        p95 = trend(tally, ["p(95)"]).get("p(95)")
        said += floor.doubts(sender.floor, p95.value if p95 else None, found)
    return said


def findings(tally: Tally, thresholds: Sequence[Threshold]) -> list[Finding]:
    """Each threshold with its figure. Zero samples hold no threshold."""
    found = []
    for threshold, figure in zip(thresholds, figures(thresholds, tally), strict=True):
        holds = figure is not None and threshold.holds(figure.value)
        status = Status.UNKNOWN if figure is None else Status.PASS if holds else Status.FAIL
        found.append(Finding(threshold, figure, status))
    return found


def outcome(count: int, reasons: Sequence[Reason], found: Sequence[Finding]) -> Outcome:
    """NO DATA without a sample, INVALID with a reason for it, else what the thresholds and the other reasons say."""
    if count == 0:
        return "NO DATA"
    if any(r.makes == "INVALID" for r in reasons):
        return "INVALID"
    if any(r.makes == "FAIL" for r in reasons):
        return "FAIL"
    return "PASS" if found and all(f.status is Status.PASS for f in found) else "FAIL"


def target(found: Mapping[str, Any], answered: bool | None, allowed: bool) -> Check:
    """B.target. found: see load.target(); answered: whether it answered the generator before the load."""
    measured = f"{found['url']}, {len(found['endpoints'])} ready endpoints"
    expected = f"the endpoints of Service {found['service']}"
    evidence = ("evidence/load/target.json",)

    def say(status: Status, because: str) -> Check:
        return Check("B.target", found["service"], status, measured, expected, because, evidence)

    if found["problem"]:
        return say(Status.UNKNOWN if found["unproven"] else Status.FAIL, found["problem"])
    if answered is False:
        return say(Status.FAIL, "It did not answer before the load, so none was sent.")
    if not answered:
        because = "No load was sent, so what it would have hit is not known."
        return say(Status.UNKNOWN, because if allowed else "This run may not send load.")
    place = "a pod" if found["where"] == "pod" else "this machine"
    return say(Status.PASS, f"It answered first; the load came from {place} through {found['way']}.")


def validity(result: Outcome, reasons: Sequence[Reason], count: int, problem: str | None) -> Check:
    """B.validity: INVALID and NO DATA are UNKNOWN, with the reasons."""
    expected = "a result that can be believed"
    evidence = ("evidence/load/samples.parquet", "evidence/load/health.parquet")
    if result == "NO DATA":
        because = f"NO DATA: {problem or 'no request was measured.'}"
        return Check("B.validity", "load", Status.UNKNOWN, "0 samples", expected, because, evidence)
    notes = "".join(f" {r.message}" for r in reasons if r.makes == "NOTE" and not r.about)
    if result == "INVALID":
        because = f"INVALID: {' '.join(r.message for r in reasons if r.makes == 'INVALID')}"
        return Check("B.validity", "load", Status.UNKNOWN, f"{count} samples", expected, because, evidence)
    near = any(r.id == health.NEAR_LIMIT for r in reasons)
    room = "The generator came near its limit" if near else "The generator had room to spare"
    because = f"{room}, the run is whole, and the samples carry every percentile asked for.{notes}"
    return Check("B.validity", "load", Status.PASS, f"{count} samples", expected, because, evidence)


def unbounded(asked: Sequence[Threshold]) -> list[Check]:
    """B.threshold for what no threshold bounds from above: it can't be told whether it is well."""
    return [
        Check(
            "B.threshold",
            metric,
            Status.UNKNOWN,
            "not asked",
            "a bound from above",
            f"No threshold bounds it, so {unseen}.",
        )
        for metric, unseen in bounds.unbounded(asked).items()
    ]


def thresholds(
    found: Sequence[Finding], result: Outcome, plan: Plan, errors: Mapping[str, int], reasons: Sequence[Reason] = ()
) -> list[Check]:
    """B.threshold, one for each. errors: kind of error -> how many; reasons: what speaks of one threshold is said there."""
    return [
        _threshold(one, result, plan, errors, [r for r in reasons if r.about == one.threshold.name]) for one in found
    ]


def _threshold(one: Finding, result: Outcome, plan: Plan, errors: Mapping[str, int], about: Sequence[Reason]) -> Check:
    threshold, against = one.threshold, [r for r in about if r.makes == "FAIL"]
    measured = "not measured"
    if one.figure is not None:
        bounds = interval(threshold, one.figure)
        within = "" if bounds == "-" else f" ({bounds})"
        measured = f"{threshold.aggregate} = {amount(threshold, one.figure.value)}{within}"
    evidence = ("evidence/load/samples.parquet",)
    # What breaks it is not this figure then: a waiver's bound on it would accept what nobody looked at.
    value = None if one.figure is None or against else one.figure.value

    def say(status: Status, because: str) -> Check:
        return Check(
            "B.threshold",
            threshold.name,
            status,
            measured,
            threshold.expression,
            because,
            evidence,
            figure=value,
            bound=bound_of(threshold),
        )

    if result in ("INVALID", "NO DATA"):
        return say(Status.UNKNOWN, f"The result is {result}, so this figure says nothing of the target.")
    if against:
        return say(Status.FAIL, " ".join(r.message for r in against))
    near = "" if one.figure is None or one.figure.sure(threshold) else " The limit lies within its 95 % interval."
    if one.status is Status.PASS:
        return say(Status.PASS, f"It holds.{near}{_floor(threshold, plan)}")
    told = ", ".join(f"{n} x {kind}" for kind, n in sorted(errors.items(), key=lambda pair: -pair[1])[:3])
    why = f" Errors: {told}." if threshold.metric == "http_req_failed" and told else ""
    notes = "".join(f" {r.message}" for r in about if r.makes == "NOTE")
    return say(one.status, f"It does not hold.{near}{why}{notes}")


def _floor(threshold: Threshold, plan: Plan) -> str:
    if not threshold.asks_for_rate or plan.rate is not None or plan.think_time == 0:
        return ""
    return (
        f" {plan.vus:g} VUs with {plan.think_time:g} s think time can't send more than {plan.vus / plan.think_time:.0f} "
        "requests/s: this rate is a floor, not the capacity."
    )


def soak(slopes: Sequence[Slope], result: Outcome, seconds: float, shortest: float = LONG, unread: str = "") -> Check:
    """B.soak. NA for a run that is too short to be one.

    seconds: measured; shortest: s, from which a load is a soak; unread: why there is no memory of pods, where there is none
    """
    expected = "no growth of latency, errors or memory"
    evidence = ("evidence/load/samples.parquet",)
    measured = f"{lasting(seconds)}, {len(slopes)} figures"

    def say(status: Status, because: str) -> Check:
        return Check("B.soak", "load", status, measured, expected, because, evidence)

    if seconds < shortest:
        return say(Status.NA, f"Growth is judged in runs of {lasting(shortest)} or more.")
    if result in ("INVALID", "NO DATA"):
        return say(Status.UNKNOWN, f"The result is {result}, so what grew in it says nothing of the target.")
    growing = [s for s in slopes if s.trend == "grows"]
    if growing:
        return say(Status.FAIL, " ".join(f"{s.name} grows by {s.because}" for s in growing))
    unsure = [s for s in slopes if s.trend == "can't tell yet"]
    if unsure:
        return say(Status.UNKNOWN, " ".join(f"{s.name}: can't tell yet, {s.because}" for s in unsure))
    if not any(s.unit == "MiB" for s in slopes):
        why = f": {unread}" if unread else "."
        return say(Status.UNKNOWN, f"Latency and errors do not grow; the pods' memory was not read{why}")
    return say(Status.PASS, "Nothing grows by more than would matter.")


def baseline(path: str | None, count: int) -> Check:
    """B.baseline. path: of the document, None where it was not written."""
    if path and count:
        because = "It holds the scenario, the figures and the verdict."
        return Check("B.baseline", "load-test-baseline.md", Status.PASS, "written", "written", because, (path,))
    because = "There is no measurement to document."
    return Check("B.baseline", "load-test-baseline.md", Status.UNKNOWN, "without figures", "written", because)


def logs(load: pd.DataFrame | None, problem: str | None) -> Check:
    """B.logs. load: followers' frame while the load ran; problem: why not every container is in it."""
    expected = "every container followed"
    if load is None or load.empty:
        because = "No log was followed while load was sent."
        return Check("B.logs", "followers", Status.UNKNOWN, "nothing", expected, because)
    names = load[["namespace", "pod", "container"]].drop_duplicates()
    measured = f"{len(names)} containers, {int(load['bytes'].sum())} bytes in {load['second'].nunique()} s"
    if problem:
        because = f"Not every container was followed from before the load to its end: {problem}."
        return Check(
            "B.logs", "followers", Status.UNKNOWN, measured, expected, because, ("evidence/logs/load.parquet",)
        )
    because = "Followers were open before the first request."
    return Check("B.logs", "followers", Status.PASS, measured, expected, because, ("evidence/logs/load.parquet",))
