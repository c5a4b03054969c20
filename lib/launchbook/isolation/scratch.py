"""What a run starts to probe with: a namespace of its own, pods that listen in it, and pods that ask."""

from __future__ import annotations

import hashlib
from typing import Any

from launchbook.pods import ensure_namespace, pod
from launchbook.run import Run

PORT = 8080  # closes a connection as soon as it stands
ECHO = 8081  # gives back what it is sent
# How many connections may wait to be accepted: busybox' nc takes it from the number of its l's. Every prober asks at once,
# and one that finds no room is asked to wait for a second.
_BACKLOG = 100
_GONE = 30.0  # s, for a namespace that is being deleted
Object = dict[str, Any]


def scratch(run: Run) -> str:
    """The run's own namespace for canary and controls: another run's has another name, whatever its environment's is."""
    return f"{run.parameters.isolation.scratch_namespace}-{hashlib.sha256(run.id.encode()).hexdigest()[:8]}"


def open_namespace(run: Run, name: str) -> None:
    """Makes a namespace of the run's own, once a former one of this name is gone. Raises ClusterError."""
    run.cluster.wait("Namespace", name, None, lambda item: not item or not _ending(item), timeout=_GONE)
    ensure_namespace(run.cluster, name, run.label)


def _ending(item: Object) -> bool:
    return bool(item["metadata"].get("deletionTimestamp"))


def listener(run: Run, name: str, namespace: str, labels: dict[str, str], node: str | None = None) -> Object:
    """A pod that accepts connections on PORT and ECHO."""
    script = f"nc -ll -p {ECHO} -e cat & exec nc -{'l' * _BACKLOG} -p {PORT} -e /bin/true"
    command = ["sh", "-c", script]
    container = {"name": "listener", "image": run.parameters.isolation.probe_image, "command": command}
    return pod(name, namespace, {**run.label, **labels}, container, node=node)


def prober_pod(
    run: Run, name: str, namespace: str, labels: dict[str, str], node: str | None = None, account: str | None = None
) -> Object:
    """A pod that waits to be told what to connect to, and is never Ready; see launchbook.guise.captured() for who takes it in.

    account: that of the workload whose labels it wears, since some policies select by account; it gets no token.
    """
    container = {
        "name": "probe", "image": run.parameters.isolation.probe_image, "command": ["sleep", "3600"],
        # Hundreds of attempts at once: see connect.PARALLEL.
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"cpu": "500m", "memory": "96Mi"}},
        "readinessProbe": {"exec": {"command": ["/bin/false"]}, "periodSeconds": 60},
    }  # fmt: skip
    return pod(name, namespace, {**labels, **run.label}, container, node=node, account=account)
