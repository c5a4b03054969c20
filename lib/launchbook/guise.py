"""A prober in a source's labels: who would take it for one of its own.

It is never ready, so a Service leaves it out, unless that one publishes pods that aren't ready; then the system's own
clients would connect to it. A controller whose selector it fits would adopt it and end it, or a pod of the system.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from launchbook.cluster import Cluster
from launchbook.selector import matches

Object = Mapping[str, Any]
# StatefulSets adopt by name too, Deployments own no pod, and a Job's selector holds its own UID.
_ADOPTING = (("apps/v1", "DaemonSet"), ("apps/v1", "ReplicaSet"), ("v1", "ReplicationController"))


def captors(cluster: Cluster, namespace: str) -> list[Object]:
    """The Services and controllers of a namespace that could take a pod for theirs. Raises ClusterError."""
    kinds = (("v1", "Service"), *_ADOPTING)
    return [item for version, kind in kinds for item in cluster.list(kind, namespace, api_version=version)]


def captured(labels: Mapping[str, str], items: Iterable[Object]) -> str | None:
    """Why a pod that isn't ready must not run with these labels beside `items`, or None where it may."""
    for item in items:
        spec, name = item["spec"], item["metadata"]["name"]
        plain = item["kind"] in ("Service", "ReplicationController")
        selector = {"matchLabels": spec["selector"]} if plain and spec.get("selector") else spec.get("selector")
        if not selector or not matches(selector, labels):
            continue
        if item["kind"] != "Service":
            return f"{item['kind']} {name} would adopt a pod with these labels"
        if spec.get("publishNotReadyAddresses"):
            return f"Service {name} publishes pods that aren't ready, so its clients would connect to the probe pod"
    return None
