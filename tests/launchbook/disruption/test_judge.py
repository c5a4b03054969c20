"""Budgets and their proof, by table."""

from __future__ import annotations

from typing import Any

import pytest

from launchbook.disruption import judge
from launchbook.words import Status


def budget(
    shared: tuple[str, ...] = (),
    generation: int = 1,
    unsettled: str | None = None,
    spec: Any = None,
    bare: tuple[str, ...] = (),
    crashing: tuple[str, ...] = (),
    **status: Any,
) -> dict[str, Any]:
    told = {
        "observedGeneration": 1,
        "expectedPods": 3,
        "currentHealthy": 3,
        "desiredHealthy": 2,
        "disruptionsAllowed": 1,
        **status,
    }
    live = {"metadata": {"generation": generation}, "spec": spec or {"minAvailable": 2}, "status": told}
    one = {"name": "a/p", "budget": live, "pods": [], "shared": list(shared), "unsettled": unsettled}
    return {"problem": None, "budgets": [{**one, "bare": list(bare), "crashing": list(crashing)}]}


ALL = {"desiredHealthy": 3, "disruptionsAllowed": 0}
NONE = {"desiredHealthy": 0, "disruptionsAllowed": 3}
SICK = {"currentHealthy": 1, "disruptionsAllowed": 0}
FAILED = [{"type": "DisruptionAllowed", "reason": "SyncFailed", "message": "found no controllers for pod"}]
ALWAYS = {"minAvailable": 2, "unhealthyPodEvictionPolicy": "AlwaysAllow"}


@pytest.mark.parametrize(
    ("found", "status", "because"),
    [
        (budget(), "PASS", "1 of 3 pods may go at a time."),
        (budget(desiredHealthy=3, disruptionsAllowed=0), "FAIL", "It needs 3 of 3 pods, so no node that runs one can ever be drained."),
        (budget(currentHealthy=1, disruptionsAllowed=0), "FAIL", "Only 1 pod is healthy; 2 are needed."),
        (budget(currentHealthy=2, disruptionsAllowed=0), "FAIL", "It allows no disruption now, with 2 of 3 pods healthy."),
        (budget(expectedPods=0, currentHealthy=0, desiredHealthy=0), "FAIL", "It selects no pod, so it protects nothing."),
        (budget(spec={"maxUnavailable": 0}, **ALL), "FAIL", "maxUnavailable 0 lets none of 3 pods go, so no node that runs one can ever be drained."),
        (budget(spec={"maxUnavailable": "0%"}, **ALL), "FAIL", "maxUnavailable 0% lets none of 3 pods go, so no node that runs one can ever be drained."),
        (budget(spec={"minAvailable": "100%"}, **ALL), "FAIL", "minAvailable 100% needs all 3 pods, so no node that runs one can ever be drained."),
        (budget(spec={"minAvailable": "67%"}, **ALL), "FAIL", "minAvailable 67% of 3 pods rounds up to 3, all of them, so no node that runs one can ever be drained."),
        (budget(spec={"maxUnavailable": "67%"}, **NONE), "FAIL", "maxUnavailable 67% of 3 pods rounds up to 3, all of them, so it protects nothing."),
        (budget(spec={"maxUnavailable": 3}, **NONE), "FAIL", "It promises none of its 3 pods, so it protects nothing."),
        (budget(spec={"minAvailable": "0%"}, **NONE), "FAIL", "It promises none of its 3 pods, so it protects nothing."),
        (budget(spec={"maxUnavailable": 1}, expectedPods=1, currentHealthy=1, desiredHealthy=0), "PASS", "1 of 1 pods may go at a time."),
        (budget(spec={"minAvailable": "50%"}), "PASS", "1 of 3 pods may go at a time: minAvailable 50% of 3 rounds up to 2."),
        (budget(spec={"maxUnavailable": "34%"}, desiredHealthy=1, disruptionsAllowed=2), "PASS", "2 of 3 pods may go at a time: maxUnavailable 34% of 3 rounds up to 2."),
        (budget(spec={"minAvailable": "50%"}, expectedPods=4, currentHealthy=4, disruptionsAllowed=2), "PASS", "2 of 4 pods may go at a time."),
        (budget(crashing=("n-1", "n-2"), **SICK), "FAIL", "Only 1 pod is healthy; 2 are needed. n-1, n-2 crash-loops, and IfHealthyBudget keeps it from being evicted: mend it, or set AlwaysAllow."),
        (budget(crashing=("n-1",), spec=ALWAYS, **SICK), "FAIL", "Only 1 pod is healthy; 2 are needed."),
        (budget(bare=("n-0", "n-1"), spec={"maxUnavailable": 1}, expectedPods=0), "FAIL", "No controller owns n-0, n-1, which maxUnavailable 1 leaves out; only a whole number under minAvailable counts such pods."),
        (budget(bare=("n-0",), spec={"minAvailable": "50%"}), "FAIL", "No controller owns n-0, which minAvailable 50% leaves out; only a whole number under minAvailable counts such pods."),
        (budget(bare=("n-0",)), "PASS", "1 of 3 pods may go at a time."),
        (budget(conditions=FAILED, expectedPods=0), "FAIL", "The disruption controller can't compute it, and allows nothing: found no controllers for pod"),
        (budget(shared=("nats-0",)), "FAIL", "nats-0 is in another budget too; the API server refuses to evict such a pod."),
        (budget(unsettled="launchbook-probe-0 of a run still counts in it"), "UNKNOWN", "Its figures can't be gone by: launchbook-probe-0 of a run still counts in it."),
        (budget(generation=2), "UNKNOWN", "The disruption controller has not seen this generation of the budget yet."),
        ({"problem": None, "budgets": [{"name": "a/p", "budget": None}]}, "FAIL", "It is not on the cluster."),
        ({"problem": None, "budgets": []}, "FAIL", "The namespaces under launch have no disruption budget."),
        ({"problem": "no right", "budgets": []}, "UNKNOWN", "no right"),
    ],
)  # fmt: skip
def test_a_budget(found: Any, status: str, because: str) -> None:
    """What blocks every drain, and what protects nothing."""
    [check] = judge.budgets(found)
    assert (check.status, check.because) == (Status(status), because)


REFUSED = {
    "pod": "n-1",
    "status": 429,
    "message": "Cannot evict",
    "causes": [{"reason": "DisruptionBudget", "message": "The disruption budget p needs 2"}],
}


ANSWERED = {"to": "p.a:80", "problem": None, "count": 200, "failed": 0, "gap": 0.061, "errors": [], "samples": []}


def proof(thresholds: tuple[str, ...] = ("rate<0.01",), **changed: Any) -> dict[str, Any]:
    whole = {"name": "a/p", "problem": None, "allowed": 1, "desired": 2, "evictions": [{"pod": "n-0", "status": 201, "message": ""}],
             "refused": REFUSED, "healthy": [[0.1, 3], [0.5, 2], [4.0, 3]], "recovered": 4.0, "gone": 1.5, "requests": None,
             "unasked": "this run may not load (`allow: [load]`)"}  # fmt: skip
    return {"problem": None, "thresholds": list(thresholds), "proofs": [{**whole, **changed}]}


def requests(**changed: Any) -> dict[str, Any]:
    return {**ANSWERED, **changed}


KEPT = "Refused in the budget's name; 2 pods stayed ready meanwhile."
UNASKED = "No request was sent meanwhile, so what one would have met isn't known:"
FEW = requests(failed=3, errors=["timed out"])
MUTE = requests(count=0, gap=None)


@pytest.mark.parametrize(
    ("found", "status", "because"),
    [
        (proof(), "UNKNOWN", f"{KEPT} {UNASKED} this run may not load (`allow: [load]`)."),
        (proof(requests=requests()), "PASS", f"{KEPT} 200 of 200 requests to p.a:80 were answered."),
        (proof(requests=requests(failed=1)), "PASS", f"{KEPT} 199 of 200 requests to p.a:80 were answered."),
        (proof(requests=FEW), "FAIL", f"{KEPT} But 1.50% of the requests to p.a:80 failed; the first: timed out."),
        (proof((), requests=requests(failed=1)), "PASS", f"{KEPT} 199 of 200 requests to p.a:80 were answered."),
        (proof((), requests=FEW), "FAIL", f"{KEPT} But 1.50% of the requests to p.a:80 failed; the first: timed out."),
        (proof((), requests=requests(failed=200, errors=["refused"])), "FAIL", f"{KEPT} But 100.00% of the requests to p.a:80 failed; the first: refused."),
        (proof(requests=requests(problem="the pod fell silent")), "UNKNOWN", f"{KEPT} What requests to p.a:80 met meanwhile can't be told: the pod fell silent."),
        (proof(requests=requests(), gone=None), "UNKNOWN", f"{KEPT} The evicted pod was still ending, so what requests to p.a:80 meet at its end can't be told: give `disruption.ready_timeout` longer than its grace period."),
        (proof(requests=FEW, gone=None), "FAIL", f"{KEPT} But 1.50% of the requests to p.a:80 failed; the first: timed out."),
        (proof(gone=None), "UNKNOWN", f"{KEPT} {UNASKED} this run may not load (`allow: [load]`)."),
        (proof(requests=MUTE), "UNKNOWN", f"{KEPT} What requests to p.a:80 met meanwhile can't be told: none was sent after the eviction."),
        (proof(refused={**REFUSED, "status": 201, "causes": []}, requests=requests()), "FAIL", "A further eviction, of n-1, would have been allowed at once."),
        (proof(refused={**REFUSED, "causes": []}), "UNKNOWN", "The next was refused, but not by this budget: 429 Cannot evict"),
        (proof(refused={**REFUSED, "causes": [{"reason": "DisruptionBudget", "message": "The disruption budget q"}]}), "UNKNOWN", "The next was refused, but not by this budget: 429 Cannot evict"),
        (proof(recovered=None), "FAIL", "The evicted pod was not replaced by a ready one in time."),
        (proof(healthy=[[0.1, 3], [0.5, 1], [4.0, 3]]), "FAIL", "1 pod was ready meanwhile; the budget promises 2."),
        (proof(evictions=[{"pod": "n-0", "status": 429, "message": "no"}], refused=None), "FAIL", "The eviction of n-0 was refused: no"),
        (proof(problem="It allows 0", evictions=[]), "UNKNOWN", "It allows 0"),
        ({"problem": "This run may not evict.", "proofs": []}, "UNKNOWN", "This run may not evict."),
    ],
)  # fmt: skip
def test_a_proof(found: Any, status: str, because: str) -> None:
    """Only a refusal in the budget's own name proves it, and more failed requests than the threshold takes undo it."""
    [check] = judge.evictions(found)
    assert (check.status, check.because) == (Status(status), because)


@pytest.mark.parametrize(
    ("check", "figure"),
    [
        (judge.evictions(proof(requests=FEW)), 0.015),
        (judge.evictions(proof(refused={**REFUSED, "status": 201, "causes": []})), None),
        (judge.evictions(proof(healthy=[[0.1, 3], [0.5, 1], [4.0, 3]])), None),
        (judge.budgets(budget(crashing=("n-1", "n-2"), **SICK)), 0.0),
        (judge.budgets(budget(shared=("nats-0",))), None),
        (judge.budgets(budget(spec={"minAvailable": 0}, desiredHealthy=0, disruptionsAllowed=3)), None),
    ],
)
def test_only_the_figure_that_breaks_a_check_can_be_waived(check: Any, figure: float | None) -> None:
    """A bound on another one would accept what nobody looked at."""
    [found] = check
    assert (found.status, found.figure) == ("FAIL", figure)


def test_what_a_proof_measured() -> None:
    """The answers, the time to a Ready replacement, the requests with the longest gap, and what bounds them."""
    [check] = judge.evictions(proof(requests=requests()))
    assert check.measured == "201, 429 (dry run), ready after 4.0 s, 200 requests, 0 failed, longest gap 0.06 s"
    assert check.expected == "201, then 429 by the budget, then ready, http_req_failed: rate<0.01"
    [alone] = judge.evictions(proof())
    assert alone.measured == "201, 429 (dry run), ready after 4.0 s, no request sent"
    assert alone.expected == "201, then 429 by the budget, then ready"
