"""What is judged: the images that run, the workloads and the policies of the namespaces under launch.

A verdict holds for these and no others, so they are read again at the end of every track and by `verify --live`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from launchbook.cluster import Cluster

JUDGED = ("image", "manifest", "policy")
_WORKLOADS = (
    ("apps/v1", "Deployment"),
    ("apps/v1", "StatefulSet"),
    ("apps/v1", "DaemonSet"),
    ("batch/v1", "CronJob"),
    ("v1", "Service"),
    ("policy/v1", "PodDisruptionBudget"),
)
_POLICY = ("networking.k8s.io/v1", "NetworkPolicy")


def observe(cluster: Cluster, namespaces: Iterable[str]) -> dict[tuple[str, str], str]:
    """(kind, name) -> digest, kind being `image`, `manifest` or `policy`, as `verdict.json` names them.

    Raises ClusterError where they can't be read.
    """
    found: dict[tuple[str, str], str] = {}
    for namespace in namespaces:
        for pod in cluster.list("Pod", namespace):
            found.update(images(pod))
        for api_version, kind in (*_WORKLOADS, _POLICY):
            for item in cluster.list(kind, namespace, api_version=api_version):
                word = "policy" if kind == _POLICY[1] else "manifest"
                found[(word, f"{kind}/{namespace}/{item['metadata']['name']}")] = spec_hash(item)
    return found


def images(pod: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    """("image", "namespace/workload container image") -> digest of every started container of a pod.

    The workload's name stands for its pods, whose own names change whenever one is replaced.
    """
    meta = pod["metadata"]
    if "launchbook.io/run" in meta.get("labels", {}):
        return {}
    owner = next((o["name"] for o in meta.get("ownerReferences", ())), meta["name"])
    hash_label = meta.get("labels", {}).get("pod-template-hash")
    workload = owner.removesuffix(f"-{hash_label}") if hash_label else owner
    statuses = pod.get("status", {}).get("containerStatuses", ())
    return {
        ("image", f"{meta['namespace']}/{workload} {s['name']} {s['image']}"): s["imageID"].rsplit("@", 1)[-1]
        for s in statuses
        if s.get("imageID")
    }


def spec_hash(item: Mapping[str, Any]) -> str:
    """SHA-256 of what was asked for: the spec without what the cluster itself fills in later."""
    spec = {k: v for k, v in item.get("spec", {}).items() if k not in ("clusterIP", "clusterIPs", "replicas")}
    if item.get("spec", {}).get("replicas") == 0:  # how many there are is an autoscaler's affair, whether any is not
        spec["replicas"] = 0
    return "sha256:" + hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()
