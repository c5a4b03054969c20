"""A disk that is full, or fills up: refused before anything is touched, or an INCOMPLETE run that keeps what it has."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a small disk of its own needs root")

# In a mount namespace of its own, which takes the disk with it.
SCRIPT = """
import shutil, sys
from pathlib import Path
from runs import environment, notebooks
import launchbook.batch as batch
from launchbook.pages import render
place, outputs, room = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
batch._ROOM = room
try:
    batch.run_batch(
        environment(place / "parameters"), None, notebooks=notebooks(place / "notebooks", {}), outputs=outputs,
        tracks=["A"], read_only=False, say=lambda line: None, render=render,
    )
except Exception as error:
    print(type(error).__name__, error)
left = [file for file in outputs.rglob("verdict.json")]
print("verdict", left[0].read_text().replace("\\n", " ") if left else None)
"""


def on_a_small_disk(folder: Path, room: float) -> list[str]:
    """The lines that SCRIPT prints, with outputs on a disk of 64 kB."""
    outputs = folder / "outputs"
    outputs.mkdir()
    mount = 'mount -t tmpfs -o size=64k tmpfs "$1" && shift && exec "$@"'
    command = [
        "unshare",
        "-m",
        "sh",
        "-c",
        mount,
        "sh",
        outputs,
        sys.executable,
        "-c",
        SCRIPT,
        folder,
        outputs,
        str(room),
    ]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=True)
    return done.stdout.splitlines()


def test_a_disk_without_room_is_refused_before_anything(tmp_path: Path) -> None:
    """With how much is free, how much is needed, and where else to go."""
    said, verdict = on_a_small_disk(tmp_path, 100e6)
    assert said.startswith("ParametersError ")
    assert "0 MB are free, and a run needs 100 MB" in said
    assert said.endswith("Nothing was touched.")
    assert verdict == "verdict None"


def test_a_disk_that_fills_up_leaves_an_incomplete_run(tmp_path: Path) -> None:
    """Never a green one: verdict.json is replaced whole or not at all."""
    said, verdict = on_a_small_disk(tmp_path, 0)
    assert said.startswith("OSError ")
    assert "No space left on device" in said
    assert json.loads(verdict.removeprefix("verdict "))["verdict"] == "INCOMPLETE"
