"""What lives in a namespace, or of a kind, beside what a run put there: of every kind that the cluster serves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from launchbook.cluster import Cluster
from launchbook.errors import MissingRight
from launchbook.manifests.order import together

Object = dict[str, Any]
# The cluster itself puts these into every namespace, or derives them from what is there.
_ITS_OWN = {("ConfigMap", "kube-root-ca.crt"), ("ServiceAccount", "default")}
_DERIVED = ("Event", "Endpoints", "EndpointSlice", "PodMetrics", "Lease")


@dataclass(frozen=True)
class Held:
    """objects: `Kind/name` of what lives there; going: whether any of them may go by itself (it is being deleted, or
    its owner is); unseen: kinds that may not be listed."""

    objects: tuple[str, ...] = ()
    going: bool = False
    unseen: tuple[str, ...] = ()


def others_in(cluster: Cluster, entry: Mapping[str, Any]) -> Held:
    """What the namespace, or the kind of the CustomResourceDefinition, that `entry` names holds now."""
    if entry["kind"] == "Namespace":
        kinds = [(version, kind) for version, kind in cluster.listable() if kind not in _DERIVED]
        found = together(lambda one: _of(cluster, *one, entry["name"]), kinds)
    else:
        spec = (cluster.get(entry["kind"], entry["name"], api_version=entry["apiVersion"]) or {}).get("spec") or {}
        version = next((v["name"] for v in spec.get("versions") or () if v.get("served")), None)
        if version is None:
            return Held()
        kinds = [(f"{spec['group']}/{version}", spec["names"]["kind"])]
        found = [_of(cluster, *kinds[0], None)]
    items = [(kind, item) for (_, kind), those in zip(kinds, found, strict=True) for item in those or ()]
    held = [(kind, item["metadata"]) for kind, item in items if (kind, item["metadata"]["name"]) not in _ITS_OWN]
    return Held(
        tuple(f"{kind}/{meta['name']}" for kind, meta in held),
        any(meta.get("deletionTimestamp") or meta.get("ownerReferences") for _, meta in held),
        tuple(kind for (_, kind), those in zip(kinds, found, strict=True) if those is None),
    )


def _of(cluster: Cluster, version: str, kind: str, namespace: str | None) -> list[Object] | None:
    try:
        return cluster.list(kind, namespace, api_version=version)
    except MissingRight:
        return None
