"""A JupyterLab that a command opens, for tests that drive it by a browser."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def opened(command: Sequence[Any], place: Path, surroundings: Mapping[str, str]) -> Iterator[str]:
    """Its URL, as it tells it on its log, place/log; it is ended as by SIGTERM. surroundings: environment variables."""
    log = place / "log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, stdout=file, stderr=file, start_new_session=True,
            env={
                **os.environ, "BROWSER": "true",
                # Which tabs were open is remembered, and would come back in the next test.
                "JUPYTERLAB_WORKSPACES_DIR": str(place / "workspaces"), **surroundings,
            },
        )  # fmt: skip
    try:
        deadline = time.monotonic() + 90
        while not (found := re.search(r"http://(?:localhost|127\.0\.0\.1):\d+/lab\?token=\w+", log.read_text())):
            assert process.poll() is None, log.read_text()[-2000:]
            assert time.monotonic() < deadline, log.read_text()[-2000:]
            time.sleep(0.2)
        yield found[0]
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=30)
