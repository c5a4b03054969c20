"""From a record to a cluster that answers: machines, links, components, the cluster's own objects."""

from __future__ import annotations

import string
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib import resources

import yaml

from lab import parts, state, store
from lab.addresses import Slice
from lab.api import Api, wait
from lab.components import FELIX, prepare
from lab.errors import LabError
from lab.ground import ADMIN, RUNBOOK_USER, Ground
from lab.node import Node
from lab.progress import Steps
from lab.state import Machine, Record

API_TIMEOUT = 60.0  # s, from the start of its process
NODE_TIMEOUT = 60.0
DNS_TIMEOUT = 60.0
SETTLE_TIMEOUT = 20.0
OBJECTS = ("rbac.yaml", "coredns.yaml", "calico.yaml")


def found_lab(ground: Ground, found: parts.Parts) -> Record:
    """Choose addresses, raise the guard, and write what a lab has before it has machines."""
    network = ground.network(found)
    network.check_unused()
    with state.machine_locked():
        taken = {other.slice for name in state.names() if (other := state.load(name))}
        chosen = network.free_slice(taken)
        control = Machine(ground.machine_name(0), 0)
        record = Record(ground.name, chosen.index, state.boot_id(), time.time(), [control])
        state.save(record)
        network.guard()
    parts.link(found, ground.home / "bin", ground.home / "lib")
    site = ground.site(record)
    site.kubeconfig(ground.home / "admin", *ADMIN)
    site.kubeconfig(ground.home / RUNBOOK_USER, RUNBOOK_USER)
    return record


def bring_up(ground: Ground, record: Record, nodes: int, found: parts.Parts, steps: Steps) -> None:
    """Start what does not run yet and wait until every node is Ready and DNS answers.

    Raises `ComponentDied` with the end of its log as soon as a component ends, `LabError` when one hangs.
    """
    began = time.monotonic()
    for number in range(len(record.nodes) + 1, nodes + 1):
        record.machines.append(Machine(ground.machine_name(number), number))
    with steps.step("machines"):
        _boot(ground, record, found)
    control, workers = ground.node(record.control), ground.nodes(record)

    def check() -> None:
        for machine in (control, *workers):
            machine.check()

    control.start("etcd", "kube-apiserver")
    for node in workers:
        node.start("containerd")
    api = ground.api(record)
    with steps.step("API server ready"):
        wait("the API server to be ready", api.ready, API_TIMEOUT, check)
    control.start("kube-controller-manager", "kube-scheduler")
    for node in workers:
        node.start("kubelet", "kube-proxy")
    with steps.step("objects"):
        _apply(record, found, api)
    for node in workers:
        if f"{FELIX}@{node.name}" not in record.without:
            node.start(FELIX)
    with steps.step(f"{len(workers)} nodes Ready" if len(workers) > 1 else "node Ready"):
        _await_nodes(api, workers, check, steps, began)
    with steps.step("DNS ready"):
        wait("CoreDNS to be ready", lambda: _dns_ready(api), DNS_TIMEOUT, check)
    wait("every component to stay up", lambda: all(m.settled() for m in (control, *workers)), SETTLE_TIMEOUT, check)
    check()
    steps.say(f"lab {ground.name} is up after {time.monotonic() - began:.1f} s")


def _boot(ground: Ground, record: Record, found: parts.Parts) -> None:
    """Start the machines that have no process yet, all at once, and link them."""
    site, network = replace(ground.site(record), snapshotter=found.snapshotter), ground.network(found)
    booting = [ground.node(machine) for machine in record.machines if machine.init is None]
    for node in booting:
        node.boot(
            prepare(site, node.machine),
            readable=[ground.home / "bin", ground.home / "lib", parts.cache_folder()],
            hidden=[state.labs_folder()],
        )
    stores = [node.folder / "var/lib/containerd" for node in booting if node.machine.number]
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda target: store.give(found.store, target), stores))
    for node in booting:
        node.booted()
        state.save(record)
    control = ground.node(record.control)
    for node in booting:
        if node.machine.number:
            network.connect_node(control, node, site.addresses)
        else:
            network.connect(node, site.addresses)


def _apply(record: Record, found: parts.Parts, api: Api) -> None:
    for path in sorted(found.crds.glob("*.yaml")):
        api.apply(yaml.load(path.read_text(), yaml.CSafeLoader))
    values = {"dns_service": str(Slice(record.slice).dns_service), "first_node": record.nodes[0].name}
    for file in OBJECTS:
        text = (resources.files("lab") / "objects" / file).read_text()
        for obj in yaml.safe_load_all(string.Template(text).substitute(values)):
            api.apply(obj)


def _await_nodes(api: Api, workers: list[Node], check: Callable[[], None], steps: Steps, began: float) -> None:
    waiting = {node.name for node in workers}

    def all_ready() -> bool:
        for name in sorted(waiting):
            if _ready(api, name):
                waiting.discard(name)
                steps.say(f"{name} Ready after {time.monotonic() - began:.1f} s")
        return not waiting

    wait(f"{', '.join(sorted(waiting))} to be Ready", all_ready, NODE_TIMEOUT, check)


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
    status = found["status"]
    return status.get("observedGeneration") == found["metadata"]["generation"] and bool(status.get("readyReplicas"))
