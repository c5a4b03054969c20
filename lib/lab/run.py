"""Runs short programs and says what they said when they fail."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab.errors import LabError

TIMEOUT = 60.0  # s


def run(
    command: Sequence[str | Path],
    *,
    stdin: str | None = None,
    environment: Mapping[str, str] | None = None,
    check: bool = True,
    timeout: float = TIMEOUT,
) -> str:
    """Give what the program printed. Raises `LabError` with its own words when it fails, is missing or hangs."""
    shown = " ".join(map(str, command))
    try:
        done = subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            env={**os.environ, **(environment or {})},
        )
    except FileNotFoundError as error:
        raise LabError(f"{command[0]} is missing: {error}") from error
    except subprocess.TimeoutExpired:
        raise LabError(f"`{shown}` did not end within {timeout:.0f} s") from None
    if check and done.returncode:
        raise LabError(f"`{shown}` ended with exit code {done.returncode}: {(done.stderr or done.stdout).strip()}")
    return done.stdout
