"""Which addresses a lab uses: pure arithmetic on 198.18.0.0/15 (RFC 2544, for tests inside one network).

The range is cut in 16 slices of /19, one a lab:

    +0   /20  pods, a /24 for each node
    +16  /21  Services
    +24  /22  links: a /30 from the host to the control plane, and a /30 from there to each node
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Address, IPv4Network

RANGE = IPv4Network("198.18.0.0/15")
SLICES = 16
MAX_NODES = 16  # a /20 of pods holds 16 ranges of /24


@dataclass(frozen=True)
class Link:
    """A /30: `near` is the side towards the host, `far` the other."""

    network: IPv4Network

    @property
    def near(self) -> IPv4Address:
        return self.network[1]

    @property
    def far(self) -> IPv4Address:
        return self.network[2]


@dataclass(frozen=True)
class Slice:
    """The addresses of one lab; `index` is 0 to 15. Raises `ValueError` for any other."""

    index: int

    def __post_init__(self) -> None:
        if not 0 <= self.index < SLICES:
            raise ValueError(f"slice {self.index}: expected 0 to {SLICES - 1}")

    @cached_property
    def network(self) -> IPv4Network:
        return list(RANGE.subnets(new_prefix=19))[self.index]

    @property
    def pods(self) -> IPv4Network:
        return IPv4Network((self.network[0], 20))

    @property
    def services(self) -> IPv4Network:
        return IPv4Network((self.network[16 * 256], 21))

    @property
    def links(self) -> IPv4Network:
        return IPv4Network((self.network[24 * 256], 22))

    @property
    def api_service(self) -> IPv4Address:
        """The Service `kubernetes`: always the first address of the range."""
        return self.services[1]

    @property
    def dns_service(self) -> IPv4Address:
        return self.services[10]

    @property
    def host_link(self) -> Link:
        """From the host (near) to the control plane (far)."""
        return self._link(0)

    def node_link(self, number: int) -> Link:
        """From the control plane (near) to node `number` (far), counted from 1."""
        self._check(number)
        return self._link(number)

    def node_pods(self, number: int) -> IPv4Network:
        """The pod range of node `number`, counted from 1."""
        self._check(number)
        return list(self.pods.subnets(new_prefix=24))[number - 1]

    def _link(self, number: int) -> Link:
        return Link(IPv4Network((self.links[number * 4], 30)))

    @staticmethod
    def _check(number: int) -> None:
        if not 1 <= number <= MAX_NODES:
            raise ValueError(f"node {number}: expected 1 to {MAX_NODES}")
