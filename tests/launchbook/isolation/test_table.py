"""The answers of every pair at once: the same as of each pair alone, and as a second reading of the documentation has it.

The second reading (`allowed`) shares nothing with the code: it asks pair by pair and port by port, in the words of
https://kubernetes.io/docs/concepts/services-networking/network-policies/.
"""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import PODS, PROTOCOLS, SPECS, worlds

from launchbook.isolation.blocks import Outside, outside
from launchbook.isolation.ranges import intersect, subtract, union
from launchbook.isolation.reach import Pod, World, allows, reach
from launchbook.isolation.table import Table

Object = Mapping[str, Any]
PORTS = (53, 54, 79, 80, 81, 90, 91, 443)  # at, within and beside every number that a rule may name


# The second reading.


def selected(selector: Object, labels: Mapping[str, str]) -> bool:
    for key, value in (selector.get("matchLabels") or {}).items():
        if key not in labels or labels[key] != value:
            return False
    for one in selector.get("matchExpressions") or []:
        has = one["key"] in labels
        within = has and labels[one["key"]] in (one.get("values") or [])
        if not {"In": within, "NotIn": not within, "Exists": has, "DoesNotExist": not has}[one["operator"]]:
            return False
    return True


def in_block(block: Object, address: Any) -> bool:
    return address in ipaddress.ip_network(block["cidr"]) and all(
        address not in ipaddress.ip_network(part) for part in block.get("except", [])
    )


def names(world: World, policy: Object, peer: Object, other: Any, generous: bool) -> bool:
    """generous: what the API leaves to the plugin is taken for a yes."""
    if "ipBlock" in peer:
        if isinstance(other, Outside):
            return in_block(peer["ipBlock"], ipaddress.ip_address(other.first))
        if not generous:
            return False
        if other.host_network or not world.pod_networks:
            return True  # no block here excepts all of itself
        return any(in_block(peer["ipBlock"], ip) for net in world.pod_networks for ip in ipaddress.ip_network(net))
    if isinstance(other, Outside) or (other.host_network and not generous):
        return False
    if "namespaceSelector" in peer:
        labels = {**world.namespaces.get(other.namespace, {}), "kubernetes.io/metadata.name": other.namespace}
        if not selected(peer["namespaceSelector"], labels):
            return False
    elif other.namespace != policy["metadata"]["namespace"]:
        return False
    return "podSelector" not in peer or selected(peer["podSelector"], other.labels)


def opens(entry: Object, destination: Any, protocol: str, port: int) -> bool:
    if entry.get("protocol", "TCP") != protocol:
        return False
    if "port" not in entry:
        return True
    if isinstance(entry["port"], str):
        return isinstance(destination, Pod) and (entry["port"], protocol, port) in destination.ports
    return entry["port"] <= port <= entry.get("endPort", entry["port"])


def side_allows(
    world: World, direction: str, end: Any, other: Any, reached: tuple[Any, str, int], generous: bool
) -> bool:
    if isinstance(end, Outside):
        return True
    isolating = []
    for policy in world.policies:
        spec = policy["spec"]
        types = spec.get("policyTypes") or (["Ingress", "Egress"] if spec.get("egress") else ["Ingress"])
        mine = policy["metadata"]["namespace"] == end.namespace and selected(spec.get("podSelector", {}), end.labels)
        if mine and direction in types:
            isolating.append(policy)
    if not isolating or (generous and (end.host_network or getattr(other, "host_network", False))):
        return True
    for policy in isolating:
        for rule in policy["spec"].get(direction.lower()) or []:
            rule = rule or {}
            listed = rule.get("from" if direction == "Ingress" else "to")
            entries = rule.get("ports")
            if (not listed or any(names(world, policy, peer, other, generous) for peer in listed)) and (
                not entries or any(opens(entry, *reached) for entry in entries)
            ):
                return True
    return False


def allowed(world: World, source: Any, destination: Any, protocol: str, port: int, generous: bool) -> bool:
    reached = (destination, protocol, port)
    return side_allows(world, "Egress", source, destination, reached, generous) and side_allows(
        world, "Ingress", destination, source, reached, generous
    )


@settings(max_examples=150)
@given(worlds())
def test_every_pair_is_as_the_documentation_has_it(world: World) -> None:
    """Open, closed or unsure by each port that matters, of pods, of pods on their node's network and of addresses."""
    ends = [*PODS, *outside(world.policies)]
    table = Table(world, ends)
    of = table.classes.of
    for protocol, port in itertools.product(PROTOCOLS, PORTS):
        by_class = table.answers(protocol).allowed(port)
        for (i, source), (j, destination) in itertools.product(enumerate(ends), enumerate(ends)):
            if i == j:
                continue
            least, most = (allowed(world, source, destination, protocol, port, generous) for generous in (False, True))
            expected = True if least else None if most else False
            assert allows(table.answer(i, j, protocol), port) is expected, (source, destination, protocol, port)
            assert by_class[of[i], of[j]] == {True: 1, False: 0, None: -1}[expected]


@settings(max_examples=100)
@given(worlds())
def test_the_table_says_of_each_pair_what_reach_says(world: World) -> None:
    """Ports, doubts and sentence."""
    ends = [*PODS, *outside(world.policies)]
    table = Table(world, ends)
    for i, j in itertools.product(range(len(ends)), repeat=2):
        for protocol in (*PROTOCOLS, "SCTP"):
            assert table.answer(i, j, protocol) == reach(world, ends[i], ends[j], protocol)


def everything(world: World, ends: list[Any]) -> list[Any]:
    table = Table(world, ends)
    return [
        table.ports(i, j, protocol)
        for i, j in itertools.permutations(range(len(ends)), 2)
        for protocol in PROTOCOLS
    ]  # fmt: skip


def shuffled(policy: Object, random: Any) -> Object:
    def mixed(items: Any) -> Any:
        return random.sample(items, len(items)) if items else items

    spec = dict(policy["spec"])
    for direction in {"ingress", "egress"} & set(spec):
        spec[direction] = [
            rule and {key: mixed(value) if isinstance(value, list) else value for key, value in rule.items()}
            for rule in mixed(spec[direction] or [])
        ]
    return {**policy, "spec": spec}


@settings(max_examples=100)
@given(worlds(), st.randoms(use_true_random=False))
def test_order_never_matters(world: World, random: Any) -> None:
    """Of policies, of the rules in each, of peers and ports in each rule."""
    mixed = [shuffled(policy, random) for policy in random.sample(world.policies, len(world.policies))]
    ends = [*PODS, *outside(world.policies)]
    assert everything(World(tuple(mixed), world.namespaces, world.pod_networks), ends) == everything(world, ends)


@settings(max_examples=100)
@given(worlds(), SPECS)
def test_a_policy_more_opens_only_by_its_own_rules(world: World, spec: Any) -> None:
    """Between pods that are isolated already it never closes, and opens nothing but what its own rules allow."""
    deny = tuple(
        {"metadata": {"name": f"deny-{n}", "namespace": n}, "spec": {"policyTypes": ["Ingress", "Egress"]}}
        for n in "abc"
    )
    more: Object = {"metadata": {"name": "more", "namespace": "a"}, "spec": spec}

    def possible(*given: Object) -> list[Any]:
        answers = everything(World((*deny, *given), world.namespaces, world.pod_networks), PODS)
        return [(sure, union([*sure, *unsure])) for sure, unsure in answers]

    def rules_of(policy: Object, direction: str) -> Object:
        """Its own rules of one direction, with the other direction of everybody open."""
        kept = {**policy["spec"], "policyTypes": [d for d in ("Ingress", "Egress") if d.lower() == direction]}
        return {**policy, "spec": kept}

    before, after = possible(*world.policies), possible(*world.policies, more)
    everybody = [
        {"metadata": {"name": "all", "namespace": n}, "spec": {"policyTypes": [word], word.lower(): [{}]}}
        for n in "abc"
        for word in ("Ingress", "Egress")
    ]
    governs = spec.get("policyTypes") or (["Ingress", "Egress"] if spec.get("egress") else ["Ingress"])
    # What it may add in one direction, were the other open to all.
    own = [
        possible(rules_of(more, word.lower()), *(p for p in everybody if word not in p["spec"]["policyTypes"]))
        for word in governs
    ]
    for number, ((sure, perhaps), (sure_now, perhaps_now)) in enumerate(zip(before, after, strict=True)):
        assert intersect(sure_now, sure) == sure
        assert intersect(perhaps_now, perhaps) == perhaps
        assert subtract(sure_now, union([*sure, *(r for part in own for r in part[number][0])])) == ()
        assert subtract(perhaps_now, union([*perhaps, *(r for part in own for r in part[number][1])])) == ()


def one(namespace: str, direction: str, peer: Any, *ports: Any) -> Object:
    rules = [{"from" if direction == "ingress" else "to": [peer], "ports": list(ports)}]
    spec = {"podSelector": {}, "policyTypes": [direction.capitalize()], direction: rules}
    return {"metadata": {"name": "p", "namespace": namespace}, "spec": spec}


@pytest.mark.parametrize(
    ("policies", "pairs"),
    [
        ([one("a", "ingress", {"podSelector": {}}, {"port": "web"})], {("a/bare", "a/x"): 80, ("a/bare", "a/x-too"): 81}),
        ([one("a", "egress", {"namespaceSelector": {}}, {"port": "web"})], {("a/y", "b/x"): 80, ("a/y", "b/x-front"): 81}),
        ([one(n, "ingress", {"podSelector": {}}, {"port": 80}) for n in "ab"], {("a/y", "a/x"): 80, ("b/x-front", "b/x"): 80, ("a/y", "b/x"): None, ("c/x", "b/x"): None}),
        ([one("a", "ingress", {"ipBlock": {"cidr": "10.0.0.0/8"}}, {"port": 80})], {("b/x", "a/x"): None, ("b/host", "a/x"): "unsure", ("a/x-host", "a/x"): "unsure"}),
        ([one("a", "ingress", {"namespaceSelector": {}}, {"port": 80})], {("a/x-host", "a/x"): "unsure", ("a/y", "a/x"): 80}),
        ([one("a", "ingress", {"podSelector": {"matchLabels": {"app": "z"}}}, {"port": 80})], {("a/x-host", "a/x"): "unsure", ("a/y", "a/x"): None, ("a/y", "a/x-host"): "unsure"}),
    ],
)  # fmt: skip
def test_what_looks_alike_is_not_mixed_up(policies: list[Any], pairs: Any) -> None:
    """Ends that share a policy or a rule but not the answer: other ports by one name, other namespaces, other networks."""
    table = Table(World(tuple(policies), {}, ("198.18.0.0/15",)), PODS)
    at = {pod.name: n for n, pod in enumerate(PODS)}
    for (source, destination), expected in pairs.items():
        ports, unsure = table.ports(at[source], at[destination], "TCP")
        port = expected if isinstance(expected, int) else 80
        found = "unsure" if unsure == ((1, 65535),) else port if ports == ((port, port),) else None
        assert (found, len(ports) + len(unsure)) == (expected, 0 if expected is None else 1)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, 1),
        ({"labels": {"app": "x", "color": "red", "pod-template-hash": "f00"}}, 1),
        ({"labels": {"app": "other"}}, 2),
        ({"labels": {}}, 2),
        ({"namespace": "b"}, 2),
        ({"host_network": True}, 2),
        ({"ports": (("web", "TCP", 80), ("metrics", "TCP", 9090))}, 1),
        ({"ports": (("web", "TCP", 81),)}, 2),
        ({"ports": (("web", "UDP", 80),)}, 2),
    ],
)
def test_what_parts_two_pods(more: Any, expected: int) -> None:
    """Only what some selector or rule looks at: a label it names, a port it calls by name, the namespace, the network."""
    rule = {
        "from": [{"podSelector": {"matchExpressions": [{"key": "tier", "operator": "Exists"}]}}],
        "ports": [{"port": "web"}],
    }
    policy = {
        "metadata": {"name": "p", "namespace": "a"},
        "spec": {"podSelector": {"matchLabels": {"app": "x"}}, "ingress": [rule]},
    }
    one = {"name": "a/one", "namespace": "a", "labels": {"app": "x"}, "ports": (("web", "TCP", 80),)}
    found = Table(World((policy,)), [Pod(**one), Pod(**{**one, **more, "name": "other"})]).classes
    assert len(found.ends) == expected
    assert found.of.tolist() == ([0, 0] if expected == 1 else [0, 1])


def test_values_that_no_selector_names_are_one() -> None:
    """A label that differs in every pod, as a StatefulSet gives it, makes no classes but the one that is named."""
    policy = {"metadata": {"name": "p", "namespace": "a"}, "spec": {"podSelector": {"matchLabels": {"pod": "7"}}}}
    pods = [Pod(f"a/{n}", "a", {"pod": str(n)}) for n in range(50)]
    table = Table(World((policy,)), pods)
    assert table.classes.sizes.tolist() == [49, 1]
    assert table.answers("TCP").allowed(80).tolist() == [[1, 0], [1, 0]]
    assert np.array_equal(np.flatnonzero(table.classes.of), [7])


def test_forty_rules_of_one_pod() -> None:
    """More rules than fit one whole number: each still names its own peer on its own port."""
    rules = [
        {"from": [{"podSelector": {"matchLabels": {"n": str(n)}}}], "ports": [{"port": 1000 + n}]} for n in range(40)
    ]
    policy = {
        "metadata": {"name": "p", "namespace": "a"},
        "spec": {"podSelector": {"matchLabels": {"n": "all"}}, "ingress": rules},
    }
    pods = [Pod("a/all", "a", {"n": "all"}), *(Pod(f"a/{n}", "a", {"n": str(n)}) for n in range(40))]
    table = Table(World((policy,)), pods)
    assert [table.ports(n + 1, 0, "TCP")[0] for n in range(40)] == [((1000 + n, 1000 + n),) for n in range(40)]


def test_no_end_at_all() -> None:
    """Nothing is asked, nothing fails."""
    assert Table(World(()), []).answers("TCP").ids.shape == (0, 0)
