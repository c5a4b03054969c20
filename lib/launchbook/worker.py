"""One track's process: `python -m launchbook.worker SOURCE OUTPUT` executes a notebook with papermill.

The parameters come as JSON on standard input. papermill saves the notebook whatever happens; what it says of the
cells is mended by `batch`, since after a dead kernel it calls every cell completed.
"""

from __future__ import annotations

import json
import signal
import sys
from types import FrameType

import papermill


def _stop(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> int:
    """0 when every cell ran; 1 when one raised; 138 when the kernel died; 130 when it was stopped."""
    source, output = sys.argv[1:3]
    parameters = json.load(sys.stdin)
    signal.signal(signal.SIGTERM, _stop)
    try:
        papermill.execute_notebook(
            source, output, parameters, kernel_name="python3", progress_bar=False, log_output=False,
            autosave_cell_every=5, start_timeout=120,
        )  # fmt: skip
    except papermill.PapermillExecutionError as error:
        print(f"{error.ename}: {error.evalue}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
