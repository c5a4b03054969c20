"""Budgets read once their status counts the system's pods alone: a probe pod in a source's labels counts too."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from launchbook.disruption import observe
from launchbook.run import RUN_LABEL


def pod(name: str, labels: dict[str, str] | None = None, phase: str = "Running") -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": {"app": "x", **(labels or {})}}, "status": {"phase": phase}}


def budget(expected: int, **asks: Any) -> dict[str, Any]:
    spec = {"selector": {"matchLabels": {"app": "x"}}, **(asks or {"minAvailable": 1})}
    return {"metadata": {"name": "p", "namespace": "a"}, "spec": spec, "status": {"expectedPods": expected}}


PROBE = {**pod("launchbook-probe-0", {RUN_LABEL: "r"}), "spec": {"activeDeadlineSeconds": 3600}}
TWO = [pod("x-0"), pod("x-1"), pod("other", {"app": "y"})]


@pytest.mark.parametrize(
    ("item", "pods", "why"),
    [
        (budget(2), TWO, None),
        (budget(3), [*TWO, PROBE], "launchbook-probe-0 of a run still counts in it"),
        (budget(2, maxUnavailable=1), [*TWO, PROBE], "launchbook-probe-0 of a run still counts in it"),
        (budget(3), TWO, "its status counts 3 pods, but its selector fits 2"),
        (budget(3), [*TWO, pod("x-2", phase="Failed")], None),
        (budget(2), [*TWO, pod("x-2", phase="Failed")], None),
        (budget(5, minAvailable="50%"), TWO, None),
        (budget(5, maxUnavailable=1), TWO, None),
    ],
)
def test_a_status_to_go_by(item: Any, pods: list[Any], why: str | None) -> None:
    """Neither while a probe pod fits the selector, nor before the controller has counted without it."""
    assert observe.unsettled(item, pods) == why


class Clearing:
    """A cluster on which the probe pod is gone at the second look, and the budget has seen it at the third."""

    def __init__(self) -> None:
        self.looks = 0

    def list(self, kind: str, namespace: str, **_: Any) -> list[Any]:
        self.looks += kind == "Pod"
        if kind == "Pod":
            return [*TWO, PROBE] if self.looks == 1 else TWO
        return [budget(3 if self.looks < 3 else 2)]


def run(cluster: Any, evidence: list[Any]) -> Any:
    parameters = SimpleNamespace(manifests=SimpleNamespace(namespaces=("a",)), disruption=SimpleNamespace(budgets=()))
    return SimpleNamespace(
        cluster=cluster,
        parameters=parameters,
        progress=lambda *_: None,
        evidence=lambda name, found: evidence.append((name, found)),
    )


def test_budgets_are_read_once_the_probe_pods_are_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The status that counted a probe pod is never judged."""
    monkeypatch.setattr(observe, "_POLL", 0)
    cluster, written = Clearing(), []  # type: ignore[var-annotated]
    found = observe.budgets(run(cluster, written))
    [one] = found["budgets"]
    assert (one["unsettled"], one["pods"], one["budget"]["status"]["expectedPods"]) == (None, ["x-0", "x-1"], 2)
    assert cluster.looks == 3
    assert written == [("disruption/budgets.json", found)]


def test_a_probe_pod_that_stays_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the wait its name is in the answer."""
    monkeypatch.setattr(observe, "_SETTLED", 0)
    stays = SimpleNamespace(list=lambda kind, *_, **__: [*TWO, PROBE] if kind == "Pod" else [budget(3)])
    [one] = observe.budgets(run(stays, []))["budgets"]
    assert one["unsettled"] == "launchbook-probe-0 of a run still counts in it"
