"""Who may reach whom by network policies alone: networking.k8s.io/v1, both directions, with the rule that decides.

Pure. A connection needs the egress of its source and the ingress of its destination. Policies add up: a pod that no
policy of a direction selects is open in that direction, one that is selected is open only where some rule says so.
Rule: https://kubernetes.io/docs/concepts/services-networking/network-policies/
"""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from launchbook.selector import matches

Object = Mapping[str, Any]
Range = tuple[int, int]
Direction = Literal["ingress", "egress"]
ALL: tuple[Range, ...] = ((1, 65535),)
PROTOCOLS = ("TCP", "UDP", "SCTP")


@dataclass(frozen=True)
class Pod:
    """One end of a connection that policies govern.

    ports: (name, protocol, number) of its containers; ip: where an ipBlock may match it, "" where unknown
    """

    name: str
    namespace: str
    labels: Mapping[str, str]
    ports: tuple[tuple[str, str, int], ...] = ()
    ip: str = ""
    host_network: bool = False


@dataclass(frozen=True)
class Outside:
    """Addresses outside the cluster, first to last, between which no ipBlock draws a line."""

    first: str
    last: str

    @property
    def name(self) -> str:
        return f"{self.first}-{self.last}"


End = Pod | Outside


@dataclass(frozen=True)
class World:
    """policies: NetworkPolicy objects; namespaces: name -> labels."""

    policies: tuple[Object, ...]
    namespaces: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """The ports that may be reached, as sorted disjoint ranges, and the sentence that says why."""

    ports: tuple[Range, ...]
    because: str


def reach(world: World, source: End, destination: End, protocol: str) -> Answer:
    """Which ports of `destination` may be reached from `source` with `protocol` (TCP, UDP or SCTP)."""
    if isinstance(source, Pod) and isinstance(destination, Pod) and source.name == destination.name:
        return Answer(ALL, "a pod always reaches itself")
    out = _side(world, "egress", source, destination, protocol, destination)
    into = _side(world, "ingress", destination, source, protocol, destination)
    return Answer(intersect(out.ports, into.ports), f"{out.because}; {into.because}")


def allows(answer: Answer, port: int) -> bool:
    """Whether a port is among those of an answer."""
    return any(first <= port <= last for first, last in answer.ports)


def policy_types(policy: Object) -> tuple[str, ...]:
    """The directions a policy governs: Ingress, and Egress where it has egress rules, unless it says itself."""
    spec = policy["spec"]
    return tuple(spec.get("policyTypes") or (("Ingress", "Egress") if spec.get("egress") else ("Ingress",)))


def union(ranges: Iterable[Range]) -> tuple[Range, ...]:
    """Sorted disjoint ranges that cover the same ports."""
    merged: list[Range] = []
    for first, last in sorted(r for r in ranges if r[0] <= r[1]):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return tuple(merged)


def intersect(one: Sequence[Range], other: Sequence[Range]) -> tuple[Range, ...]:
    """Sorted disjoint ranges of the ports in both."""
    return union((max(a, c), min(b, d)) for a, b in one for c, d in other if max(a, c) <= min(b, d))


def _side(world: World, direction: Direction, self_: End, peer: End, protocol: str, destination: End) -> Answer:
    """What one end's own policies of one direction leave open towards the other end."""
    word = direction.capitalize()
    if isinstance(self_, Outside):
        return Answer(ALL, f"{direction}: no policy governs {self_.name}")
    if self_.host_network:
        return Answer(ALL, f"{direction}: {self_.name} uses its node's network, which policies do not govern")
    mine = [
        p
        for p in world.policies
        if p["metadata"].get("namespace", "default") == self_.namespace
        and word in policy_types(p)
        and matches(p["spec"].get("podSelector") or {}, self_.labels)
    ]
    if not mine:
        return Answer(ALL, f"{direction}: no policy selects {self_.name}")
    opened: list[Range] = []
    by: list[str] = []
    for policy in mine:
        for number, rule in enumerate(policy["spec"].get(direction) or ()):
            if _peers(world, policy, rule or {}, "from" if direction == "ingress" else "to", peer):
                ports = _ports(rule or {}, protocol, destination)
                if ports:
                    opened += ports
                    by.append(f"{_name(policy)} {direction}[{number}]")
    if not opened:
        return Answer((), f"{direction}: denied by {', '.join(_name(p) for p in mine)}")
    return Answer(union(opened), f"{direction}: allowed by {', '.join(by)}")


def _peers(world: World, policy: Object, rule: Object, side: str, peer: End) -> bool:
    """Whether a rule names the other end; a missing or empty list of peers names everybody."""
    peers = rule.get(side)
    return not peers or any(_is_peer(world, policy, one, peer) for one in peers)


def _is_peer(world: World, policy: Object, named: Object, peer: End) -> bool:
    block = named.get("ipBlock")
    if block is not None:
        return _in_block(block, peer)
    if isinstance(peer, Outside) or peer.host_network:
        return False
    if named.get("namespaceSelector") is None:
        if peer.namespace != policy["metadata"].get("namespace", "default"):
            return False
    elif not matches(named["namespaceSelector"], namespace_labels(world, peer.namespace)):
        return False
    return named.get("podSelector") is None or matches(named["podSelector"], peer.labels)


def namespace_labels(world: World, name: str) -> Mapping[str, str]:
    """A namespace's labels; every namespace carries its own name as kubernetes.io/metadata.name."""
    return {**world.namespaces.get(name, {}), "kubernetes.io/metadata.name": name}


def _in_block(block: Object, peer: End) -> bool:
    address = peer.first if isinstance(peer, Outside) else peer.ip
    if not address:
        return False
    ip = ipaddress.ip_address(address)
    inside = ip in ipaddress.ip_network(block["cidr"], strict=False)
    return inside and not any(ip in ipaddress.ip_network(c, strict=False) for c in block.get("except") or ())


def _ports(rule: Object, protocol: str, destination: End) -> list[Range]:
    """The ports that a rule opens; a missing or empty list opens all. A named port is the destination's own."""
    wanted = rule.get("ports")
    if not wanted:
        return list(ALL)
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
    return found


def _name(policy: Object) -> str:
    return f"{policy['metadata'].get('namespace', 'default')}/{policy['metadata']['name']}"


def outside(policies: Iterable[Object]) -> tuple[Outside, ...]:
    """All IPv4 addresses, cut where some ipBlock begins or ends (IPv6 too, where a policy names it)."""
    nets = [
        ipaddress.ip_network(cidr, strict=False)
        for policy in policies
        for direction, side in (("ingress", "from"), ("egress", "to"))
        for rule in policy["spec"].get(direction) or ()
        for peer in (rule or {}).get(side) or ()
        if peer.get("ipBlock")
        for cidr in (peer["ipBlock"]["cidr"], *(peer["ipBlock"].get("except") or ()))
    ]
    versions = [4] + ([6] if any(net.version == 6 for net in nets) else [])
    return tuple(part for version in versions for part in _cut(version, [n for n in nets if n.version == version]))


def _cut(version: int, nets: Sequence[Any]) -> Iterator[Outside]:
    kind: Any = ipaddress.IPv4Address if version == 4 else ipaddress.IPv6Address
    top = 2 ** (32 if version == 4 else 128)
    starts = {0, top} | {int(net[0]) for net in nets} | {int(net[-1]) + 1 for net in nets}
    cuts = sorted(starts)
    for first, after in itertools.pairwise(cuts):
        yield Outside(str(kind(first)), str(kind(after - 1)))
