"""Start, look at and end a lab: a real Kubernetes in namespaces of this machine."""

from __future__ import annotations

import shutil
import string
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from lab import cgroups, parts, state, store
from lab.addresses import MAX_NODES, Slice
from lab.api import Api, wait
from lab.components import API_PORT, CONTROL, FELIX, NODE, Site, prepare
from lab.errors import LabError
from lab.network import Network
from lab.node import Node
from lab.pki import Authority
from lab.progress import Steps
from lab.state import Machine, Record

DEFAULT_NODES = 2
API_TIMEOUT = 60.0  # s, from start to ready
NODE_TIMEOUT = 60.0
DNS_TIMEOUT = 60.0
RUNBOOK_USER = "launchbook"


class Lab:
    """One lab by name. Every act may be repeated; each raises `LabError` with what to do."""

    def __init__(self, name: str = "lab", steps: Steps | None = None) -> None:
        self.name = name
        self.home = state.home(name)
        self.steps = steps or Steps(quiet=True)

    # ── the acts ──────────────────────────────────────────────────────────────────────────────────────────

    def up(self, nodes: int | None = None, without: Sequence[str] = ()) -> dict[str, Any]:
        """Bring the lab up with `nodes` nodes (2 unless it is up already) and give its status.

        What runs stays, a component that died is started again, nodes are added where more are asked for, and a
        lab that lost a whole machine (a crash, a reboot) is made anew. `without` names components to leave out,
        as COMPONENT@MACHINE: a fault for tests.
        """
        parts.check_machine()
        found = parts.build(self.steps)
        with state.locked(self.name):
            record = state.load(self.name)
            if record and not all(Node(self.name, m, self.home / m.name).alive for m in record.machines):
                self.steps.say(f"lab {self.name} lost a machine (a crash or a reboot): starting it anew")
                self._remove(record, found)
                record = None
            elif record is None:
                self._remove(None, found)  # what a crash may have left without a record
            wanted = nodes or (len(record.nodes) if record else DEFAULT_NODES)
            self._check_wanted(wanted, record)
            if record is None:
                record = self._new(found)
            for target in without:
                self._check_target(target, wanted)
            record.without = sorted({*record.without, *without})
            self._raise(record, wanted, found)
            return self._status(record)

    def down(self) -> bool:
        """End the lab and remove all it made; give whether there was anything. The unreachable route stays."""
        parts.check_machine()
        with state.locked(self.name):
            record = state.load(self.name)
            there = self.home.exists() or self.name in cgroups.labs()
            if there:
                self._remove(record, parts.host_programs(self.steps))
            return there

    def status(self) -> dict[str, Any] | None:
        """What runs, or None when there is no such lab:
        `{name, up, context, kubeconfig, server, slice, started, machines: [{name, address, pods, up, components:
        [{name, state, pid, age, exit, log}]}]}`, ages in seconds, `up` when everything that should run does."""
        record = state.load(self.name)
        return self._status(record) if record else None

    def load_images(self, archives: Sequence[Path]) -> None:
        """Import OCI archives into every node's containerd."""
        missing = [str(path) for path in archives if not path.is_file()]
        if missing:
            raise LabError(f"{', '.join(missing)}: no such file; expected OCI archives (.tar)")
        with state.locked(self.name):
            record = self._record()
            with ThreadPoolExecutor() as pool:
                list(pool.map(lambda node: self._import(node, archives), self._nodes(record)))

    def stop(self, target: str) -> None:
        """Stop a component, COMPONENT@MACHINE; it stays stopped until `start` or the next `up`."""
        node, component = self._find(target)
        node.stop(component)

    def start(self, target: str) -> None:
        """Start a component that was stopped, died or was left out."""
        node, component = self._find(target)
        with state.locked(self.name):
            record = self._record()
            record.without = [left for left in record.without if left != target]
            state.save(record)
            node.start(component)

    def kubeconfig(self, user: str, groups: Sequence[str] = ()) -> str:
        """A kubeconfig with a client certificate for this user; what they may do is up to RBAC."""
        site = self._site(self._record())
        place = self.home / "users" / "-".join([user.replace("/", "_").replace(":", "_"), *groups])
        return site.kubeconfig(place, user, *groups).read_text()

    def kubectl(self) -> tuple[Path, Path]:
        """The program and the admin's kubeconfig."""
        self._record()
        return self.home / "bin" / "kubectl", self.home / "admin.kubeconfig"

    # ── coming up ─────────────────────────────────────────────────────────────────────────────────────────

    def _new(self, found: parts.Parts) -> Record:
        network = self._network(found)
        network.check_unused()
        with state.machine_locked():
            taken = {other.slice for name in state.names() if (other := state.load(name))}
            chosen = network.free_slice(taken)
            record = Record(self.name, chosen.index, state.boot_id(), time.time(), [Machine(f"{self.name}-control", 0)])
            state.save(record)
            network.guard()
        self._link_programs(found)
        site = self._site(record)
        site.kubeconfig(self.home / "admin", "lab:admin", "system:masters")
        site.kubeconfig(self.home / RUNBOOK_USER, RUNBOOK_USER)
        return record

    def _raise(self, record: Record, wanted: int, found: parts.Parts) -> None:
        began = time.monotonic()
        known = len(record.nodes)
        for number in range(known + 1, wanted + 1):
            record.machines.append(Machine(f"{self.name}-node-{number}", number))
        control, nodes = self._node(record.control), self._nodes(record)
        with self.steps.step("machines"):
            self._boot(record, found)
        control.start("etcd", "kube-apiserver")
        for node in nodes:
            node.start("containerd")
        api = self._api(record)
        with self.steps.step("API server ready"):
            wait("the API server's readiness", api.ready, API_TIMEOUT, control.check)
        control.start("kube-controller-manager", "kube-scheduler")
        for node in nodes:
            node.start("kubelet", "kube-proxy")
        with self.steps.step("objects"):
            self._apply(record, found, api)
        for node in nodes:
            if f"{FELIX}@{node.name}" not in record.without:
                node.start(FELIX)

        def check() -> None:
            for machine in [control, *nodes]:
                machine.check()

        for count, node in enumerate(nodes, 1):
            with self.steps.step(f"{node.name} Ready"):
                wait(f"{node.name} Ready", lambda name=node.name: _ready(api, name), NODE_TIMEOUT, check)  # type: ignore[misc]
            if count == 1:
                self.steps.say(f"first node Ready after {time.monotonic() - began:.1f} s")
        with self.steps.step("DNS ready"):
            wait("CoreDNS ready", lambda: _dns_ready(api), DNS_TIMEOUT, check)
        self.steps.say(f"lab {self.name} is up after {time.monotonic() - began:.1f} s")

    def _boot(self, record: Record, found: parts.Parts) -> None:
        site, network = replace(self._site(record), snapshotter=found.snapshotter), self._network(found)
        fresh = [machine for machine in record.machines if machine.init is None]
        booting = []
        for machine in fresh:
            node = self._node(machine)
            node.boot(
                prepare(site, machine),
                readable=[self.home / "bin", self.home / "lib", parts.cache_folder()],
                hidden=[state.labs_folder()],
            )
            booting.append(node)
        targets = [node.folder / "var/lib/containerd" for node in booting if node.machine.number]
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda target: store.give(found.store, target), targets))
        for node in booting:
            node.booted()
            state.save(record)
        control = self._node(record.control)
        for node in booting:
            if node.machine.number == 0:
                network.connect(node, site.addresses)
            else:
                network.connect_node(control, node, site.addresses)

    def _apply(self, record: Record, found: parts.Parts, api: Api) -> None:
        for path in sorted(found.crds.glob("*.yaml")):
            api.apply(yaml.load(path.read_text(), yaml.CSafeLoader))
        values = {
            "dns_service": str(Slice(record.slice).dns_service),
            "first_node": record.nodes[0].name,
        }
        for file in ("rbac.yaml", "coredns.yaml", "calico.yaml"):
            text = (resources.files("lab") / "objects" / file).read_text()
            for obj in yaml.safe_load_all(string.Template(text).substitute(values)):
                api.apply(obj)

    def _import(self, node: Node, archives: Sequence[Path]) -> None:
        socket = node.path("run/containerd/containerd.sock")
        wait(f"containerd of {node.name}", socket.exists, 20.0, lambda: node.check("containerd"))
        store.load(
            archives,
            ctr=self.home / "bin" / "ctr",
            socket=socket,
            snapshotter=store.snapshotter(state.labs_folder()),
            environment=self._environment(),
        )

    # ── going down ────────────────────────────────────────────────────────────────────────────────────────

    def _remove(self, record: Record | None, found: parts.Parts) -> None:
        if record:
            for machine in reversed(record.machines):
                self._node(machine).kill()
        cgroups.remove(self.name)
        with state.machine_locked():
            self._network(found).release(record.slice if record else None)
        shutil.rmtree(self.home, ignore_errors=True)

    # ── what is where ─────────────────────────────────────────────────────────────────────────────────────

    def _status(self, record: Record) -> dict[str, Any]:
        addresses = Slice(record.slice)
        machines: list[dict[str, Any]] = []
        for machine in record.machines:
            node = self._node(machine)
            components = node.components() if node.alive else []
            for component in components:
                if f"{component['name']}@{machine.name}" in record.without and component["state"] == "stopped":
                    component["state"] = "left out"
            link = addresses.node_link(machine.number) if machine.number else addresses.host_link
            machines.append(
                {
                    "name": machine.name,
                    "address": str(link.far),
                    "pods": str(addresses.node_pods(machine.number)) if machine.number else None,
                    "up": node.alive,
                    "components": components,
                }
            )
        up = all(
            machine["up"] and all(c["state"] in ("running", "left out") for c in machine["components"])
            for machine in machines
        )
        return {
            "name": record.name,
            "up": up,
            "context": record.name,
            "kubeconfig": {
                "admin": str(self.home / "admin.kubeconfig"),
                RUNBOOK_USER: str(self.home / f"{RUNBOOK_USER}.kubeconfig"),
            },
            "server": self._site(record).server,
            "slice": str(addresses.network),
            "started": record.started,
            "machines": machines,
        }

    def _record(self) -> Record:
        record = state.load(self.name)
        if record is None:
            known = ", ".join(state.names()) or "none"
            raise LabError(f"there is no lab {self.name} (labs: {known}); `lab up --name {self.name}` starts it")
        return record

    def _node(self, machine: Machine) -> Node:
        return Node(self.name, machine, self.home / machine.name)

    def _nodes(self, record: Record) -> list[Node]:
        return [self._node(machine) for machine in record.nodes]

    def _site(self, record: Record) -> Site:
        authority = Authority(self.home / "ca", self.name)
        return Site(self.name, self.home, Slice(record.slice), authority, self._environment())

    def _api(self, record: Record) -> Api:
        site = self._site(record)
        pair = site.authority.issue(self.home / "admin", "lab:admin", ["system:masters"])
        return Api(str(site.addresses.host_link.far), API_PORT, site.authority.pair.certificate, pair)

    def _network(self, found: parts.Parts) -> Network:
        return Network(found["ip"], found["nft"], found.environment())

    def _environment(self) -> dict[str, str]:
        """What the lab's programs find: the links first, and the libraries that this machine lacks."""
        return parts.program_environment(self.home / "bin", self.home / "lib")

    def _link_programs(self, found: parts.Parts) -> None:
        parts.link(found, self.home / "bin", self.home / "lib")

    def _check_wanted(self, wanted: int, record: Record | None) -> None:
        if not 1 <= wanted <= MAX_NODES:
            raise LabError(f"{wanted} nodes: expected 1 to {MAX_NODES}")
        if record and wanted < len(record.nodes):
            raise LabError(
                f"lab {self.name} has {len(record.nodes)} nodes; to have {wanted}, end it first: "
                f"lab down --name {self.name}"
            )

    def _check_target(self, target: str, nodes: int) -> tuple[str, str]:
        component, _, machine = target.partition("@")
        known = {f"{self.name}-control": CONTROL} | {
            f"{self.name}-node-{number}": NODE for number in range(1, nodes + 1)
        }
        if machine not in known or component not in known[machine]:
            example = f"{FELIX}@{self.name}-node-1"
            raise LabError(
                f"{target!r} names no component: expected COMPONENT@MACHINE, e.g. {example}; machines: "
                f"{', '.join(known)}; components: {', '.join(CONTROL)} (control), {', '.join(NODE)} (nodes)"
            )
        return component, machine

    def _find(self, target: str) -> tuple[Node, str]:
        record = self._record()
        component, name = self._check_target(target, len(record.nodes))
        machine = next(machine for machine in record.machines if machine.name == name)
        return self._node(machine), component


def up(name: str = "lab", nodes: int | None = None, without: Sequence[str] = ()) -> dict[str, Any]:
    """See `Lab.up`."""
    return Lab(name).up(nodes, without)


def down(name: str = "lab") -> bool:
    """See `Lab.down`."""
    return Lab(name).down()


def status(name: str = "lab") -> dict[str, Any] | None:
    """See `Lab.status`."""
    return Lab(name).status()


def _ready(api: Api, node: str) -> bool:
    try:
        conditions = api.get(f"/api/v1/nodes/{node}")["status"].get("conditions", [])
    except (LabError, OSError):
        return False
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)


def _dns_ready(api: Api) -> bool:
    try:
        found = api.get("/apis/apps/v1/namespaces/kube-system/deployments/coredns")
    except (LabError, OSError):
        return False
    return bool(found["status"].get("readyReplicas"))
