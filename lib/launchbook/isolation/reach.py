"""Who may reach whom by network policies alone: networking.k8s.io/v1, both directions, with the rule that decides.

Pure. A connection needs the egress of its source and the ingress of its destination. Policies add up: a pod that no
policy of a direction selects is open in that direction, one that is selected is open only where some rule says so.
What the API leaves to the network plugin is neither open nor closed but unsure, and says why.
Rule: https://kubernetes.io/docs/concepts/services-networking/network-policies/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from launchbook.home import home
from launchbook.isolation.blocks import Outside, holds, may_hold_a_pod
from launchbook.isolation.ranges import Range, intersect, subtract, union
from launchbook.isolation.spec import Direction, Object, peers, policy_name, policy_types, rules
from launchbook.selector import matches

ALL: tuple[Range, ...] = ((1, 65535),)
PROTOCOLS = ("TCP", "UDP", "SCTP")
NAME_LABEL = "kubernetes.io/metadata.name"
BLOCK = "its ipBlock is meant for addresses outside the cluster, and network plugins differ on whether it names pods"
HOST = "network plugins differ on whether a selector names a pod on its node's network"
GOVERNED = "network plugins differ on whether policies govern a pod on its node's network"
NODE = "a node and the pods on it always reach each other"


@dataclass(frozen=True)
class Pod:
    """One end of a connection that policies govern. It has no address here: a pod's is another after each restart.

    ports: (name, protocol, number) of its containers
    """

    name: str
    namespace: str
    labels: Mapping[str, str]
    ports: tuple[tuple[str, str, int], ...] = ()
    host_network: bool = False


End = Pod | Outside


@dataclass(frozen=True)
class World:
    """policies: NetworkPolicy objects; namespaces: name -> labels; pod_networks: see blocks.may_hold_a_pod()."""

    policies: tuple[Object, ...]
    namespaces: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    pod_networks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answer:
    """Ports as sorted disjoint ranges, and the sentence that says why.

    ports: open for certain; unsure: open or closed, as the network plugin has it
    """

    ports: tuple[Range, ...]
    because: str
    unsure: tuple[Range, ...] = ()


ITSELF = Answer(ALL, "a pod always reaches itself")


@dataclass(frozen=True)
class Opening:
    """What one rule opens between two ends. doubt: why that isn't certain, "" where it is; refusal: why it opens none."""

    rule: str
    ports: tuple[Range, ...] = ()
    doubt: str = ""
    refusal: str = ""


@dataclass(frozen=True)
class Side:
    """One end's own policies of one direction.

    free: why none of them governs it, "" where one does; doubt: why they may not hold where they do, "" where they must
    """

    direction: Direction
    free: str
    policies: tuple[str, ...] = ()
    openings: tuple[Opening, ...] = ()
    doubt: str = ""

    @cached_property
    def ports(self) -> tuple[Range, ...]:
        return ALL if self.free else union(r for o in self.openings if not o.doubt for r in o.ports)

    @cached_property
    def unsure(self) -> tuple[Range, ...]:
        perhaps = ALL if self.doubt else union(r for o in self.openings if o.doubt for r in o.ports)
        return subtract(perhaps, self.ports)

    @cached_property
    def because(self) -> str:
        if self.free:
            return f"{self.direction}: {self.free}"
        sure = [o.rule for o in self.openings if o.ports and not o.doubt]
        told = [f"allowed by {', '.join(sure)}"] if sure else []
        if self.unsure:
            doubts: dict[str, list[str]] = {}
            for opening in self.openings:
                if opening.ports and opening.doubt:
                    doubts.setdefault(opening.doubt, []).append(opening.rule)
            told += [f"perhaps allowed by {', '.join(rules)} ({doubt})" for doubt, rules in doubts.items()]
        besides = f", but perhaps open, since {self.doubt}" if self.doubt and self.unsure else ""
        return f"{self.direction}: {' and '.join(told) or 'denied by ' + ', '.join(self.policies)}{besides}"


def reach(world: World, source: End, destination: End, protocol: str) -> Answer:
    """Which ports of `destination` may be reached from `source` with `protocol` (TCP, UDP or SCTP).

    For many pairs ask table.Table, which gives the same of each.
    """
    if same_pod(source, destination):
        return ITSELF
    out, into = sides(world, source, destination, protocol)
    ports, unsure = meet(out, into)
    return Answer(ports, f"{out.because}; {into.because}", unsure)


def same_pod(source: End, destination: End) -> bool:
    """Whether both ends are one pod, which no policy keeps from itself."""
    return isinstance(source, Pod) and isinstance(destination, Pod) and source.name == destination.name


def meet(out: Side, into: Side) -> tuple[tuple[Range, ...], tuple[Range, ...]]:
    """The ports open for certain and those unsure, where an egress meets an ingress."""
    ports = intersect(out.ports, into.ports)
    perhaps = intersect(union([*out.ports, *out.unsure]), union([*into.ports, *into.unsure]))
    return ports, subtract(perhaps, ports)


def sides(world: World, source: End, destination: End, protocol: str) -> tuple[Side, Side]:
    """What the egress of a source and the ingress of a destination say of a connection between them."""
    out = governing(world.policies, "egress", source)
    into = governing(world.policies, "ingress", destination)
    return (
        side(world, "egress", out, source, destination, protocol),
        side(world, "ingress", into, destination, source, protocol),
    )


def allows(answer: Answer, port: int) -> bool | None:
    """Whether a port is among those of an answer; None where it is unsure."""
    if any(first <= port <= last for first, last in answer.unsure):
        return None
    return any(first <= port <= last for first, last in answer.ports)


def selects(policy: Object, pod: Pod) -> bool:
    """Whether a policy is of this pod's namespace and selects it."""
    return home(policy) == pod.namespace and matches(policy["spec"].get("podSelector") or {}, pod.labels)


def governing(policies: Iterable[Object], direction: Direction, end: End) -> tuple[Object, ...]:
    """The policies that govern an end in one direction: none an address outside."""
    if isinstance(end, Outside):
        return ()
    word = direction.capitalize()
    return tuple(policy for policy in policies if selects(policy, end) and word in policy_types(policy))


def freedom(end: End) -> str:
    """Why no policy governs an end, of one that none does."""
    if isinstance(end, Outside):
        return f"no policy governs {end.name}"
    return f"no policy selects {end.name}"


def side(world: World, direction: Direction, mine: Sequence[Object], self_: End, peer: End, protocol: str) -> Side:
    """What `mine`, the policies that govern one end, say of connections between it and the other."""
    if not mine:
        return Side(direction, freedom(self_))
    destination = peer if direction == "egress" else self_
    openings = tuple(
        _opening(world, home(policy), direction, name, rule, peer, protocol, destination)
        for policy in mine
        for name, rule in rules(policy, direction)
    )
    return Side(direction, "", tuple(policy_name(policy) for policy in mine), openings, doubt(self_, peer))


def doubt(self_: End, peer: End) -> str:
    """Why the policies of one end may not hold against the other.

    Rule: https://kubernetes.io/docs/concepts/services-networking/network-policies/#networkpolicy-and-hostnetwork-pods
    """
    if isinstance(self_, Pod) and self_.host_network:
        return GOVERNED
    return NODE if isinstance(peer, Pod) and peer.host_network else ""


def _opening(
    world: World, at: str, direction: Direction, name: str, rule: Object, peer: End, protocol: str, destination: End
) -> Opening:
    found = [naming(world, at, one, peer) for one in peers(rule, direction)] or [""]
    named = [why for why in found if why is not None]
    if not named:
        return Opening(name, refusal=f"it does not name {peer.name}")
    ports = opened(rule, protocol, destination)
    if not ports:
        return Opening(name, refusal=f"it opens no {protocol} port of {destination.name}")
    return Opening(name, ports, min(named))  # "" where any is certain; else the same one, in whatever order they stand


def naming(world: World, at: str, named: Object, peer: End) -> str | None:
    """None where a peer of a rule doesn't name the other end, "" where it does, else why that isn't certain.

    at: the namespace of the policy.
    """
    block = named.get("ipBlock")
    if block is not None:
        if isinstance(peer, Outside):
            return "" if holds(block, peer.first) else None
        # A pod on its node's network has a node's address, whatever pods take.
        return BLOCK if may_hold_a_pod(block, () if peer.host_network else world.pod_networks) else None
    if isinstance(peer, Outside) or not within(world, at, named, peer.namespace):
        return None
    if named.get("podSelector") is not None and not matches(named["podSelector"], peer.labels):
        return None
    return HOST if peer.host_network else ""


def within(world: World, at: str, named: Object, namespace: str) -> bool:
    """Whether a peer with selectors names pods of this namespace: its policy's own, or those that it selects."""
    if named.get("namespaceSelector") is None:
        return namespace == at
    return matches(named["namespaceSelector"], namespace_labels(world, namespace))


def namespace_labels(world: World, name: str) -> Mapping[str, str]:
    """A namespace's labels; every namespace carries its own name as kubernetes.io/metadata.name."""
    return {**world.namespaces.get(name, {}), NAME_LABEL: name}


def opened(rule: Object, protocol: str, destination: End) -> tuple[Range, ...]:
    """The ports that a rule opens; a missing or empty list opens all. A named port is the destination's own."""
    wanted = rule.get("ports")
    if not wanted:
        return ALL
    found: list[Range] = []
    for one in wanted:
        if (one.get("protocol") or "TCP") != protocol:
            continue
        port = one.get("port")
        if port is None:
            found += ALL
        elif isinstance(port, int):
            found.append((port, one.get("endPort") or port))
        elif isinstance(destination, Pod):
            found += [(n, n) for name, proto, n in destination.ports if name == port and proto == protocol]
    return union(found)
