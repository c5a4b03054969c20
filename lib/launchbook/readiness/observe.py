"""What the launch is judged from: the objects of the namespaces, and what the other tracks recorded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from launchbook.audits import Objects, kinds
from launchbook.checklist import Checklist, load
from launchbook.errors import ClusterError
from launchbook.record import Log
from launchbook.run import RUN_LABEL, Run
from launchbook.tracks import TRACKS
from launchbook.verdict import compute

_VERSIONS = {
    "Deployment": "apps/v1", "StatefulSet": "apps/v1", "DaemonSet": "apps/v1",
    "NetworkPolicy": "networking.k8s.io/v1", "PodDisruptionBudget": "policy/v1",
    "Role": "rbac.authorization.k8s.io/v1", "RoleBinding": "rbac.authorization.k8s.io/v1",
}  # fmt: skip


def checklist(run: Run) -> Checklist:
    """The environment's checklist. Raises ParametersError where it can't be used."""
    return load(run.parameters.launch.checklist)


def objects(run: Run) -> Objects:
    """Kind -> its objects in the namespaces under launch; None where they could not be read."""
    found: dict[str, list[Mapping[str, Any]] | None] = {}
    for kind in kinds():
        try:
            found[kind] = list(_read(run, kind))
        except ClusterError:
            found[kind] = None
    return found


def _read(run: Run, kind: str) -> list[dict[str, Any]]:
    namespaces = run.parameters.manifests.namespaces
    if kind == "Namespace":
        return [
            {"apiVersion": "v1", "kind": "Namespace", **item}
            for name in namespaces
            if (item := run.cluster.get("Namespace", name)) is not None
        ]
    return [
        item
        for namespace in namespaces
        for item in run.cluster.list(kind, namespace, api_version=_VERSIONS.get(kind, "v1"))
        if RUN_LABEL not in (item["metadata"].get("labels") or {}) and item["metadata"]["name"] != "kube-root-ca.crt"
    ]


def outlook(run: Run) -> dict[str, Any]:
    """verdict.json as it will be if this track ends well: every check weighed, waivers applied."""
    batch = Log(run.files.evidence / "batch.jsonl").read()
    logs = {track.id: Log(run.files.evidence / f"{track.id}.jsonl").read() for track in TRACKS}
    own = run.track.id
    logs[own] = [*logs[own], {"event": "finished"}]
    return compute([*batch, {"event": "exited", "track": own, "code": 0, "seconds": 0.0, "reason": None}], logs)
