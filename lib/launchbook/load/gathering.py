"""Parts of a sample table counted one after the other, in bounded memory."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd

from launchbook.load.samples import Samples
from launchbook.load.tally import Order, Tally, merged, of_part, possible

_COUNTED = ("start", "ms", "failed", "name", "error", "blocked")
_AT_ONCE = 16  # parts that are merged: fewer would sort the whole too often, more would hold too many
_MEMORY = 64 << 20  # bytes of durations; more of them are kept in a file
_DURATION = np.dtype([("ms", "<f8"), ("failed", "?")])
_LOOK = 1 << 17  # durations, at the second look


def counted(
    samples: Samples, warmup: float = 0.0, see: Callable[[pd.DataFrame], None] | None = None, also: Sequence[str] = ()
) -> tuple[Tally, Tally]:
    """(without the first `warmup` seconds, with them) of a table that can be read again. Raises what its frames() do.

    see: looks at each part too; also: further columns for it
    """
    begins = samples.first() + warmup if warmup else -math.inf
    early, later, order = Parts(), Parts(), Order()
    for frame in samples.frames((*_COUNTED, *also)):
        order.see(frame)
        if see:
            see(frame)
        before = frame["start"].to_numpy(dtype=float) < begins
        if before.any():
            early.add(frame[before])
            frame = frame[~before]
        later.add(frame)
    tally = later.tally()
    tally.back = order.back  # a clock that ran back into the warm-up ran back all the same
    tally.durations = [lambda: _durations(samples, begins)]
    if not warmup:
        return tally, tally
    whole = merged([early.tally(), tally])
    whole.durations = [lambda: _durations(samples, -math.inf)]
    return tally, whole


def _durations(samples: Samples, begins: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for frame in samples.frames(("start", "ms", "failed")):
        start = frame["start"].to_numpy(dtype=float)
        ms, failed, good = _known(frame)
        late = ~(start[good] < begins)
        yield ms[late], failed[late]


def _known(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(ms, failed) of the rows that are possible, and which those are."""
    _, ms, good = possible(frame)
    return ms[good], frame["failed"].to_numpy(dtype=bool)[good], good


class Parts:
    """Counts parts, whatever their order."""

    def __init__(self) -> None:
        self._parts: list[Tally] = []

    def add(self, frame: pd.DataFrame) -> None:
        """Columns as in samples.ALL; only start, ms and failed must be there."""
        if not len(frame):
            return
        self._parts.append(of_part(frame))
        if len(self._parts) == _AT_ONCE:
            self._parts = [merged(self._parts)]

    def tally(self) -> Tally:
        """All parts as one, without a way to its durations."""
        return merged(self._parts)


class Gathered(Parts):
    """Counts the parts of a table, in its order, that can't be read again: its durations are kept."""

    def __init__(self) -> None:
        super().__init__()
        self._order = Order()
        self._file = tempfile.SpooledTemporaryFile(max_size=_MEMORY)  # noqa: SIM115  # lives as long as the tally

    def add(self, frame: pd.DataFrame) -> None:
        if not len(frame):
            return
        super().add(frame)
        self._order.see(frame)
        ms, failed, _ = _known(frame)
        rows = np.empty(len(ms), _DURATION)
        rows["ms"], rows["failed"] = ms, failed
        self._file.write(rows.tobytes())

    def tally(self) -> Tally:
        """All parts as one."""
        whole = super().tally()
        whole.back, whole.durations = self._order.back, [self._durations]
        return whole

    def _durations(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        self._file.seek(0)
        while data := self._file.read(_LOOK * _DURATION.itemsize):
            rows = np.frombuffer(data, _DURATION)
            yield rows["ms"], rows["failed"]
