"""Takes away what runs leave behind: everything that carries a run's label. The applied system carries none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from launchbook.errors import ConflictError
from launchbook.leasing import running
from launchbook.run import RUN_LABEL

if TYPE_CHECKING:
    from launchbook.cluster import Cluster

_KINDS = (
    ("batch/v1", "Job"),
    ("v1", "Pod"),
    ("v1", "Service"),
    ("v1", "ConfigMap"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("v1", "Namespace"),
)


@dataclass(frozen=True)
class Left:
    """One object that a run made and did not take away."""

    run: str
    api_version: str
    kind: str
    namespace: str | None
    name: str
    uid: str

    def __str__(self) -> str:
        return "/".join(filter(None, (self.kind, self.namespace, self.name)))


def left(cluster: Cluster, run: str | None = None) -> list[Left]:
    """What one run made, or every run, and is still there. Raises ClusterError where a kind can't be listed."""
    labels = {RUN_LABEL: run} if run else RUN_LABEL
    return [
        Left(meta["labels"][RUN_LABEL], api_version, kind, meta.get("namespace"), meta["name"], meta["uid"])
        for api_version, kind in _KINDS
        for meta in (item["metadata"] for item in cluster.list(kind, api_version=api_version, labels=labels))
    ]


def orphans(cluster: Cluster, lease_namespace: str) -> list[Left]:
    """What runs made that hold no Lease any more: they were killed. Raises ClusterError."""
    found = left(cluster)
    # Asked after the objects: a run that made one of these and is still at work holds its Lease now.
    alive = running(cluster, lease_namespace) if found else set()
    return [one for one in found if one.run not in alive]


def sweep(cluster: Cluster, run: str) -> list[str]:
    """Deletes the objects of one run, and returns what they were: `Pod/ns/name`.

    Raises ClusterError where one can't be listed or deleted.
    """
    return [str(one) for one in left(cluster, run) if delete(cluster, one)]


def told(found: Sequence[Left], parameters: Path) -> list[str]:
    """A line for each run that left something, and one with the command that removes it. parameters: that name the cluster."""
    by: dict[str, list[str]] = {}
    for one in found:
        by.setdefault(one.run, []).append(str(one))
    lines = [f"run {run} is over and left {', '.join(items)}" for run, items in sorted(by.items())]
    return [*lines, f"  `launchbook sweep {parameters}` removes it"] if lines else []


def delete(cluster: Cluster, one: Left) -> bool:
    """Deletes this very object; False where it is gone, or another one has its name. Raises ClusterError."""
    try:
        return cluster.delete(one.kind, one.name, one.namespace, api_version=one.api_version, grace=0, uid=one.uid)
    except ConflictError:
        return False
