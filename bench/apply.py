"""Applying 200 objects, and applying them again unchanged, beside `kubectl apply --server-side -k` on the same lab.

Both render the same kustomization. Ours counts rendering, planning (a dry run of each object) and applying, in a process
that is there already, as a notebook's is; kubectl counts whole, since it is started for it. Each is done three times in
turn, in a namespace of its own, and the median counts.
"""

from __future__ import annotations

import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

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
UNDO_LIMIT = 30.0  # s


def rows() -> list[Row]:
    """First, again, and the undo of a second version."""
    started = Lab(NAME)
    try:
        started.up(1)
        program, kubeconfig = started.kubectl()
        kubectl = [str(program), "--kubeconfig", str(kubeconfig)]
        subprocess.run([*kubectl, "create", "namespace", "launchbook"], check=True, capture_output=True)
        with tempfile.TemporaryDirectory(prefix="launchbook-") as folder:
            theirs = [_theirs(Path(folder), kubectl, f"kubectl-{n}") for n in range(TIMES)]
            ours = [_ours(Path(folder), kubectl, Path(kubeconfig), f"launchbook-{n}") for n in range(TIMES)]
    finally:
        started.down()
    told = {
        what: statistics.median(one[what] for one in [*theirs, *ours] if what in one) for what in {*theirs[0], *ours[0]}
    }
    peer = "kubectl apply --server-side -k"
    return [
        Row(f"apply of {OBJECTS} objects, planned before", told["apply"], told["kubectl first"], peer=peer, limit=0.5),
        Row(f"plan and apply of {OBJECTS} objects", told["plan and apply"], told["kubectl first"], peer=peer),
        Row("the same again, unchanged, planned anew", told["again"], told["kubectl again"], peer=peer, limit=1 / 3),
        Row(f"undo of a second version of {OBJECTS} objects", told["undo"], UNDO_LIMIT),
    ]


def _theirs(folder: Path, kubectl: list[str], namespace: str) -> dict[str, float]:
    _write(folder, kubectl, namespace)
    command = [*kubectl, "apply", "--server-side", "-k", str(folder)]
    first, again = (_timed(lambda: subprocess.run(command, check=True, capture_output=True))[0] for _ in range(2))
    return {"kubectl first": first, "kubectl again": again}


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
