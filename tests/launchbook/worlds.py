"""Generated policies in every form that the API has, and pods that they tell apart: for tests by property."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import strategies as st

from launchbook.isolation.reach import Pod, World

PROTOCOLS = ("TCP", "UDP")


def _selector(key: str, values: tuple[str, ...]) -> st.SearchStrategy[Any]:
    value = st.sampled_from(values)
    some = st.lists(value, min_size=1, max_size=2, unique=True)
    expression = st.one_of(
        st.builds(lambda o, v: {"key": key, "operator": o, "values": v}, st.sampled_from(["In", "NotIn"]), some),
        st.builds(lambda o: {"key": key, "operator": o}, st.sampled_from(["Exists", "DoesNotExist"])),
    )
    return st.one_of(
        st.just({}),
        st.builds(lambda v: {"matchLabels": {key: v}}, value),
        st.builds(lambda e: {"matchExpressions": e}, st.lists(expression, min_size=1, max_size=2)),
        st.builds(lambda v, e: {"matchLabels": {key: v}, "matchExpressions": [e]}, value, expression),
    )


PODS_BY = st.one_of(_selector("app", ("x", "y")), _selector("tier", ("front",)))
# Every set of labels that these can tell apart; `any` is a value that none names.
LABELS = [
    {key: value for key, value in (("app", app), ("tier", tier)) if value}
    for app, tier in itertools.product((None, "x", "y", "any"), (None, "front", "any"))
]
NAMESPACES_BY = st.one_of(_selector("team", ("x", "y")), _selector("kubernetes.io/metadata.name", ("a", "b")))
BLOCKS = st.sampled_from(
    [
        {"cidr": "0.0.0.0/0"},
        {"cidr": "10.0.0.0/24"},
        {"cidr": "10.0.0.0/24", "except": ["10.0.0.0/25"]},
        {"cidr": "10.0.0.0/24", "except": ["10.0.0.0/26", "10.0.0.64/26"]},
        {"cidr": "192.0.2.0/24", "except": ["192.0.2.128/25"]},
        {"cidr": "2001:db8::/32"},
    ]
)
PEERS = st.one_of(
    st.builds(lambda s: {"podSelector": s}, PODS_BY),
    st.builds(lambda s: {"namespaceSelector": s}, NAMESPACES_BY),
    st.builds(lambda n, p: {"namespaceSelector": n, "podSelector": p}, NAMESPACES_BY, PODS_BY),
    st.builds(lambda b: {"ipBlock": b}, BLOCKS),
)
PORT = st.one_of(
    st.builds(lambda p: {"port": p}, st.sampled_from([80, 443, "web", "dns", "nobody"])),
    st.builds(lambda p, q: {"port": p, "protocol": q}, st.sampled_from([53, "web", "dns"]), st.sampled_from(PROTOCOLS)),
    st.builds(lambda q: {"protocol": q}, st.sampled_from(PROTOCOLS)),
    st.just({"port": 80, "endPort": 90}),
)


def _rules(side: str) -> st.SearchStrategy[Any]:
    named = st.fixed_dictionaries(
        {side: st.lists(PEERS, min_size=1, max_size=3)}, optional={"ports": st.lists(PORT, min_size=1, max_size=2)}
    )
    short = st.sampled_from([None, {}, {side: []}, {side: [], "ports": []}, {"ports": [{"port": "web"}]}])
    return st.lists(st.one_of(named, named, named, short), min_size=1, max_size=3)


SPECS = st.fixed_dictionaries(
    {},
    optional={
        "podSelector": PODS_BY,
        "policyTypes": st.sampled_from([[], ["Ingress"], ["Egress"], ["Ingress", "Egress"]]),
        "ingress": st.one_of(_rules("from"), _rules("from"), st.sampled_from([None, []])),
        "egress": st.one_of(_rules("to"), _rules("to"), st.sampled_from([None, []])),
    },
)
WEB, WEB_TOO, DNS = (("web", "TCP", 80),), (("web", "TCP", 81),), (("dns", "UDP", 53), ("dns", "TCP", 54))
# Everybody that a rule may tell apart, twice where only one thing differs.
PODS = [
    Pod("a/x", "a", {"app": "x"}, WEB),
    Pod("a/x-too", "a", {"app": "x", "color": "red"}, WEB_TOO),
    Pod("a/x-host", "a", {"app": "x"}, WEB, host_network=True),
    Pod("a/y", "a", {"app": "y", "tier": "front"}, DNS),
    Pod("a/bare", "a", {}),
    Pod("b/x", "b", {"app": "x"}, WEB),
    Pod("b/x-front", "b", {"app": "x", "tier": "front"}, (*WEB_TOO, *DNS)),
    Pod("b/host", "b", {"tier": "back"}, host_network=True),
    Pod("c/x", "c", {"app": "x"}),
]


@st.composite
def worlds(draw: Any) -> World:
    policies = [
        {"metadata": {"name": f"p{n}", "namespace": draw(st.sampled_from(["a", "b"]))}, "spec": draw(SPECS)}
        for n in range(draw(st.integers(2, 5)))
    ]
    networks = draw(st.sampled_from([(), ("10.0.0.0/26",), ("10.0.0.128/25",), ("198.18.0.0/24",)]))
    return World(tuple(policies), {"a": {"team": "x"}, "b": draw(st.sampled_from([{}, {"team": "y"}]))}, networks)
