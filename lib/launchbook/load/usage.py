"""CPU and memory of the system's pods while load is sent, from metrics.k8s.io where the cluster has it."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

import pandas as pd
from kubernetes.utils.quantity import parse_quantity

from launchbook.cluster import Cluster
from launchbook.errors import ClusterError

# second: when it was read, s since the epoch; cpu: cores; memory: bytes, the working set
COLUMNS = ["second", "namespace", "pod", "cpu", "memory"]
_EVERY = 15.0  # s: metrics-server itself reads the kubelets no more often


class Usage:
    """Reads in a thread from enter to exit. problem: why there is nothing, where there is nothing."""

    def __init__(self, cluster: Cluster, namespaces: Sequence[str]) -> None:
        self._cluster, self._namespaces = cluster, namespaces
        self._rows: list[dict[str, Any]] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.problem = "not read yet"

    def __enter__(self) -> Usage:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def frame(self) -> pd.DataFrame:
        """COLUMNS, a row a pod and reading."""
        return pd.DataFrame(list(self._rows), columns=COLUMNS)

    def latest(self) -> pd.DataFrame:
        """The last reading."""
        frame = self.frame()
        last: pd.DataFrame = frame[frame["second"] == frame["second"].max()]
        return last

    def _run(self) -> None:
        while True:
            try:
                now = time.time()
                for namespace in self._namespaces:
                    found = self._cluster.raw(f"/apis/metrics.k8s.io/v1beta1/namespaces/{namespace}/pods")
                    self._rows += rows(now, found)
                self.problem = "" if self._rows else "metrics.k8s.io has no figures of these pods yet"
            except ClusterError as error:
                self.problem = f"CPU and memory of the pods are left out: metrics.k8s.io doesn't answer ({error})"
                if not self._rows:
                    return
            if self._over.wait(_EVERY):
                return


def rows(second: float, found: Any) -> list[dict[str, Any]]:
    """COLUMNS from a PodMetricsList: of each pod the sum over its containers."""
    told = []
    for item in found.get("items") or ():
        used = [one.get("usage") or {} for one in item.get("containers") or ()]
        told.append(
            {
                "second": second,
                "namespace": item["metadata"]["namespace"],
                "pod": item["metadata"]["name"],
                "cpu": float(sum(parse_quantity(one.get("cpu", "0")) for one in used)),
                "memory": float(sum(parse_quantity(one.get("memory", "0")) for one in used)),
            }
        )
    return told
