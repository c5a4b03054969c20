"""One JSON object a line on standard output, for people and for log stores."""

from __future__ import annotations

import json
import sys
import time


def log(level: str, event: str, **fields: object) -> None:
    """Write a line with the time (UTC), the level, the event's name and its fields."""
    now = time.time()
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1000):03d}Z"
    line = {"time": stamp, "level": level, "event": event, **fields}
    sys.stdout.write(json.dumps(line, separators=(",", ":"), default=str) + "\n")
    sys.stdout.flush()
