"""Start, look at and end a lab: a real Kubernetes in namespaces of this machine."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from lab import cgroups, parts, state, store
from lab.addresses import MAX_NODES, Slice
from lab.api import wait
from lab.bringup import bring_up, found_lab
from lab.components import CONTAINERD_SOCKET
from lab.errors import LabError
from lab.ground import RUNBOOK_USER, Ground
from lab.node import Node
from lab.progress import Steps
from lab.state import Record

DEFAULT_NODES = 3
CONTAINERD_TIMEOUT = 20.0  # s
START_TIMEOUT = 20.0  # s
REMOVAL_TIMEOUT = 30.0  # s


class Lab:
    """One lab by name. Every act may be repeated.

    Raises `Unmet` where the machine can't run a lab, `LabError` with what to do for everything else.
    """

    def __init__(self, name: str = "lab", steps: Steps | None = None) -> None:
        parts.check_machine()
        self.name = name
        self.ground = Ground(name)
        self.steps = steps or Steps(quiet=True)

    def up(self, nodes: int | None = None, without: Sequence[str] = ()) -> dict[str, Any]:
        """Bring the lab up with `nodes` nodes (3 unless it is up already) and give its status.

        What runs stays, a component that ended is started again, nodes are added where more are asked for, and a
        lab that lost a whole machine (a crash, a reboot) is made anew. `without` names components that are never
        started, as COMPONENT@MACHINE: a fault for tests. Raises `ComponentDied` with the end of its log.
        """
        found = parts.build(self.steps)
        with state.locked(self.name):
            record = self._still_whole(found)
            wanted = nodes or (len(record.nodes) if record else DEFAULT_NODES)
            self._check(wanted, without, record)
            record = record or found_lab(self.ground, found)
            record.without = sorted({*record.without, *without})
            bring_up(self.ground, record, wanted, found, self.steps)
            return self._status(record)

    def down(self) -> bool:
        """End the lab and remove all it made; give whether there was anything. The unreachable route stays."""
        with state.locked(self.name):
            there = self.ground.home.exists() or self.name in cgroups.labs()
            if there:
                self._remove(state.load(self.name), parts.host_programs(self.steps))
            return there

    def status(self) -> dict[str, Any] | None:
        """What runs, or None when there is no such lab:
        `{name, up, context, kubeconfig: {admin, launchbook}, server, slice, started,
        machines: [{name, address, pods, up, components: [{name, state, pid, age, exit, log}]}]}`.

        `started` is in seconds since the epoch, ages in seconds. A state is running, starting, stopped, exited,
        failed or left out; `up` means that every machine is there and every component runs or was left out."""
        record = state.load(self.name)
        return self._status(record) if record else None

    def load_images(self, archives: Sequence[Path]) -> None:
        """Import OCI archives into every node's containerd."""
        missing = [str(path) for path in archives if not path.is_file()]
        if missing:
            raise LabError(f"{', '.join(missing)}: no such file; expected OCI archives (.tar)")
        with state.locked(self.name), ThreadPoolExecutor() as pool:
            nodes = self.ground.nodes(self.ground.record())
            list(pool.map(lambda node: self._import(node, archives), nodes))

    def stop(self, target: str) -> None:
        """Stop a component, COMPONENT@MACHINE; it stays stopped until `start` or the next `up`."""
        node, component = self._find(target)
        node.stop(component)

    def start(self, target: str) -> None:
        """Start a component that was stopped, died or was left out. Raises `ComponentDied` when it ends again."""
        with state.locked(self.name):
            node, component = self._find(target)
            record = self.ground.record()
            record.without = [left for left in record.without if left != target]
            state.save(record)
            node.start(component)
            wait(f"{target} to stay up", node.settled, START_TIMEOUT)
            node.check(component)

    def kubeconfig(self, user: str, groups: Sequence[str] = ()) -> str:
        """A kubeconfig with a client certificate for this user; what they may do is up to RBAC."""
        site = self.ground.site(self.ground.record())
        file = "-".join([user, *groups]).replace("/", "_").replace(":", "_")
        return site.kubeconfig(self.ground.home / "users" / file, user, *groups).read_text()

    def kubectl(self) -> tuple[Path, Path]:
        """The program and the admin's kubeconfig."""
        self.ground.record()
        return self.ground.program("kubectl"), self.ground.admin_kubeconfig

    def _still_whole(self, found: parts.Parts) -> Record | None:
        """The record of a lab whose machines all run; what is left of any other one is removed."""
        record = state.load(self.name)
        if record and all(self.ground.node(machine).alive for machine in record.machines):
            return record
        if record:
            self.steps.say(f"lab {self.name} lost a machine (a crash or a reboot): starting it anew")
        self._remove(record, found)
        return None

    def _check(self, wanted: int, without: Sequence[str], record: Record | None) -> None:
        if not 1 <= wanted <= MAX_NODES:
            raise LabError(f"{wanted} nodes: expected 1 to {MAX_NODES}")
        if record and wanted < len(record.nodes):
            raise LabError(
                f"lab {self.name} has {len(record.nodes)} nodes; to have {wanted}, end it first: "
                f"lab down --name {self.name}"
            )
        there = {machine.name for machine in record.machines} if record else set()
        for target in without:
            _, machine = self.ground.target(target, wanted)
            if record and machine in there and target not in record.without:
                raise LabError(f"{target} was started already; stop it: lab stop {target} --name {self.name}")

    def _remove(self, record: Record | None, found: parts.Parts) -> None:
        if record:
            for machine in reversed(record.machines):
                self.ground.node(machine).kill()
        cgroups.remove(self.name)
        with state.machine_locked():
            self.ground.network(found).release(self.name, record.slice if record else None)
        wait(f"the removal of {self.ground.home}", self._files_gone, REMOVAL_TIMEOUT)

    def _files_gone(self) -> bool:
        """Remove them; not all go at once while a copy that an interrupted `up` began still writes."""
        shutil.rmtree(self.ground.home, ignore_errors=True)
        return not self.ground.home.exists()

    def _import(self, node: Node, archives: Sequence[Path]) -> None:
        socket = node.path(CONTAINERD_SOCKET)
        wait(
            f"containerd of {node.name} to answer", socket.exists, CONTAINERD_TIMEOUT, lambda: node.check("containerd")
        )
        store.load(
            archives,
            ctr=self.ground.program("ctr"),
            socket=socket,
            snapshotter=store.snapshotter(state.labs_folder()),
            environment=self.ground.environment(),
        )

    def _find(self, target: str) -> tuple[Node, str]:
        record = self.ground.record()
        component, name = self.ground.target(target, len(record.nodes))
        machine = next(machine for machine in record.machines if machine.name == name)
        return self.ground.node(machine), component

    def _status(self, record: Record) -> dict[str, Any]:
        addresses = Slice(record.slice)
        machines: list[dict[str, Any]] = []
        for machine in record.machines:
            node = self.ground.node(machine)
            link = addresses.node_link(machine.number) if machine.number else addresses.host_link
            components = _components(node, record)
            machines.append(
                {
                    "name": machine.name,
                    "address": str(link.far),
                    "pods": str(addresses.node_pods(machine.number)) if machine.number else None,
                    "up": bool(components),
                    "components": components,
                }
            )
        return {
            "name": record.name,
            "up": all(
                machine["up"] and all(item["state"] in ("running", "left out") for item in machine["components"])
                for machine in machines
            ),
            "context": record.name,
            "kubeconfig": {
                "admin": str(self.ground.admin_kubeconfig),
                RUNBOOK_USER: str(self.ground.runbook_kubeconfig),
            },
            "server": self.ground.site(record).server,
            "slice": str(addresses.network),
            "started": record.started,
            "machines": machines,
        }


def up(name: str = "lab", nodes: int | None = None, without: Sequence[str] = ()) -> dict[str, Any]:
    """See `Lab.up`."""
    return Lab(name).up(nodes, without)


def down(name: str = "lab") -> bool:
    """See `Lab.down`."""
    return Lab(name).down()


def status(name: str = "lab") -> dict[str, Any] | None:
    """See `Lab.status`."""
    return Lab(name).status()


def _components(node: Node, record: Record) -> list[dict[str, Any]]:
    """None of them when the machine is gone, or goes while it is looked at."""
    try:
        components = node.components()
    except LabError:
        return []
    for item in components:
        if item["state"] == "stopped" and f"{item['name']}@{node.name}" in record.without:
            item["state"] = "left out"
    return components
