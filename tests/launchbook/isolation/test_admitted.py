"""Labels that open what is closed to a pod without them: by table, and by property against every pod there could be."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import LABELS, PODS, worlds

from launchbook.isolation.admitted import admissions
from launchbook.isolation.files import load
from launchbook.isolation.reach import Pod, World, allows, reach
from launchbook.parameters_file import load as environment

ROOT = Path(__file__).parents[3]
DB = Pod("shop/db-0", "shop", {"app": "db"}, (("pg", "TCP", 5432),))
ANYWHERE: dict[str, Any] = {"namespaceSelector": {}}
MONITORING = {"podSelector": {"matchLabels": {"app": "monitoring"}}}
EITHER = {"podSelector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["monitoring", "backup"]}]}}
SOME = {"podSelector": {"matchExpressions": [{"key": "app", "operator": "Exists"}]}}
NEVER = {"podSelector": {"matchLabels": {"app": "x"}, "matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}}
BY_NAME = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "other"}}}
ALLOW = "by NetworkPolicy shop/allow ingress[0]"
WORN = "any pod of namespace other with the label app=monitoring is admitted " + ALLOW


def policy(name: str, namespace: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": namespace}, "spec": {"podSelector": {}, **spec}}


def ingress(*peers: Any, port: int = 5432) -> dict[str, Any]:
    return policy("allow", "shop", ingress=[{"from": list(peers), "ports": [{"port": port}]}])


DENY = policy("deny", "shop", policyTypes=["Ingress"])
SHUT = policy("shut", "other", policyTypes=["Egress"])
OUT = policy("out", "other", podSelector={"matchLabels": {"role": "client"}}, egress=[{}])
UNTRUSTED = policy(
    "untrusted",
    "other",
    podSelector={"matchExpressions": [{"key": "trust", "operator": "DoesNotExist"}]},
    policyTypes=["Egress"],
)


@pytest.mark.parametrize(
    ("policies", "declared", "expected"),
    [
        ([DENY], [], []),
        ([DENY, ingress(ANYWHERE | MONITORING)], [], [WORN]),
        ([DENY, ingress(BY_NAME | MONITORING)], [], [WORN]),
        ([DENY, ingress(MONITORING)], [], []),  # pods of shop alone
        ([DENY, ingress(ANYWHERE | NEVER)], [], []),
        ([DENY, ingress(ANYWHERE | MONITORING, port=80)], [], []),
        ([DENY, ingress({"namespaceSelector": {"matchLabels": {"team": "x"}}} | MONITORING)], [], []),
        ([DENY, ingress({"ipBlock": {"cidr": "10.0.0.0/8"}})], [], []),
        ([DENY, ingress(ANYWHERE | EITHER)], [], [WORN]),
        ([DENY, ingress(ANYWHERE | SOME)], [], [WORN.replace("monitoring", "any")]),
        # Whom a declaration opens to is known; whoever else a rule admits is not.
        ([DENY, ingress(ANYWHERE | MONITORING)], [{"app": "monitoring"}], []),
        ([DENY, ingress(ANYWHERE | MONITORING)], [{"app": "monitoring", "team": "sre"}], []),
        ([DENY, ingress(ANYWHERE | MONITORING)], [{"team": "sre"}], [WORN]),
        ([DENY, ingress(ANYWHERE | MONITORING)], [{}], [WORN]),
        ([DENY, ingress(ANYWHERE | EITHER)], [{"app": "monitoring"}], [WORN.replace("monitoring", "backup")]),
        ([DENY, ingress(ANYWHERE | EITHER)], [{"app": "monitoring"}, {"app": "backup"}], []),
        ([DENY, ingress(ANYWHERE | SOME)], [{"app": "any"}], [WORN.replace("monitoring", "any-1")]),
        # The way out of its own namespace, which labels open as well.
        ([DENY, SHUT, ingress(ANYWHERE | MONITORING)], [], []),
        (
            [DENY, SHUT, OUT, ingress(ANYWHERE | MONITORING)],
            [],
            [f"any pod of namespace other with the labels app=monitoring,role=client is admitted {ALLOW}, and let out by NetworkPolicy other/out egress[0]"],
        ),
        (
            [DENY, SHUT, OUT, ingress(ANYWHERE)],
            [],
            [f"any pod of namespace other with the label role=client is admitted {ALLOW}, and let out by NetworkPolicy other/out egress[0]"],
        ),
        (
            [DENY, UNTRUSTED, ingress(ANYWHERE)],
            [],
            [f"any pod of namespace other with the label trust=any is admitted {ALLOW}, and no policy of its own keeps it in"],
        ),
        (
            [SHUT, OUT],
            [],
            ["any pod of namespace other with the label role=client is admitted since no policy selects shop/db-0, and let out by NetworkPolicy other/out egress[0]"],
        ),
    ],
)  # fmt: skip
def test_which_labels_open_it(policies: list[Any], declared: list[Any], expected: list[str]) -> None:
    """Whoever may create a pod may give it the label; the sentence names policy, rule and label."""
    found = admissions(World(tuple(policies), {"other": {}}), "other", DB, "TCP", 5432, declared)
    assert [one.because for one in found] == expected
    assert all(one.allowed for one in found)


def test_what_hangs_on_an_address_is_neither() -> None:
    """The label opens the way out; whether the pod's address lies in the block is the network plugin's to say."""
    block = {"ipBlock": {"cidr": "10.0.0.0/8"}}
    out = policy("out", "other", podSelector={"matchLabels": {"role": "client"}}, egress=[{"to": [block]}])
    world = World((DENY, SHUT, out, ingress(ANYWHERE)), {"other": {}})
    [found] = admissions(world, "other", DB, "TCP", 5432, [])
    assert found.allowed is None
    assert found.because.startswith(
        "whether any pod of namespace other with the label role=client is admitted can't be told (egress: perhaps allowed"
    )


@settings(max_examples=150)
@given(worlds(), st.sampled_from([("TCP", 80), ("UDP", 53), ("TCP", 443)]))
def test_labels_are_told_wherever_some_pod_would_pass(world: World, asked: tuple[str, int]) -> None:
    """What is told passes as it says, and no more; where nothing is told, no pod with any labels would pass."""
    protocol, port = asked
    for destination, namespace in itertools.product(PODS, "abc"):

        def passes(labels: Any, to: Pod = destination, at: str = namespace) -> bool | None:
            return allows(reach(world, Pod("s", at, labels), to, protocol), port)

        if passes({}) is not False:
            continue
        found = admissions(world, namespace, destination, protocol, port, [])
        assert all(one.allowed is not False and passes(one.labels) is one.allowed for one in found)
        every = {passes(labels) for labels in LABELS}
        assert (True in every) == any(one.allowed for one in found)
        assert bool(every - {False}) == bool(found)


def test_the_sample_system_is_closed_whatever_labels_a_pod_wears() -> None:
    """Of each edge of the lab's parameters that is closed from a namespace; but for what is declared open beside it."""
    world, pods = load([ROOT / "parameters/kgents/manifests"])
    told = {}
    edges = environment(ROOT / "parameters/lab.yaml").environment.isolation.edges
    for edge in edges:
        if edge.source.labels or edge.expect == "open":
            continue
        [there] = [p for p in pods if p.name.startswith(f"{edge.destination.namespace}/{edge.destination.service}")]
        declared = [o.source.labels for o in edges if o.expect == "open" and o.destination == edge.destination]
        # The API's Service has its port 80 lead to 8080.
        port = 8080 if edge.destination.port == 80 else edge.destination.port
        asked = (world, edge.source.namespace, there, "TCP", port)
        told[edge.name] = (admissions(*asked, declared), bool(admissions(*asked, [])))
    assert len(told) == 6
    assert [found for found, _ in told.values()] == [[]] * 6
    # NATS' own clients pass by their label, which the parameters declare.
    assert [name for name, (_, bare) in told.items() if bare] == ["kgents-triad -> kgents-agents/nats:4222"]
