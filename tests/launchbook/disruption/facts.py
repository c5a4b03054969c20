"""Pods, nodes, budgets and workloads as disruption.placement() gives them, with what a case doesn't say filled in."""

from __future__ import annotations

from typing import Any

Facts = dict[str, Any]


def node(
    name: str, *, labels: dict[str, str] | None = None, taints: tuple[str, ...] = (), cordoned: bool = False
) -> Facts:
    """taints: KEY=VALUE:EFFECT."""
    parts = [(*taint.rpartition(":")[0].partition("=")[::2], taint.rpartition(":")[2]) for taint in taints]
    return {
        "name": name,
        "labels": {"kubernetes.io/hostname": name, **(labels or {})},
        "taints": [{"key": key, "value": value, "effect": effect} for key, value, effect in parts],
        "unschedulable": cordoned,
    }


def pod(name: str, node: str | None = "n1", **changed: Any) -> Facts:
    whole = {
        "namespace": "a", "name": name, "node": node, "labels": {"app": "x"}, "owner": ["StatefulSet", "x"],
        "phase": "Running", "ready": True, "ending": False, "mirror": False, "emptydir": False, "claims": [],
        "crashing": False, "seconds": 6.0, "spec": {},
    }  # fmt: skip
    assert changed.keys() <= whole.keys()
    return {**whole, **changed}


def budget(desired: int, expected: int = 3, **changed: Any) -> Facts:
    whole = {
        "namespace": "a", "name": "a/p", "selector": {"matchLabels": {"app": "x"}}, "spec": {"minAvailable": desired},
        "desired": desired, "expected": expected, "policy": "IfHealthyBudget", "failed": None, "unsettled": None,
    }  # fmt: skip
    assert changed.keys() <= whole.keys()
    return {**whole, **changed}


def workload(name: str = "x", replicas: int = 3, **changed: Any) -> Facts:
    whole = {
        "namespace": "a", "kind": "StatefulSet", "name": name, "replicas": replicas, "labels": {"app": name},
        "replicasets": [],
    }  # fmt: skip
    return {**whole, **changed}


def placement(pods: list[Facts], budgets: list[Facts], nodes: list[Facts] | None = None, **changed: Any) -> Facts:
    whole = {
        "problem": None, "unread": {}, "nodes": nodes or [node("n1"), node("n2"), node("n3")], "pods": pods,
        "budgets": budgets, "workloads": [], "autoscalers": [],
    }  # fmt: skip
    assert changed.keys() <= whole.keys()
    return {**whole, **changed}
