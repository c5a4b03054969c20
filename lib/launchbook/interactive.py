"""A run that a person steps through: the same folder and notebooks as a batch's, opened in JupyterLab."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import papermill

from launchbook.folder import RunFolder
from launchbook.parameters_file import Resolved
from launchbook.run import open_folder
from launchbook.tracks import TRACKS
from launchbook.workers import end_tree


def prepare(resolved: Resolved, *, notebooks: Path, outputs: Path, read_only: bool) -> RunFolder:
    """A run folder with all four notebooks, their parameters filled in, nothing executed."""
    folder = open_folder(
        resolved, outputs, tracks=[track.id for track in TRACKS], mode="interactive", read_only=read_only
    )
    for track in TRACKS:
        papermill.execute_notebook(
            notebooks / track.notebook,
            folder.path / track.notebook,
            {"environment": str(folder.parameters), "run_folder": str(folder.path), "read_only": read_only},
            prepare_only=True,
        )
    return folder


def open_lab(folder: RunFolder) -> None:
    """JupyterLab on the run folder, until it is closed or SIGTERM ends it. It asks nobody for updates or news."""
    silent = ["--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    root = ["--allow-root"] if os.geteuid() == 0 else []
    command = [sys.executable, "-m", "jupyter", "lab", f"--notebook-dir={folder.path}", *silent, *root]
    process = subprocess.Popen(command)
    before = signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        process.wait()
    finally:
        end_tree(process)
        signal.signal(signal.SIGTERM, before)
