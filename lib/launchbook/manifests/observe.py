"""What is there before and after: identity, rights, the render, live objects, policies, leftovers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

import launchbook.render as rendering
from launchbook.errors import ClusterError, ParametersError
from launchbook.manifests.judge import name
from launchbook.manifests.selectors import Pollution, polluted
from launchbook.run import RUN_LABEL, Run

Object = dict[str, Any]
# kind -> (resource, group): what the run reads or changes, and which act needs the change.
_READS = (("pods", ""), ("services", ""), ("namespaces", ""), ("nodes", ""), ("networkpolicies", "networking.k8s.io"))
_ACTS = {
    "apply": (("patch", "services", "", ""), ("patch", "networkpolicies", "networking.k8s.io", ""),
              ("patch", "deployments", "apps", ""), ("patch", "statefulsets", "apps", "")),
    "probe": (("create", "pods", "", ""), ("create", "pods", "", "exec"), ("delete", "pods", "", "")),
    "evict": (("create", "pods", "", "eviction"),),
    "load": (("get", "pods", "", "log"),),
}  # fmt: skip
_END = 45.0  # s, for a namespace of the run's own to be gone
_LEFT = (("v1", "Pod"), ("v1", "ConfigMap"), ("v1", "Service"), ("networking.k8s.io/v1", "NetworkPolicy"))


@dataclass(frozen=True)
class Rendered:
    """objects in the order in which they are applied; problem: why there are none; polluted: see selectors."""

    objects: tuple[Object, ...] = ()
    polluted: tuple[Pollution, ...] = ()
    problem: str | None = None
    path: str = ""
    names: tuple[str, ...] = field(default=())


def target(run: Run) -> pd.DataFrame:
    """One row: context, server, uid, version, user. Raises ClusterError where the cluster is not the one named."""
    who = run.cluster.identity
    return pd.DataFrame(
        [{"context": who.context, "server": who.server, "uid": who.uid, "version": who.version, "user": who.user}]
    )


def rights(run: Run) -> pd.DataFrame:
    """What the run needs and whether it is granted: columns verb, resource, namespace, allowed."""
    rows = []
    for namespace in run.parameters.manifests.namespaces:
        asked = [("list", resource, group, "") for resource, group in _READS]
        asked += [need for act in run.parameters.allow if run.allowed(act) for need in _ACTS[act]]
        for verb, resource, group, subresource in asked:
            try:
                allowed: bool | None = run.cluster.can(
                    verb, resource, group=group, namespace=namespace, subresource=subresource
                )
            except ClusterError:
                allowed = None
            rows.append(
                {
                    "verb": verb,
                    "resource": "/".join(filter(None, (resource, subresource))),
                    "namespace": namespace,
                    "allowed": allowed,
                }
            )
    frame = pd.DataFrame(rows, columns=["verb", "resource", "namespace", "allowed"])
    return frame.astype({"allowed": "boolean"})


def render(run: Run) -> Rendered:
    """The manifests as objects, in order of application, kept as evidence with secrets masked."""
    path = run.parameters.manifests.path
    shown = path.name if path.name != "manifests" else f"{path.parent.name}/{path.name}"
    try:
        objects = sorted(rendering.render(path), key=_order)
        found = tuple(polluted(path))
    except ParametersError as error:
        return Rendered(problem=str(error), path=shown)
    run.evidence("manifests/rendered.json", [masked(item) for item in objects])
    return Rendered(tuple(objects), found, None, shown, tuple(name(item) for item in objects))


def policies(run: Run, rendered: Rendered) -> dict[str, Object | None]:
    """`NetworkPolicy/ns/name` -> the policy as it is on the cluster, None where absent."""
    return {
        name(item): run.cluster.get(
            "NetworkPolicy", item["metadata"]["name"], item["metadata"]["namespace"], api_version=item["apiVersion"]
        )
        for item in rendered.objects
        if item["kind"] == "NetworkPolicy"
    }


def pods(run: Run) -> list[Object]:
    """Every pod of the namespaces under launch that isn't the run's own."""
    return [
        pod
        for namespace in run.parameters.manifests.namespaces
        for pod in run.cluster.list("Pod", namespace)
        if RUN_LABEL not in (pod["metadata"].get("labels") or {})
    ]


def left(run: Run) -> list[str]:
    """What still carries this run's label after what is ending has had its time, as `Kind/ns/name`."""
    deadline = time.monotonic() + _END
    while (found := _labelled(run)) and time.monotonic() < deadline:
        time.sleep(0.5)
    return found


def _labelled(run: Run) -> list[str]:
    return [
        name(item)
        for api_version, kind in (*_LEFT, ("v1", "Namespace"))
        for item in run.cluster.list(kind, api_version=api_version, labels=run.label)
    ]


def masked(item: Object) -> Object:
    """An object that may be shown: a Secret's values are replaced by their length, annotations that repeat it go."""
    if item.get("kind") != "Secret":
        return item
    hidden = {
        key: {k: f"(masked, {len(str(v))} characters)" for k, v in (item.get(key) or {}).items()}
        for key in ("data", "stringData")
        if item.get(key)
    }
    meta = {k: v for k, v in item["metadata"].items() if k != "annotations"}
    return {**item, **hidden, "metadata": meta}


def _order(item: Object) -> int:
    return next((n for n, kinds in enumerate(_PHASES) if item["kind"] in kinds), len(_PHASES))


# What others need comes first; policies stand before the pods that they protect, and pods come last.
_PHASES: Sequence[tuple[str, ...]] = (
    ("Namespace", "CustomResourceDefinition"),
    ("ResourceQuota", "LimitRange", "ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"),
    ("ConfigMap", "Secret", "PersistentVolumeClaim", "StorageClass"),
    ("NetworkPolicy", "PodDisruptionBudget", "Service"),
)
