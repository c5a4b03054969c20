"""Waiting on a cluster that changes its mind: what is judged is the last look, at the pods first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from launchbook.errors import ClusterError
from launchbook.manifests import waiting
from launchbook.manifests.observe import Rendered
from launchbook.manifests.waiting import awaited, wait

UP = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1}
DOWN = {**UP, "readyReplicas": 0, "availableReplicas": 0}


def deployment(name: str, status: dict[str, Any], **selector: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "s", "generation": 1},
        "spec": {"replicas": 1, "selector": selector or {"matchLabels": {"app": name}}}, "status": status,
    }  # fmt: skip


class Cluster:
    """Gives each object's looks one after another, the last one again and again."""

    def __init__(self, pods: list[dict[str, Any]], **looks: list[Any]) -> None:
        self.pods, self.looks = pods, looks

    def get(self, kind: str, name: str, namespace: str | None, *, api_version: str) -> Any:
        looks = self.looks[name]
        found = looks.pop(0) if len(looks) > 1 else looks[0]
        if isinstance(found, Exception):
            raise found
        return found

    def list(self, kind: str, *_: Any, **__: Any) -> list[dict[str, Any]]:
        return self.pods if kind == "Pod" else []


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`waited(pods, name=[looks])`: object -> state, after a wait of a second."""
    monkeypatch.setattr(waiting, "_POLL", 0.01)
    monkeypatch.setattr(waiting, "_DRAGGED", 0.05)

    def waited(pods: list[dict[str, Any]], **looks: list[Any]) -> dict[str, str]:
        run: Any = SimpleNamespace(
            cluster=Cluster(pods, **looks), evidence=lambda *_: "", progress=lambda *_: None,
            parameters=SimpleNamespace(manifests=SimpleNamespace(ready_timeout=1.0)),
        )  # fmt: skip
        found = wait(run, Rendered(tuple(deployment(name, {}) for name in looks)))
        return dict(zip((o.rpartition("/")[2] for o in found["object"]), found["state"], strict=True))

    return waited


def test_a_pod_of_its_own_is_looked_at_as_a_workloads_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says Ready between two crashes, and no controller counts it."""
    started = datetime.now(UTC)
    ended = {
        "startedAt": (started - timedelta(seconds=9)).isoformat(),
        "finishedAt": started.isoformat(),
        "exitCode": 1,
    }
    proxy = {"name": "proxy", "restartCount": 1, "state": {"running": {"startedAt": started.isoformat()}}, "ready": True,
             "lastState": {"terminated": ended}}  # fmt: skip
    status = {"conditions": [{"type": "Ready", "status": "True"}], "initContainerStatuses": [proxy]}
    item = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "s"}, "status": status}
    monkeypatch.setattr(waiting, "_POLL", 0.01)
    cluster: Any = Cluster([], p=[item])
    [row] = awaited(cluster, [item], 0.1, lambda text: None).to_dict("records")
    assert row["state"] == "waiting"
    assert row["because"].startswith(
        "pod p, container proxy: restarted 1 times, last after exit code 1; it runs for 0 s"
    )


def test_what_was_ready_is_looked_at_again(waited: Any) -> None:
    """An object that falls back while another is awaited is no longer ready; one that recovers in time is."""
    up, down = deployment("a", UP), deployment("a", DOWN)
    late = [deployment("b", DOWN)] * 3 + [deployment("b", UP)]
    assert waited([], a=[up, down], b=list(late)) == {"a": "waiting", "b": "ready"}
    assert waited([], a=[up, down, down, up], b=list(late)) == {"a": "ready", "b": "ready"}


def test_what_vanishes_or_cannot_be_read_is_not_ready(waited: Any) -> None:
    """Gone is a failure; no answer is nothing known."""
    assert waited([], a=[deployment("a", UP), None]) == {"a": "failed"}
    assert waited([], a=[ClusterError("no answer")]) == {"a": "unread"}
    assert waited([], a=[deployment("a", UP), ClusterError("no answer")]) == {"a": "unread"}
    assert waited([], a=[deployment("a", UP), ClusterError("no answer"), deployment("a", UP)]) == {"a": "ready"}


def test_only_its_own_pods_count(waited: Any) -> None:
    """By the whole selector: expressions are requirements too."""
    broken = {
        "metadata": {"name": "p", "labels": {"app": "other"}},
        "status": {"containerStatuses": [{"name": "c", "state": {"waiting": {"reason": "InvalidImageName"}}}]},
    }
    a = deployment("a", UP, matchExpressions=[{"key": "app", "operator": "In", "values": ["a"]}])
    assert waited([broken], a=[a]) == {"a": "ready"}
    broken["metadata"]["labels"] = {"app": "a"}  # type: ignore[index]
    assert waited([broken], a=[a]) == {"a": "failed"}


UNPLACED = {
    "metadata": {"name": "p", "labels": {"app": "a"}},
    "status": {"conditions": [{"type": "PodScheduled", "status": "False", "message": "0/2 nodes"}]},
}


def test_a_node_that_is_being_added_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the seconds that are given to what others drag down, and said meanwhile."""
    monkeypatch.setattr(waiting, "_POLL", 0.01)
    monkeypatch.setattr(waiting, "_DRAGGED", 0.0)
    told: list[str] = []
    looks = [deployment("a", DOWN)] * 5 + [deployment("a", UP)]
    cluster: Any = Cluster([UNPLACED], a=looks)
    found = waiting.awaited(cluster, [deployment("a", {})], 5.0, told.append)
    assert list(found["state"]) == ["ready"]
    assert told[0] == "0 of 1 objects ready; Deployment/s/a: 0 of 1 pods are ready: pod p can't be scheduled: 0/2 nodes"


@pytest.mark.parametrize(
    ("api_version", "kind", "looked_at"),
    [
        ("gateway.networking.k8s.io/v1", "Gateway", True),
        ("apiregistration.k8s.io/v1", "APIService", True),
        ("projectcalico.org/v3", "NetworkPolicy", True),
        ("v1", "ConfigMap", False),
        ("networking.k8s.io/v1", "NetworkPolicy", False),
    ],
)
def test_whatever_may_say_how_it_is_is_looked_at(api_version: str, kind: str, looked_at: bool) -> None:
    item = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "a", "namespace": "s"}}
    cluster: Any = Cluster([], a=[item])
    assert len(waiting.awaited(cluster, [item], 0.0, lambda _: None)) == looked_at
