"""One track's process: `python -m launchbook.worker` executes a notebook with papermill, in a kernel made ready before.

The batch starts it while the track before is at work: papermill, the kernel and our own libraries are loaded by the time
the order comes, as JSON on standard input: {"source", "output", "parameters"}. papermill saves the notebook whatever
happens; what it says of the cells is mended by `batch`, since after a dead kernel it calls every cell completed.
"""

from __future__ import annotations

import json
import signal
import sys
from types import FrameType
from typing import Any

from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import run_sync

_LIBRARIES = ("manifests", "isolation", "disruption", "load", "logs", "readiness", "display")
# An expression that ends with a semicolon shows nothing, and leaves no name behind in the notebook's namespace.
_LOAD = [f"__import__('launchbook.{name}');" for name in _LIBRARIES]


def _stop(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> int:
    """0 when every cell ran or nothing was ordered; 1 when one raised; 138 when the kernel died; 130 when stopped."""
    signal.signal(signal.SIGTERM, _stop)
    kernel = AsyncKernelManager(kernel_name="python3")
    try:
        run_sync(kernel.start_kernel)(extra_arguments=[f"--IPKernelApp.exec_lines={_LOAD!r}"])
        import papermill  # while the kernel loads its own libraries on the other core

        return _execute(papermill, kernel, sys.stdin.read())
    except KeyboardInterrupt:
        return 130
    finally:
        _end(kernel)


def _execute(papermill: Any, kernel: Any, ordered: str) -> int:
    if not ordered:
        return 0
    order = json.loads(ordered)
    try:
        papermill.execute_notebook(
            order["source"], order["output"], order["parameters"], kernel_name="python3", progress_bar=False,
            log_output=False, autosave_cell_every=5, start_timeout=120, km=kernel,
        )  # fmt: skip
    except papermill.PapermillExecutionError as error:
        print(f"{error.ename}: {error.evalue}", file=sys.stderr)
        return 1
    return 0


def _end(kernel: Any) -> None:
    """Asks the kernel to end, so that what it started is cleaned up; one that doesn't is killed."""
    if kernel.has_kernel:
        run_sync(kernel.shutdown_kernel)(now=False)
    run_sync(kernel.cleanup_resources)()


if __name__ == "__main__":
    sys.exit(main())
