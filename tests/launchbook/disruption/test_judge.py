"""Budgets and their proof, by table."""

from __future__ import annotations

from typing import Any

import pytest

from launchbook.disruption import judge
from launchbook.words import Status


def budget(
    shared: tuple[str, ...] = (), generation: int = 1, unsettled: str | None = None, **status: int
) -> dict[str, Any]:
    told = {
        "observedGeneration": 1,
        "expectedPods": 3,
        "currentHealthy": 3,
        "desiredHealthy": 2,
        "disruptionsAllowed": 1,
        **status,
    }
    live = {"metadata": {"generation": generation}, "status": told}
    return {
        "problem": None,
        "budgets": [{"name": "a/p", "budget": live, "pods": [], "shared": list(shared), "unsettled": unsettled}],
    }


@pytest.mark.parametrize(
    ("found", "status", "because"),
    [
        (budget(), "PASS", "1 of 3 pods may go at a time."),
        (budget(desiredHealthy=3, disruptionsAllowed=0), "FAIL", "It needs 3 of 3 pods, so no node that runs one can ever be drained."),
        (budget(currentHealthy=1, disruptionsAllowed=0), "FAIL", "Only 1 pods are healthy; 2 are needed."),
        (budget(currentHealthy=2, disruptionsAllowed=0), "FAIL", "It allows no disruption now, with 2 of 3 pods healthy."),
        (budget(expectedPods=0, currentHealthy=0, desiredHealthy=0), "FAIL", "It selects no pod, so it protects nothing."),
        (budget(shared=("nats-0",)), "FAIL", "nats-0 is in another budget too; the API server refuses to evict such a pod."),
        (budget(unsettled="launchbook-probe-0 of a run still counts in it"), "UNKNOWN", "Its figures can't be gone by: launchbook-probe-0 of a run still counts in it."),
        (budget(generation=2), "UNKNOWN", "The disruption controller has not seen this generation of the budget yet."),
        ({"problem": None, "budgets": [{"name": "a/p", "budget": None, "pods": [], "shared": [], "unsettled": None}]}, "FAIL", "It is not on the cluster."),
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


def proof(**changed: Any) -> dict[str, Any]:
    whole = {"name": "a/p", "problem": None, "allowed": 1, "desired": 2, "evictions": [{"pod": "n-0", "status": 201, "message": ""}],
             "refused": REFUSED, "healthy": [[0.1, 3], [0.5, 2], [4.0, 3]], "recovered": 4.0}  # fmt: skip
    return {"problem": None, "proofs": [{**whole, **changed}]}


@pytest.mark.parametrize(
    ("found", "status", "because"),
    [
        (proof(), "PASS", "Refused in the budget's name; 2 pods stayed ready meanwhile."),
        (proof(refused={**REFUSED, "status": 201, "causes": []}), "FAIL", "A further eviction, of n-1, would have been allowed at once."),
        (proof(refused={**REFUSED, "causes": []}), "UNKNOWN", "The next was refused, but not by this budget: 429 Cannot evict"),
        (proof(refused={**REFUSED, "causes": [{"reason": "DisruptionBudget", "message": "The disruption budget q"}]}), "UNKNOWN", "The next was refused, but not by this budget: 429 Cannot evict"),
        (proof(recovered=None), "FAIL", "The evicted pod was not replaced by a ready one in time."),
        (proof(healthy=[[0.1, 3], [0.5, 1], [4.0, 3]]), "FAIL", "1 pods were ready meanwhile; the budget promises 2."),
        (proof(evictions=[{"pod": "n-0", "status": 429, "message": "no"}], refused=None), "FAIL", "The eviction of n-0 was refused: no"),
        (proof(problem="It allows 0", evictions=[]), "UNKNOWN", "It allows 0"),
        ({"problem": "This run may not evict.", "proofs": []}, "UNKNOWN", "This run may not evict."),
    ],
)  # fmt: skip
def test_a_proof(found: Any, status: str, because: str) -> None:
    """Only a refusal in the budget's own name proves it."""
    [check] = judge.evictions(found)
    assert (check.status, check.because) == (Status(status), because)
