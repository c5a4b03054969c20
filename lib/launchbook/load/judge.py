"""What a load result is worth, then what it says: validity first, thresholds after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from launchbook.load.figures import figure
from launchbook.thresholds import Threshold
from launchbook.words import Check, Status

Outcome = Literal["PASS", "FAIL", "INVALID", "NO DATA"]
_BUSY = 0.9  # of its CPU limit (or of one core, which is all that one Python process can use)
_LATE = 0.1  # s, by which the generator's own clock may wake late in its worst seconds
_WHOLE = 0.95  # of the planned time, and of an open loop's planned rate
_SEEN = 0.8  # of the measured seconds, in which the generator must have told of itself
_HOLE = 2.0  # s, past the wait that is planned, in which nothing is sent and no answer is waited for
_TAIL = 5  # samples that must lie above a percentile before it is quoted


@dataclass(frozen=True)
class Reason:
    """Why a result is what it is. id: generator-saturated, truncated, rate-out-of-reach, too-few-samples, …"""

    id: str
    message: str


@dataclass(frozen=True)
class Plan:
    """What was to be sent: virtual users, think time (s), seconds measured, and requests/s of an open loop.

    steady: whether users and rate stay the same all the time; otherwise they are means
    """

    vus: float
    think_time: float
    duration: float
    rate: float | None = None
    steady: bool = True


@dataclass(frozen=True)
class Finding:
    """A threshold with its figure (None where the samples can't carry it) and whether it holds."""

    threshold: Threshold
    figure: float | None
    status: Status


def invalid(
    samples: pd.DataFrame, health: pd.DataFrame, plan: Plan, thresholds: Sequence[Threshold], *, cores: float,
    complete: bool, seconds: float, problem: str | None = None,
) -> list[Reason]:  # fmt: skip
    """Every reason why figures from these samples mean nothing; none where they can be believed.

    samples: without warm-up, columns ms, failed; health: columns cpu (cores), lag (s), a row a second; cores: how
    many the the generator can use; seconds: how long the samples took.
    """
    reasons = []
    if problem or not complete:
        reasons.append(Reason("truncated", problem or "The generator did not come to its end."))
    elif seconds < _WHOLE * plan.duration:
        reasons.append(Reason("truncated", f"The samples cover {seconds:.1f} s of the {plan.duration:g} s planned."))
    reasons += _hole(samples, plan)
    reasons += _saturated(health, cores, seconds)
    reasons += _out_of_reach(plan, thresholds)
    reasons += _rate_not_kept(len(samples), seconds, plan)
    reasons += _no_success(samples, thresholds)
    reasons += _too_few(len(samples), thresholds)
    return reasons


def _hole(samples: pd.DataFrame, plan: Plan) -> list[Reason]:
    """A time without a request on its way: the generator stood still, or samples were lost."""
    if len(samples) < 2 or not plan.steady:
        return []
    ordered = samples.sort_values("start")
    answered = (ordered["start"] + ordered["ms"] / 1000).cummax()
    longest = float((ordered["start"].iloc[1:].to_numpy() - answered.iloc[:-1].to_numpy()).max())
    if longest <= _HOLE + (10 / plan.rate if plan.rate else plan.think_time):
        return []
    return [Reason("hole", f"For {longest:.1f} s nothing was sent and no answer was waited for: samples are missing.")]


def _saturated(health: pd.DataFrame, cores: float, seconds: float) -> list[Reason]:
    seen = health.dropna(subset=["cpu", "lag"])
    if seen.empty or len(seen) < _SEEN * seconds:
        unseen = f"The generator's own health was measured in {len(seen)} of {seconds:.0f} s."
        return [Reason("generator-unseen", unseen), *(_busy(seen, cores) if len(seen) else ())]
    return _busy(seen, cores)


def _busy(health: pd.DataFrame, cores: float) -> list[Reason]:
    busy = float(health["cpu"].median()) / cores
    late = float(np.percentile(health["lag"], 90))
    if busy >= _BUSY:
        return [
            Reason(
                "generator-saturated",
                f"The generator used {100 * busy:.0f} % of its {cores:g} cores: the figures are its own, not the target's.",
            )
        ]
    if late > _LATE:
        return [
            Reason(
                "generator-saturated",
                f"The generator's own clock woke {1000 * late:.0f} ms late in its slowest seconds, so it was kept waiting.",
            )
        ]
    return []


def _out_of_reach(plan: Plan, thresholds: Sequence[Threshold]) -> list[Reason]:
    """Little's law: a closed loop of V users with think time Z sends at most V / Z requests/s."""
    wanted = max((t.limit for t in thresholds if t.asks_for_rate), default=0.0)
    ceiling = plan.rate if plan.rate is not None else plan.vus / plan.think_time if plan.think_time else float("inf")
    if ceiling >= wanted:
        return []
    return [
        Reason(
            "rate-out-of-reach",
            f"{plan.vus:g} VUs with {plan.think_time:g} s think time send at most {ceiling:.1f} requests/s, however fast the "
            f"target is; {wanted:g} are asked for.",
        )
    ]


def _rate_not_kept(count: int, seconds: float, plan: Plan) -> list[Reason]:
    """An open loop that falls behind has become a closed one: it no longer sees how slow the target is."""
    if plan.rate is None or seconds <= 0 or count / seconds >= _WHOLE * plan.rate:
        return []
    return [
        Reason(
            "rate-not-kept",
            f"{count / seconds:.1f} of the {plan.rate:g} requests/s planned were sent: {plan.vus:g} VUs were too few, or the "
            "target too slow for them.",
        )
    ]


def _no_success(samples: pd.DataFrame, thresholds: Sequence[Threshold]) -> list[Reason]:
    """A target that refuses everything answers fast; unless a threshold asks for errors, nothing else would tell."""
    if samples.empty or not samples["failed"].all() or any(t.metric == "http_req_failed" for t in thresholds):
        return []
    return [
        Reason("no-success", f"None of the {len(samples)} requests succeeded, so rate and latency say nothing of it.")
    ]


def _too_few(count: int, thresholds: Sequence[Threshold]) -> list[Reason]:
    asked = [float(t.aggregate[2:-1]) for t in thresholds if t.aggregate.startswith("p(")]
    needed = max((round(_TAIL / (1 - p / 100)) for p in asked if p < 100), default=1)
    if count >= needed:
        return []
    return [Reason("too-few-samples", f"{count} samples; {needed} are needed for p({max(asked, default=0):g}).")]


def findings(samples: pd.DataFrame, thresholds: Sequence[Threshold], seconds: float) -> list[Finding]:
    """Each threshold with its figure. Zero samples hold no threshold."""
    found = []
    for threshold in thresholds:
        value = figure(threshold, samples, seconds)
        status = Status.UNKNOWN if value is None else Status.PASS if threshold.holds(value) else Status.FAIL
        found.append(Finding(threshold, value, status))
    return found


def outcome(count: int, reasons: Sequence[Reason], found: Sequence[Finding]) -> Outcome:
    """NO DATA without a sample, INVALID with a reason, else what the thresholds say."""
    if count == 0:
        return "NO DATA"
    if reasons:
        return "INVALID"
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
    if reasons:
        because = f"INVALID: {' '.join(r.message for r in reasons)}"
        return Check("B.validity", "load", Status.UNKNOWN, f"{count} samples", expected, because, evidence)
    because = "The generator had room to spare, the run is whole, and the samples carry every percentile asked for."
    return Check("B.validity", "load", Status.PASS, f"{count} samples", expected, because, evidence)


def thresholds(found: Sequence[Finding], result: Outcome, plan: Plan, errors: Mapping[str, int]) -> list[Check]:
    """B.threshold, one for each. errors: kind of error -> how many, for the sentence."""
    return [_threshold(one, result, plan, errors) for one in found]


def _threshold(one: Finding, result: Outcome, plan: Plan, errors: Mapping[str, int]) -> Check:
    threshold = one.threshold
    measured = "not measured" if one.figure is None else f"{threshold.aggregate} = {amount(threshold, one.figure)}"
    evidence = ("evidence/load/samples.parquet",)

    def say(status: Status, because: str) -> Check:
        return Check(
            "B.threshold", threshold.name, status, measured, threshold.expression, because, evidence, figure=one.figure
        )

    if result in ("INVALID", "NO DATA"):
        return say(Status.UNKNOWN, f"The result is {result}, so this figure says nothing of the target.")
    if one.status is Status.PASS:
        return say(Status.PASS, f"It holds.{_floor(threshold, plan)}")
    told = ", ".join(f"{n} x {kind}" for kind, n in sorted(errors.items(), key=lambda pair: -pair[1])[:3])
    why = f" Errors: {told}." if threshold.metric == "http_req_failed" and told else ""
    return say(one.status, f"It does not hold.{why}")


def _floor(threshold: Threshold, plan: Plan) -> str:
    if not threshold.asks_for_rate or plan.rate is not None or plan.think_time == 0:
        return ""
    return (
        f" {plan.vus:g} VUs with {plan.think_time:g} s think time can't send more than {plan.vus / plan.think_time:.0f} "
        "requests/s: this rate is a floor, not the capacity."
    )


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


def amount(threshold: Threshold, value: float) -> str:
    """A figure with its unit: ms, requests/s, or percent for a share."""
    if threshold.metric == "http_req_failed":
        return f"{100 * value:.2f} %"
    if threshold.metric == "http_req_duration":
        return f"{value:.1f} ms"
    return f"{value:.1f} /s" if threshold.aggregate == "rate" else f"{value:.0f}"
