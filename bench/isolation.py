"""The isolation matrix beside what every tool of this kind does: one `kubectl exec` a cell, 15 at a time.

12 sources, 24 destinations, 2 ports, a third of the cells blocked. Ours asks each pod by address and its Service by
address and by name, confirms every block, and holds each against its controls; the peer asks each pod once. No block is
known before its timeout, which is why ours can't take less than one timeout and the beginnings of its confirmations, and
the peer, 15 blocks at a time, not less than 13 timeouts.

Ours is done twice: from an image that has Python beside busybox, and from one that has busybox alone.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml

from bench.row import Row
from lab.lab import Lab
from launchbook import isolation
from launchbook.isolation.reality import reality_of
from launchbook.parameters_file import load
from launchbook.run import Run

ROOT = Path(__file__).parents[1]
NAME = "bench-isolation"
SOURCES, DESTINATIONS, PORTS = 12, 24, (8080, 9090)
CELLS = SOURCES * DESTINATIONS * len(PORTS)
WORKERS = 15  # of cyclonus and of policy-assistant
TIMEOUT = 2  # s, of one attempt, for both
PYTHON, SHELL = "lab.local/probe:1", "lab.local/busybox:1"
OVERHEAD = 2.0  # s, by which the whole matrix may take longer than one timeout
_SERVE = """
import selectors, socket
chosen = selectors.DefaultSelector()
for port in (8080, 9090):
    chosen.register(socket.create_server(("", port), backlog=128), selectors.EVENT_READ)
while True:
    for key, _ in chosen.select():
        key.fileobj.accept()[0].close()
"""


def rows() -> list[Row]:
    """Cells a second beside the peer's, and the seconds from the first attempt to the last beside the timeout."""
    started = Lab(NAME)
    try:
        status = started.up(2)
        cluster = _Kubectl(*started.kubectl())
        cluster.apply((ROOT / "parameters" / "launchbook-role.yaml").read_text())
        cluster.apply(yaml.safe_dump_all(_objects()))
        cluster.run("-n", "sources", "wait", "pod", "--all", "--for=condition=Ready", "--timeout=180s")
        cluster.run("-n", "destinations", "wait", "pod", "--all", "--for=condition=Ready", "--timeout=180s")
        peer = _peer(cluster)
        kubeconfig = Path(status["kubeconfig"]["launchbook"])
        pace, whole = _ours(kubeconfig, PYTHON)
        shell, _ = _ours(kubeconfig, SHELL)
    finally:
        started.down()
    work = f"isolation matrix {SOURCES} x {DESTINATIONS} x {len(PORTS)}, a third blocked, controls included"
    by = f"kubectl exec a cell, {WORKERS} workers"
    return [
        Row(work, pace["cells"] / pace["seconds"], CELLS / peer, "cells/s", by, 10, at_least=True),
        Row(f"{work}, to the last attempt", pace["seconds"], TIMEOUT + OVERHEAD),
        Row(f"{work}, probe pods started and removed too", pace["cells"] / whole, CELLS / peer, "cells/s", by, 2, True),
        Row(
            f"{work}, probe image without Python",
            shell["cells"] / shell["seconds"],
            CELLS / peer,
            "cells/s",
            by,
            5,
            True,
        ),
    ]


class _Kubectl:
    def __init__(self, program: Path, kubeconfig: Path) -> None:
        self._program = program
        self._environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}

    def run(self, *arguments: str, stdin: str | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
        command = [str(self._program), *arguments]
        return subprocess.run(
            command, input=stdin, env=self._environment, check=check, capture_output=True, text=True, timeout=200
        )

    def apply(self, text: str) -> None:
        self.run("apply", "--server-side", "-f", "-", stdin=text)


def _open(source: int, destination: int) -> bool:
    return (source + destination) % 3 != 0


def _labels(source: int) -> dict[str, str]:
    return {"source": f"s{source}"}


def _objects() -> list[dict[str, Any]]:
    """Each destination with its Service and a policy; a pod of each source for the peer."""
    found: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in ("sources", "destinations")
    ]
    for n in range(SOURCES):
        found.append(_pod(f"peer-{n}", "sources", _labels(n), "lab.local/busybox:1", ["sleep", "3600"]))
    for n in range(DESTINATIONS):
        name, labels = f"d{n}", {"app": f"d{n}"}
        ports = [{"name": f"p{port}", "port": port} for port in PORTS]
        found.append(_pod(name, "destinations", labels, "lab.local/locust:1", ["python3", "-c", _SERVE]))
        meta = {"name": name, "namespace": "destinations"}
        found.append(
            {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {"selector": labels, "ports": ports}}
        )
        allowed = [
            {"namespaceSelector": {}, "podSelector": {"matchLabels": _labels(s)}} for s in range(SOURCES) if _open(s, n)
        ]
        spec = {"podSelector": {"matchLabels": labels}, "policyTypes": ["Ingress"], "ingress": [{"from": allowed}]}
        found.append({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta, "spec": spec})
    return found


def _pod(name: str, namespace: str, labels: dict[str, str], image: str, command: list[str]) -> dict[str, Any]:
    container = {"name": "c", "image": image, "imagePullPolicy": "IfNotPresent", "command": command}
    meta = {"name": name, "namespace": namespace, "labels": labels}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 1}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def _peer(cluster: _Kubectl) -> float:
    """Seconds for one attempt a cell. Raises RuntimeError where it saw anything but what the policies say."""
    path = "jsonpath={range .items[*]}{.metadata.name} {.status.podIP}{'\\n'}{end}"
    listed = cluster.run("-n", "destinations", "get", "pods", "-o", path).stdout.split()
    address = dict(zip(listed[::2], listed[1::2], strict=True))

    def ask(cell: tuple[int, int, int]) -> bool:
        source, destination, port = cell
        connect = ["nc", "-w", str(TIMEOUT), address[f"d{destination}"], str(port), "-e", "/bin/true"]
        return cluster.run("-n", "sources", "exec", f"peer-{source}", "--", *connect, check=False).returncode == 0

    cells = [(s, d, p) for s in range(SOURCES) for d in range(DESTINATIONS) for p in PORTS]
    began = time.monotonic()
    with ThreadPoolExecutor(WORKERS) as pool:
        seen = list(pool.map(ask, cells))
    took = time.monotonic() - began
    if wrong := [cell for cell, reached in zip(cells, seen, strict=True) if reached != _open(*cell[:2])]:
        raise RuntimeError(f"the peer saw {len(wrong)} cells otherwise than the policies say, such as {wrong[0]}")
    return took


def _ours(kubeconfig: Path, image: str) -> tuple[dict[str, Any], float]:
    """probe()'s pace, and the seconds of the whole of it. Raises RuntimeError where it saw anything wrong."""
    text = yaml.safe_load((ROOT / "parameters" / "lab.yaml").read_text())
    text["cluster"] = {"context": NAME, "kubeconfig": str(kubeconfig)}
    text["manifests"] = {"path": str(ROOT / "parameters" / text["manifests"]["path"]), "namespaces": ["destinations"]}
    text["launch"]["checklist"] = str(ROOT / "parameters" / text["launch"]["checklist"])
    text["disruption"] = {}
    text["isolation"] |= {
        "probe_image": image,
        "probe_timeout": f"{TIMEOUT}s",
        "edges": [
            {
                "source": {"namespace": "sources", "labels": _labels(s)},
                "destination": {"namespace": "destinations", "service": f"d{d}", "port": port},
                "expect": "open" if _open(s, d) else "closed",
            }
            for s in range(SOURCES)
            for d in range(DESTINATIONS)
            for port in PORTS
        ],
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.yaml"
        path.write_text(yaml.safe_dump(text))
        run = Run.create(load(path), Path(folder) / "outputs")
        began = time.monotonic()
        observed = isolation.probe(run)
        whole = time.monotonic() - began
        edges = run.parameters.isolation.edges
        told = [(edge, *reality_of(edge, observed)) for edge in edges]
        run._leave()
    if wrong := [(edge.name, seen, why) for edge, seen, why in told if seen != edge.expect]:
        raise RuntimeError(f"{len(wrong)} cells were not seen as the policies say, such as {wrong[0]}")
    return observed["pace"], whole
