"""Whatever runs pods in a namespace: controllers of every built-in kind, and pods that no such controller made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from launchbook.selector import matches

Object = Mapping[str, Any]

# A pod that serves; a Job's pod ends, and needs no probe.
SERVING = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Pod")
WORKLOADS = (*SERVING, "CronJob", "Job")
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"  # kubectl's copy of all that it applied


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
    """Every workload of these kinds once: what a built-in controller among `objects` made is judged there.

    What a controller of a foreign kind made (a Rollout's ReplicaSet, an operator's pod) is judged itself, and so is what
    merely says that a built-in one made it: see made().
    """
    read = {kind: objects.get(kind) for kind in WORKLOADS}
    makers = {kind: by_uid(those) for kind, those in read.items() if isinstance(those, Sequence)}
    for kind in kinds:
        for item in objects.get(kind) or ():
            if not made(item, makers):
                yield item


def made(item: Object, makers: Mapping[str, Mapping[Any, Object]]) -> bool:
    """Whether a built-in controller made it, which anybody can write into ownerReferences.

    makers: kind -> (namespace, UID) -> object of each kind that was read. The owner must be of the kind that makes such
    objects, be there with that UID, and select it; one of a kind that was not read is believed.
    https://kubernetes.io/docs/concepts/overview/working-with-objects/owners-dependents/
    """
    owner = controller_of(item)
    if owner is None or owner["kind"] not in _MAKERS.get(item["kind"], ()):
        return False
    if owner["kind"] not in makers:
        return True
    maker = makers[owner["kind"]].get((item["metadata"].get("namespace"), owner.get("uid")))
    return maker is not None and _claims(maker, item)


def controller_of(item: Object) -> Object | None:
    """The owner that an object calls its controller, or None."""
    owners: Sequence[Object] = item["metadata"].get("ownerReferences") or ()
    return next((owner for owner in owners if owner.get("controller")), None)


_MAKERS = {
    "Pod": ("ReplicaSet", "StatefulSet", "DaemonSet", "Job", "ReplicationController"),
    "ReplicaSet": ("Deployment",),
    "Job": ("CronJob",),
}


def by_uid(items: Sequence[Object]) -> dict[Any, Object]:
    """(namespace, UID) -> object."""
    return {(item["metadata"].get("namespace"), item["metadata"].get("uid")): item for item in items}


def _claims(maker: Object, item: Object) -> bool:
    """A controller lets go of what its selector doesn't fit; a CronJob has none."""
    selector = maker["spec"].get("selector")
    if maker["kind"] == "ReplicationController":
        selector = {"matchLabels": selector or {}}
    return selector is None or matches(selector, item["metadata"].get("labels") or {})


def made_for(item: Object, known: Mapping[str, Object]) -> str:
    """`Kind/namespace/name` of the workload that a pod is of. known: UID -> each object that may own another."""
    while owner := controller_of(item):
        if owner["uid"] not in known:
            return f"{owner['kind']}/{item['metadata']['namespace']}/{owner['name']}"
        item = known[owner["uid"]]
    return f"{item['kind']}/{item['metadata']['namespace']}/{item['metadata']['name']}"


def containers(item: Object) -> Iterator[Object]:
    """Its containers, those that initialize it included."""
    spec = pod_spec(item)
    for field in ("containers", "initContainers"):
        yield from spec.get(field) or ()
