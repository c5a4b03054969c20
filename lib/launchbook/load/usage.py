"""CPU and memory of the system's pods while load is sent: metrics.k8s.io where the cluster has it, else the kubelets'.

A kubelet's summary is read through the API server (`get` on nodes/proxy):
https://kubernetes.io/docs/reference/instrumentation/node-metrics/.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import pandas as pd
from kubernetes.utils.quantity import parse_quantity

from launchbook.cluster import Cluster
from launchbook.errors import ClusterError

# second: when the cluster took the figures, s since the epoch; cpu: cores; memory: bytes, the working set (neither where
# the cluster has none of this pod); limit: cores that the pod may use at most, where all its containers have a limit;
# restarts: of its containers so far; ended: why the last of them ended, such as OOMKilled
COLUMNS = ["second", "namespace", "pod", "cpu", "memory", "limit", "restarts", "ended"]
Key = tuple[str, str]
Figures = dict[Key, tuple[float, float, float]]  # namespace, pod -> second, cpu, memory


class Usage:
    """Reads in a thread from enter to exit, every `every` seconds. problem: why there is nothing, where there is nothing."""

    def __init__(self, cluster: Cluster, namespaces: Sequence[str], every: float) -> None:
        self._cluster, self._namespaces, self._every = cluster, namespaces, every
        self._rows: list[tuple[Any, ...]] = []
        self._newest: dict[Key, tuple[Any, ...]] = {}  # rows with figures: looked at each second, however long it lasts
        self._last: dict[Key, tuple[float, int]] = {}
        self._metrics = True
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
        """COLUMNS, a row a pod and moment at which the cluster took its figures."""
        return pd.DataFrame(list(self._rows), columns=COLUMNS)

    def latest(self) -> pd.DataFrame:
        """The last figures of each pod."""
        return pd.DataFrame(list(self._newest.values()), columns=COLUMNS)

    def _run(self) -> None:
        over = False
        while True:
            try:
                self._read()
                self.problem = "" if self._newest else "the cluster has no CPU and memory of these pods yet"
            except ClusterError as error:
                self.problem = f"CPU and memory of the pods are left out: {error}"
            if over:
                return
            over = self._over.wait(self._every)  # and once more: what was killed at the end is seen, too

    def _read(self) -> None:
        pods = [pod for namespace in self._namespaces for pod in self._cluster.list("Pod", namespace)]
        running = [pod for pod in pods if (pod.get("status") or {}).get("phase") == "Running"]
        found, now = self._figures(running), time.time()
        for pod in running:
            key = (pod["metadata"]["namespace"], pod["metadata"]["name"])
            restarts, ended = restarted(pod)
            second, cpu, memory = found.get(key, (now, float("nan"), float("nan")))
            # A cluster renews its figures at its own pace: the same ones again would look like more than were measured.
            known = self._last.get(key)
            if known and known[1] == restarts and (key not in found or second <= known[0]):
                continue
            self._last[key] = (second if key in found else 0.0, restarts)
            self._rows.append((second, *key, cpu, memory, limit(pod), restarts, ended))
            if key in found:
                self._newest[key] = self._rows[-1]

    def _figures(self, pods: Sequence[Mapping[str, Any]]) -> Figures:
        first = ""
        if self._metrics:
            try:
                paths = [f"/apis/metrics.k8s.io/v1beta1/namespaces/{name}/pods" for name in self._namespaces]
                return dict(item for path in paths for item in from_metrics(self._cluster.raw(path)))
            except ClusterError as error:
                first = str(error)
        nodes = sorted({pod["spec"]["nodeName"] for pod in pods if (pod.get("spec") or {}).get("nodeName")})
        try:
            paths = [f"/api/v1/nodes/{name}/proxy/stats/summary?only_cpu_and_memory=true" for name in nodes]
            found = dict(item for path in paths for item in from_summary(self._cluster.raw(path)))
        except ClusterError as error:
            if not first:
                raise
            raise ClusterError(f"metrics.k8s.io doesn't answer ({first}), nor do the kubelets ({error})") from None
        self._metrics = False
        return found


def from_metrics(told: Any) -> Iterable[tuple[Key, tuple[float, float, float]]]:
    """Of a PodMetricsList: of each pod the sum over its containers."""
    for item in told.get("items") or ():
        used = [one.get("usage") or {} for one in item.get("containers") or ()]
        cpu, memory = (float(sum(parse_quantity(one.get(kind, "0")) for one in used)) for kind in ("cpu", "memory"))
        yield (item["metadata"]["namespace"], item["metadata"]["name"]), (_second(item["timestamp"]), cpu, memory)


def from_summary(told: Any) -> Iterable[tuple[Key, tuple[float, float, float]]]:
    """Of a kubelet's summary; a pod without figures is left out."""
    for item in told.get("pods") or ():
        cpu, memory = item.get("cpu") or {}, item.get("memory") or {}
        if "workingSetBytes" in memory and "time" in memory:
            figures = (_second(memory["time"]), cpu.get("usageNanoCores", 0) / 1e9, float(memory["workingSetBytes"]))
            yield (item["podRef"]["namespace"], item["podRef"]["name"]), figures


def limit(pod: Mapping[str, Any]) -> float:
    """Cores that a pod's containers may use together; NaN where one has no limit."""
    given = [((c.get("resources") or {}).get("limits") or {}).get("cpu") for c in pod["spec"].get("containers") or ()]
    return float(sum(parse_quantity(one) for one in given)) if given and all(given) else float("nan")


def restarted(pod: Mapping[str, Any]) -> tuple[int, str]:
    """How often a pod's containers were restarted, and why the last of them ended: the worst reason of several."""
    told = (pod.get("status") or {}).get("containerStatuses") or ()
    ended = [((one.get("lastState") or {}).get("terminated") or {}).get("reason") or "" for one in told]
    why = "OOMKilled" if "OOMKilled" in ended else next((one for one in ended if one), "")
    return sum(one.get("restartCount", 0) for one in told), why


def _second(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
