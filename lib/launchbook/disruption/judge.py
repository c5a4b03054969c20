"""Budgets judged: what blocks a drain, what protects nothing, what a drain of each node would do, what evictions showed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from launchbook.counted import counted, some
from launchbook.disruption import traps as finders
from launchbook.disruption.drain import Drain
from launchbook.disruption.drain import drains as simulated
from launchbook.disruption.traps import asks, scaled
from launchbook.thresholds import Threshold, parse
from launchbook.words import Check, Status

_EXPECTED = "healthy, and at least 1 disruption allowed"
_SHOWN = 3  # findings named in a sentence
_ERRORS = "rate<0.01"  # what a proof's requests are held against where the scenario bounds no errors
_FOR_EVER = "so no node that runs one can ever be drained."


def budgets(found: Mapping[str, Any]) -> list[Check]:
    """A.budget, a check for each budget. found: see disruption.budgets()."""
    if found["problem"]:
        return [Check("A.budget", "(budgets)", Status.UNKNOWN, "not read", _EXPECTED, found["problem"])]
    if not found["budgets"]:
        because = "The namespaces under launch have no disruption budget."
        return [Check("A.budget", "(budgets)", Status.FAIL, "none", _EXPECTED, because)]
    return [_budget(one) for one in found["budgets"]]


def _budget(one: Mapping[str, Any]) -> Check:
    live = one["budget"]
    if live is None:
        return Check("A.budget", one["name"], Status.FAIL, "absent", _EXPECTED, "It is not on the cluster.")
    status = live.get("status") or {}
    have, need = status.get("currentHealthy", 0), status.get("desiredHealthy", 0)
    allowed, pods = status.get("disruptionsAllowed", 0), status.get("expectedPods", 0)
    measured = f"{have} healthy of {pods}, {need} needed, {counted(allowed, 'disruption')} allowed"

    def say(verdict: Status, because: str, figure: float | None = None) -> Check:
        evidence = ("evidence/disruption/budgets.json",)
        return Check(
            "A.budget", one["name"], verdict, measured, _EXPECTED, because, evidence, figure=figure, bound=">="
        )

    if status.get("observedGeneration") != live["metadata"].get("generation"):
        return say(Status.UNKNOWN, "The disruption controller has not seen this generation of the budget yet.")
    if one["unsettled"]:
        return say(Status.UNKNOWN, f"Its figures can't be gone by: {one['unsettled']}.")
    if why := _uncounted(one):
        return say(Status.FAIL, why)
    if pods == 0:
        return say(Status.FAIL, "It selects no pod, so it protects nothing.")
    if one["shared"]:
        because = f"{', '.join(one['shared'])} is in another budget too; the API server refuses to evict such a pod."
        return say(Status.FAIL, because)
    if need >= pods:
        return say(Status.FAIL, _too_much(live.get("spec") or {}, need, pods), float(allowed))
    if need == 0 and pods > 1:
        return say(Status.FAIL, f"{_promise(live.get('spec') or {}, pods)}, so it protects nothing.")
    if have < need:
        return say(
            Status.FAIL,
            f"Only {counted(have, 'pod is', 'pods are')} healthy; {counted(need, 'is', 'are')} needed.{_stuck(one)}",
            float(allowed),
        )
    if allowed < 1:
        return say(Status.FAIL, f"It allows no disruption now, with {have} of {pods} pods healthy.", float(allowed))
    return say(Status.PASS, f"{allowed} of {pods} pods may go at a time{_rounded(live.get('spec') or {}, pods)}.")


def _uncounted(one: Mapping[str, Any]) -> str | None:
    """Why the controller's figures leave out pods that the budget selects, or None where they are all counted."""
    live, bare = one["budget"], one["bare"]
    failed = (c for c in (live.get("status") or {}).get("conditions") or () if c.get("reason") == "SyncFailed")
    if error := next(failed, None):
        return f"The disruption controller can't compute it, and allows nothing: {error.get('message', '')}"
    if bare and not isinstance((live.get("spec") or {}).get("minAvailable"), int):
        which = f"{', '.join(bare[:_SHOWN])}{' and others' if len(bare) > _SHOWN else ''}"
        asked = asks(live.get("spec") or {})
        return f"No controller owns {which}, which {asked} leaves out; only a whole number under minAvailable counts such pods."
    return None


def _too_much(spec: Mapping[str, Any], need: int, pods: int) -> str:
    """Why a budget that needs all of its pods does."""
    least, most = spec.get("minAvailable"), spec.get("maxUnavailable")
    if most is not None:
        return f"maxUnavailable {most} lets none of {pods} pods go, {_FOR_EVER}"
    if least == "100%":
        return f"minAvailable 100% needs all {pods} pods, {_FOR_EVER}"
    if isinstance(least, str):
        return f"minAvailable {least} of {pods} pods rounds up to {need}, all of them, {_FOR_EVER}"
    return f"It needs {need} of {pods} pods, {_FOR_EVER}"


def _promise(spec: Mapping[str, Any], pods: int) -> str:
    most = spec.get("maxUnavailable")
    if isinstance(most, str) and most != "100%":
        return f"maxUnavailable {most} of {pods} pods rounds up to {scaled(most, pods)}, all of them"
    return f"It promises none of its {pods} pods"


def _rounded(spec: Mapping[str, Any], pods: int) -> str:
    """How a percentage that isn't a whole number of pods was rounded, always up."""
    for field in ("minAvailable", "maxUnavailable"):
        value = spec.get(field)
        if isinstance(value, str) and int(value.rstrip("%")) * pods % 100:
            return f": {field} {value} of {pods} rounds up to {scaled(value, pods)}"
    return ""


def _stuck(one: Mapping[str, Any]) -> str:
    """What an unhealthy pod does to a drain, where the budget keeps it."""
    policy = (one["budget"].get("spec") or {}).get("unhealthyPodEvictionPolicy", "IfHealthyBudget")
    if not one["crashing"] or policy == "AlwaysAllow":
        return ""
    named = ", ".join(one["crashing"][:_SHOWN])
    return f" {named} crash-loops, and {policy} keeps it from being evicted: mend it, or set AlwaysAllow."


def drains(found: Mapping[str, Any]) -> list[Check]:
    """A.drain: whether a drain of each node comes to its end, simulated. found: see disruption.placement()."""
    expected = "each node's drain comes to its end"

    def say(verdict: Status, measured: str, because: str, bad: int | None = None) -> list[Check]:
        evidence = ("evidence/disruption/placement.json",)
        figure = None if bad is None else float(bad)
        return [Check("A.drain", "nodes", verdict, measured, expected, because, evidence, figure=figure, bound="<=")]

    if found["problem"]:
        return say(Status.UNKNOWN, "not read", found["problem"])
    if open_ := [f"budget {b['name']}: {b['unsettled']}" for b in found["budgets"] if b["unsettled"]]:
        return say(Status.UNKNOWN, "not simulated", f"Its figures can't be gone by: {some(open_, _SHOWN)}.")
    every = simulated(found)
    if not every:
        return say(Status.UNKNOWN, "0 nodes", "No pod of the namespaces under launch runs on a node that was read.")
    stuck = {one.node: lines for one in every if (lines := _against(one))}
    measured = f"{len(every) - len(stuck)} of {len(every)} nodes drain to the end"
    if stuck:
        return say(
            Status.FAIL, measured, f"{some([x for lines in stuck.values() for x in lines], _SHOWN)}.", len(stuck)
        )
    if unsure := [f"{one.node} waits for {line}" for one in every for line in one.unsure]:
        return say(
            Status.UNKNOWN, measured, f"{some(unsure, _SHOWN)}, so it can't be told whether it comes back elsewhere."
        )
    waits = [_waiting(one) for one in every if one.waits]
    return say(Status.PASS, measured, f"{some(waits, _SHOWN)}." if waits else "Each eviction is granted at once.", 0)


def _against(one: Drain) -> list[str]:
    blocked = [f"{one.node}: {pod} is never evicted: {why}" for pod, why in one.blocked]
    return blocked + [
        f"{one.node}: drain refuses {pod} without --force, since nobody recreates it" for pod in one.forced
    ]


def _waiting(one: Drain) -> str:
    names = ", ".join(dict.fromkeys(step.budget for step in one.steps if step.waits and step.budget))
    times = "once" if one.waits == 1 else f"{one.waits} times"
    long = "" if one.seconds is None else f", about {one.seconds:.0f} s by its pods' own start"
    room = "CPU and memory there permitting"
    return f"{one.node} waits {times} until replacements are Ready elsewhere ({names}){long}, {room}"


def traps(found: Mapping[str, Any]) -> list[Check]:
    """A.trap, a check for each thing that lets a later drain block or take all. found: see disruption.placement()."""

    def say(subject: str, expected: str, lines: Sequence[str], fine: str, *kinds: str) -> Check:
        evidence = ("evidence/disruption/placement.json",)
        unread = [found["unread"][kind] for kind in kinds if kind in found["unread"]]
        if why := found["problem"] or ("; ".join(unread) if unread and not lines else ""):
            return Check("A.trap", subject, Status.UNKNOWN, "not read", expected, why, evidence)
        measured, verdict = f"{len(lines)} found", Status.FAIL if lines else Status.PASS
        because = f"{some([lines[0][:1].upper() + lines[0][1:], *lines[1:]], _SHOWN)}." if lines else fine
        return Check("A.trap", subject, verdict, measured, expected, because, evidence)

    owners = ("Deployment", "StatefulSet", "ReplicaSet", "ReplicationController")
    return [
        say("autoscaling", "a pod may go at minReplicas too", finders.scaling(found),
            "No autoscaler goes down to what a budget needs.", "HorizontalPodAutoscaler", *owners),
        say("spread", "no workload on one node alone", finders.huddled(found),
            "The pods of each workload run on several nodes.", *owners),
        say("unprotected", "a budget for each workload of several", finders.unprotected(found),
            "A budget selects each workload of several replicas.", *owners),
        say("empty promises", "each budget keeps a pod", finders.hollow(found), "Each budget keeps a pod."),
    ]  # fmt: skip


def evictions(found: Mapping[str, Any]) -> list[Check]:
    """A.eviction, a check for each budget that was to be proved. found: see disruption.evict()."""
    expected = "201, then 429 by the budget, then ready"
    if found["problem"]:
        return [Check("A.eviction", "(evictions)", Status.UNKNOWN, "not tried", expected, found["problem"])]
    bounds = parse({"http_req_failed": found["thresholds"] or [_ERRORS]})
    return [_proof(one, expected, bounds) for one in found["proofs"]]


def _proof(one: Mapping[str, Any], expected: str, bounds: Sequence[Threshold]) -> Check:
    answers = [str(e["status"]) for e in one["evictions"]]
    second, requests = one["refused"], one["requests"]
    if second:
        answers.append(f"{second['status']} (dry run)")
    whole = "not ready again" if one["recovered"] is None else f"ready after {one['recovered']:.1f} s"
    sent = _sent(requests) if requests else "no request sent"
    measured = ", ".join([*answers, whole, sent]) if answers else "not tried"
    if requests:
        expected = ", ".join([expected, *(bound.name for bound in bounds)])

    def say(verdict: Status, because: str, figure: float | None = None) -> Check:
        evidence = ("evidence/disruption/evictions.json",)
        return Check(
            "A.eviction", one["name"], verdict, measured, expected, because, evidence, figure=figure, bound="<= %"
        )

    if one["problem"]:
        return say(Status.UNKNOWN, one["problem"])
    if not one["evictions"]:
        return say(Status.UNKNOWN, "No eviction was tried.")
    if refused := next((e for e in one["evictions"] if e["status"] >= 400), None):
        return say(Status.FAIL, f"The eviction of {refused['pod']} was refused: {refused['message']}")
    if second["status"] < 300:
        return say(Status.FAIL, f"A further eviction, of {second['pod']}, would have been allowed at once.")
    budget = one["name"].split("/")[1]
    # The API server's words: "The disruption budget nats-pdb needs 2 healthy pods and has 2 currently".
    words = f"budget {budget} "
    named = any(c["reason"] == "DisruptionBudget" and words in f"{c['message']} " for c in second["causes"])
    if second["status"] != 429 or not named:
        because = f"The next was refused, but not by this budget: {second['status']} {second['message']}"
        return say(Status.UNKNOWN, because)
    if one["recovered"] is None:
        return say(Status.FAIL, "The evicted pod was not replaced by a ready one in time.")
    lowest = min(count for _, count in one["healthy"])
    if lowest < one["desired"]:
        return say(
            Status.FAIL,
            f"{counted(lowest, 'pod was', 'pods were')} ready meanwhile; the budget promises {one['desired']}.",
        )
    kept = f"Refused in the budget's name; {counted(lowest, 'pod')} stayed ready meanwhile."
    return say(*_answered(one, bounds, kept))


def _sent(requests: Mapping[str, Any]) -> str:
    failed, gap = requests["failed"], requests["gap"]
    longest = "" if gap is None else f", longest gap {gap:.2f} s"
    return f"{requests['count']} requests, {failed} failed{longest}"


def _answered(
    one: Mapping[str, Any], bounds: Sequence[Threshold], kept: str
) -> tuple[Status, str] | tuple[Status, str, float]:
    """What the requests say of a proof that holds without them, with the share that failed where that breaks it."""
    requests = one["requests"]
    if not requests:
        because = f"No request was sent meanwhile, so what one would have met isn't known: {one['unasked']}"
        return Status.UNKNOWN, f"{kept} {because}."
    if requests["problem"] or not requests["count"]:
        because = requests["problem"] or "none was sent after the eviction"
        return Status.UNKNOWN, f"{kept} What requests to {requests['to']} met meanwhile can't be told: {because}."
    share = requests["failed"] / requests["count"]
    if not all(bound.holds(share) for bound in bounds):
        first = f"; the first: {requests['errors'][0]}" if requests["errors"] else ""
        return Status.FAIL, f"{kept} But {share:.2%} of the requests to {requests['to']} failed{first}.", share
    if one["gone"] is None:
        because = (
            f"The evicted pod was still ending, so what requests to {requests['to']} meet at its end can't be told"
        )
        return Status.UNKNOWN, f"{kept} {because}: give `disruption.ready_timeout` longer than its grace period."
    answered = requests["count"] - requests["failed"]
    return Status.PASS, f"{kept} {answered} of {requests['count']} requests to {requests['to']} were answered."
