"""A run that a person steps through: the same folder and notebooks as a batch's, opened in JupyterLab."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import papermill

from launchbook.cluster import Cluster
from launchbook.errors import LaunchbookError
from launchbook.folder import RunFolder
from launchbook.parameters_file import Resolved
from launchbook.run import open_folder
from launchbook.sweep import orphans, told
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


def left_behind(resolved: Resolved, parameters: Path) -> list[str]:
    """A line for each run that was killed and left objects on the cluster, and one with the command that removes them.

    parameters: the file that names the cluster. Where the cluster can't be asked, the line says so: the notebooks
    themselves refuse to work on a cluster that they can't reach.
    """
    try:
        cluster = Cluster.connect(resolved.environment.cluster)
        return told(orphans(cluster, resolved.environment.cluster.lease_namespace), parameters)
    except LaunchbookError as error:
        return [f"what earlier runs left is not known: {error}"]


def open_lab(folder: RunFolder) -> None:
    """JupyterLab on the run folder, until it is closed or SIGTERM ends it. It asks nobody for updates or news."""
    silent = ["--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    root = ["--allow-root"] if os.geteuid() == 0 else []
    command = [sys.executable, "-m", "jupyter", "lab", f"--notebook-dir={folder.path}", *silent, *root]
    with _surroundings() as environment:
        process = subprocess.Popen(command, env=environment)
        before = signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
        try:
            process.wait()
        finally:
            end_tree(process)
            signal.signal(signal.SIGTERM, before)


@contextmanager
def _surroundings() -> Iterator[dict[str, str]]:
    """The environment variables of this JupyterLab.

    Its connection files, which hold each kernel's key, go with it even where a kernel was killed; and it doesn't ask
    whether it may fetch news, in a box over the cells. What a user has set for news goes before.
    """
    with TemporaryDirectory(prefix="launchbook-jupyter-") as place:
        settings = Path(place) / "labconfig" / "default_setting_overrides.json"
        settings.parent.mkdir()
        quiet = {"fetchNews": "false", "checkForUpdates": False}
        settings.write_text(json.dumps({"@jupyterlab/apputils-extension:notification": quiet}))
        paths = [place, *filter(None, [os.environ.get("JUPYTER_CONFIG_PATH")])]
        yield {
            **os.environ,
            "JUPYTER_RUNTIME_DIR": str(Path(place) / "runtime"),
            "JUPYTER_CONFIG_PATH": os.pathsep.join(paths),
        }
