"""Two runs that change one namespace exclude each other, whatever their environments are called."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

import pytest
from memory import Memory
from runs import environment

from launchbook.cluster import Cluster
from launchbook.errors import ClusterError, ConflictError
from launchbook.leasing import Holder, leased, names, running
from launchbook.parameters import Environment

ONE, TWO = Holder("one", "sre@ci-1"), Holder("two", "dev@laptop")
EDGE = {
    "source": {"namespace": "s"},
    "destination": {"namespace": "a", "service": "b", "port": 80},
    "expect": "closed",
}


def of(tmp_path: Path, *namespaces: str, **overrides: Any) -> Environment:
    return environment(tmp_path, **{"manifests.namespaces": list(namespaces), **overrides}).environment


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"allow": ["apply"]}, ["ns-a", "ns-z"]),
        ({"allow": ["apply"], "name": "other"}, ["ns-a", "ns-z"]),
        ({"allow": ["probe"]}, ["ns-a", "ns-s", "ns-z"]),
        (
            {"allow": ["load"], "load.target.service": "t/x", "track_deadline": "1h"},
            ["ns-a", "ns-launchbook-load", "ns-t", "ns-z"],
        ),
        ({"allow": ["evict"], "disruption.evict": ["e/budget"]}, ["ns-a", "ns-e", "ns-s", "ns-z"]),
        ({"allow": ["apply"], "manifests.cluster_objects": ["IngressClass/x"]}, ["cluster", "ns-a", "ns-z"]),
    ],
    ids=["apply", "another name", "probe", "load", "evict", "cluster objects"],
)
def test_what_is_leased_is_what_is_changed(tmp_path: Path, given: dict[str, Any], expected: list[str]) -> None:
    """In one order, so that two runs can't hold what the other needs."""
    assert names(of(tmp_path, "z", "a", **{"isolation.edges": [EDGE]}, **given)) == tuple(expected)


def test_two_environments_of_one_namespace_exclude_each_other(tmp_path: Path) -> None:
    """All or none: the refused one holds nothing, and is told who, where, what and since when."""
    memory = Memory()
    cluster = cast(Cluster, memory)
    with leased(cluster, of(tmp_path, "b", "c", "d"), ONE):
        refused = leased(cluster, of(tmp_path, "a", "c", "d", name="other"), TWO)
        with pytest.raises(ClusterError) as caught:
            refused.__enter__()
        assert re.fullmatch(
            r"run one of sre@ci-1 is at work since \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ \(Leases in launchbook: ns-c, ns-d; "
            r"\d\d s to go\)\. Wait for the end, or for as long as that if it was killed\. Nothing was touched\.",
            str(caught.value),
        )
        assert memory.get("Lease", "ns-a", "launchbook") is None
        with leased(cluster, of(tmp_path, "a"), TWO):
            assert running(cluster, "launchbook") == {"one", "two"}
    assert running(cluster, "launchbook") == set()
    with leased(cluster, of(tmp_path, "a", "c", "d"), TWO):
        assert running(cluster, "launchbook") == {"two"}


def test_each_holder_is_named(tmp_path: Path) -> None:
    cluster = cast(Cluster, Memory())
    with (
        leased(cluster, of(tmp_path, "a"), ONE),
        leased(cluster, of(tmp_path, "b"), TWO),
        pytest.raises(ClusterError, match=r"run one of sre@ci-1 .*ns-a;.*; run two of dev@laptop .*ns-b;"),
    ):
        leased(cluster, of(tmp_path, "a", "b"), Holder("three", "x@y")).__enter__()


def test_two_runs_of_one_name_exclude_each_other(tmp_path: Path) -> None:
    """Two machines can begin a run in the same second; only notebooks of one run may share."""
    cluster = cast(Cluster, Memory())
    given = of(tmp_path, "a")
    with leased(cluster, given, ONE):
        for again, shared in ((ONE, False), (Holder("one", "sre@ci-2"), True)):
            with pytest.raises(ClusterError, match="run one of sre@ci-1 is at work"):
                leased(cluster, given, again, shared=shared).__enter__()
        with leased(cluster, given, ONE, shared=True):
            pass


def test_a_lease_that_another_takes_at_this_moment(tmp_path: Path) -> None:
    """What had been taken before it is given back."""

    class Raced(Memory):
        def create(self, obj: dict[str, Any]) -> None:
            if obj["metadata"]["name"] == "ns-b":
                raise ConflictError("it exists")
            super().create(obj)

    cluster = cast(Cluster, Raced())
    with pytest.raises(ClusterError, match="another run took the Lease launchbook/ns-b at this moment"):
        leased(cluster, of(tmp_path, "a", "b"), ONE).__enter__()
    assert running(cluster, "launchbook") == set()


def test_a_holder_that_died_is_followed(tmp_path: Path) -> None:
    memory = Memory()
    memory.create(
        {
            "kind": "Lease",
            "metadata": {"name": "ns-a", "namespace": "launchbook"},
            "spec": {
                "holderIdentity": "dead", "leaseDurationSeconds": 30, "renewTime": "2026-01-01T00:00:00.000000Z",
            },
        }
    )  # fmt: skip
    cluster = cast(Cluster, memory)
    assert running(cluster, "launchbook") == set()
    with leased(cluster, of(tmp_path, "a"), ONE):
        assert running(cluster, "launchbook") == {"one"}
