"""What is read for a drain: pods, nodes, budgets, workloads and autoscalers as the API gives them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from launchbook.disruption import judge, show
from launchbook.disruption.placement import placement
from launchbook.errors import ClusterError, MissingRight
from launchbook.run import RUN_LABEL
from launchbook.words import Status

BORN, READY = "2026-11-24T10:00:00Z", "2026-11-24T10:00:07Z"


def owned(kind: str, name: str) -> list[dict[str, Any]]:
    return [{"kind": kind, "name": name, "controller": True}]


def pod(name: str, node: str, **meta: Any) -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": "True", "lastTransitionTime": READY}]
    return {
        "metadata": {
            "name": name, "namespace": "shop", "creationTimestamp": BORN, "labels": {"app": "web"},
            "ownerReferences": owned("ReplicaSet", "web-5d9"), **meta,
        },
        "spec": {"nodeName": node, "nodeSelector": {"disk": "ssd"}, "containers": [{"env": [{"value": "secret"}]}]},
        "status": {"phase": "Running", "conditions": conditions},
    }  # fmt: skip


def workload(kind: str, name: str, **meta: Any) -> dict[str, Any]:
    spec = {"replicas": 2, "template": {"metadata": {"labels": {"app": "web"}}}}
    return {"kind": kind, "metadata": {"name": name, "namespace": "shop", **meta}, "spec": spec}


PROBE = pod("probe", "n1", labels={"app": "web", RUN_LABEL: "r"}, ownerReferences=[])
PROBE["spec"]["activeDeadlineSeconds"] = 3600
WORLD = {
    "Node": [
        {"metadata": {"name": name, "labels": {"disk": "ssd"}}, "spec": {"unschedulable": name == "n2", "taints": [{"key": "k", "effect": "NoSchedule", "timeAdded": BORN}]}}
        for name in ("n1", "n2")
    ],
    "Pod": [pod("web-0", "n1"), PROBE],
    "PodDisruptionBudget": [{
        "metadata": {"name": "web", "namespace": "shop", "generation": 2},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "web"}}},
        "status": {"observedGeneration": 2, "desiredHealthy": 1, "expectedPods": 2},
    }],
    "Deployment": [workload("Deployment", "web")],
    "ReplicaSet": [workload("ReplicaSet", "web-5d9", ownerReferences=owned("Deployment", "web")), workload("ReplicaSet", "alone")],
    "HorizontalPodAutoscaler": [{"metadata": {"name": "web", "namespace": "shop"}, "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"}}}],
}  # fmt: skip


def run(world: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr("launchbook.disruption.observe._SETTLED", 0)

    def listed(kind: str, namespace: str | None = None, **_: Any) -> Any:
        found = world.get(kind, [])
        if isinstance(found, ClusterError):
            raise found
        return found

    parameters = SimpleNamespace(
        manifests=SimpleNamespace(namespaces=("shop",)), disruption=SimpleNamespace(budgets=())
    )
    return SimpleNamespace(
        cluster=SimpleNamespace(list=listed), parameters=parameters, evidence=lambda *_: None, progress=lambda *_: None
    )


def test_what_is_kept_of_each_object(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the simulation goes by and no more: a pod's environment is nobody's evidence."""
    found = placement(run(WORLD, monkeypatch))
    assert found["problem"] is None
    assert found["nodes"][1] == {
        "name": "n2", "labels": {"disk": "ssd"}, "taints": [{"key": "k", "effect": "NoSchedule"}], "unschedulable": True,
    }  # fmt: skip
    assert found["pods"] == [{
        "namespace": "shop", "name": "web-0", "node": "n1", "labels": {"app": "web"}, "owner": ["ReplicaSet", "web-5d9"],
        "phase": "Running", "ready": True, "ending": False, "mirror": False, "emptydir": False, "claims": [],
        "crashing": False, "seconds": 7.0, "spec": {"nodeSelector": {"disk": "ssd"}},
    }]  # fmt: skip
    [budget] = found["budgets"]
    assert (budget["name"], budget["spec"], budget["policy"]) == ("shop/web", {"maxUnavailable": 1}, "IfHealthyBudget")
    assert budget["unsettled"] == "probe of a run still counts in it"
    assert [(w["kind"], w["name"], w["replicasets"]) for w in found["workloads"]] == [
        ("Deployment", "web", ["web-5d9"]),
        ("ReplicaSet", "alone", []),
    ]
    assert found["autoscalers"] == [{"name": "shop/web", "target": ["shop", "Deployment", "web"], "min": 1}]


def test_volumes_and_marks_of_a_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    """An emptyDir is lost, a claim may bind it to a node, a mirror pod stays, a crash loop is seen in an init container."""
    one = pod("web-0", "n1", annotations={"kubernetes.io/config.mirror": "x"}, deletionTimestamp=READY)
    one["spec"]["volumes"] = [
        {"name": "a", "emptyDir": {}}, {"name": "b", "persistentVolumeClaim": {"claimName": "data"}}, {"name": "c", "ephemeral": {}},
    ]  # fmt: skip
    one["status"]["initContainerStatuses"] = [{"state": {"waiting": {"reason": "CrashLoopBackOff"}}}]
    [kept] = placement(run({**WORLD, "Pod": [one]}, monkeypatch))["pods"]
    assert (kept["emptydir"], kept["claims"], kept["mirror"], kept["crashing"]) == (True, ["data"], True, True)
    assert (kept["ending"], kept["ready"], kept["seconds"]) == (True, False, None)


def test_nodes_that_may_not_be_read_leave_the_drain_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the right that was missing."""
    found = placement(run({**WORLD, "Node": MissingRight("nodes is forbidden")}, monkeypatch))
    [check] = judge.drains(found)
    assert (check.status, check.because) == (
        Status.UNKNOWN,
        "What a drain would do could not be read: nodes is forbidden",
    )
    assert {c.status for c in judge.traps(found)} == {Status.UNKNOWN}
    assert "What a drain would do could not be read" in show.drains(found).text


def test_autoscalers_that_may_not_be_read_leave_their_question_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """And no other."""
    world = {**WORLD, "HorizontalPodAutoscaler": MissingRight("autoscalers are forbidden")}
    checks = {c.subject: c for c in judge.traps(placement(run(world, monkeypatch)))}
    assert (checks["autoscaling"].status, checks["autoscaling"].because) == (
        Status.UNKNOWN,
        "autoscalers are forbidden",
    )
    assert checks["spread"].status == Status.PASS


def test_a_budget_whose_generation_was_not_seen_is_unsettled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its figures are those of another spec."""
    [budget] = WORLD["PodDisruptionBudget"]
    stale = {**budget, "status": {**budget["status"], "observedGeneration": 1}}
    [kept] = placement(run({**WORLD, "PodDisruptionBudget": [stale]}, monkeypatch))["budgets"]
    assert kept["unsettled"] == "the disruption controller has not seen its generation yet"
