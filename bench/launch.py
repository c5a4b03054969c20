"""The lab's start, and what a run costs beside its load phase.

The lab is this module's own, so that nothing that runs elsewhere is timed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import yaml

from bench.row import Row
from lab.lab import Lab
from launchbook.parameters_file import load

ROOT = Path(__file__).parents[1]
NAME = "bench"
UP_LIMIT = 10.0  # s, `lab up` to ready nodes, with everything in the cache
RUN_LIMIT = 60.0  # s, by which a run may be longer than its load phase


def rows() -> list[Row]:
    """`lab up`, and two whole runs on that lab."""
    started = Lab(NAME)
    try:
        began = time.monotonic()
        status = started.up()
        up = time.monotonic() - began
        program, kubeconfig = started.kubectl()
        role = ROOT / "parameters" / "launchbook-role.yaml"
        command = [program, "--kubeconfig", kubeconfig, "apply", "--server-side", "-f", role]
        subprocess.run(command, check=True, capture_output=True)
        launchbook = Path(status["kubeconfig"]["launchbook"])
        first, again = _past_load(launchbook), _past_load(launchbook)
    finally:
        started.down()
    return [
        Row("lab up, three nodes ready, warm", up, UP_LIMIT),
        Row("launchbook run past its load phase, first install", first, RUN_LIMIT),
        Row("launchbook run past its load phase, again", again, RUN_LIMIT),
    ]


def _past_load(kubeconfig: Path) -> float:
    """Seconds that a whole run of the lab's environment takes beside its load phase (warm-up and measured part)."""
    text = yaml.safe_load((ROOT / "parameters" / "lab.yaml").read_text())
    text["cluster"] = {"context": NAME, "kubeconfig": str(kubeconfig)}
    text["manifests"]["path"] = str(ROOT / "parameters" / text["manifests"]["path"])
    text["launch"]["checklist"] = str(ROOT / "parameters" / text["launch"]["checklist"])
    parameters = ROOT / "outputs" / "bench.yaml"
    parameters.write_text(yaml.safe_dump(text))
    began = time.monotonic()
    launchbook = [sys.executable, "-m", "launchbook", "run", str(parameters), "--complete"]
    subprocess.run(launchbook, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    whole = time.monotonic() - began
    parameters.unlink()
    results = json.loads((ROOT / "outputs" / "latest" / "documents" / "load-test-results.json").read_text())
    warmup = load(ROOT / "parameters" / "lab.yaml").environment.load.scenario.warmup
    return whole - warmup - results["state"]["testRunDurationMs"] / 1000
