"""networking.k8s.io/v1, rule by rule: each form of peer, port and default with its exact answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launchbook.isolation.blocks import Outside, holds, may_hold_a_pod, outside, pod_networks
from launchbook.isolation.ranges import intersect, subtract, union
from launchbook.isolation.reach import ALL, Pod, World, allows, reach

API = Pod("t/api", "t", {"app": "api"})
OTHER = Pod("t/other", "t", {"app": "other"})
NATS = Pod("a/nats", "a", {"app": "nats"}, (("client", "TCP", 4222), ("client", "UDP", 4223)))
NAMESPACES = {"t": {"team": "triad"}, "a": {}}


def policy(spec: Mapping[str, Any], namespace: str = "a", name: str = "p") -> dict[str, Any]:
    return {"kind": "NetworkPolicy", "metadata": {"name": name, "namespace": namespace}, "spec": dict(spec)}


def ports(*policies: Mapping[str, Any], source: Any = API, destination: Any = NATS, protocol: str = "TCP") -> Any:
    return reach(World(tuple(policies), NAMESPACES), source, destination, protocol).ports


def from_(*peers: Any, **rule: Any) -> dict[str, Any]:
    return policy({"podSelector": {}, "ingress": [{"from": list(peers), **rule}]})


TEAM = {"namespaceSelector": {"matchLabels": {"team": "triad"}}}
NAMED = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "t"}}}


@pytest.mark.parametrize(
    ("policies", "expected"),
    [
        ([], ALL),
        ([policy({"podSelector": {}})], ()),
        ([policy({"podSelector": {}, "ingress": []})], ()),
        ([policy({"podSelector": {}, "ingress": [{}]})], ALL),
        ([policy({"podSelector": {}, "ingress": [{"from": []}]})], ALL),
        ([policy({"podSelector": {"matchLabels": {"app": "other"}}})], ALL),
        ([policy({"podSelector": {}}, namespace="t")], ALL),
        ([policy({"podSelector": {}, "policyTypes": ["Egress"]})], ALL),
        ([policy({"podSelector": {}, "policyTypes": ["Egress"]}, namespace="t")], ()),
        ([policy({"podSelector": {}, "egress": [{}]}, namespace="t")], ALL),
        ([from_({"podSelector": {}})], ()),
        ([from_({"namespaceSelector": {}})], ALL),
        ([from_(TEAM)], ALL),
        ([from_(NAMED)], ALL),
        ([from_({**TEAM, "podSelector": {"matchLabels": {"app": "api"}}})], ALL),
        ([from_({**TEAM, "podSelector": {"matchLabels": {"app": "x"}}})], ()),
        ([from_(TEAM, ports=[{"port": 4222}])], ((4222, 4222),)),
        ([from_(TEAM, ports=[{"port": 4222, "protocol": "UDP"}])], ()),
        ([from_(TEAM, ports=[{"protocol": "TCP"}])], ALL),
        ([from_(TEAM, ports=[])], ALL),
        ([from_(TEAM, ports=[{"port": "client"}])], ((4222, 4222),)),
        ([from_(TEAM, ports=[{"port": "absent"}])], ()),
        ([from_(TEAM, ports=[{"port": 8000, "endPort": 8100}, {"port": 80}])], ((80, 80), (8000, 8100))),
        ([policy({"podSelector": {}}), from_(TEAM, ports=[{"port": 80}])], ((80, 80),)),
    ],
)
def test_ingress_from_a_pod_of_another_namespace(policies: list[Any], expected: Any) -> None:
    """What t/api may reach on a/nats over TCP."""
    assert ports(*policies) == expected


def test_egress_and_ingress_must_both_allow() -> None:
    """An edge is open where the two sides' ports meet."""
    out = policy(
        {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"ports": [{"port": 4000, "endPort": 4222}]}]}, "t"
    )
    assert ports(out, from_(TEAM, ports=[{"port": 4200, "endPort": 5000}])) == ((4200, 4222),)


def test_an_egress_named_port_is_the_destinations_own() -> None:
    """The name is looked up on the pod that is reached."""
    out = policy({"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"ports": [{"port": "client"}]}]}, "t")
    assert ports(out) == ((4222, 4222),)
    udp = policy({"podSelector": {}, "egress": [{"ports": [{"port": "client", "protocol": "UDP"}]}]}, "t")
    assert ports(udp, protocol="UDP") == ((4223, 4223),)


@pytest.mark.parametrize(("address", "expected"), [("192.0.2.9", ALL), ("192.0.2.200", ()), ("203.0.113.1", ())])
def test_an_ip_block_with_an_exception(address: str, expected: Any) -> None:
    """Inside the block but not in its exception."""
    block = {"ipBlock": {"cidr": "192.0.2.0/24", "except": ["192.0.2.128/25"]}}
    assert ports(from_(block), source=Outside(address, address)) == expected


def test_outside_is_cut_where_blocks_begin_and_end() -> None:
    """The ranges are disjoint, whole, and none is split by a block."""
    block = {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}
    assert [part.name for part in outside([from_(block)])] == [
        "0.0.0.0-9.255.255.255",
        "10.0.0.0-10.0.255.255",
        "10.1.0.0-10.1.255.255",
        "10.2.0.0-10.255.255.255",
        "11.0.0.0-255.255.255.255",
    ]


OPEN_80 = {"podSelector": {}, "ingress": [{"ports": [{"port": 80}]}]}
TO_HOST = {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": [TEAM], "ports": [{"port": 80}]}]}
MAYBE_GOVERNED = "but perhaps open, since network plugins differ on whether policies govern a pod on its node's network"
SAME_NODE = "but perhaps open, since a node and the pods on it always reach each other"


@pytest.mark.parametrize(
    ("spec", "namespace", "to_host", "sure", "because"),
    [
        ({"podSelector": {}}, "a", True, (), f"egress: no policy selects t/api; ingress: denied by a/p, {MAYBE_GOVERNED}"),
        (OPEN_80, "a", True, ((80, 80),), f"egress: no policy selects t/api; ingress: allowed by a/p ingress[0], {MAYBE_GOVERNED}"),
        ({**OPEN_80, "ingress": [{}]}, "a", True, ALL, "egress: no policy selects t/api; ingress: allowed by a/p ingress[0]"),
        ({"podSelector": {}}, "b", True, ALL, "egress: no policy selects t/api; ingress: no policy selects a/host"),
        ({"podSelector": {}, "policyTypes": ["Egress"]}, "t", True, (), f"egress: denied by t/p, {SAME_NODE}; ingress: no policy selects a/host"),
        (TO_HOST, "t", True, (), f"egress: denied by t/p, {SAME_NODE}; ingress: no policy selects a/host"),
        ({"podSelector": {}}, "t", False, (), f"egress: no policy selects a/host; ingress: denied by t/p, {SAME_NODE}"),
        (OPEN_80, "t", False, ((80, 80),), f"egress: no policy selects a/host; ingress: allowed by t/p ingress[0], {SAME_NODE}"),
        ({"podSelector": {}, "policyTypes": ["Egress"]}, "a", False, (), f"egress: denied by a/p, {MAYBE_GOVERNED}; ingress: no policy selects t/api"),
    ],
)  # fmt: skip
def test_a_pod_on_its_nodes_network(spec: Any, namespace: str, to_host: bool, sure: Any, because: str) -> None:
    """Nothing closes it for certain: its node reaches its own pods always, and plugins differ on whether it is governed."""
    host = Pod("a/host", "a", {"app": "nats"}, host_network=True)
    ends = (API, host) if to_host else (host, API)
    answer = reach(World((policy(spec, namespace),), NAMESPACES), *ends, "TCP")
    assert (answer.ports, answer.unsure, answer.because) == (sure, subtract(ALL, sure), because)


DOUBT = "its ipBlock is meant for addresses outside the cluster, and network plugins differ on whether it names pods"
BLOCK = {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}


@pytest.mark.parametrize(
    ("networks", "peers", "sure", "unsure"),
    [
        ((), [BLOCK], (), ((80, 80),)),
        (("10.2.0.0/16",), [BLOCK], (), ((80, 80),)),
        (("0.0.0.0/0",), [BLOCK], (), ((80, 80),)),
        (("10.1.4.0/24",), [BLOCK], (), ()),
        (("192.168.0.0/16", "fd00::/8"), [BLOCK], (), ()),
        ((), [BLOCK, TEAM], ((80, 80),), ()),
        ((), [BLOCK, {"podSelector": {}}], (), ((80, 80),)),
    ],
)
def test_an_ip_block_between_pods_is_unsure(networks: Any, peers: Any, sure: Any, unsure: Any) -> None:
    """Neither open nor closed where a pod may have an address of the block, unless another peer of the rule decides."""
    policies = (policy({"podSelector": {}}), from_(*peers, ports=[{"port": 80}]))
    answer = reach(World(policies, NAMESPACES, networks), API, NATS, "TCP")
    assert (answer.ports, answer.unsure) == (sure, unsure)
    assert allows(answer, 80) is (None if unsure else bool(sure))
    assert (DOUBT in answer.because) is bool(unsure)


def test_both_sides_must_not_close_what_is_unsure() -> None:
    """An egress that certainly denies leaves nothing unsure; one that is unsure itself leaves what both may open."""
    block_out = {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": [BLOCK], "ports": [{"port": 80}]}]}
    deny_out = {"podSelector": {}, "policyTypes": ["Egress"]}
    into = from_(BLOCK, {"namespaceSelector": {}}, ports=[{"port": 80}, {"port": 81}])
    closed = reach(World((policy(deny_out, "t"), into), NAMESPACES), API, NATS, "TCP")
    assert (closed.ports, closed.unsure) == ((), ())
    unsure = reach(World((policy(block_out, "t"), into), NAMESPACES), API, NATS, "TCP")
    assert (unsure.ports, unsure.unsure) == ((), ((80, 80),))
    assert unsure.because == f"egress: perhaps allowed by t/p egress[0] ({DOUBT}); ingress: allowed by a/p ingress[0]"


@pytest.mark.parametrize(
    ("peer", "named"),
    [(TEAM, True), ({"podSelector": {}}, False), (BLOCK, True), ({"ipBlock": {"cidr": "192.0.2.1/32"}}, True)],
)
def test_a_peer_on_its_nodes_network_is_unsure(peer: Any, named: bool) -> None:
    """A plugin may tell such a pod from its node or not; its address is the node's, wherever pods take theirs."""
    host = Pod("t/host", "t", {"app": "api"}, host_network=True)
    answer = reach(World((from_(peer),), NAMESPACES, ("10.2.0.0/16",)), host, NATS, "TCP")
    assert (answer.ports, answer.unsure) == ((), ALL)
    assert ("perhaps allowed by a/p ingress[0]" in answer.because) is named


@pytest.mark.parametrize(
    ("allotted", "addresses", "expected"),
    [
        (["10.2.0.0/24", "10.2.1.0/24", "10.2.0.0/24"], ["10.2.1.9"], ("10.2.0.0/24", "10.2.1.0/24")),
        (["10.2.0.0/24"], [], ("10.2.0.0/24",)),
        (["10.2.0.0/24"], ["192.168.4.4"], "private"),
        ([], ["10.2.1.9", "fd00::7"], "private"),
        (["10.2.0.0/24"], ["10.2.0.1", "203.0.113.9", "8.8.8.8"], ()),
        ([], ["2001:db8::1"], ()),
    ],
)
def test_the_addresses_that_pods_take(allotted: Any, addresses: Any, expected: Any) -> None:
    """What nodes hand out, unless a pod shows that something else does; then private ones; then nobody knows."""
    found = pod_networks(allotted, addresses)
    assert ("private" if "10.0.0.0/8" in found else found) == expected


ADDRESSES = st.integers(0, 255).map(lambda n: f"10.0.0.{n}")
CIDRS = st.tuples(ADDRESSES, st.integers(24, 32)).map(lambda a: f"{a[0]}/{a[1]}")


@given(
    st.fixed_dictionaries({"cidr": CIDRS}, optional={"except": st.lists(CIDRS, max_size=4)}),
    st.lists(CIDRS, min_size=1, max_size=3),
)
def test_a_block_may_hold_a_pod_where_an_address_is_in_both(block: Any, networks: list[str]) -> None:
    """Asked address by address it is the same."""
    each = any(
        holds(block, f"10.0.0.{n}") and any(holds({"cidr": net}, f"10.0.0.{n}") for net in networks) for n in range(256)
    )
    assert may_hold_a_pod(block, networks) is each


def test_the_reason_names_the_rules() -> None:
    """A reader finds the policy that decides, on each side."""
    answer = reach(World((policy({"podSelector": {}}),), NAMESPACES), API, NATS, "TCP")
    assert answer.because == "egress: no policy selects t/api; ingress: denied by a/p"


RANGES = st.lists(st.tuples(st.integers(1, 200), st.integers(1, 200)).map(lambda r: (min(r), max(r))))


@given(RANGES, RANGES)
def test_port_ranges_are_sets(one: list[Any], other: list[Any]) -> None:
    """union(), intersect() and subtract() agree with sets of numbers."""
    as_set = lambda ranges: {n for a, b in ranges for n in range(a, b + 1)}  # noqa: E731
    assert as_set(union([*one, *other])) == as_set(one) | as_set(other)
    assert as_set(intersect(union(one), union(other))) == as_set(one) & as_set(other)
    assert as_set(subtract(one, other)) == as_set(one) - as_set(other)
    assert subtract(one, other) == union(subtract(one, other))


PEERS = st.sampled_from(
    [TEAM, NAMED, {"podSelector": {}}, {"namespaceSelector": {}}, {"podSelector": {"matchLabels": {"app": "x"}}}]
)
SPECS = st.fixed_dictionaries(
    {"podSelector": st.sampled_from([{}, {"matchLabels": {"app": "nats"}}, {"matchLabels": {"app": "x"}}])},
    optional={
        "ingress": st.lists(
            st.fixed_dictionaries(
                {}, optional={"from": st.lists(PEERS, max_size=2), "ports": st.just([{"port": 4222}])}
            ),
            max_size=2,
        )
    },
)


@given(st.lists(SPECS, max_size=4), st.randoms(use_true_random=False))
def test_the_order_of_policies_never_matters(specs: list[Any], random: Any) -> None:
    """Policies add up."""
    policies = [policy(spec, name=f"p{n}") for n, spec in enumerate(specs)]
    shuffled = random.sample(policies, len(policies))
    assert ports(*policies) == ports(*shuffled)


@given(st.lists(SPECS, min_size=1, max_size=4), SPECS)
def test_a_policy_opens_only_by_its_own_rules(specs: list[Any], more: Any) -> None:
    """To a pod that is isolated already, a further policy never closes, and opens only what it allows itself."""
    policies = [policy({"podSelector": {}}), *(policy(spec, name=f"p{n}") for n, spec in enumerate(specs))]
    added = policy(more, name="added")
    before, after = ports(*policies), ports(*policies, added)
    alone = ports(policy({"podSelector": {}}), added)
    assert subtract(after, union([*before, *alone])) == ()
    assert intersect(after, before) == before


BLOCKED_OUT = {"podSelector": {}, "namespaceSelector": {"matchLabels": {"no": "such"}}}
RULES = st.lists(
    st.fixed_dictionaries(
        {"peers": st.lists(st.sampled_from([BLOCK, TEAM, {"podSelector": {}}]), min_size=1, max_size=3)},
        optional={"ports": st.sampled_from([[{"port": 80}], [{"port": 80, "endPort": 90}], [{"protocol": "UDP"}]])},
    ),
    max_size=3,
)


@given(RULES, RULES)
def test_unsure_is_what_lies_between_plugins(into: list[Any], out: list[Any]) -> None:
    """Certain is what is open where blocks name no pod, unsure what is open besides where they name every pod."""

    def world(block: Any) -> World:
        def rules(found: list[Any], side: str) -> list[Any]:
            return [
                {side: [block if peer is BLOCK else peer for peer in rule["peers"]], "ports": rule.get("ports")}
                for rule in found
            ]

        ingress = policy({"podSelector": {}, "policyTypes": ["Ingress"], "ingress": rules(into, "from")})
        egress = policy({"podSelector": {}, "policyTypes": ["Egress"], "egress": rules(out, "to")}, "t")
        return World((ingress, egress), NAMESPACES)

    answer = reach(world(BLOCK), API, NATS, "TCP")
    least = reach(world(BLOCKED_OUT), API, NATS, "TCP")
    most = reach(world({"namespaceSelector": {}}), API, NATS, "TCP")
    assert answer.ports == least.ports
    assert answer.unsure == subtract(most.ports, least.ports)


def test_allows_asks_the_ranges() -> None:
    """Ends included."""
    answer = reach(World((from_(TEAM, ports=[{"port": 80, "endPort": 90}]),), NAMESPACES), API, NATS, "TCP")
    assert [allows(answer, port) for port in (79, 80, 90, 91)] == [False, True, True, False]
