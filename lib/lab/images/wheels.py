"""Wheels from PyPI for images: exactly those that requirements.lock names, each checked against its hash there."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import uv

from lab.images.contents import ImageError


def lock() -> Path:
    """Give the project's requirements.lock. Raises `ImageError` outside a clone of the project."""
    path = Path(__file__).parents[3] / "requirements.lock"
    if not path.is_file():
        raise ImageError(f"{path} is missing; build the lab's images from a clone of the project")
    return path


def pinned(name: str) -> str:
    """Give the version of a package in requirements.lock. Raises `ImageError` where it has none."""
    found = re.search(rf"^{re.escape(name)}==([^\s;\\]+)", lock().read_text(), re.MULTILINE)
    if not found:
        raise ImageError(f"{lock()} pins no {name}; add it to pyproject.toml and run `make lock`")
    return found[1]


@contextmanager
def installed(names: Sequence[str], python: str) -> Iterator[Path]:
    """Give a folder with these packages and what they need, for the Python version `python` (e.g. `3.11`).

    It is removed afterwards. Raises `ImageError` when a hash differs, or a package has no wheel for this machine.
    """
    with tempfile.TemporaryDirectory(prefix="lab-wheels-") as folder:
        command = [uv.find_uv_bin(), "pip", "install", "--quiet", "--target", folder]
        command += ["--python", sys.executable, "--python-version", python, "--only-binary", ":all:"]
        command += ["--require-hashes", "--constraints", str(lock())]
        command += [f"{name}=={pinned(name)}" for name in names]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise ImageError(f"the wheels of {', '.join(names)} can't be had: {done.stderr.strip()}")
        (Path(folder) / ".lock").unlink(missing_ok=True)
        yield Path(folder)
