"""Policies of other kinds, and the service accounts that some of them select by."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

import launchbook.isolation.observe as observe
from launchbook.errors import MissingRight
from launchbook.isolation.accounts import account_of, asks_for_accounts
from launchbook.isolation.beyond import beyond, told
from launchbook.isolation.scratch import prober_pod
from launchbook.parameters import Destination, Edge, Isolation, Source

REFUSED = "launchbook may not list globalnetworkpolicies"
OPEN_ALL = {"metadata": {"name": "all", "namespace": "d"}, "spec": {"ingress": [{"action": "Allow"}]}}
BY_ACCOUNT = {
    "metadata": {"name": "sa", "namespace": "d"},
    "spec": {"ingress": [{"action": "Allow", "source": {"serviceAccounts": {"names": ["x"]}}}]},
}
WORN = {"app": "x"}


def pod(account: str | None, **labels: str) -> dict[str, Any]:
    return {
        "metadata": {"name": "p", "namespace": "s", "labels": labels},
        "spec": {"containers": [], "serviceAccountName": account},
    }


class FakeCluster:
    """Serves Calico's group; a kind that is not in `kinds` is one that it doesn't serve."""

    def __init__(self, kinds: dict[str, Any], pods: Any = ()) -> None:
        self.kinds = {"Pod": list(pods), **kinds}

    def raw(self, path: str) -> Any:
        assert path == "/apis"
        return {
            "groups": [{"name": "crd.projectcalico.org", "versions": [{"groupVersion": "crd.projectcalico.org/v1"}]}]
        }

    def list(self, kind: str, namespace: Any = None, *, api_version: str = "v1", labels: Any = None) -> list[Any]:
        found = self.kinds.get(kind, []) if api_version != "networking.k8s.io/v1" else []
        if isinstance(found, Exception):
            raise found
        return list(found)

    def get(self, *names: Any, **more: Any) -> Any:
        return {"kind": "Service", "spec": {"selector": WORN, "ports": [{"port": 80}]}}


@pytest.mark.parametrize(
    ("kinds", "expected", "clause"),
    [
        ({}, ([], [], []), ""),
        ({"GlobalNetworkPolicy": [], "NetworkPolicy": []}, ([], [], []), ""),
        ({"NetworkPolicy": [OPEN_ALL]}, (["NetworkPolicy.crd.projectcalico.org: 1"], [], []),
         "there are other policies too, which are not computed (NetworkPolicy.crd.projectcalico.org: 1)"),
        ({"GlobalNetworkPolicy": MissingRight(REFUSED)}, ([], [f"GlobalNetworkPolicy.crd.projectcalico.org: {REFUSED}"], []),
         f"other policies could not be read (GlobalNetworkPolicy.crd.projectcalico.org: {REFUSED})"),
        ({"NetworkPolicy": [OPEN_ALL, BY_ACCOUNT]},
         (["NetworkPolicy.crd.projectcalico.org: 2"], [], ["NetworkPolicy.crd.projectcalico.org d/sa"]),
         "there are other policies too, which are not computed (NetworkPolicy.crd.projectcalico.org: 2) and some may select "
         "by service account (NetworkPolicy.crd.projectcalico.org d/sa)"),
    ],
)  # fmt: skip
def test_policies_of_other_kinds(kinds: Any, expected: Any, clause: str) -> None:
    """What is there, what could not be read and what asks for accounts are told apart; a kind not served is neither."""
    found = beyond(FakeCluster(kinds))  # type: ignore[arg-type]
    assert (found["present"], found["unread"], found["accounts"]) == expected
    assert told(found) == clause


class FakeRun:
    id = "r"

    def __init__(self, cluster: Any, labels: dict[str, str]) -> None:
        self.cluster = cluster
        self.label = {"launchbook.io/run": "r"}
        edge = Edge(
            source=Source(namespace="s", labels=labels),
            destination=Destination(namespace="d", service="x", port=80),
            expect="closed",
        )
        self.parameters: Any = type("P", (), {"isolation": Isolation(edges=(edge,))})

    def evidence(self, file: str, data: Any) -> str:
        return file


TARGET = {
    "metadata": {"name": "x-0", "namespace": "d", "labels": WORN},
    "spec": {"containers": []},
    "status": {"podIP": "10.0.0.1", "phase": "Running"},
}


@pytest.mark.parametrize(
    ("kinds", "labels", "unsure"),
    [
        ({}, {}, ""),
        ({"NetworkPolicy": [OPEN_ALL]}, {}, "others"),
        ({"GlobalNetworkPolicy": MissingRight(REFUSED)}, {}, "unread"),
        ({"GlobalNetworkPolicy": MissingRight(REFUSED), "NetworkPolicy": [BY_ACCOUNT]}, {}, "unread"),
        ({"NetworkPolicy": [BY_ACCOUNT]}, {}, "accounts"),
        ({"NetworkPolicy": [BY_ACCOUNT]}, {"app": "nobody"}, "accounts"),
        ({"NetworkPolicy": [BY_ACCOUNT]}, {"app": "client"}, "others"),
    ],
)
def test_what_other_kinds_leave_unsure(kinds: Any, labels: Any, unsure: str) -> None:
    """A workload's probe pod has its account, so it is met as the workload is; a missing right is no absence."""
    frame: pd.DataFrame = observe.compute(FakeRun(FakeCluster(kinds, [TARGET, pod("sa", app="client")]), labels))  # type: ignore[arg-type]
    assert list(frame["unsure"]) == [unsure]
    assert frame["allowed"].isna().all() == bool(unsure)


@pytest.mark.parametrize(
    ("labels", "pods", "expected"),
    [
        (WORN, [pod("a", app="x"), pod("a", app="x", more="y")], "a"),
        (WORN, [pod(None, app="x")], "default"),
        (WORN, [pod("a", app="x"), pod("b", app="x")], None),
        (WORN, [pod("a", app="y")], None),
        ({}, [pod("a", app="x")], None),
    ],
)
def test_the_account_of_a_source(labels: Any, pods: Any, expected: str | None) -> None:
    assert account_of(Source(namespace="s", labels=labels), pods) == expected
    assert account_of(Source(namespace="other", labels=labels), pods) is None


@pytest.mark.parametrize(
    ("spec", "asks"),
    [
        ({"serviceAccountSelector": "team == 'x'"}, True),
        ({"ingress": [{"source": {"serviceAccounts": {"names": ["x"]}}}]}, True),
        ({"ingress": [{"source": {"selector": "pcsa.team == 'x'"}}]}, True),
        ({"ingress": [{"fromEndpoints": [{"matchLabels": {"io.cilium.k8s.policy.serviceaccount": "x"}}]}]}, True),
        ({"ingress": [{"source": {"selector": "app == 'x'"}}]}, False),
    ],
)
def test_a_policy_that_asks_for_accounts(spec: Any, asks: bool) -> None:
    assert asks_for_accounts({"spec": spec}) is asks
    assert asks_for_accounts({"specs": [spec]}) is asks


def test_a_prober_has_its_sources_account_and_no_token() -> None:
    spec = prober_pod(FakeRun(FakeCluster({}), {}), "p", "s", WORN, account="a")["spec"]  # type: ignore[arg-type]
    assert (spec["serviceAccountName"], spec["automountServiceAccountToken"]) == ("a", False)
    assert "serviceAccountName" not in prober_pod(FakeRun(FakeCluster({}), {}), "p", "s", WORN)["spec"]  # type: ignore[arg-type]
