"""The notebooks as a person or somebody else's pipeline starts them, and a batch that is stopped at its work."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from environments import ROOT, lab_environment

pytestmark = pytest.mark.lab

SHORT = {"load.scenario.duration": "6s", "load.scenario.warmup": "2s", "logs.idle_window": "2s"}
STOPPED_WITHIN = 30.0  # s, for the track to clean up and the batch to close its run


@pytest.fixture(scope="module")
def sample(lab: Any, manifests: Path) -> Any:
    """The lab with the sample as the runbook itself applied it, and the runbook's role."""
    lab.kubectl("delete", "namespace", "kgents-agents", "kgents-triad", "--ignore-not-found", timeout=180)
    lab.apply(ROOT / "parameters" / "launchbook-role.yaml")
    return lab


@pytest.mark.parametrize(
    ("notebook", "given", "code"),
    [
        ("A-manifests", ["-p", "confirmations", "2"], 0),
        ("B-load-test", ["-p", "vus", "20", "-p", "think_time", "50ms"], 0),
        # Alone it has no log rates: the deferral can't be judged, and that is no P0.
        ("C-log-aggregation", ["-p", "retention", "1h"], 0),
        # Alone it has no record of the other tracks, and says so; nothing of its own that is P0 fails.
        ("D-launch", [], 0),
    ],
)
def test_plain_papermill_runs_each_notebook(
    sample: Any, tmp_path: Path, notebook: str, given: list[str], code: int
) -> None:
    """With `-p` alone: a run folder of its own, the track finished, the figures that were asked for in the record."""
    environment = lab_environment(tmp_path, sample.name, sample.runbook, SHORT)
    command = [sys.executable, "-m", "papermill", "--no-progress-bar", str(ROOT / "notebooks" / f"{notebook}.ipynb")]
    done = subprocess.run(
        [*command, "out.ipynb", "-p", "environment", str(environment), *given],
        cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr[-3000:]
    run = tmp_path / "outputs" / "latest"
    verdict = json.loads((run / "verdict.json").read_text())
    track = next(t for t in verdict["tracks"] if t["id"] == notebook[0])
    assert track["status"] == "finished", track
    assert verdict["verdict"] in ("INCOMPLETE", "NO-GO")
    origins = json.loads((run / "evidence" / "origins.json").read_text())
    assert list(origins.values()).count("notebook") == len(given) // 3
    saved = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    assert not [output for cell in saved.cells for output in cell.get("outputs", ()) if output.output_type == "error"]


def test_a_stopped_batch_leaves_nothing_on_the_cluster(sample: Any, tmp_path: Path, eventually: Any) -> None:
    """SIGTERM while probe pods run: gone within seconds, nothing with the run's label left, and INCOMPLETE."""
    environment = lab_environment(tmp_path, sample.name, sample.runbook, SHORT)
    options = ["--outputs", str(tmp_path / "outputs"), "--notebooks", str(ROOT / "notebooks")]
    batch = subprocess.Popen(
        [sys.executable, "-m", "launchbook", "run", str(environment), *options], stdout=subprocess.PIPE, text=True
    )
    assert batch.stdout is not None
    for line in batch.stdout:
        if "probing every edge" in line:
            break
    assert sample.get("pods", "-A", "-l", "launchbook.io/run")["items"]
    os.kill(batch.pid, signal.SIGTERM)
    assert batch.wait(timeout=STOPPED_WITHIN) == 4
    verdict = json.loads((tmp_path / "outputs" / "latest" / "verdict.json").read_text())
    assert verdict["verdict"] == "INCOMPLETE"
    assert verdict["because"][0] == "track A was stopped before its end"
    for kinds in ("pods,configmaps,services,networkpolicies", "namespaces"):
        eventually(lambda kinds=kinds: not sample.get(kinds, "-A", "-l", "launchbook.io/run")["items"])
