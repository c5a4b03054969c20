"""What pods use while load is sent: from metrics.k8s.io, else from the kubelets, else said to be unknown."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from launchbook.errors import ClusterError
from launchbook.load.usage import Usage, from_metrics, from_summary, limit, restarted

AT = 1_795_582_200.0  # 2026-11-25T04:50:00Z
METRICS = {
    "metadata": {"namespace": "a", "name": "api-1"}, "timestamp": "2026-11-25T04:50:00Z",
    "containers": [{"usage": {"cpu": "250m", "memory": "100Mi"}}, {"usage": {"cpu": "250000000n", "memory": "28Mi"}}],
}  # fmt: skip
SUMMARY = {
    "podRef": {"namespace": "a", "name": "api-1"},
    "cpu": {"time": "2026-11-25T04:50:00Z", "usageNanoCores": 500_000_000},
    "memory": {"time": "2026-11-25T04:50:00Z", "workingSetBytes": 128 * 2**20},
}  # fmt: skip
OF_API = {("a", "api-1"): (AT, 0.5, 128.0 * 2**20)}


def test_both_sources_say_the_same() -> None:
    """Quantities as each writes them; a pod that has no figures yet is left out."""
    assert dict(from_metrics({"items": [METRICS]})) == OF_API
    assert dict(from_summary({"pods": [SUMMARY, {"podRef": {"namespace": "a", "name": "new"}}]})) == OF_API


@pytest.mark.parametrize(
    ("containers", "cores"),
    [([{"cpu": "1"}, {"cpu": "500m"}], 1.5), ([{"cpu": "1"}, {"memory": "1Gi"}], None), ([{"cpu": "1"}, None], None), ([], None)],
)  # fmt: skip
def test_a_pods_limit(containers: list[Any], cores: float | None) -> None:
    """One container without a limit leaves the pod without one."""
    given = [{"resources": {"limits": one}} if one else {} for one in containers]
    found = limit({"spec": {"containers": given}})
    assert found == cores if cores else found != found


def pod(restarts: int = 0, reason: str = "", phase: str = "Running") -> dict[str, Any]:
    last = {"terminated": {"reason": reason}} if reason else {}
    return {
        "metadata": {"namespace": "a", "name": "api-1"},
        "spec": {"nodeName": "n", "containers": [{"resources": {"limits": {"cpu": "1"}}}]},
        "status": {"phase": phase, "containerStatuses": [{"restartCount": restarts, "lastState": last}]},
    }


def test_restarts() -> None:
    """Of all containers, with the reason that tells most."""
    assert restarted(pod()) == (0, "")
    assert restarted(pod(2, "OOMKilled")) == (2, "OOMKilled")
    several = pod(1, "Error")
    several["status"]["containerStatuses"] += pod(1, "OOMKilled")["status"]["containerStatuses"]
    assert restarted(several) == (2, "OOMKilled")


class Cluster:
    """Gives one reading after the other, and says when the last was taken."""

    def __init__(self, *readings: tuple[dict[str, Any], Any], metrics: bool = True, kubelets: bool = True) -> None:
        self.readings, self.metrics, self.kubelets = list(readings), metrics, kubelets
        self.asked: list[str] = []
        self.over = threading.Event()

    def list(self, kind: str, namespace: str) -> list[dict[str, Any]]:
        self.reading = self.readings.pop(0) if len(self.readings) > 1 else self.readings[0]
        if len(self.readings) == 1:
            self.over.set()
        return [self.reading[0]]

    def raw(self, path: str) -> Any:
        self.asked.append(path)
        if not (self.metrics if "metrics.k8s.io" in path else self.kubelets):
            raise ClusterError(f"GET {path.partition('?')[0]}: 404")
        return {"items": self.reading[1]} if "metrics.k8s.io" in path else {"pods": self.reading[1]}


def read(cluster: Cluster) -> Usage:
    with Usage(cluster, ["a"], 0.01) as usage:  # type: ignore[arg-type]
        assert cluster.over.wait(timeout=5)
    return usage


def test_figures_that_were_not_renewed_are_no_new_figures() -> None:
    """However often they are read: each would count as a reading of its own in a slope."""
    later = {**METRICS, "timestamp": "2026-11-25T04:50:15Z"}
    usage = read(Cluster((pod(), [METRICS]), (pod(), [METRICS]), (pod(), [later]), (pod(), [later])))
    assert usage.problem == ""
    assert usage.frame()["second"].tolist() == [AT, AT + 15]
    assert usage.latest()[["second", "memory", "limit"]].values.tolist() == [[AT + 15, 128 * 2**20, 1.0]]


def test_the_kubelets_are_asked_where_there_is_no_metrics_server() -> None:
    """And metrics.k8s.io only once."""
    cluster = Cluster((pod(), [SUMMARY]), (pod(), [SUMMARY]), metrics=False)
    usage = read(cluster)
    assert usage.frame()["memory"].tolist() == [128 * 2**20]
    assert cluster.asked[:2] == [
        "/apis/metrics.k8s.io/v1beta1/namespaces/a/pods", "/api/v1/nodes/n/proxy/stats/summary?only_cpu_and_memory=true",
    ]  # fmt: skip
    assert sum("metrics.k8s.io" in path for path in cluster.asked) == 1


def test_where_neither_answers_nothing_is_known() -> None:
    """With what each said."""
    usage = read(Cluster((pod(), []), metrics=False, kubelets=False))
    assert usage.problem == (
        "CPU and memory of the pods are left out: metrics.k8s.io doesn't answer (GET "
        "/apis/metrics.k8s.io/v1beta1/namespaces/a/pods: 404), nor do the kubelets (GET "
        "/api/v1/nodes/n/proxy/stats/summary: 404)"
    )
    assert usage.frame().empty
    assert usage.latest().empty


def test_a_pod_without_figures_is_there_all_the_same() -> None:
    """And so is one that was killed, before its new container has any."""
    usage = read(Cluster((pod(), []), (pod(), [METRICS]), (pod(1, "OOMKilled"), []), (pod(1, "OOMKilled"), [])))
    frame = usage.frame()
    assert frame["memory"].notna().tolist() == [False, True, False]
    assert frame["restarts"].tolist() == [0, 0, 1]
    assert frame["ended"].tolist() == ["", "", "OOMKilled"]
    assert usage.problem == ""


def test_a_pod_that_has_ended_is_none_of_them() -> None:
    """A Job's, say."""
    usage = read(Cluster((pod(phase="Succeeded"), [METRICS])))
    assert usage.frame().empty
    assert usage.problem == "the cluster has no CPU and memory of these pods yet"
