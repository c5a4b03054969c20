"""Which versions a run was made with."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

_LIBRARIES = (
    "launchbook",
    "jupyterlab",
    "papermill",
    "kubernetes",
    "pandas",
    "plotly",
    "ipywidgets",
    "locust",
)


def here() -> dict[str, str]:
    """Name -> version of Python and of the libraries that shape a run, and the git commit it was started in."""
    found = {name: version(name) for name in _LIBRARIES}
    return {"python": platform.python_version(), "git": _commit(), **found}


def _commit() -> str:
    """`abc123…`, with `+changes` where the work tree differs from it; `none` outside a repository."""
    git = ["git", "-C", str(Path.cwd())]
    try:
        head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, timeout=10, check=True)
        status = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return "none"
    return head.stdout.strip() + ("+changes" if status.stdout.strip() else "")
