"""The ends of a declared edge as the cluster has them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from launchbook.isolation.observe import compute, source_of
from launchbook.parameters import Destination, Edge, Isolation, Source


def pod(namespace: str, host: bool, **labels: str) -> dict[str, Any]:
    return {
        "metadata": {"name": "p", "namespace": namespace, "labels": labels},
        "spec": {"containers": [], "hostNetwork": host},
    }


@pytest.mark.parametrize(
    ("labels", "pods", "expected"),
    [
        ({"app": "x"}, [], False),
        ({"app": "x"}, [pod("a", True, app="x", more="y")], True),
        ({"app": "x"}, [pod("a", False, app="x"), pod("a", True, app="x")], True),
        ({"app": "x"}, [pod("a", False, app="x")], False),
        ({"app": "x"}, [pod("a", True, app="y")], False),
        ({"app": "x"}, [pod("b", True, app="x")], False),
        ({}, [pod("a", True, app="x")], False),
    ],
)  # fmt: skip
def test_a_source_on_its_nodes_network(labels: Any, pods: Any, expected: bool) -> None:
    """A probe pod with its labels is not, so what the policies say of it must not stand for those that are."""
    assert source_of(Source(namespace="a", labels=labels), pods).host_network is expected


DB = {
    "metadata": {"name": "db-0", "namespace": "shop", "labels": {"app": "db"}},
    "spec": {"containers": []},
    "status": {"podIP": "10.0.0.9", "phase": "Running"},
}
SERVICES = {
    name: {"spec": {"selector": {"app": "db"}, "ports": [{"port": port, "targetPort": 5432}]}}
    for name, port in (("db", 5432), ("db-headless", 15432))
}
ALLOW = {
    "metadata": {"name": "allow", "namespace": "shop"},
    "spec": {
        "podSelector": {},
        "ingress": [{"from": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "monitoring"}}}]}],
    },
}


def edge(expect: Any, service: str = "db", **labels: str) -> Edge:
    to = Destination(namespace="shop", service=service, port=SERVICES[service]["spec"]["ports"][0]["port"])  # type: ignore[index]
    return Edge(source=Source(namespace="other", labels=labels), destination=to, expect=expect)


class Cluster:
    """One Service's pod behind two names, and a policy that admits a label from anywhere."""

    def list(self, kind: str, namespace: str | None = None, **_: Any) -> Any:
        named = {"Namespace": [{"metadata": {"name": one}} for one in ("shop", "other")], "NetworkPolicy": [ALLOW]}
        return {**named, "Pod": [DB], "Node": []}[kind]

    def get(self, kind: str, name: str, namespace: str | None = None) -> Any:
        return SERVICES[name]


def computed(monkeypatch: pytest.MonkeyPatch, edges: list[Edge], others: str = "") -> pd.DataFrame:
    monkeypatch.setattr(
        "launchbook.isolation.observe.beyond", lambda cluster: {"present": [], "unread": [], "accounts": []}
    )
    monkeypatch.setattr("launchbook.isolation.observe.told", lambda found: others)
    parameters = SimpleNamespace(isolation=Isolation(edges=tuple(edges)))
    run: Any = SimpleNamespace(cluster=Cluster(), parameters=parameters, evidence=lambda *_: "")
    return compute(run)


WORN = "any pod of namespace other with the label app=monitoring is admitted by NetworkPolicy shop/allow ingress[0]"


@pytest.mark.parametrize(
    ("edges", "others", "labelled", "labels"),
    [
        ([edge("closed")], "", True, WORN),
        ([edge("closed")], "there are others", None, f"{WORN}; but there are others"),
        ([edge("closed", app="client")], "", False, ""),
        ([edge("closed"), edge("open", app="monitoring")], "", False, ""),
        ([edge("closed"), edge("open", "db-headless", app="monitoring")], "", False, ""),
        ([edge("open")], "", False, ""),
    ],
)
def test_what_labels_open_of_an_edge_closed_from_a_namespace(
    monkeypatch: pytest.MonkeyPatch, edges: list[Edge], others: str, labelled: bool | None, labels: str
) -> None:
    """Asked of a source without labels alone; what is declared open by any Service to the same port is known."""
    row = computed(monkeypatch, edges, others).iloc[0]
    assert (None if pd.isna(row["labelled"]) else bool(row["labelled"]), row["labels"]) == (labelled, labels)
