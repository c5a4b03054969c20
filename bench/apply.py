"""Applying 200 objects, and applying them again unchanged, beside `kubectl apply --server-side -k` on the same lab.

Both render the same kustomization. Ours counts rendering, planning (a dry run of each object) and applying, in a process
that is there already, as a notebook's is; kubectl counts whole, since it is started for it. Each is done three times in
turn, in a namespace of its own, and the median counts.

All of it is measured twice: with the API server on this machine, where both wait for its work alone, and with a round trip
of 5 ms between, as from a workstation or a pipeline to a cluster near by.
"""

from __future__ import annotations

import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from bench.link import lengthened
from bench.row import Row
from lab.lab import Lab
from launchbook import manifests
from launchbook.errors import Gate
from launchbook.parameters_file import load
from launchbook.run import Run

ROOT = Path(__file__).parents[1]
NAME = "bench-apply"
OBJECTS = 200
TIMES = 3
ROUND_TRIP = 0.005  # s
UNDO_LIMIT = 30.0  # s


def rows() -> list[Row]:
    """First, again, and the undo of a second version, on this machine and a round trip away."""
    started = Lab(NAME)
    try:
        started.up(1)
        program, kubeconfig = started.kubectl()
        kubectl = [str(program), "--kubeconfig", str(kubeconfig)]
        subprocess.run([*kubectl, "create", "namespace", "launchbook"], check=True, capture_output=True)
        with tempfile.TemporaryDirectory(prefix="launchbook-") as folder:
            here = _told(Path(folder), kubectl, kubeconfig, "here")
            with _away(Path(folder), kubeconfig) as away:
                there = _told(Path(folder), [str(program), "--kubeconfig", str(away)], away, "away")
    finally:
        started.down()
    return [
        *_rows(here, ""),
        *_rows(there, f", {ROUND_TRIP * 1000:.0f} ms away"),
        Row(f"undo of a second version of {OBJECTS} objects", here["undo"], UNDO_LIMIT),
    ]


def _rows(told: Mapping[str, float], where: str) -> list[Row]:
    peer = "kubectl apply --server-side -k"
    return [
        Row(
            f"apply of {OBJECTS} objects, planned before{where}",
            told["apply"],
            told["kubectl first"],
            peer=peer,
            limit=0.5,
        ),
        Row(
            f"plan and apply of {OBJECTS} objects{where}",
            told["plan and apply"],
            told["kubectl planned"],
            peer="kubectl diff, then apply",
        ),
        Row(
            f"the same again, unchanged, planned anew{where}",
            told["again"],
            told["kubectl again"],
            peer=peer,
            limit=1 / 3,
        ),
    ]


def _told(folder: Path, kubectl: list[str], kubeconfig: Path, where: str) -> dict[str, float]:
    """Medians, in s."""
    theirs = [_theirs(folder, kubectl, f"kubectl-{where}-{n}") for n in range(TIMES)]
    ours = [_ours(folder, kubectl, kubeconfig, f"launchbook-{where}-{n}") for n in range(TIMES)]
    return {
        what: statistics.median(one[what] for one in [*theirs, *ours] if what in one) for what in {*theirs[0], *ours[0]}
    }


@contextmanager
def _away(folder: Path, kubeconfig: Path) -> Iterator[Path]:
    """A kubeconfig of the same cluster, ROUND_TRIP from here."""
    text = yaml.safe_load(kubeconfig.read_text())
    cluster = text["clusters"][0]["cluster"]
    server = urlsplit(cluster["server"])
    assert server.hostname
    assert server.port
    with lengthened(server.hostname, server.port, ROUND_TRIP) as port:
        cluster |= {"server": f"https://127.0.0.1:{port}", "tls-server-name": server.hostname}
        (folder / "away.json").write_text(yaml.safe_dump(text))
        yield folder / "away.json"


def _theirs(folder: Path, kubectl: list[str], namespace: str) -> dict[str, float]:
    _write(folder, kubectl, namespace)
    command = [*kubectl, "apply", "--server-side", "-k", str(folder)]
    plan = [*kubectl, "diff", "--server-side", "-k", str(folder)]
    planning, told = _timed(lambda: subprocess.run(plan, check=False, capture_output=True))
    assert told.returncode == 1, told.stderr  # its code for "there are differences"
    first, again = (_timed(lambda: subprocess.run(command, check=True, capture_output=True))[0] for _ in range(2))
    return {"kubectl planned": planning + first, "kubectl first": first, "kubectl again": again}


def _ours(folder: Path, kubectl: list[str], kubeconfig: Path, namespace: str) -> dict[str, float]:
    _write(folder, kubectl, namespace)
    run = _run(folder, kubeconfig, namespace)
    rendering, rendered = _timed(lambda: manifests.render(run))
    planning, plan = _timed(lambda: manifests.plan(run, rendered))
    applying, done = _timed(lambda: manifests.apply(run, rendered, plan))
    assert set(done.frame["action"]) == {"created"}, done
    again, unchanged = _timed(lambda: _whole(run))
    assert set(unchanged.frame["action"]) == {"unchanged"}, unchanged
    _finished(run)
    _write(folder, kubectl, namespace, version="2")
    second = _run(folder, kubeconfig, namespace)
    _whole(second)
    undoing, undone = _timed(lambda: manifests.undo(second))
    assert set(undone["action"]) == {"restored"}, undone
    _finished(second)
    whole = rendering + planning + applying
    return {"apply": rendering + applying, "plan and apply": whole, "again": again, "undo": undoing}


def _whole(run: Run) -> manifests.Applied:
    rendered = manifests.render(run)
    return manifests.apply(run, rendered, manifests.plan(run, rendered))


def _finished(run: Run) -> None:
    """Its Lease is free then. Nothing was judged, which stops every launch."""
    with suppress(Gate):
        run.finish()


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.monotonic()
    done = work()
    return time.monotonic() - began, done


def _run(folder: Path, kubeconfig: Path, namespace: str) -> Run:
    text = yaml.safe_load((ROOT / "parameters" / "lab.yaml").read_text())
    text["cluster"] = {"context": NAME, "kubeconfig": str(kubeconfig)}
    text["manifests"] = {"path": str(folder), "namespaces": [namespace]}
    text["launch"]["checklist"] = str(ROOT / "parameters" / text["launch"]["checklist"])
    parameters = folder / "parameters.json"
    parameters.write_text(yaml.safe_dump(text))
    return Run.create(load(parameters), folder / "outputs")


def _write(folder: Path, kubectl: list[str], namespace: str, version: str = "1") -> None:
    """The namespace on the cluster, and the kustomization of what goes into it."""
    if version == "1":
        subprocess.run([*kubectl, "create", "namespace", namespace], check=True, capture_output=True)
    (folder / "all.yaml").write_text(yaml.safe_dump_all(_objects(version)))
    (folder / "kustomization.yaml").write_text(f"namespace: {namespace}\nresources: [all.yaml]\n")


def _objects(version: str) -> list[dict[str, Any]]:
    """Of five kinds in equal parts; none starts a pod, so that only the API server's work is timed."""
    found = []
    for n in range(OBJECTS // 5):
        labels = {"app": f"a{n}", "version": version}
        meta = {"name": f"a{n}", "labels": labels}
        container = {
            "name": "job", "image": "job:1", "args": ["--version", version],
            "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "32Mi"}},
        }  # fmt: skip
        job = {
            "template": {"metadata": {"labels": labels}, "spec": {"restartPolicy": "Never", "containers": [container]}}
        }
        rule = {"from": [{"podSelector": {"matchLabels": {"app": f"a{n}"}}}], "ports": [{"port": 80}]}
        found += [
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta},
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {f"key-{i}": "value" * 8 for i in range(10)}},
            {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {"ports": [{"port": 80}]}},
            {
                "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta,
                "spec": {"podSelector": {"matchLabels": {"app": f"a{n}"}}, "ingress": [rule]},
            },
            {
                "apiVersion": "batch/v1", "kind": "CronJob", "metadata": meta,
                "spec": {"schedule": "0 0 1 1 *", "suspend": True, "jobTemplate": {"spec": job}},
            },
        ]  # fmt: skip
    return found
