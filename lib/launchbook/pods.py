"""The pods that a run starts for itself: `restricted`, small, labelled, short-lived, and never part of the system."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from launchbook.cluster import Cluster
from launchbook.errors import ClusterError

Object = dict[str, Any]
_LIFETIME = 3600.0  # s


def pod(
    name: str,
    namespace: str,
    labels: Mapping[str, str],
    container: Mapping[str, Any],
    *,
    volumes: list[Object] | None = None,
    node: str | None = None,
    lifetime: float = _LIFETIME,
    account: str | None = None,
) -> Object:
    """A pod as Pod Security `restricted` and a quota admit it, around one container (name, image, command, …).

    node: the node that it must run on; lifetime: seconds, after which the kubelet ends it if nobody cleaned it up;
    account: its service account, whose token it never gets; None: the namespace's default.
    """
    spec: Object = {
        "restartPolicy": "Never",
        "activeDeadlineSeconds": int(lifetime),
        "terminationGracePeriodSeconds": 1,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            {
                "imagePullPolicy": "IfNotPresent",
                "resources": {
                    "requests": {"cpu": "10m", "memory": "16Mi"},
                    "limits": {"cpu": "200m", "memory": "64Mi"},
                },
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
                **container,
            }
        ],
        "volumes": volumes or [],
    }
    if account:
        spec["serviceAccountName"] = account
    if node:
        spec["nodeSelector"] = {"kubernetes.io/hostname": node}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": dict(labels)},
        "spec": spec,
    }


def ensure_namespace(cluster: Cluster, name: str, labels: Mapping[str, str] | None = None) -> None:
    """Makes a namespace that enforces `restricted`, unless it is there. Raises ClusterError where it is ending."""
    found = cluster.get("Namespace", name)
    if found is None:
        marks = {"pod-security.kubernetes.io/enforce": "restricted", "app.kubernetes.io/managed-by": "launchbook"}
        cluster.create(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {**marks, **(labels or {})}}}
        )
    elif found["metadata"].get("deletionTimestamp"):
        raise ClusterError(f"namespace {name} is being deleted; wait until it is gone. Nothing was started in it.")


def drop_namespace(cluster: Cluster, name: str) -> None:
    """Deletes a namespace of our own, its pods first and without grace: the namespace is gone in a second then.

    Raises ClusterError.
    """
    for found in cluster.list("Pod", name):
        cluster.delete("Pod", found["metadata"]["name"], name, grace=0)
    cluster.delete("Namespace", name)


def await_running(cluster: Cluster, namespace: str, name: str, timeout: float) -> Object:
    """The pod once its container runs and it has an address. Raises ClusterError with the cause where it can't.

    timeout: seconds.
    """
    found = cluster.wait("Pod", name, namespace, lambda item: item is None or _settled(item), timeout=timeout)
    if found is None:
        raise ClusterError(f"pod {namespace}/{name} was deleted while it started")
    if not _running(found):
        raise ClusterError(f"pod {namespace}/{name} does not start: {_why(found)}")
    return found


def _running(item: Object) -> bool:
    status = item.get("status") or {}
    return bool(status.get("podIP")) and any(
        "running" in (container.get("state") or {}) for container in status.get("containerStatuses") or ()
    )


def _settled(item: Object) -> bool:
    return _running(item) or bool(_hopeless(item)) or (item.get("status") or {}).get("phase") in ("Failed", "Succeeded")


def _hopeless(item: Object) -> str:
    for container in (item.get("status") or {}).get("containerStatuses") or ():
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") not in (None, "ContainerCreating", "PodInitializing"):
            return f"{waiting['reason']}: {waiting.get('message', '')}"
    return ""


def _why(item: Object) -> str:
    status = item.get("status") or {}
    return _hopeless(item) or f"{status.get('phase')} {status.get('reason', '')} {status.get('message', '')}".strip()
