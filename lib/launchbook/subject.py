"""What is judged: the images that run, the workloads, the policies and what surrounds them in the namespaces under launch.

A verdict holds for these and no others, so they are read again at the end of every track and by `verify --live`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from launchbook.errors import ClusterError
from launchbook.ours import of_a_run

if TYPE_CHECKING:
    from launchbook.cluster import Cluster

JUDGED = ("image", "manifest", "policy")
_WORKLOADS = (
    ("apps/v1", "Deployment"),
    ("apps/v1", "StatefulSet"),
    ("apps/v1", "DaemonSet"),
    ("v1", "Service"),
    ("policy/v1", "PodDisruptionBudget"),
)
# Where the run's identity may not list one of these, it is left out: no check of a track rests on it alone.
_SURROUNDINGS = (
    ("batch/v1", "CronJob"), ("v1", "ConfigMap"), ("networking.k8s.io/v1", "Ingress"), ("rbac.authorization.k8s.io/v1", "Role"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding"),
)  # fmt: skip
_CLUSTERS_OWN = ("kube-root-ca.crt",)
_POLICY = ("networking.k8s.io/v1", "NetworkPolicy")


_STATUSES = ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")


def observe(cluster: Cluster, namespaces: Iterable[str]) -> dict[tuple[str, str], str]:
    """(kind, name) -> digest, kind being `image`, `manifest` or `policy`, as `verdict.json` names them.

    Raises ClusterError where they can't be read.
    """
    found: dict[tuple[str, str], str] = {}
    for namespace in namespaces:
        found |= _running(cluster.list("Pod", namespace))
        for api_version, kind in (*_WORKLOADS, _POLICY):
            for item in cluster.list(kind, namespace, api_version=api_version):
                word = "policy" if kind == _POLICY[1] else "manifest"
                found[(word, f"{kind}/{namespace}/{item['metadata']['name']}")] = spec_hash(item)
        for api_version, kind in _SURROUNDINGS:
            with suppress(ClusterError):
                for item in cluster.list(kind, namespace, api_version=api_version):
                    if item["metadata"]["name"] not in _CLUSTERS_OWN:
                        found[("manifest", f"{kind}/{namespace}/{item['metadata']['name']}")] = spec_hash(item)
        with suppress(ClusterError):
            if space := cluster.get("Namespace", namespace):
                found[("manifest", f"Namespace/{namespace}")] = spec_hash(space)
    return found


def _running(pods: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], str]:
    """Every image of these pods; where pods of one workload run several under one name, the digest of each."""
    digests: dict[tuple[str, str], set[str]] = {}
    for pod in pods:
        for key, digest in images(pod).items():
            digests.setdefault(key, set()).add(digest)
    return {key: ", ".join(sorted(several)) for key, several in digests.items()}


def images(pod: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    """("image", "namespace/workload container image") -> digest of every started container of a pod.

    The workload's name stands for its pods, whose own names change whenever one is replaced.
    """
    meta = pod["metadata"]
    if of_a_run(pod):
        return {}
    owner = next((o["name"] for o in meta.get("ownerReferences", ())), meta["name"])
    hash_label = meta.get("labels", {}).get("pod-template-hash")
    workload = owner.removesuffix(f"-{hash_label}") if hash_label else owner
    status = pod.get("status", {})
    statuses = [one for field in _STATUSES for one in status.get(field) or ()]
    return {
        ("image", f"{meta['namespace']}/{workload} {s['name']} {s['image']}"): s["imageID"].rsplit("@", 1)[-1]
        for s in statuses
        if s.get("imageID")
    }


def spec_hash(item: Mapping[str, Any]) -> str:
    """SHA-256 of what was asked for: without what the cluster itself fills in later."""
    return "sha256:" + hashlib.sha256(json.dumps(_wanted(item), sort_keys=True).encode()).hexdigest()


def _wanted(item: Mapping[str, Any]) -> Any:
    if item.get("kind") == "Namespace":
        return item["metadata"].get("labels") or {}  # which its Pod Security level is one of
    if "spec" not in item:
        return {k: v for k, v in item.items() if k not in ("apiVersion", "kind", "metadata", "status")}
    spec = {k: v for k, v in item["spec"].items() if k not in ("clusterIP", "clusterIPs", "replicas")}
    # How many pods there are is an autoscaler's affair, whether there is any is not.
    return {**spec, "replicas": 0} if item["spec"].get("replicas") == 0 else spec
