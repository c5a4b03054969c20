"""Takes away what runs leave behind: everything that carries a run's label. The applied system carries none."""

from __future__ import annotations

from typing import TYPE_CHECKING

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


def sweep(cluster: Cluster, run: str | None = None) -> list[str]:
    """Deletes the objects of one run, or of every run, and returns what they were: `Pod/ns/name`.

    Raises ClusterError where one can't be listed or deleted.
    """
    labels = {RUN_LABEL: run} if run else RUN_LABEL
    gone = []
    for api_version, kind in _KINDS:
        for item in cluster.list(kind, api_version=api_version, labels=labels):
            meta = item["metadata"]
            if cluster.delete(kind, meta["name"], meta.get("namespace"), api_version=api_version, grace=0):
                gone.append("/".join(filter(None, (kind, meta.get("namespace"), meta["name"]))))
    return gone
