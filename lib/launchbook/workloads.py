"""Whatever runs pods in a namespace: controllers of every built-in kind, and pods that no such controller made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Object = Mapping[str, Any]

# A pod that serves; a Job's pod ends, and needs no probe.
SERVING = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Pod")
WORKLOADS = (*SERVING, "CronJob", "Job")
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"  # kubectl's copy of all that it applied
# Kind -> the kinds of whose objects a built-in controller makes it; none makes any other workload.
MAKERS: Mapping[str, tuple[str, ...]] = {
    "Pod": ("ReplicaSet", "StatefulSet", "DaemonSet", "ReplicationController", "Job"),
    "ReplicaSet": ("Deployment",), "Job": ("CronJob",),
}  # fmt: skip


def name_of(item: Object) -> str:
    """`Kind namespace/name`, `Kind name` where it has no namespace."""
    return f"{item['kind']} {item['metadata'].get('namespace', '')}/{item['metadata']['name']}".replace(" /", " ")


def pod_spec(item: Object) -> Object:
    """The spec of the pods that a workload runs."""
    spec: Object = _pod(item)["spec"]
    return spec


def pod_metadata(item: Object) -> Object:
    """The metadata that a workload gives its pods; empty where it gives none."""
    return _pod(item).get("metadata") or {}


def _pod(item: Object) -> Object:
    pod: Object = item
    if item["kind"] == "CronJob":
        pod = item["spec"]["jobTemplate"]["spec"]["template"]
    elif item["kind"] != "Pod":
        pod = item["spec"]["template"]
    return pod


def workloads(objects: Mapping[str, Any], kinds: Sequence[str] = WORKLOADS) -> Iterator[Object]:
    """Every workload of these kinds once: what a built-in controller made is judged at what it was made for.

    What a controller of a foreign kind made (a Rollout's ReplicaSet, an operator's pod) is judged itself, and so is what
    only names an owner: anybody can give an object one.
    """
    for kind in kinds:
        for item in objects.get(kind) or ():
            owners = item["metadata"].get("ownerReferences") or ()
            if not any(owner.get("controller") and owner["kind"] in MAKERS.get(kind, ()) for owner in owners):
                yield item


def containers(item: Object) -> Iterator[Object]:
    """Its containers, those that initialize it included."""
    spec = pod_spec(item)
    for field in ("containers", "initContainers"):
        yield from spec.get(field) or ()
