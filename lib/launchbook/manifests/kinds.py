"""When an object of a kind is ready, by its own status: the rules of kstatus, where one is stricter it says so. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from launchbook.counted import counted
from launchbook.manifests.failing import pod_failure, pod_trouble

Object = Mapping[str, Any]


@dataclass(frozen=True)
class State:
    """`ready`, `waiting`, `failed` or `unread` (it could not be looked at), and because of what."""

    state: Literal["ready", "waiting", "failed", "unread"]
    because: str


def cause(condition: Object) -> str:
    return str(condition.get("message") or condition.get("reason") or "it does not say why")[:300]


def _replica_failure(item: Object) -> State | None:
    """Pods that were refused, as the workload's own controller says: a quota, admission, a limit range."""
    for condition in (item.get("status") or {}).get("conditions") or ():
        if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
            return State("failed", f"its pods are refused: {cause(condition)}")
    return None


def _deployment(item: Object) -> State:
    if failure := _replica_failure(item):
        return failure
    wanted, status = item["spec"].get("replicas", 1), item.get("status") or {}
    for condition in status.get("conditions") or ():
        if condition["type"] == "Progressing" and condition.get("reason") == "ProgressDeadlineExceeded":
            return State("failed", condition.get("message", "its progress deadline is over"))
    counts = [status.get(name, 0) for name in ("updatedReplicas", "availableReplicas", "readyReplicas")]
    old = status.get("replicas", 0) - status.get("updatedReplicas", 0)
    if old > 0:
        return State("waiting", f"{counted(old, 'pod')} of an older revision not gone yet")
    return _of(min(counts), wanted)


def _stateful_set(item: Object) -> State:
    wanted, status = item["spec"].get("replicas", 1), item.get("status") or {}
    strategy, updated = item["spec"].get("updateStrategy") or {}, status.get("updatedReplicas", 0)
    kept = (strategy.get("rollingUpdate") or {}).get("partition") or 0
    if strategy.get("type") == "OnDelete" and updated < wanted:
        return _by_hand(updated, wanted)
    behind = status.get("currentRevision") != status.get("updateRevision") and strategy.get("type") != "OnDelete"
    told = f"{updated} of {wanted} pods have the newest revision"
    if behind and wanted - kept <= updated < wanted:
        # Stricter than kstatus too: a rollout in part may be wanted, but what was judged isn't all that runs.
        return State("failed", f"{told}, and its partition {kept} keeps the others as they were")
    if behind and not (kept and updated == wanted):
        return State("waiting", told)
    return _of(min(status.get("readyReplicas", 0), status.get("availableReplicas", 0)), wanted)


def _by_hand(updated: int, wanted: int) -> State:
    """Stricter than kstatus, which calls it current: what runs is not what was applied."""
    told = f"{updated} of {wanted} pods have the newest revision, and its strategy OnDelete replaces none by itself"
    return State("failed", told)


def _replica_set(item: Object) -> State:
    if failure := _replica_failure(item):
        return failure
    status = item.get("status") or {}
    return _of(min(status.get("readyReplicas", 0), status.get("availableReplicas", 0)), item["spec"].get("replicas", 1))


def _daemon_set(item: Object) -> State:
    status = item.get("status") or {}
    wanted = status.get("desiredNumberScheduled", 0)
    if wanted == 0:
        return State("waiting", "it is scheduled on no node")
    updated = status.get("updatedNumberScheduled", 0)
    if (item["spec"].get("updateStrategy") or {}).get("type") == "OnDelete" and updated < wanted:
        return _by_hand(updated, wanted)
    return _of(min(status.get("numberReady", 0), status.get("numberAvailable", 0), updated), wanted)


def _job(item: Object) -> State:
    for condition in (item.get("status") or {}).get("conditions") or ():
        if condition["status"] == "True" and condition["type"] == "Failed":
            return State("failed", condition.get("message", "it failed"))
        if condition["status"] == "True" and condition["type"] == "Complete":
            return State("ready", "it is complete")
    if item.get("spec", {}).get("suspend"):
        return State("failed", "it is suspended: it runs once `spec.suspend` is false")
    return State("waiting", "it runs")


def _pod(item: Object) -> State:
    if cause := pod_failure(item):
        return State("failed", cause)
    conditions = {c["type"]: c["status"] for c in (item.get("status") or {}).get("conditions") or ()}
    if conditions.get("Ready") == "True":
        return State("ready", "it is ready")
    return State("waiting", pod_trouble(item) or "it is not ready")


def _claim(item: Object) -> State:
    phase = (item.get("status") or {}).get("phase")
    state: Literal["ready", "failed", "waiting"] = "ready" if phase == "Bound" else "waiting"
    return State("failed" if phase == "Lost" else state, f"it is {phase}")


def _autoscaler(item: Object) -> State:
    """kstatus has no rule for it: it scales where AbleToScale and ScalingActive are True."""
    told = {c["type"]: c for c in (item.get("status") or {}).get("conditions") or ()}
    for kind in ("AbleToScale", "ScalingActive"):
        if told.get(kind, {}).get("status") == "False":
            hopeless = told[kind].get("reason") in ("FailedGetScale", "ScalingDisabled")
            return State("failed" if hopeless else "waiting", f"it does not scale: {cause(told[kind])}")
    if "ScalingActive" not in told:
        return State("waiting", "its controller has not seen it yet")
    return State("ready", "it scales")


def _service(item: Object) -> State:
    if item["spec"].get("type") == "LoadBalancer":
        given = ((item.get("status") or {}).get("loadBalancer") or {}).get("ingress")
        return State("ready", "it has an address") if given else State("waiting", "it has no load balancer address")
    return State("ready", "it exists")


def _budget(item: Object) -> State:
    status = item.get("status") or {}
    if "observedGeneration" not in status:
        return State("waiting", "the disruption controller has not seen it yet")
    if status.get("expectedPods", 0) == 0:
        return State("waiting", "it selects no pod")
    return State("ready", f"it covers {counted(status['expectedPods'], 'pod')}")


def _namespace(item: Object) -> State:
    phase = (item.get("status") or {}).get("phase")
    return State("ready", "it is Active") if phase == "Active" else State("failed", f"it is {phase}")


def _definition(item: Object) -> State:
    conditions = {c["type"]: c["status"] for c in (item.get("status") or {}).get("conditions") or ()}
    if conditions.get("NamesAccepted") == "False":
        return State("failed", "its names collide with another definition")
    if conditions.get("Established") == "True":
        return State("ready", "it is established")
    return State("waiting", "it is not established yet")


def _other(item: Object) -> State:
    """A kind of which nothing is known: its condition Ready, or else each of those by which other kinds say the same.

    kstatus reads Ready alone; a Gateway says Programmed, an APIService Available.
    """
    told = {c.get("type"): c for c in (item.get("status") or {}).get("conditions") or ()}
    needed = _NEEDED.get(item["kind"], ())
    held = ("Ready",) if "Ready" in told else tuple(one for one in _POSITIVE if one in told or one in needed)
    for kind in held:
        found = told.get(kind)
        if found is None:
            return State("waiting", "its controller has not seen it yet")
        if found.get("observedGeneration", (seen := item["metadata"].get("generation"))) != seen:
            return State("waiting", "its controller has not seen this generation yet")
        if found.get("status") != "True":
            return State("waiting", f"it is not {kind.lower()}: {cause(found)}")
    return State("ready", f"it is {' and '.join(kind.lower() for kind in held)}" if held else "it exists")


_POSITIVE = ("Available", "Accepted", "Programmed")
_NEEDED = {"APIService": ("Available",), "Gateway": ("Accepted", "Programmed"), "GatewayClass": ("Accepted",)}


def _route(item: Object) -> State:
    """A route of the Gateway API, which answers for each Gateway that it names. https://gateway-api.sigs.k8s.io/"""
    parents = (item.get("status") or {}).get("parents") or ()
    if len(parents) < len((item.get("spec") or {}).get("parentRefs") or ()) or not parents:
        return State("waiting", "no controller has accepted it for each of its Gateways yet")
    for parent in parents:
        for condition in parent.get("conditions") or ():
            if condition.get("type") in ("Accepted", "ResolvedRefs") and condition.get("status") != "True":
                return State("waiting", f"{parent['parentRef'].get('name')} does not take it: {cause(condition)}")
    return State("ready", "its Gateways take it")


def _of(have: int, wanted: int) -> State:
    if wanted == 0:
        return State("failed", "0 replicas are asked for: nothing runs")
    return State("ready" if have >= wanted else "waiting", f"{have} of {wanted} pods are ready")


_BY_KIND = {
    "Deployment": _deployment, "StatefulSet": _stateful_set, "DaemonSet": _daemon_set, "Job": _job, "Pod": _pod,
    "PersistentVolumeClaim": _claim, "Service": _service, "PodDisruptionBudget": _budget, "Namespace": _namespace,
    "CustomResourceDefinition": _definition, "ReplicaSet": _replica_set, "ReplicationController": _replica_set,
    "HorizontalPodAutoscaler": _autoscaler,
    **dict.fromkeys(("HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute"), _route),
}  # fmt: skip


def by_kind(item: Object) -> State:
    """What an object's own status says."""
    return _BY_KIND.get(item["kind"], _other)(item)
