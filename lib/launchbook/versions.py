"""Which versions a run was made with."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from functools import cache
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
    "jinja2",
    "markdown-it-py",
    "bleach",
)


def here() -> dict[str, str]:
    """Name -> version of Python and of the libraries that shape a run, and the git commit it was started in."""
    return {"git": _commit(), **program()}


@cache
def program() -> dict[str, str]:
    """Name -> version of all that makes pages and verdicts what they are; `program` is a digest of launchbook's files."""
    found = {name: version(name) for name in _LIBRARIES}
    return {"python": platform.python_version(), "program": _digest(Path(__file__).parent), **found}


def _digest(package: Path) -> str:
    """Of names and contents; two builds of one version differ in it."""
    whole = hashlib.sha256()
    for path in sorted(p for p in package.rglob("*") if p.is_file() and "__pycache__" not in p.parts):
        whole.update(f"{path.relative_to(package)} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return whole.hexdigest()


def _commit() -> str:
    """`abc123…`, with `+changes` where the work tree differs from it; `none` outside a repository."""
    git = ["git", "-C", str(Path.cwd())]
    try:
        head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, timeout=10, check=True)
        status = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return "none"
    return head.stdout.strip() + ("+changes" if status.stdout.strip() else "")
