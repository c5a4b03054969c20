"""Openings that nobody declared, by table: each with its exact sentence, and none on a sound system."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from launchbook.errors import MissingRight
from launchbook.isolation import judge
from launchbook.isolation.observe import openings
from launchbook.isolation.openings import bare, every_opening
from launchbook.isolation.reach import Pod, World
from launchbook.parameters import Destination, Edge, Isolation, Source
from launchbook.words import Status

PORTS = (("client", "TCP", 4222), ("cluster", "TCP", 6222), ("monitor", "TCP", 8222))
NATS = Pod("StatefulSet/bus/nats", "bus", {"app": "nats"}, PORTS)
API = Pod("Deployment/web/api", "web", {"app": "api", "pod-template-hash": "x1"}, (("http", "TCP", 8080),))
JOB = Pod("CronJob/web/nightly", "web", {"app": "job"})
HOST = Pod("DaemonSet/web/agent", "web", {"app": "agent"}, (("", "TCP", 9100),), host_network=True)
MINE = [NATS, NATS, API, JOB]
SCRAPER = Pod("mon/prometheus-0", "mon", {"app": "prometheus"})
NODE = Pod("kube-system/proxy", "kube-system", {"app": "proxy"}, host_network=True)
OTHERS = [bare("default"), bare("mon"), SCRAPER, NODE]


def service(name: str, namespace: str, app: str, port: int, target: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"selector": {"app": app}, "ports": [{"port": port, "targetPort": target}]},
    }


SERVICES = [
    service("nats", "bus", "nats", 4222, "client"),
    service("nats-headless", "bus", "nats", 6222, "cluster"),
    service("api", "web", "api", 80, "http"),
]


def policy(name: str, namespace: str, *rules: Any, **selector: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"podSelector": {"matchLabels": selector}, "policyTypes": ["Ingress"], "ingress": list(rules)},
    }


def rule(port: Any, *peers: Any) -> dict[str, Any]:
    return {"ports": [{"port": port}], "from": list(peers)}


def inside(namespace: str, **labels: str) -> dict[str, Any]:
    named = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}
    return {**named, "podSelector": {"matchLabels": labels}} if labels else named


ALL_NAMESPACES: dict[str, Any] = {"namespaceSelector": {}}
DENY = [policy("deny", "bus"), policy("deny", "web")]
SOUND = [
    *DENY,
    policy("nats", "bus", rule(4222, inside("web", app="api")), rule(6222, {"podSelector": {"matchLabels": {"app": "nats"}}}),
           app="nats"),
]  # fmt: skip


def edge(namespace: str, to: str, service: str, port: int, expect: Any = "open", **labels: str) -> Edge:
    return Edge(
        source=Source(namespace=namespace, labels=labels),
        destination=Destination(namespace=to, service=service, port=port),
        expect=expect,
    )


def to_monitor(namespace: str) -> Edge:
    there = Destination(namespace="bus", workload="StatefulSet/nats", port=8222)
    return Edge(source=Source(namespace=namespace), destination=there, expect="open")


API_TO_NATS = edge("web", "bus", "nats", 4222, app="api")
SHUT = edge("default", "bus", "nats", 4222, "closed")


def told(
    policies: list[Any], *edges: Edge, open_to_all: Any = (), mine: Any = MINE, others: Any = OTHERS
) -> tuple[str, str, str]:
    declared = Isolation(edges=(API_TO_NATS, SHUT, *edges), open_to_all=open_to_all)
    world = World(tuple(policies), {"default": {}, "mon": {}, "bus": {}, "web": {}}, ("10.0.0.0/16",))
    check = judge.undeclared(
        {"problem": None, "unasked": "", "openings": every_opening(world, mine, others, SERVICES, declared)}
    )
    assert (check.id, check.subject, check.expected) == ("A.undeclared", "openings", "none undeclared")
    return str(check.status), check.measured, check.because


def also(*rules: Any, name: str = "extra", namespace: str = "bus", **selector: str) -> list[Any]:
    return [*SOUND, policy(name, namespace, *rules, **selector)]


FINE = "Every opening is declared."
BY = "ingress: allowed by bus/extra ingress[0]"
TO_ROUTES = "destination: {namespace: bus, service: nats-headless, port: 6222}, expect: open}"
TO_MONITOR = "destination: {namespace: bus, workload: StatefulSet/nats, port: 8222}, expect: open}"
ANY_ROUTES = "{namespace: bus, service: nats-headless, port: 6222}"


@pytest.mark.parametrize(
    ("policies", "edges", "expected"),
    [
        # The replicas of one workload meet on a port of their own Service: nobody declares that.
        (SOUND, [], ("PASS", "0 undeclared of 2 openings", FINE)),
        # A port that no edge names, open to everybody; and to every namespace but those under launch.
        (also(rule(6222, ALL_NAMESPACES)), [],
         ("FAIL", "1 undeclared of 2 openings",
          f"Anybody may reach TCP 6222 of StatefulSet/bus/nats ({BY}). Close it; what is meant to be open, declare: "
          f"`- {ANY_ROUTES}` under isolation.open_to_all.")),
        (also(rule(6222, ALL_NAMESPACES)), [edge("web", "bus", "nats-headless", 6222, app="job")],
         ("FAIL", "2 undeclared of 5 openings",
          f"Any other namespace; Deployment/web/api may reach TCP 6222 of StatefulSet/bus/nats ({BY}). Close it; what is "
          f"meant to be open, declare: `- {{source: {{namespace: web, labels: {{app: api}}}}, {TO_ROUTES}` under "
          f"isolation.edges and `- {ANY_ROUTES}` under isolation.open_to_all.")),
        # Open to one namespace alone, by a port's name.
        (also(rule("cluster", inside("mon"))), [],
         ("FAIL", "1 undeclared of 3 openings",
          f"Namespace mon may reach TCP 6222 of StatefulSet/bus/nats ({BY}). Close it; what is meant to be open, declare: "
          f"`- {{source: {{namespace: mon}}, {TO_ROUTES}` under isolation.edges.")),
        (also(rule(6222, inside("mon"))), [edge("mon", "bus", "nats-headless", 6222)],
         ("PASS", "0 undeclared of 3 openings", FINE)),
        # An edge of another namespace, port or to be closed declares nothing.
        (also(rule(4222, inside("mon"))),
         [edge("web", "bus", "nats", 4222), edge("mon", "bus", "nats-headless", 6222),
          edge("mon", "bus", "nats", 4222, "closed")],
         ("FAIL", "1 undeclared of 3 openings",
          f"Namespace mon may reach TCP 4222 of StatefulSet/bus/nats ({BY}). Close it; what is meant to be open, declare: "
          "`- {source: {namespace: mon}, destination: {namespace: bus, service: nats, port: 4222}, expect: open}` under "
          "isolation.edges.")),
        # A pod that gets further than its namespace's others; its label declares it.
        (also(rule(4222, inside("mon", app="prometheus"))), [],
         ("FAIL", "1 undeclared of 3 openings",
          f"Mon/prometheus-0 may reach TCP 4222 of StatefulSet/bus/nats ({BY}). Close it; what is meant to be open, declare: "
          "`- {source: {namespace: mon, labels: {app: prometheus}}, destination: {namespace: bus, service: nats, port: "
          "4222}, expect: open}` under isolation.edges.")),
        (also(rule(4222, inside("mon", app="prometheus"))), [edge("mon", "bus", "nats", 4222, app="prometheus")],
         ("PASS", "0 undeclared of 3 openings", FINE)),
        # One of all namespaces is declared.
        (also(rule(4222, ALL_NAMESPACES)), [edge("mon", "bus", "nats", 4222), edge("web", "bus", "nats", 4222)],
         ("FAIL", "1 undeclared of 6 openings",
          f"Any other namespace but mon may reach TCP 4222 of StatefulSet/bus/nats ({BY}). Close it; what is meant to be open, "
          "declare: `- {namespace: bus, service: nats, port: 4222}` under isolation.open_to_all.")),
        # No Service leads there, so an edge names the workload.
        (also(rule(8222, inside("mon"))), [],
         ("FAIL", "1 undeclared of 3 openings",
          f"Namespace mon may reach TCP 8222 of StatefulSet/bus/nats ({BY}). Close it; what is meant to be open, declare: "
          f"`- {{source: {{namespace: mon}}, {TO_MONITOR}` under isolation.edges.")),
        (also(rule(8222, inside("mon"))), [to_monitor("mon")], ("PASS", "0 undeclared of 3 openings", FINE)),
        # A workload to itself by another port than its Services'.
        (also(rule(8222, inside("bus"))), [],
         ("FAIL", "1 undeclared of 3 openings",
          f"StatefulSet/bus/nats may reach TCP 8222 of StatefulSet/bus/nats ({BY}). Close it; what is meant to be open, "
          f"declare: `- {{source: {{namespace: bus, labels: {{app: nats}}}}, {TO_MONITOR}` under isolation.edges.")),
        # A port that nobody has, and one of a protocol that nobody has.
        (also(rule(9999, ALL_NAMESPACES), {"ports": [{"port": 4222, "protocol": "UDP"}]}), [],
         ("PASS", "0 undeclared of 2 openings", FINE)),
        # Addresses may be a pod's, or may not.
        (also(rule(4222, {"ipBlock": {"cidr": "10.0.0.0/8"}})), [],
         ("UNKNOWN", "0 undeclared of 5 openings",
          "Perhaps, as the network plugin has it: Any other namespace; CronJob/web/nightly may reach TCP 4222 of "
          "StatefulSet/bus/nats (ingress: perhaps allowed by bus/extra ingress[0] (its ipBlock is meant for addresses outside the cluster, and network plugins "
          "differ on whether it names pods)).")),
        (also(rule(4222, {"ipBlock": {"cidr": "203.0.113.0/24"}})), [], ("PASS", "0 undeclared of 2 openings", FINE)),
    ],
)  # fmt: skip
def test_an_opening_that_no_edge_declares(policies: Any, edges: Any, expected: Any) -> None:
    assert told(policies, *edges) == expected


def test_where_no_policy_covers_a_pod_everybody_may_reach_it() -> None:
    """One line for all, and one declaration."""
    open_ = told(SOUND[:1] + SOUND[2:])
    assert open_ == (
        "FAIL",
        "1 undeclared of 3 openings",
        "Anybody may reach TCP 8080 of Deployment/web/api (no policy selects Deployment/web/api). Close it; what is "
        "meant to be open, declare: `- {namespace: web, service: api, port: 80}` under isolation.open_to_all.",
    )
    declared = told(SOUND[:1] + SOUND[2:], open_to_all=(Destination(namespace="web", service="api", port=80),))
    assert declared[::2] == ("PASS", FINE)


def test_a_source_that_cannot_send_opens_nothing() -> None:
    """Both directions count, and only of those who are no node."""
    shut = policy("out", "mon")
    shut["spec"] = {"podSelector": {}, "policyTypes": ["Egress"]}
    assert told([*also(rule(6222, inside("mon"), inside("kube-system"))), shut])[::2] == ("PASS", FINE)


def test_a_pod_on_its_nodes_network_is_no_source_and_never_closed() -> None:
    """Nothing keeps a node from its pods; a pod there is reached as the network plugin has it."""
    status, _, because = told([*SOUND, policy("agent", "web", app="agent")], mine=[*MINE, HOST])
    assert status == "UNKNOWN"
    assert because.startswith(
        "Perhaps, as the network plugin has it: Anybody may reach TCP 9100 of DaemonSet/web/agent"
    )


def test_what_could_not_be_read_is_unknown() -> None:
    problem = "What is open can't be told: other policies could not be read (x)."
    check = judge.undeclared({"problem": problem, "unasked": "", "openings": []})
    assert (check.status, check.measured, check.because) == (Status.UNKNOWN, "not told", problem)
    check = judge.undeclared({"problem": None, "unasked": "the pods elsewhere", "openings": []})
    assert (check.status, check.because) == (
        Status.UNKNOWN,
        "Every opening that was asked for is declared; not asked: the pods elsewhere.",
    )


class Cluster:
    """Namespaces shop and mon, a policy of shop, and what else is held; pods of all namespaces where `all_pods`."""

    def __init__(self, held: dict[str, Any], all_pods: bool = True) -> None:
        self.held, self.all_pods = held, all_pods

    def raw(self, path: str) -> Any:
        return {"groups": []}

    def list(self, kind: str, namespace: str | None = None, *, api_version: str = "v1") -> list[Any]:
        if kind == "Pod" and namespace is None and not self.all_pods:
            raise MissingRight("no right to list pods.")
        if kind == "Namespace":
            return [{"metadata": {"name": name}} for name in ("shop", "mon")]
        return [
            {"kind": kind, **one}
            for one in self.held.get(kind, [])
            if namespace in (None, one["metadata"].get("namespace"))
        ]


def meta(name: str, owner: str = "", **labels: str) -> dict[str, Any]:
    kind = {"": [], "d": [{"kind": "Deployment", "name": "web", "uid": "d", "controller": True}]}
    made = [{"kind": "ReplicaSet", "name": "web-1", "uid": owner, "controller": True}]
    return {
        "name": name, "namespace": "shop", "uid": name, "labels": labels, "ownerReferences": kind.get(owner, made),
    }  # fmt: skip


SPEC = {"containers": [{"ports": [{"containerPort": 80}]}]}
LIVE = {
    "Deployment": [{"metadata": {**meta("d"), "name": "web"},
                    "spec": {"template": {"metadata": {"labels": {"app": "web"}}, "spec": SPEC}}}],
    "ReplicaSet": [{"metadata": {**meta("r", "d"), "name": "web-1"}, "spec": {}}],
    "CronJob": [{"metadata": meta("nightly"), "spec": {"jobTemplate": {"spec": {"template": {"spec": SPEC}}}}}],
    "Pod": [{"metadata": meta("web-1-a", "r", app="web"), "spec": SPEC, "status": {"phase": "Running"}},
            {"metadata": {**meta("p"), "namespace": "mon"}, "spec": SPEC, "status": {"phase": "Running"}}],
    "NetworkPolicy": [{"metadata": {"name": "deny", "namespace": "shop"}, "spec": {"podSelector": {}}}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("held", "all_pods", "expected"),
    [
        (LIVE, True, ("PASS", FINE)),
        (LIVE, False, ("UNKNOWN", "Every opening that was asked for is declared; not asked: the pods of other namespaces, which this "
                                  "identity may not list.")),
        ({**LIVE, "NetworkPolicy": []}, False,
         ("FAIL", "Anybody may reach TCP 80 of Deployment/shop/web (no policy selects Deployment/shop/web); anybody may reach "
                  "TCP 80 of CronJob/shop/nightly (no policy selects CronJob/shop/nightly). Close it; what is meant to be "
                  "open, declare: `- {namespace: shop, workload: Deployment/web, port: 80}` under isolation.open_to_all.")),
        ({}, True, ("UNKNOWN", "The namespaces under launch have no workload to ask for.")),
    ],
)  # fmt: skip
def test_what_is_read_for_it(held: Any, all_pods: bool, expected: tuple[str, str]) -> None:
    """A pod by the workload that it is of, and one that runs no pod now; what could not be read is no pass."""
    parameters = SimpleNamespace(manifests=SimpleNamespace(namespaces=("shop",)), isolation=Isolation())
    run: Any = SimpleNamespace(
        id="r", cluster=Cluster(held, all_pods), parameters=parameters, evidence=lambda *told: tables.append(told[1])
    )
    tables: list[Any] = []
    check = judge.undeclared(openings(run))
    assert (str(check.status), check.because) == expected
    assert len(tables[0]) == len(openings(run)["openings"])


def test_the_number_of_pods_does_not_matter() -> None:
    """A workload's pods are one source and one destination, whatever labels they have of their own."""
    many = [
        Pod(one.name, one.namespace, {**one.labels, "pod": str(n)}, one.ports)
        for n in range(200)
        for one in (NATS, API)
    ]
    assert told(also(rule(6222, inside("mon"))), mine=[*many, JOB]) == told(also(rule(6222, inside("mon"))))
