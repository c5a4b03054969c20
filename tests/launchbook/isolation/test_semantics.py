"""Every form of peer with every operator, in both directions, with the exact pods that it names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from launchbook.isolation.blocks import Outside
from launchbook.isolation.reach import ALL, Pod, World, allows, reach
from launchbook.isolation.spec import policy_types

# `home` is the policies' own namespace. Each namespace has three pods: app=x, app=y, and one with no label.
NAMESPACES = {"home": {}, "same": {"team": "x"}, "other": {"team": "y"}}
APPS: dict[str, dict[str, str]] = {"x": {"app": "x"}, "y": {"app": "y"}, "bare": {}}
TARGET = Pod("home/target", "home", {"role": "target"}, (("web", "TCP", 80),))
PODS = [
    Pod(f"{namespace}/{name}", namespace, labels, (("web", "TCP", 80),))
    for namespace in NAMESPACES
    for name, labels in APPS.items()
]
INSIDE, EXCEPTED, BEYOND = (
    Outside("192.0.2.1", "192.0.2.1"),
    Outside("192.0.2.9", "192.0.2.9"),
    Outside("203.0.113.1", "203.0.113.1"),
)
EVERY_POD = {pod.name for pod in PODS}
OUTSIDE = {INSIDE.name, EXCEPTED.name, BEYOND.name}


def expression(operator: str, key: str, *values: str) -> dict[str, Any]:
    return {"matchExpressions": [{"key": key, "operator": operator, **({"values": list(values)} if values else {})}]}


# Selector -> what it selects, by the documentation of matchLabels and matchExpressions.
OF_PODS: list[tuple[str, dict[str, Any], set[str]]] = [
    ("all", {}, {"x", "y", "bare"}),
    ("matchLabels", {"matchLabels": {"app": "x"}}, {"x"}),
    ("In", expression("In", "app", "x", "z"), {"x"}),
    ("NotIn", expression("NotIn", "app", "x"), {"y", "bare"}),
    ("Exists", expression("Exists", "app"), {"x", "y"}),
    ("DoesNotExist", expression("DoesNotExist", "app"), {"bare"}),
    ("both parts", {"matchLabels": {"app": "x"}, **expression("NotIn", "app", "y")}, {"x"}),
    ("parts at odds", {"matchLabels": {"app": "x"}, **expression("DoesNotExist", "app")}, set()),
]
OF_NAMESPACES: list[tuple[str, dict[str, Any], set[str]]] = [
    ("all", {}, {"home", "same", "other"}),
    ("matchLabels", {"matchLabels": {"team": "x"}}, {"same"}),
    ("In", expression("In", "team", "x", "z"), {"same"}),
    ("NotIn", expression("NotIn", "team", "x"), {"home", "other"}),
    ("Exists", expression("Exists", "team"), {"same", "other"}),
    ("DoesNotExist", expression("DoesNotExist", "team"), {"home"}),
    ("by name", {"matchLabels": {"kubernetes.io/metadata.name": "other"}}, {"other"}),
    ("by name, NotIn", expression("NotIn", "kubernetes.io/metadata.name", "home"), {"same", "other"}),
    ("both parts", {"matchLabels": {"team": "y"}, **expression("Exists", "team")}, {"other"}),
]
PEERS = [
    *(
        (f"pods {name}", {"podSelector": selector}, {f"home/{pod}" for pod in pods})
        for name, selector, pods in OF_PODS
    ),
    *(
        (f"namespaces {name}", {"namespaceSelector": selector}, {f"{n}/{pod}" for n in namespaces for pod in APPS})
        for name, selector, namespaces in OF_NAMESPACES
    ),
    *(
        (
            f"namespaces {first}, pods {second}",
            {"namespaceSelector": one, "podSelector": other},
            {f"{n}/{pod}" for n in namespaces for pod in pods},
        )
        for first, one, namespaces in OF_NAMESPACES
        for second, other, pods in OF_PODS
    ),
    ("ipBlock", {"ipBlock": {"cidr": "192.0.2.0/24"}}, {INSIDE.name, EXCEPTED.name}),
    ("ipBlock with except", {"ipBlock": {"cidr": "192.0.2.0/24", "except": ["192.0.2.8/29"]}}, {INSIDE.name}),
    ("ipBlock of everything", {"ipBlock": {"cidr": "0.0.0.0/0"}}, OUTSIDE),
    ("ipBlock, host bits set", {"ipBlock": {"cidr": "192.0.2.77/24"}}, {INSIDE.name, EXCEPTED.name}),
    ("ipBlock of one address", {"ipBlock": {"cidr": "192.0.2.9/32"}}, {EXCEPTED.name}),
]  # fmt: skip


def policy(direction: str, rules: Any, **spec: Any) -> dict[str, Any]:
    word = "Ingress" if direction == "ingress" else "Egress"
    whole = {"podSelector": {"matchLabels": {"role": "target"}}, "policyTypes": [word], direction: rules, **spec}
    return {"metadata": {"name": "p", "namespace": "home"}, "spec": whole}


def answers(direction: str, *policies: Mapping[str, Any], protocol: str = "TCP", ends: Any = None) -> dict[str, Any]:
    """Of each other end its ports with the target, as the direction has it."""
    world = World(policies, NAMESPACES, ("198.18.0.0/15",))
    found = {}
    for end in ends or [*PODS, INSIDE, EXCEPTED, BEYOND]:
        source, destination = (end, TARGET) if direction == "ingress" else (TARGET, end)
        answer = reach(world, source, destination, protocol)
        assert answer.unsure == (), "no ipBlock here holds an address that pods take"
        found[end.name] = answer.ports
    return found


def open_(found: Mapping[str, Any]) -> set[str]:
    return {name for name, ports in found.items() if ports}


BOTH = pytest.mark.parametrize("direction", ["ingress", "egress"])


def rule(direction: str, *peers: Any, **rest: Any) -> dict[str, Any]:
    return {"from" if direction == "ingress" else "to": list(peers), **rest}


@BOTH
@pytest.mark.parametrize(
    ("peer", "named"),
    [case[1:] for case in PEERS if "0.0.0.0/0" not in str(case)],
    ids=[c[0] for c in PEERS if "0.0.0.0/0" not in str(c)],
)
def test_a_peer_names_exactly_these(direction: str, peer: Any, named: set[str]) -> None:
    """On the named port for each, and for nobody else."""
    found = answers(direction, policy(direction, [rule(direction, peer, ports=[{"port": 80}])]))
    assert found == {name: ((80, 80),) if name in named else () for name in found}


@BOTH
def test_a_block_of_every_address_names_all_outside_and_perhaps_pods(direction: str) -> None:
    """An address that pods take is inside it, so of pods nothing is certain."""
    world = World(
        (policy(direction, [rule(direction, {"ipBlock": {"cidr": "0.0.0.0/0"}})]),), NAMESPACES, ("198.18.0.0/15",)
    )
    for end in [*PODS, INSIDE, EXCEPTED, BEYOND]:
        source, destination = (end, TARGET) if direction == "ingress" else (TARGET, end)
        answer = reach(world, source, destination, "TCP")
        assert (answer.ports, answer.unsure) == ((ALL, ()) if isinstance(end, Outside) else ((), ALL))


@BOTH
@pytest.mark.parametrize(
    ("rules", "named"),
    [
        (None, set()),
        ([], set()),
        ([{}], EVERY_POD | OUTSIDE),
        ([None], EVERY_POD | OUTSIDE),
        (["no peers"], EVERY_POD | OUTSIDE),
        (["empty peers"], EVERY_POD | OUTSIDE),
        (["two peers"], {"home/x", "same/x", "same/y", "same/bare"}),
        (["one peer of two parts"], {"same/x"}),
    ],
)
def test_missing_and_empty_lists(direction: str, rules: Any, named: set[str]) -> None:
    """No rule is nobody, no peer is everybody; two peers are either, one with two selectors is both."""
    x, same = {"podSelector": {"matchLabels": {"app": "x"}}}, {"namespaceSelector": {"matchLabels": {"team": "x"}}}
    forms = {
        "no peers": {"ports": []},
        "empty peers": rule(direction),
        "two peers": rule(direction, x, same),
        "one peer of two parts": rule(direction, {**x, **same}),
    }
    spelled = rules and [forms.get(one, one) if isinstance(one, str) else one for one in rules]
    assert open_(answers(direction, policy(direction, spelled))) == named


@BOTH
def test_null_is_as_missing(direction: str) -> None:
    """`from: null` and `ports: null` are what a template leaves behind."""
    word = "from" if direction == "ingress" else "to"
    assert set(answers(direction, policy(direction, [{word: None, "ports": None}])).values()) == {ALL}
    assert open_(answers(direction, policy(direction, None, podSelector=None))) == set()


@BOTH
def test_rules_add_up_each_with_its_own_ports(direction: str) -> None:
    """A pod that two rules name has the ports of both; the other has its one."""
    x, all_ = {"podSelector": {"matchLabels": {"app": "x"}}}, {"podSelector": {}}
    found = answers(
        direction,
        policy(direction, [rule(direction, x, ports=[{"port": 80}]), rule(direction, all_, ports=[{"port": 81}])]),
    )
    assert (found["home/x"], found["home/y"], found["same/x"]) == (((80, 81),), ((81, 81),), ())


@BOTH
@pytest.mark.parametrize(
    ("ports", "expected"),
    [
        (None, {"TCP": ALL, "UDP": ALL, "SCTP": ALL}),
        ([], {"TCP": ALL, "UDP": ALL, "SCTP": ALL}),
        ([{}], {"TCP": ALL}),
        ([{"protocol": "UDP"}], {"UDP": ALL}),
        ([{"protocol": "SCTP", "port": 7}], {"SCTP": ((7, 7),)}),
        ([{"port": 53}], {"TCP": ((53, 53),)}),
        ([{"port": 53}, {"port": 53, "protocol": "UDP"}], {"TCP": ((53, 53),), "UDP": ((53, 53),)}),
        ([{"port": 8000, "endPort": 8010}], {"TCP": ((8000, 8010),)}),
        ([{"port": 8000, "endPort": 8000}], {"TCP": ((8000, 8000),)}),
        ([{"port": 8000, "endPort": 8010}, {"port": 8005, "endPort": 8020}, {"port": 8021}], {"TCP": ((8000, 8021),)}),
        ([{"port": 1, "endPort": 65535}], {"TCP": ALL}),
        ([{"port": "web"}], {"TCP": ((80, 80),)}),
        ([{"port": "web", "protocol": "UDP"}], {}),
        ([{"port": "nobody"}], {}),
    ],
)  # fmt: skip
def test_ports_and_protocols(direction: str, ports: Any, expected: Any) -> None:
    """TCP where no protocol is named; all ports where no port is; a name is a pod's own."""
    given = policy(direction, [rule(direction, ports=ports)])
    for protocol in ("TCP", "UDP", "SCTP"):
        assert answers(direction, given, protocol=protocol, ends=PODS[:1]) == {"home/x": expected.get(protocol, ())}


def test_a_named_port_is_looked_up_on_each_destination() -> None:
    """One number here, another there, two in a pod of two containers; none outside the cluster."""
    out = policy("egress", [{"ports": [{"port": "web"}, {"port": "web", "protocol": "UDP"}]}])
    ends: Sequence[Any] = [
        Pod("home/a", "home", {}, (("web", "TCP", 8080), ("web", "UDP", 8081))),
        Pod("home/b", "home", {}, (("web", "TCP", 9090), ("web", "TCP", 9092))),
        Pod("home/c", "home", {}, (("", "TCP", 80), ("other", "TCP", 81))),
        INSIDE,
    ]
    assert answers("egress", out, ends=ends) == {
        "home/a": ((8080, 8080),),
        "home/b": ((9090, 9090), (9092, 9092)),
        "home/c": (),
        INSIDE.name: (),
    }
    assert answers("egress", out, ends=ends[:2], protocol="UDP") == {"home/a": ((8081, 8081),), "home/b": ()}


def test_an_ingress_named_port_is_the_selected_pods_own() -> None:
    """Not that of the pod that asks."""
    asks = Pod("home/asks", "home", {}, (("web", "TCP", 9999),))
    assert answers("ingress", policy("ingress", [{"ports": [{"port": "web"}]}]), ends=[asks]) == {
        "home/asks": ((80, 80),)
    }


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, ("Ingress",)),
        ({"policyTypes": None}, ("Ingress",)),
        ({"policyTypes": []}, ("Ingress",)),
        ({"ingress": []}, ("Ingress",)),
        ({"egress": []}, ("Ingress",)),
        ({"egress": None}, ("Ingress",)),
        ({"egress": [{}]}, ("Ingress", "Egress")),
        ({"egress": [None]}, ("Ingress", "Egress")),
        ({"ingress": [{}], "egress": [{}]}, ("Ingress", "Egress")),
        ({"policyTypes": [], "egress": [{}]}, ("Ingress", "Egress")),
        ({"policyTypes": ["Egress"]}, ("Egress",)),
        ({"policyTypes": ["Egress"], "ingress": [{}]}, ("Egress",)),
        ({"policyTypes": ["Ingress"], "egress": [{}]}, ("Ingress",)),
        ({"policyTypes": ["Ingress", "Egress"]}, ("Ingress", "Egress")),
    ],
)  # fmt: skip
def test_policy_types(spec: Any, expected: tuple[str, ...]) -> None:
    """Ingress always, and Egress where there are egress rules, unless the policy says itself."""
    assert policy_types({"metadata": {"name": "p"}, "spec": spec}) == expected


@pytest.mark.parametrize(
    ("direction", "types", "closed"),
    [
        ("ingress", ["Ingress"], True),
        ("ingress", ["Egress"], False),
        ("egress", ["Egress"], True),
        ("egress", ["Ingress"], False),
        ("ingress", ["Ingress", "Egress"], True),
        ("egress", ["Ingress", "Egress"], True),
    ],
)  # fmt: skip
def test_a_policy_closes_only_the_directions_it_governs(direction: str, types: Any, closed: bool) -> None:
    """And its rules of another direction say nothing."""
    given = policy(direction, [], policyTypes=types)
    assert open_(answers(direction, given)) == (set() if closed else EVERY_POD | OUTSIDE)


@pytest.mark.parametrize(
    ("selector", "governed"), [(selector, {f"home/{pod}" for pod in pods}) for _, selector, pods in OF_PODS]
)
def test_which_pods_a_policy_governs(selector: Any, governed: set[str]) -> None:
    """Those of its own namespace that it selects; namesakes elsewhere are free."""
    deny = {"metadata": {"name": "deny", "namespace": "home"}, "spec": {"podSelector": selector}}
    world = World((deny,), NAMESPACES)
    assert {pod.name for pod in PODS if not reach(world, TARGET, pod, "TCP").ports} == governed


def test_a_policy_without_a_namespace_is_of_default() -> None:
    """As kubectl has it."""
    pods = [Pod("default/a", "default", {}), Pod("home/a", "home", {})]
    world = World(({"metadata": {"name": "deny"}, "spec": {}},), NAMESPACES)
    assert [allows(reach(world, TARGET, pod, "TCP"), 80) for pod in pods] == [False, True]
