"""Where a lab's things are, and how each is reached: what every act on a lab stands on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lab import parts, state
from lab.addresses import Slice
from lab.api import Api
from lab.components import API_PORT, CONTROL, FELIX, NODE, Site
from lab.errors import LabError
from lab.network import Network
from lab.node import Node
from lab.pki import Authority
from lab.state import Machine, Record

RUNBOOK_USER = "launchbook"
ADMIN = ("lab:admin", "system:masters")


class Ground:
    """A lab by name. Raises `LabError` for a name that can't be one; makes nothing by itself."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.home = state.home(name)
        self.admin_kubeconfig = self.home / "admin.kubeconfig"
        self.runbook_kubeconfig = self.home / f"{RUNBOOK_USER}.kubeconfig"

    def record(self) -> Record:
        """Raises `LabError`, naming the labs there are, when this is none of them."""
        record = state.load(self.name)
        if record is None:
            known = ", ".join(state.names()) or "none"
            raise LabError(f"there is no lab {self.name} (labs: {known}); `lab up --name {self.name}` starts it")
        return record

    def node(self, machine: Machine) -> Node:
        return Node(self.name, machine, self.home / machine.name)

    def nodes(self, record: Record) -> list[Node]:
        return [self.node(machine) for machine in record.nodes]

    def site(self, record: Record) -> Site:
        return Site(
            self.name, self.home, Slice(record.slice), Authority(self.home / "ca", self.name), self.environment()
        )

    def api(self, record: Record) -> Api:
        site = self.site(record)
        pair = site.authority.issue(self.home / "admin", *ADMIN)
        return Api(str(site.addresses.host_link.far), API_PORT, site.authority.pair.certificate, pair)

    def network(self, found: parts.Parts) -> Network:
        return Network(found["ip"], found["nft"], found.environment())

    def program(self, name: str) -> Path:
        return self.home / "bin" / name

    def environment(self) -> Mapping[str, str]:
        """What the lab's programs find: the links first, and the libraries that this machine lacks."""
        return parts.program_environment(self.home / "bin", self.home / "lib")

    def machine_name(self, number: int) -> str:
        return f"{self.name}-node-{number}" if number else f"{self.name}-control"

    def target(self, text: str, nodes: int) -> tuple[str, str]:
        """Take COMPONENT@MACHINE apart. Raises `LabError` when a lab of so many nodes has no such component."""
        component, _, machine = text.partition("@")
        known = {self.machine_name(0): CONTROL} | {self.machine_name(n): NODE for n in range(1, nodes + 1)}
        if component not in known.get(machine, ()):
            raise LabError(
                f"{text!r} names no component: expected COMPONENT@MACHINE, e.g. {FELIX}@{self.machine_name(1)}; "
                f"machines: {', '.join(known)}; components: {', '.join(CONTROL)} (control), {', '.join(NODE)} (nodes)"
            )
        return component, machine
