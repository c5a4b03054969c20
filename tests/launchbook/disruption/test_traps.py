"""What is well today and lets a later drain block or take all, by table."""

from __future__ import annotations

from typing import Any

import pytest

from launchbook.disruption import judge
from launchbook.disruption.traps import desired, scaled
from launchbook.words import Status

from .facts import budget, placement, pod, workload

SPREAD = [pod("x-0", "n1"), pod("x-1", "n2"), pod("x-2", "n3")]
SCALER = {"name": "a/x", "target": ["a", "StatefulSet", "x"], "min": 2}


def trap(subject: str, found: Any) -> tuple[Status, str]:
    return next((c.status, c.because) for c in judge.traps(found) if c.subject == subject)


@pytest.mark.parametrize(
    ("spec", "least", "because"),
    [
        ({"minAvailable": 2}, 2, "HorizontalPodAutoscaler a/x may go down to 2 replicas, of which budget a/p (minAvailable 2) lets none go."),
        ({"minAvailable": "51%"}, 2, "HorizontalPodAutoscaler a/x may go down to 2 replicas, of which budget a/p (minAvailable 51%) lets none go."),
        ({"minAvailable": "50%"}, 1, "HorizontalPodAutoscaler a/x may go down to 1 replicas, of which budget a/p (minAvailable 50%) lets none go."),
        ({"maxUnavailable": 0}, 2, "HorizontalPodAutoscaler a/x may go down to 2 replicas, of which budget a/p (maxUnavailable 0) lets none go."),
        ({"minAvailable": 2}, 3, None),
        ({"minAvailable": "50%"}, 2, None),
        ({"maxUnavailable": 1}, 1, None),
        ({"maxUnavailable": "10%"}, 1, None),
    ],
)  # fmt: skip
def test_autoscalers_least_against_a_budget(spec: Any, least: int, because: str | None) -> None:
    """Percentages are taken of the least too, and rounded up."""
    found = placement(SPREAD, [budget(2, spec=spec)], workloads=[workload()], autoscalers=[{**SCALER, "min": least}])
    fine = (Status.PASS, "No autoscaler goes down to what a budget needs.")
    assert trap("autoscaling", found) == (fine if because is None else (Status.FAIL, because))


def test_a_budget_over_two_workloads_counts_the_other_one_too() -> None:
    """At 2 of its own replicas there are 3 more of the other's."""
    both = [workload(), workload("y", 3, labels={"app": "x"})]
    found = placement(SPREAD, [budget(2, 6)], workloads=both, autoscalers=[SCALER])
    assert trap("autoscaling", found)[0] == Status.PASS


TOGETHER = [pod("x-0"), pod("x-1"), pod("x-2", ready=False)]
ROLLED = [pod(f"x-{n}", owner=["ReplicaSet", "x-5d9"]) for n in range(2)]


@pytest.mark.parametrize(
    ("pods", "workloads", "because"),
    [
        (TOGETHER, [workload()], "All 2 pods of StatefulSet a/x run on n1, and go with it."),
        (ROLLED, [workload(kind="Deployment", replicasets=["x-5d9"])], "All 2 pods of Deployment a/x run on n1, and go with it."),
        ([*TOGETHER, pod("x-3", "n2")], [workload()], None),
        ([pod("x-0")], [workload()], None),
        (ROLLED, [workload(kind="Deployment", replicasets=["x-old"])], None),
    ],
)  # fmt: skip
def test_all_replicas_on_one_node(pods: Any, workloads: Any, because: str | None) -> None:
    """Of those that are ready."""
    fine = (Status.PASS, "The pods of each workload run on several nodes.")
    expected = fine if because is None else (Status.FAIL, because)
    assert trap("spread", placement(pods, [], workloads=workloads)) == expected


@pytest.mark.parametrize(
    ("item", "because"),
    [
        (workload("y", 2), "StatefulSet a/y has 2 replicas and no budget, so a drain may take them all at once."),
        (workload("y", 2, namespace="b", labels={"app": "x"}), "StatefulSet b/y has 2 replicas and no budget, so a drain may take them all at once."),
        (workload("x", 2), None),
        (workload("y", 1), None),
    ],
)  # fmt: skip
def test_several_replicas_and_no_budget(item: Any, because: str | None) -> None:
    """A budget protects its own namespace alone."""
    fine = (Status.PASS, "A budget selects each workload of several replicas.")
    expected = fine if because is None else (Status.FAIL, because)
    assert trap("unprotected", placement(SPREAD, [budget(2)], workloads=[item])) == expected


@pytest.mark.parametrize(
    ("item", "because"),
    [
        (budget(0, 1, spec={"maxUnavailable": 1}), "Budget a/p (maxUnavailable 1) keeps none of its 1 pods."),
        (budget(1), None),
        (budget(0, 0), None),
    ],
)
def test_a_budget_that_keeps_no_pod(item: Any, because: str | None) -> None:
    """A budget that selects none is A.budget's to tell."""
    fine = (Status.PASS, "Each budget keeps a pod.")
    assert trap("empty promises", placement(SPREAD, [item])) == (fine if because is None else (Status.FAIL, because))


def test_what_may_not_be_read_is_unknown_and_named() -> None:
    """Each question that needs it, and no other."""
    found = placement(SPREAD, [budget(2)], unread={"HorizontalPodAutoscaler": "horizontalpodautoscalers is forbidden"})
    assert {c.subject: c.status for c in judge.traps(found)} == {
        "autoscaling": Status.UNKNOWN, "spread": Status.PASS, "unprotected": Status.PASS, "empty promises": Status.PASS,
    }  # fmt: skip
    assert trap("autoscaling", found)[1] == "horizontalpodautoscalers is forbidden"
    nothing = placement([], [], problem="pods is forbidden")
    assert {(c.status, c.because) for c in judge.traps(nothing)} == {(Status.UNKNOWN, "pods is forbidden")}


@pytest.mark.parametrize(
    ("value", "total", "count"), [("50%", 3, 2), ("34%", 3, 2), ("67%", 3, 3), ("100%", 3, 3), ("0%", 3, 0), (2, 3, 2)]
)
def test_a_percentage_rounds_up(value: Any, total: int, count: int) -> None:
    """In both fields."""
    assert scaled(value, total) == count
    assert desired({"minAvailable": value}, total) == count
    assert desired({"maxUnavailable": value}, total) == total - count
