"""Links, routes and the guard that keeps every packet of 198.18.0.0/15 on this machine.

    host ── lablinkN ── control plane, which routes ── node 1, node 2, …

The control plane has no default route; the nodes' default route leads to it, because Calico answers its pods'
ARP by proxy, which the kernel does only where a default route leads through another interface.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.addresses import RANGE, SLICES, Slice
from lab.errors import LabError
from lab.node import Node
from lab.run import run

PREFIX = "lablink"
GUARD = "launchbook_lab"
# postrouting sees what a socket bound to an interface sends, past every route; forward keeps two labs, and a
# lab and the world, apart on a host that routes.
_GUARD = f"""\
table inet {GUARD} {{}}
flush table inet {GUARD}
table inet {GUARD} {{
  chain leaving {{
    type filter hook postrouting priority 300; policy accept;
    ip daddr {RANGE} oifname != "{PREFIX}*" oifname != "lo" drop
    ip saddr {RANGE} oifname != "{PREFIX}*" oifname != "lo" drop
  }}
  chain passing {{
    type filter hook forward priority -300; policy accept;
    iifname "{PREFIX}*" drop
    oifname "{PREFIX}*" drop
  }}
}}
"""


class Network:
    """The host's side of the labs' network; `ip` and `nft` are programs, `environment` what they need."""

    def __init__(self, ip: Path, nft: Path, environment: Mapping[str, str]) -> None:
        self._ip_program, self._nft_program, self._environment = ip, nft, environment

    def free_slice(self, taken: set[int]) -> Slice:
        """A slice that no link of this machine and none of `taken` uses. Raises `LabError` when all are in use."""
        used = taken | {int(name.removeprefix(PREFIX)) for name in self.links()}
        for index in range(SLICES):
            if index not in used:
                return Slice(index)
        raise LabError(f"all {SLICES} labs that fit in {RANGE} are up; end one (`lab list`, `lab down --name NAME`)")

    def check_unused(self) -> None:
        """Raise `LabError` when this machine already routes part of the range for somebody else."""
        for route in self._routes():
            target = route["dst"].partition("/")[0]
            ours = route.get("type") == "unreachable" or str(route.get("dev", "")).startswith(PREFIX)
            if target.startswith(("198.18.", "198.19.")) and not ours:
                raise LabError(
                    f"this machine has a route of its own for {route['dst']} (device {route.get('dev')}), "
                    f"and the lab needs {RANGE}: remove that route"
                )

    def guard(self) -> None:
        """Let nothing for the range leave this machine: by a route that stays, and by rules while a lab is up."""
        self._ip(f"route replace unreachable {RANGE}")
        run([self._nft_program, "-f", "-"], stdin=_GUARD, environment=self._environment)

    def release(self, lab: str, index: int | None) -> None:
        """Remove a lab's link and, with the last one, the guard's rules. The unreachable route stays.

        index: its slice, None where its record is lost: the link bears the lab's name.
        """
        for name, alias in self._links().items():
            if name == f"{PREFIX}{index}" or alias == _alias(lab):
                self._ip(f"link delete {name}", check=False)  # gone already with its namespace, or now
        if not self.links():
            self._nft(f"delete table inet {GUARD}", check=False)

    def connect(self, control: Node, addresses: Slice) -> None:
        """Link host and control plane, and route the lab's slice there."""
        link, name = addresses.host_link, f"{PREFIX}{addresses.index}"
        self._ip(
            f"link add {name} type veth peer name host netns {control.pid}",
            f"link set {name} alias {_alias(control.lab)}",
            f"address add {link.near}/30 dev {name}",
            f"link set {name} up",
        )
        self._inside(control, "link set lo up", f"address add {link.far}/30 dev host", "link set host up")
        self._ip(f"route add {addresses.network} via {link.far} dev {name}")

    def connect_node(self, control: Node, node: Node, addresses: Slice) -> None:
        """Link control plane and node, with routes for the node's pods; Services are reached through node 1."""
        number = node.machine.number
        link, pods, name = addresses.node_link(number), addresses.node_pods(number), f"node{number}"
        self._ip(f"link add {name} netns {control.pid} type veth peer name eth0 netns {node.pid}")
        self._inside(
            control,
            f"address add {link.near}/30 dev {name}",
            f"link set {name} up",
            f"route add {pods} via {link.far}",
            *([f"route add {addresses.services} via {link.far}"] if number == 1 else []),
        )
        self._inside(
            node,
            "link set lo up",
            f"address add {link.far}/30 dev eth0",
            "link set eth0 up",
            f"route add default via {link.near}",
            f"route add blackhole {pods}",  # an address no pod has any more, as Calico's own routes do
        )

    def links(self) -> list[str]:
        """Names of the links of all labs on this machine."""
        return list(self._links())

    def _links(self) -> dict[str, str]:
        """Name -> alias."""
        shown = json.loads(self._run("-json", "link", "show") or "[]")
        return {link["ifname"]: link.get("ifalias", "") for link in shown if link["ifname"].startswith(PREFIX)}

    def _routes(self) -> list[dict[str, Any]]:
        routes: list[dict[str, Any]] = json.loads(self._run("-json", "route", "show", "table", "all") or "[]")
        return [route for route in routes if ":" not in route["dst"]]

    def _ip(self, *lines: str, check: bool = True) -> None:
        run([self._ip_program, "-batch", "-"], stdin="\n".join(lines), environment=self._environment, check=check)

    def _inside(self, node: Node, *lines: str) -> None:
        node.enter(self._ip_program, "-batch", "-", stdin="\n".join(lines), environment=self._environment)

    def _run(self, *arguments: str) -> str:
        return run([self._ip_program, *arguments], environment=self._environment)

    def _nft(self, command: str, check: bool = True) -> None:
        run([self._nft_program, command], environment=self._environment, check=check)


def _alias(lab: str) -> str:
    return f"launchbook-lab:{lab}"
