"""Computed and observed are the same: generated policies on a real cluster, every pair of pods tried on every port.

Groups of three namespaces with five pods stand side by side. A round applies one set of policies to each group at once and
tries every pair until all is as computed, twice in a row, or a deadline is past.
"""

from __future__ import annotations

import itertools
import json
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from launchbook.cluster import Cluster
from launchbook.isolation.reach import Pod, World, allows
from launchbook.isolation.table import Table
from launchbook.parameters import Cluster as Parameters

pytestmark = pytest.mark.lab

GROUPS, ROUNDS, SEED = 6, 7, 20261124  # 42 sets
NUMBERS = (8080, 8081, 8082)  # every pod listens on each; `web` is one of them
DEADLINE = 25.0  # s, from apply until all is as computed; P99 of what is measured elsewhere is 5 s
MARK = "launchbook-test/reach"
TEAMS: dict[str, dict[str, str]] = {"a": {"team": "x"}, "b": {"team": "y"}, "c": {}}
# Of each pod its namespace's letter, name, labels, and what `web` is.
PODS: list[tuple[str, str, dict[str, str], int | None]] = [
    ("a", "x", {"app": "x"}, 8080),
    ("a", "y", {"app": "y", "tier": "front"}, 8081),
    ("b", "x", {"app": "x", "tier": "front"}, 8081),
    ("b", "bare", {}, None),
    ("c", "y", {"app": "y"}, 8080),
]
LISTEN = "".join(f"nc -ll -p {number} -e /bin/true & " for number in NUMBERS) + "wait"
# All targets at once, each tried twice before it counts as closed: "ADDRESS PORT CODE what nc said".
TRY = """\
try() {
  said=$(nc -w 1 $1 $2 -e /bin/true 2>&1 </dev/null) || said=$(nc -w 1 $1 $2 -e /bin/true 2>&1 </dev/null)
  echo $1 $2 $? $said
}
"""

Object = dict[str, Any]
Edge = tuple[str, str, int]  # source, destination, port


@dataclass(frozen=True)
class Field:
    """The cluster, and of each group its pods and their addresses by name."""

    lab: Any
    cluster: Cluster
    addresses: Mapping[str, str]

    def observe(self, edges: Sequence[Edge]) -> dict[Edge, str]:
        """`open`, `closed` (nothing came back in time) or what else was met, of each edge; one exec a source."""
        by_source = {source: [e for e in edges if e[0] == source] for source in dict.fromkeys(e[0] for e in edges)}
        with ThreadPoolExecutor(max_workers=15) as pool:
            parts = list(pool.map(self._of_one, by_source, by_source.values()))
        return {edge: outcome for part in parts for edge, outcome in part.items()}

    def _of_one(self, source: str, edges: Sequence[Edge]) -> dict[Edge, str]:
        calls = "".join(f"try {self.addresses[end]} {port} &\n" for _, end, port in edges)
        namespace, _, pod = source.partition("/")
        said = self.cluster.exec(namespace, pod, ["sh", "-c", f"{TRY}{calls}wait"], timeout=60).stdout
        met = {(address, port): (code, rest) for address, port, code, *rest in map(str.split, said.splitlines())}
        return {
            edge: _outcome(*met.get((self.addresses[edge[1]], str(edge[2])), ("", ["not tried"]))) for edge in edges
        }

    def apply(self, policies: Sequence[Object]) -> None:
        """These policies and no other of ours."""
        self.lab.kubectl("delete", "networkpolicy", "-A", "-l", MARK, "--wait=false")
        if policies:
            self.lab.apply(as_text(policies))

    def settled(self, expected: Mapping[Edge, str]) -> dict[Edge, str]:
        """What was observed last: as expected twice in a row, or whatever it was at the deadline."""
        deadline, agreed, found = time.monotonic() + DEADLINE, 0, dict.fromkeys(expected, "not tried")
        asked = list(expected)
        while agreed < 2:
            found |= self.observe(asked)
            wrong = [edge for edge in expected if found[edge] != expected[edge]]
            if wrong and time.monotonic() > deadline:
                break
            whole = len(asked) == len(expected)
            agreed = agreed + 1 if whole and not wrong else 0
            asked = wrong or list(expected)  # what is right already is asked again once everything is
        return found


def _outcome(code: str, said: Sequence[str]) -> str:
    words = " ".join(said)
    return "open" if code == "0" else "closed" if "timed out" in words else f"{code} {words}".strip()


def as_text(objects: Iterable[Object]) -> str:
    """JSON, since YAML's `y` is a boolean to kubectl."""
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})


def namespace(group: int, letter: str) -> str:
    return f"reach-{group}-{letter}"


def pods(group: int) -> list[Pod]:
    return [
        Pod(
            f"{namespace(group, letter)}/{name}",
            namespace(group, letter),
            labels,
            (("web", "TCP", web),) if web else (),
        )
        for letter, name, labels, web in PODS
    ]


def edges(group: int) -> list[Edge]:
    names = [pod.name for pod in pods(group)]
    return [(one, other, port) for one, other in itertools.permutations(names, 2) for port in NUMBERS]


@pytest.fixture(scope="module")
def field(lab: Any, eventually: Callable[..., Any]) -> Iterator[Field]:
    """Every group's pods, running, each reached by each on every port while there is no policy."""
    cluster = Cluster.connect(Parameters(context=lab.name, kubeconfig=lab.kubeconfig))
    spaces = [(group, letter) for group in range(GROUPS) for letter in TEAMS]
    lab.apply(as_text(_namespace(group, letter) for group, letter in spaces))
    # No pod is admitted before its namespace has this account.
    accounts = ("serviceaccounts", "-A", "--field-selector", "metadata.name=default")
    homes = {namespace(group, letter) for group, letter in spaces}
    eventually(lambda: homes <= {one["metadata"]["namespace"] for one in lab.get(*accounts)["items"]})
    lab.apply(as_text(_pod(group, *one) for group in range(GROUPS) for one in PODS))
    try:
        for group, letter in spaces:
            lab.kubectl(
                "-n", namespace(group, letter), "wait", "pod", "--all", "--for=condition=Ready", "--timeout=120s"
            )
        found = lab.get("pods", "-A", "-l", MARK)["items"]
        addresses = {f"{p['metadata']['namespace']}/{p['metadata']['name']}": p["status"]["podIP"] for p in found}
        made = Field(lab, cluster, addresses)
        everything = {edge: "open" for group in range(GROUPS) for edge in edges(group)}
        assert made.settled(everything) == everything
        yield made
    finally:
        lab.kubectl("delete", "pod", "-A", "-l", MARK, "--now", "--wait=false")
        lab.kubectl("delete", "namespace", "--wait=false", *sorted(homes))


def _namespace(group: int, letter: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": namespace(group, letter), "labels": TEAMS[letter]},
    }


def _pod(group: int, letter: str, name: str, labels: dict[str, str], web: int | None) -> Object:
    container = {
        "name": "listen", "image": "lab.local/busybox:1", "command": ["sh", "-c", LISTEN],
        "ports": [{"name": "web", "containerPort": web}] if web else [],
    }  # fmt: skip
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace(group, letter), "labels": {**labels, MARK: "pod"}},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 0, "automountServiceAccountToken": False},
    }


def policy(group: int, letter: str, name: str, **spec: Any) -> Object:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": namespace(group, letter), "labels": {MARK: "policy"}},
        "spec": {"podSelector": {}, **spec},
    }


def computed(group: int, policies: Sequence[Object]) -> dict[Edge, tuple[str, str]]:
    """`open` or `closed`, and the rules that say so, of each edge of a group."""
    world = World(
        tuple(policies), {namespace(group, letter): labels for letter, labels in TEAMS.items()}, ("198.18.0.0/15",)
    )
    ends = pods(group)
    table, at = Table(world, ends), {pod.name: n for n, pod in enumerate(ends)}
    found = {}
    for source, destination, port in edges(group):
        answer = table.answer(at[source], at[destination], "TCP")
        allowed = allows(answer, port)
        assert allowed is not None, f"{source} -> {destination} is unsure: {answer.because}"
        found[source, destination, port] = ("open" if allowed else "closed", answer.because)
    return found


def differences(expected: Mapping[Edge, tuple[str, str]], observed: Mapping[Edge, str]) -> list[str]:
    """A line for each edge that is not as computed: the pair, both outcomes, and the rules."""
    return [
        f"{edge[0]} -> {edge[1]} TCP {edge[2]}: computed {outcome} ({because}), observed {observed[edge]}"
        for edge, (outcome, because) in expected.items()
        if observed[edge] != outcome
    ]


# Generated sets.


def generated(chosen: random.Random, group: int) -> list[Object]:
    """One to five policies, of every form of selector, peer, port and default."""
    return [_generated(chosen, group, f"p{n}") for n in range(chosen.randint(1, 5))]


def _generated(chosen: random.Random, group: int, name: str) -> Object:
    types = chosen.choice([None, None, [], ["Ingress"], ["Egress"], ["Ingress", "Egress"], ["Ingress", "Egress"]])
    spec: Object = {"podSelector": _by_label(chosen)} | ({} if types is None else {"policyTypes": types})
    for direction, side, odds in (("ingress", "from", 0.85), ("egress", "to", 0.5)):
        if chosen.random() < odds:
            spec[direction] = [_rule(chosen, group, side) for _ in range(chosen.choice([0, 1, 1, 2, 3]))]
    return policy(group, chosen.choice("aabbc"), name, **spec)


def _rule(chosen: random.Random, group: int, side: str) -> Object:
    rule: Object = {}
    if chosen.random() < 0.9:
        rule[side] = [_peer(chosen, group) for _ in range(chosen.choice([0, 1, 1, 1, 2, 2]))]
    if chosen.random() < 0.7:
        rule["ports"] = [_port(chosen) for _ in range(chosen.choice([0, 1, 1, 2]))]
    return rule


def _peer(chosen: random.Random, group: int) -> Object:
    form = chosen.choice(["pods", "pods", "namespaces", "both", "both", "block"])
    if form == "block":
        # Of no pod: what a block says of one is the plugin's to say.
        return {"ipBlock": {"cidr": "203.0.113.0/24", "except": ["203.0.113.128/25"]}}
    peer: Object = {}
    if form != "namespaces":
        peer["podSelector"] = _by_label(chosen)
    if form != "pods":
        named = _selector(chosen, "kubernetes.io/metadata.name", [namespace(group, letter) for letter in "abc"])
        peer["namespaceSelector"] = chosen.choice([named, _selector(chosen, "team", ["x", "y", "z"])])
    return peer


def _by_label(chosen: random.Random) -> Object:
    return chosen.choice([{}, _selector(chosen, "app", ["x", "y", "z"]), _selector(chosen, "tier", ["front", "back"])])


def _selector(chosen: random.Random, key: str, values: list[str]) -> Object:
    operator = chosen.choice(["matchLabels", "In", "NotIn", "Exists", "DoesNotExist"])
    if operator == "matchLabels":
        return {"matchLabels": {key: chosen.choice(values)}}
    wanted = {"values": chosen.sample(values, chosen.randint(1, 2))} if operator.endswith("In") else {}
    return {"matchExpressions": [{"key": key, "operator": operator, **wanted}]}


def _port(chosen: random.Random) -> Object:
    return dict(
        chosen.choice(
            [
                {"port": 8080},
                {"port": 8081, "protocol": "TCP"},
                {"port": "web"},
                {"port": "web"},
                {"port": 8081, "endPort": 8090},
                {"port": 8000, "endPort": 8080},
                {"port": 8080, "protocol": "UDP"},
                {"protocol": "TCP"},
            ]
        )
    )


def test_computed_and_observed_are_the_same(field: Field, record_property: Callable[..., None]) -> None:
    """42 sets of policies, each on 20 ordered pairs of pods and three ports, about a half of them closed."""
    chosen = random.Random(SEED)
    wrong, edges_open, edges_all = [], 0, 0
    for turn in range(ROUNDS):
        sets = {group: generated(chosen, group) for group in range(GROUPS)}
        expected = {edge: says for group, policies in sets.items() for edge, says in computed(group, policies).items()}
        field.apply([policy for policies in sets.values() for policy in policies])
        observed = field.settled({edge: outcome for edge, (outcome, _) in expected.items()})
        wrong += [f"round {turn}: {line}" for line in differences(expected, observed)]
        edges_open += sum(outcome == "open" for outcome, _ in expected.values())
        edges_all += len(expected)
    record_property("edges", edges_all)
    assert not wrong, "\n".join([f"{len(wrong)} of {edges_all} edges differ", *wrong])
    assert edges_all == GROUPS * ROUNDS * 60
    assert 0.25 < edges_open / edges_all < 0.75, "a comparison of nothing but open, or closed, would show little"


def test_a_policy_left_out_of_the_computation_is_found(field: Field) -> None:
    """The cluster has it, the computation doesn't: the pair, the ports and the rules are named, and nothing else is."""
    deny = policy(0, "b", "deny")
    door = policy(0, "b", "door", podSelector={"matchLabels": {"app": "x"}}, ingress=[
        {"from": [{"namespaceSelector": {"matchLabels": {"team": "x"}}, "podSelector": {"matchLabels": {"app": "x"}}}],
         "ports": [{"port": "web"}]},
    ])  # fmt: skip
    whole = computed(0, [deny, door])
    field.apply([deny, door])
    observed = field.settled({edge: outcome for edge, (outcome, _) in whole.items()})
    assert differences(whole, observed) == []
    assert differences(computed(0, [deny]), observed) == [
        "reach-0-a/x -> reach-0-b/x TCP 8081: computed closed (egress: no policy selects reach-0-a/x; "
        "ingress: denied by reach-0-b/deny), observed open"
    ]
    without_deny = differences(computed(0, [door]), observed)
    assert len(without_deny) == 4 * len(NUMBERS)
    assert all(
        "-> reach-0-b/bare TCP" in line and line.endswith("no policy selects reach-0-b/bare), observed closed")
        for line in without_deny
    )
