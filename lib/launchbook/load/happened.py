"""What happened to the system's pods while load was sent: evictions, kills, restarts, from the cluster's own events."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pandas as pd

from launchbook.errors import ClusterError
from launchbook.run import Run

# at: s since the epoch; reason: Kubernetes' own word, Killing; object: kind/namespace/name
COLUMNS = ["at", "reason", "object"]
# https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/events/event.go
_REASONS = {
    "Killing", "Evicted", "BackOff", "Unhealthy", "OOMKilling", "Preempted", "NodeNotReady", "Started", "Failed",
    "ScalingReplicaSet", "SuccessfulRescale", "TaintManagerEviction",
}  # fmt: skip


def happened(run: Run, first: float, last: float) -> pd.DataFrame:
    """COLUMNS, in order of time, of the manifests' namespaces from `first` to `last` (s since the epoch); kept as evidence.

    Empty where events may not be read: they explain figures, and no verdict hangs on them.
    """
    found: list[dict[str, Any]] = []
    try:
        for namespace in run.parameters.manifests.namespaces:
            found += [row for item in run.cluster.list("Event", namespace) if (row := _row(item))]
    except ClusterError as error:
        run.progress(f"what happened to the pods meanwhile can't be told: {error}")
    frame = pd.DataFrame(found, columns=COLUMNS)
    during = frame[(frame["at"] >= first) & (frame["at"] <= last)].sort_values("at", ignore_index=True)
    run.evidence("load/events.parquet", during)
    return during


def _row(item: dict[str, Any]) -> dict[str, Any] | None:
    at = item.get("lastTimestamp") or item.get("eventTime") or item["metadata"].get("creationTimestamp")
    about = item.get("involvedObject") or {}
    if item.get("reason") not in _REASONS or not at:
        return None
    name = "/".join(str(about.get(key) or "") for key in ("kind", "namespace", "name"))
    return {"at": datetime.fromisoformat(str(at)).timestamp(), "reason": item["reason"], "object": name}
