"""What an ipBlock names: addresses outside the cluster for certain, pods perhaps.

The API means ipBlocks for addresses outside the cluster, "since Pod IPs are ephemeral and unpredictable"; whether one
that holds a pod's address names the pod too is the network plugin's to say, and plugins differ.
Rule: https://kubernetes.io/docs/concepts/services-networking/network-policies/#behavior-of-to-and-from-selectors
"""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from launchbook.isolation.ranges import Range, intersect, subtract
from launchbook.isolation.spec import Object, every_peer

# Where clusters take their pods' addresses from: private use, carrier-grade NAT and benchmarking (RFC 1918, 6598,
# 2544), and unique local IPv6 (RFC 4193).
PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "198.18.0.0/15", "fc00::/7")


@dataclass(frozen=True)
class Outside:
    """Addresses outside the cluster, first to last, between which no ipBlock draws a line."""

    first: str
    last: str

    @property
    def name(self) -> str:
        return f"{self.first}-{self.last}"


def holds(block: Object, address: str) -> bool:
    """Whether an address is inside a block and in none of its exceptions."""
    ip = ipaddress.ip_address(address)
    inside = ip in _network(block["cidr"])
    return inside and not any(ip in _network(c) for c in block.get("except") or ())


def may_hold_a_pod(block: Object, networks: Sequence[str]) -> bool:
    """Whether some address of `networks`, those that pods take, is inside a block and in none of its exceptions.

    networks: CIDRs; none where it isn't known what pods take, and any address may be a pod's.
    """
    whole = _network(block["cidr"])
    left = subtract([_range(block["cidr"])], [_range(part) for part in block.get("except") or ()])
    if not networks:
        return bool(left)
    same = [_range(cidr) for cidr in networks if _network(cidr).version == whole.version]
    return bool(intersect(left, same))


def pod_networks(allotted: Iterable[str], addresses: Iterable[str]) -> tuple[str, ...]:
    """The CIDRs that hold every pod of a cluster, those that are yet to start included; none where that isn't known.

    allotted: CIDRs that its nodes hand out to pods; addresses: those that its pods have now. An address outside what
    nodes hand out shows that something else allots: then only that all are private can be gone by.
    """
    now = [ipaddress.ip_address(address) for address in addresses]
    for candidate in (tuple(dict.fromkeys(allotted)), PRIVATE):
        nets = [_network(cidr) for cidr in candidate]
        if nets and all(any(ip in net for net in nets) for ip in now):
            return candidate
    return ()


def outside(policies: Iterable[Object]) -> tuple[Outside, ...]:
    """All IPv4 addresses, cut where some ipBlock begins or ends (IPv6 too, where a policy names it)."""
    nets = [
        _network(cidr)
        for _, _, peer in every_peer(policies)
        if peer.get("ipBlock")
        for cidr in (peer["ipBlock"]["cidr"], *(peer["ipBlock"].get("except") or ()))
    ]
    versions = [4] + ([6] if any(net.version == 6 for net in nets) else [])
    return tuple(part for version in versions for part in _cut(version, [n for n in nets if n.version == version]))


@lru_cache(4096)  # the same few are asked for again and again
def _network(cidr: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(cidr, strict=False)


@lru_cache(4096)
def _range(cidr: str) -> Range:
    net = _network(cidr)
    return int(net[0]), int(net[-1])


def _cut(version: int, nets: Sequence[Any]) -> Iterator[Outside]:
    kind: Any = ipaddress.IPv4Address if version == 4 else ipaddress.IPv6Address
    top = 2 ** (32 if version == 4 else 128)
    starts = {0, top} | {int(net[0]) for net in nets} | {int(net[-1]) + 1 for net in nets}
    for first, after in itertools.pairwise(sorted(starts)):
        yield Outside(str(kind(first)), str(kind(after - 1)))
