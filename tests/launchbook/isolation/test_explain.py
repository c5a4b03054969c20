"""`launchbook reach --explain` and `--diff`: exact text, exact rows."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from launchbook.errors import ParametersError
from launchbook.isolation.explain import _changed, diff, explain
from launchbook.isolation.ranges import intersect, subtract, union
from launchbook.isolation.reach import Answer


def pod(name: str, namespace: str = "a", kind: str = "Pod", replicas: int = 1, **labels: str) -> dict[str, Any]:
    meta = {"name": name, "namespace": namespace, "labels": {"app": name, **labels}}
    spec: dict[str, Any] = {"containers": []}
    if kind != "Pod":
        spec = {"replicas": replicas, "template": {"metadata": {"labels": meta["labels"]}, "spec": spec}}
    return {"apiVersion": "v1", "kind": kind, "metadata": meta, "spec": spec}


def policy(*ingress: Any, name: str = "n", app: str = "q") -> dict[str, Any]:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": "a"},
        "spec": {"podSelector": {"matchLabels": {"app": app}}, "ingress": list(ingress)},
    }


def file(folder: Path, *objects: Any, name: str = "all.yaml") -> Path:
    path = folder / name
    path.write_text(yaml.safe_dump_all(objects))
    return path


FROM_P = {"from": [{"podSelector": {"matchLabels": {"app": "p"}}}], "ports": [{"port": 80}]}
FROM_BLOCK = {"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}], "ports": [{"port": 90}]}
P, Q = pod("p"), pod("q")
HOST = pod("p")
HOST["spec"]["hostNetwork"] = True


def test_each_rule_says_what_it_does(tmp_path: Path) -> None:
    """Both sides, every rule, and why one that opens nothing does not."""
    path = file(tmp_path, P, Q, policy(FROM_P, FROM_BLOCK, {"from": [{"podSelector": {"matchLabels": {"app": "x"}}}]}))
    text = explain([path], "a/p", "a/q[Pod]")
    assert text.split("\n\n")[:2] == [
        "a/p[Pod] -> a/q[Pod], TCP: unknown\n"
        "  egress of a/p[Pod]: no policy selects a/p[Pod]\n"
        "  ingress of a/q[Pod]: governed by a/n\n"
        "    a/n ingress[0]: opens 80\n"
        "    a/n ingress[1]: opens 90 perhaps: its ipBlock is meant for addresses outside the cluster, and network "
        "plugins differ on whether it names pods\n"
        "    a/n ingress[2]: it does not name a/p[Pod]",
        "a/p[Pod] -> a/q[Pod], UDP: none\n"
        "  egress of a/p[Pod]: no policy selects a/p[Pod]\n"
        "  ingress of a/q[Pod]: governed by a/n\n"
        "    a/n ingress[0]: it opens no UDP port of a/q[Pod]\n"
        "    a/n ingress[1]: it opens no UDP port of a/q[Pod]\n"
        "    a/n ingress[2]: it does not name a/p[Pod]\n"
        "    denied, since no rule opens it",
    ]


def test_a_pod_on_its_nodes_network_is_explained(tmp_path: Path) -> None:
    """As a source no rule shuts it out for certain, and as a destination no policy governs it for certain."""
    path = file(
        tmp_path,
        HOST,
        Q,
        policy({"from": [{"podSelector": {"matchLabels": {"app": "x"}}}]}),
        policy(FROM_P, name="host", app="p"),
    )
    assert explain([path], "a/p", "a/q").split("\n\n")[0] == (
        "a/p[Pod] -> a/q[Pod], TCP: unknown\n"
        "  egress of a/p[Pod]: no policy selects a/p[Pod]\n"
        "  ingress of a/q[Pod]: governed by a/n\n"
        "    a/n ingress[0]: it does not name a/p[Pod]\n"
        "    perhaps open whatever the rules say: a node and the pods on it always reach each other"
    )
    assert explain([path], "a/q", "a/p").split("\n\n")[0] == (
        "a/q[Pod] -> a/p[Pod], TCP: unknown\n"
        "  egress of a/q[Pod]: no policy selects a/q[Pod]\n"
        "  ingress of a/p[Pod]: governed by a/host\n"
        "    a/host ingress[0]: it does not name a/q[Pod]\n"
        "    perhaps open whatever the rules say: network plugins differ on whether policies govern a pod on its node's network"
    )


@pytest.mark.parametrize(
    ("source", "destination", "first"),
    [
        ("10.1.2.3", "a/q", "10.1.2.3-10.1.2.3 -> a/q[Pod], TCP: 90"),
        ("10.0.0.0-10.255.255.255", "a/q", "10.0.0.0-10.255.255.255 -> a/q[Pod], TCP: 90"),
        ("192.0.2.1", "a/q", "192.0.2.1-192.0.2.1 -> a/q[Pod], TCP: none"),
        ("2001:db8::1", "a/q", "2001:db8::1-2001:db8::1 -> a/q[Pod], TCP: none"),
        ("a/q", "192.0.2.1", "a/q[Pod] -> 192.0.2.1-192.0.2.1, TCP: all"),
        ("a/q", "a/q", "a/q[Pod] -> another pod of a/q[Pod], TCP: none"),
        ("a/p", "a/p", "a/p[Pod] -> another pod of a/p[Pod], TCP: all"),
    ],
)
def test_an_end_is_a_workload_or_addresses(tmp_path: Path, source: str, destination: str, first: str) -> None:
    """A range as the table has it, an address in one, or a workload, whose pods are not one another."""
    path = file(tmp_path, P, Q, policy(FROM_P, FROM_BLOCK))
    assert explain([path], source, destination, ["192.168.0.0/16"]).splitlines()[0] == first


@pytest.mark.parametrize(
    ("source", "destination", "message"),
    [
        ("default", "a/q", r"'default' is no address, and no workload's name; write one such as 'a/p'\."),
        ("a/pp", "a/q", r"'a/pp' is no address, and no workload's name; did you mean 'a/p'\?"),
        ("a/r", "a/q", r"'a/r' is one of a/r\[Deployment\], a/r\[StatefulSet\]: say which."),
        ("1.1.1.1", "2.2.2.2", "both ends are outside the cluster"),
        ("9.0.0.0-11.0.0.0", "a/q", "'9.0.0.0-11.0.0.0' is not one range that no ipBlock divides, such as 0.0.0.0-9.255.255.255"),
        ("10.0.0.9-10.0.0.1", "a/q", "is not one range"),
        ("10.0.0.1-fd00::1", "a/q", "is not one range"),
    ],
)  # fmt: skip
def test_an_end_that_is_none(tmp_path: Path, source: str, destination: str, message: str) -> None:
    """A mistyped name must not read as an answer."""
    path = file(tmp_path, P, Q, pod("r", kind="Deployment"), pod("r", kind="StatefulSet"), policy(FROM_P, FROM_BLOCK))
    with pytest.raises(ParametersError, match=message):
        explain([path], source, destination)


def changes(folder: Path, old: list[Any], new: list[Any]) -> set[tuple[str, ...]]:
    text = diff(file(folder, *old, name="old.yaml"), file(folder, *new, name="new.yaml"))
    return {
        (r["source"], r["destination"], r["protocol"], r["opened"], r["closed"], r["unknown"])
        for r in csv.DictReader(io.StringIO(text))
    }


EVERYWHERE = "0.0.0.0-255.255.255.255"
NATS, LONE = pod("nats", kind="StatefulSet", replicas=3), pod("nats", kind="StatefulSet")
EACH, ANOTHER = "a/nats[StatefulSet]", "another pod of a/nats[StatefulSet]"


def cluster(port: int) -> dict[str, Any]:
    peers = [{"podSelector": {"matchLabels": {"app": "nats"}}}]
    return policy({"from": peers, "ports": [{"port": port}]}, app="nats")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ([P, Q, policy(FROM_P)], [Q, policy(FROM_P), P], set()),
        (
            [P, Q, policy(FROM_P)],
            [P, Q, policy({**FROM_P, "ports": [{"port": 80, "endPort": 82}]})],
            {("a/p[Pod]", "a/q[Pod]", "TCP", "81-82", "none", "none")},
        ),
        (
            [P, Q, policy(FROM_P)],
            [P, Q, policy({**FROM_P, "ports": [{"port": 80, "protocol": "UDP"}]})],
            {
                ("a/p[Pod]", "a/q[Pod]", "TCP", "none", "80", "none"),
                ("a/p[Pod]", "a/q[Pod]", "UDP", "80", "none", "none"),
            },
        ),
        (
            [Q, policy(FROM_P)],
            [P, Q, policy(FROM_P)],
            {("a/p[Pod]", "a/q[Pod]", "TCP", "80", "none", "none")}
            | {(EVERYWHERE, "a/p[Pod]", p, "all", "none", "none") for p in ("TCP", "UDP", "SCTP")}
            | {("a/p[Pod]", EVERYWHERE, p, "all", "none", "none") for p in ("TCP", "UDP", "SCTP")}
            | {("a/q[Pod]", "a/p[Pod]", p, "all", "none", "none") for p in ("TCP", "UDP", "SCTP")},
        ),
        (
            [P, Q, policy(FROM_P)],
            [P, Q, policy(FROM_P, FROM_BLOCK)],
            {
                ("a/p[Pod]", "a/q[Pod]", "TCP", "none", "none", "90"),
                ("10.0.0.0-10.255.255.255", "a/q[Pod]", "TCP", "90", "none", "none"),
            },
        ),
        (
            [P, Q, policy(FROM_BLOCK)],
            [P, Q, policy({"from": [{"ipBlock": {"cidr": "10.0.0.0/9"}}], "ports": [{"port": 90}]})],
            {
                ("a/p[Pod]", "a/q[Pod]", "TCP", "none", "none", "90"),
                ("10.128.0.0-10.255.255.255", "a/q[Pod]", "TCP", "none", "90", "none"),
            },
        ),
        (
            [P, Q, policy(FROM_BLOCK)],
            [P, Q, policy(FROM_BLOCK), policy(name="other", app="x")],
            set(),
        ),
        ([NATS, cluster(6222)], [NATS, cluster(6222)], set()),
        ([NATS, cluster(6222)], [NATS, cluster(6223)], {(EACH, ANOTHER, "TCP", "6223", "6222", "none")}),
        ([LONE, cluster(6222)], [LONE, cluster(6223)], set()),
        ([HOST, Q, policy(FROM_P)], [HOST, Q, policy({**FROM_P, "ports": [{"port": 81}]})], {("a/p[Pod]", "a/q[Pod]", "TCP", "none", "none", "80-81")}),
        ([HOST, Q, policy(FROM_P)], [HOST, Q, policy({**FROM_P, "from": []})], {("a/p[Pod]", "a/q[Pod]", "TCP", "none", "none", "80"), (EVERYWHERE, "a/q[Pod]", "TCP", "80", "none", "none")}),
        ([HOST, Q, policy()], [HOST, Q, policy({"ports": [{"port": 80}]})], {("a/p[Pod]", "a/q[Pod]", "TCP", "none", "none", "80"), (EVERYWHERE, "a/q[Pod]", "TCP", "80", "none", "none")}),
        ([LONE, cluster(6222)], [NATS, cluster(6222)], {(EACH, ANOTHER, "TCP", "6222", "none", "none")}),
        ([NATS, cluster(6222)], [LONE, cluster(6222)], {(EACH, ANOTHER, "TCP", "none", "6222", "none")}),
    ],
)  # fmt: skip
def test_what_a_change_opens_and_closes(tmp_path: Path, old: list[Any], new: list[Any], expected: Any) -> None:
    """The order of the files is no change; a workload that is new opens what it may reach; an ipBlock leaves it unknown."""
    assert changes(tmp_path, old, new) == expected


PORTS = st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)).map(lambda r: (min(r), max(r))), max_size=3)
ANSWERS = st.tuples(PORTS, PORTS).map(lambda p: Answer(union(p[0]), "", subtract(p[1], p[0])))


@given(ANSWERS, ANSWERS, PORTS)
def test_a_change_and_its_undoing(one: Answer, two: Answer, doubtful: list[Any]) -> None:
    """What one opens the other closes, nothing is both, and no change says nothing."""
    opened, closed, unknown = _changed(one, two, doubtful)
    assert _changed(two, one, doubtful) == (closed, opened, unknown)
    assert not intersect(opened, closed)
    assert not intersect(unknown, [*opened, *closed])
    assert _changed(one, one, []) == ((), (), ())
