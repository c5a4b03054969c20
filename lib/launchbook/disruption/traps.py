"""What is well today and blocks a drain, or is lost in one, tomorrow: pure. Each finder gives a line for each finding.

found: see disruption.placement().
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from launchbook.disruption.fit import Facts
from launchbook.selector import matches


def scaled(value: int | str, total: int) -> int:
    """A whole number, or a percentage of `total`, rounded up as the disruption controller does for both fields."""
    return math.ceil(int(value.rstrip("%")) * total / 100) if isinstance(value, str) else value


def desired(spec: Mapping[str, Any], total: int) -> int:
    """How many of `total` pods a budget's spec wants healthy."""
    if spec.get("maxUnavailable") is not None:
        return max(0, total - scaled(spec["maxUnavailable"], total))
    return scaled(spec.get("minAvailable", total), total)  # with neither the controller lets none go


def asks(spec: Mapping[str, Any]) -> str:
    """`minAvailable 2`, `maxUnavailable 25%`; empty where a spec has neither."""
    return ", ".join(f"{k} {spec[k]}" for k in ("minAvailable", "maxUnavailable") if spec.get(k) is not None)


def scaling(found: Mapping[str, Any]) -> list[str]:
    """The budgets that let no pod go once an autoscaler is at its minReplicas."""
    told = []
    for scaler in found["autoscalers"]:
        for workload in found["workloads"]:
            if [workload["namespace"], workload["kind"], workload["name"]] != scaler["target"]:
                continue
            for budget in _budgets_of(workload, found):
                others = [w for w in found["workloads"] if w is not workload and budget in _budgets_of(w, found)]
                total = scaler["min"] + sum(w["replicas"] for w in others)
                if total and desired(budget["spec"], total) >= total:
                    told.append(
                        f"HorizontalPodAutoscaler {scaler['name']} may go down to {scaler['min']} replicas, of which "
                        f"budget {budget['name']} ({asks(budget['spec'])}) lets none go"
                    )
    return told


def huddled(found: Mapping[str, Any]) -> list[str]:
    """The workloads of several pods that all run on one node."""
    told = []
    for workload in found["workloads"]:
        here = [p for p in found["pods"] if p["ready"] and not p["ending"] and _belongs(p, workload)]
        if len(here) > 1 and len({p["node"] for p in here}) == 1:
            told.append(f"all {len(here)} pods of {_name(workload)} run on {here[0]['node']}, and go with it")
    return told


def unprotected(found: Mapping[str, Any]) -> list[str]:
    """The workloads of several replicas that no budget selects."""
    many = [w for w in found["workloads"] if w["replicas"] > 1 and w["kind"] != "DaemonSet"]
    return [
        f"{_name(w)} has {w['replicas']} replicas and no budget, so a drain may take them all at once"
        for w in many
        if not _budgets_of(w, found)
    ]


def hollow(found: Mapping[str, Any]) -> list[str]:
    """The budgets that keep none of the pods that they select."""
    return [
        f"budget {b['name']} ({asks(b['spec'])}) keeps none of its {b['expected']} pods"
        for b in found["budgets"]
        if b["desired"] == 0 and b["expected"] and not b["failed"]
    ]


def _budgets_of(workload: Facts, found: Mapping[str, Any]) -> list[Facts]:
    return [
        b
        for b in found["budgets"]
        if b["namespace"] == workload["namespace"] and matches(b["selector"], workload["labels"])
    ]


def _belongs(pod: Facts, workload: Facts) -> bool:
    return pod["namespace"] == workload["namespace"] and pod["owner"] in (
        [workload["kind"], workload["name"]],
        *([["ReplicaSet", name] for name in workload["replicasets"]]),
    )


def _name(workload: Facts) -> str:
    return f"{workload['kind']} {workload['namespace']}/{workload['name']}"
