"""What generators say about themselves while they run: lines `LB {…}` on their standard output."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import launchbook.load.histogram as histogram

_RECENT = 10  # s, over which the live view counts
_TAIL = 400  # characters of what else was said


@dataclass
class Told:
    """Every line once a second is kept, but for its histogram: those of the last seconds only, and their sum.

    lines: see engine.HEALTH, and `worker` where there are several; floors: percentiles (ms) against the null target,
    one of each process that measured it; began: when the first line came, on the monotonic clock (s)
    """

    lines: list[dict[str, Any]] = field(default_factory=list)
    end: dict[str, Any] = field(default_factory=dict)
    floors: list[dict[str, float]] = field(default_factory=list)
    trouble: str = ""
    tail: str = ""
    began: float | None = None
    histogram: dict[int, int] = field(default_factory=dict)
    _heard: deque[bytes] = field(default_factory=lambda: deque(maxlen=200))
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _recent: deque[tuple[float, dict[str, Any], dict[int, int]]] = field(default_factory=deque)

    def hear(self, line: bytes) -> None:
        """One line of a generator's standard output. One that was just heard is left out."""
        with self._lock:
            if line not in self._heard:
                self._heard.append(line)
                self._take(line)

    def _take(self, line: bytes) -> None:
        said = _json(line[3:]) if line.startswith(b"LB ") else None
        if said is None:
            self.tail = f"{self.tail}\n{line.decode('utf-8', 'replace')}"[-_TAIL:]
            return
        if "floor" in said:
            self.floors.append(said["floor"])
        self.trouble = self.trouble or str(said.get("trouble", ""))
        self.end |= {name: said[name] for name in ("version", "done", "code") if name in said}
        if said.keys() & {"cpu", "ticks"}:
            now = time.monotonic()
            self.began = now if self.began is None else self.began
            counts = {int(place): int(n) for place, n in said.pop("hist", {}).items()}
            self.histogram = histogram.add((self.histogram, counts))
            self._recent.append((now, said, counts))
            while now - self._recent[0][0] > _RECENT:
                self._recent.popleft()
        self.lines.append(said)

    def recent(self) -> tuple[list[dict[str, Any]], dict[int, int]]:
        """The lines of the last ten seconds, and their histograms as one."""
        with self._lock:
            kept = list(self._recent)
        return [line for _, line, _ in kept], histogram.add(counts for _, _, counts in kept)


def _json(text: bytes) -> dict[str, Any] | None:
    try:
        said = json.loads(text)
    except ValueError:
        return None
    return said if isinstance(said, dict) else None
