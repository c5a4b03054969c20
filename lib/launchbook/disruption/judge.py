"""Budgets judged: what blocks a drain, what protects nothing, and what the eviction showed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from launchbook.words import Check, Status

_EXPECTED = "healthy, and at least 1 disruption allowed"


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
    measured = f"{have} healthy of {pods}, {need} needed, {allowed} disruptions allowed"

    def say(verdict: Status, because: str) -> Check:
        evidence = ("evidence/disruption/budgets.json",)
        return Check("A.budget", one["name"], verdict, measured, _EXPECTED, because, evidence, figure=float(allowed))

    if status.get("observedGeneration") != live["metadata"].get("generation"):
        return say(Status.UNKNOWN, "The disruption controller has not seen this generation of the budget yet.")
    if one["unsettled"]:
        return say(Status.UNKNOWN, f"Its figures can't be gone by: {one['unsettled']}.")
    if pods == 0:
        return say(Status.FAIL, "It selects no pod, so it protects nothing.")
    if one["shared"]:
        because = f"{', '.join(one['shared'])} is in another budget too; the API server refuses to evict such a pod."
        return say(Status.FAIL, because)
    if need >= pods:
        return say(Status.FAIL, f"It needs {need} of {pods} pods, so no node that runs one can ever be drained.")
    if have < need:
        return say(Status.FAIL, f"Only {have} pods are healthy; {need} are needed.")
    if allowed < 1:
        return say(Status.FAIL, f"It allows no disruption now, with {have} of {pods} pods healthy.")
    return say(Status.PASS, f"{allowed} of {pods} pods may go at a time.")


def evictions(found: Mapping[str, Any]) -> list[Check]:
    """A.eviction, a check for each budget that was to be proved. found: see disruption.evict()."""
    expected = "201, then 429 by the budget, then ready"
    if found["problem"]:
        return [Check("A.eviction", "(evictions)", Status.UNKNOWN, "not tried", expected, found["problem"])]
    return [_proof(one, expected) for one in found["proofs"]]


def _proof(one: Mapping[str, Any], expected: str) -> Check:
    answers = [str(e["status"]) for e in one["evictions"]]
    second = one["refused"]
    if second:
        answers.append(f"{second['status']} (dry run)")
    whole = "not ready again" if one["recovered"] is None else f"ready after {one['recovered']:.1f} s"
    measured = ", ".join([*answers, whole]) if answers else "not tried"

    def say(verdict: Status, because: str) -> Check:
        evidence = ("evidence/disruption/evictions.json",)
        return Check("A.eviction", one["name"], verdict, measured, expected, because, evidence, figure=one["recovered"])

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
        return say(Status.FAIL, f"{lowest} pods were ready meanwhile; the budget promises {one['desired']}.")
    return say(Status.PASS, f"Refused in the budget's name; {lowest} pods stayed ready meanwhile.")
