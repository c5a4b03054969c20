"""Samples that were given twice: in one file, or in two. Twice counted, they keep a rate or a count that was not kept.

Two requests that were sent at the same moment and took as long to the last digit are one request. Of long results a
fixed share of all rows is looked at, the same rows in every file: those whose hash is small (bottom-k sampling,
Cohen and Kaplan 2007, https://doi.org/10.1145/1281100.1281133).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from launchbook.load.buckets import Counts
from launchbook.load.tally import Tally
from launchbook.load.terms import Reason

_KEPT = 1 << 16  # different rows that are kept
_LOOK = 4096  # rows, of which durations are told apart
_MOST = 0.05  # of the rows, which may be there twice by chance, where stamps are coarse
_TELLING = 0.9  # of the rows of one second have durations of their own
_MIX = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F))


class Rows:
    """Rows of one result, seen part by part, whatever their order."""

    def __init__(self) -> None:
        self.below = 1 << 64
        self._kept = Counts.none()
        self._waiting: list[np.ndarray] = []
        self._size = 0
        self._whole_seconds = True
        self._alike: bool | None = None

    def see(self, frame: pd.DataFrame) -> None:
        """The next part. Columns start (s) and ms."""
        start, ms = (np.ascontiguousarray(frame[name], dtype=float) for name in ("start", "ms"))
        found = start.view(np.uint64) * _MIX[0]
        found ^= ms.view(np.uint64) * _MIX[1]
        if self.below < 1 << 64:
            kept = np.flatnonzero(found < np.uint64(self.below))
            start, ms, found = start[kept], ms[kept], found[kept]
        good = np.isfinite(start) & np.isfinite(ms) & (ms >= 0)
        start, ms, found = start[good], ms[good], found[good]
        if not len(found):
            return
        if self._whole_seconds:
            self._whole_seconds = _whole(start) or _whole(start + ms / 1000)
            if self._alike is None:
                self._alike = len(np.unique(ms[:_LOOK])) < _TELLING * len(np.unique(found[:_LOOK]))
        self._waiting.append(found)
        self._size += len(found)
        if self._size > 2 * _KEPT:
            self._compact()

    @property
    def telling(self) -> bool:
        """Whether two rows that are alike must be one: not where stamps are whole seconds and durations repeat."""
        return not (self._whole_seconds and self._alike)

    def counts(self) -> Counts:
        """How often each row that is kept was seen."""
        self._compact()
        return self._kept

    def _compact(self) -> None:
        # A hash as a signed number: the order is another, and the same for all.
        parts = [Counts.of(one.view(np.int64)) for one in self._waiting]
        self._kept, self._waiting, self._size = Counts.total([self._kept, *parts]), [], 0
        while len(self._kept.keys) > _KEPT:
            self.below //= 2
            self._kept = _under(self._kept, self.below)


def _whole(times: np.ndarray) -> bool:
    return bool((np.abs(times - np.round(times)) < 1e-5).all())


def _under(counts: Counts, below: int) -> Counts:
    if below >= 1 << 64:
        return counts
    kept = counts.keys.view(np.uint64) < np.uint64(below)
    return Counts(counts.keys[kept], counts.values[kept])


def within(name: str, rows: Rows) -> list[Reason]:
    """One result that says its rows more than once. name: of its file."""
    counts = rows.counts()
    total, different = int(counts.values.sum()), len(counts.keys)
    again = total - different
    if not again or not rows.telling:
        return []
    share = again / total
    said = (
        f"{name}: {_percent(share)} of its samples repeat one that was sent at the same moment and took as long to the last "
        "digit"
    )
    if share >= _MOST:
        return [Reason("repeated", f"{said}: the same requests are counted more than once.")]
    return [Reason("repeated", f"{said}.", "NOTE")]


def between(names: Sequence[str], tallies: Sequence[Tally], rows: Sequence[Rows]) -> Iterator[Reason]:
    """Pairs of results that hold the same samples, in part or as a whole."""
    for (a, one, ours), (b, other, theirs) in itertools.combinations(zip(names, tallies, rows, strict=True), 2):
        if min(one.last, other.last) < max(one.first, other.first):
            continue
        if _same(one, other):
            yield Reason("repeated", f"{a} and {b} hold the same {one.count} samples, so each is counted twice.")
            continue
        below = min(ours.below, theirs.below)
        mine, yours = _under(ours.counts(), below), _under(theirs.counts(), below)
        common = len(np.intersect1d(mine.keys, yours.keys, assume_unique=True))
        share = common / max(1, min(len(mine.keys), len(yours.keys)))
        if share >= _MOST and ours.telling and theirs.telling:
            part = f"{_percent(share)} of the samples of the smaller one of {a} and {b} stand in the other too"
            yield Reason("repeated", f"{part}, so they are counted twice.")


def _same(one: Tally, other: Tally) -> bool:
    """Whether all that was counted of them is the same: first and last stamp, and each second's requests by duration."""
    if (one.count, one.failed, one.first, one.last) != (other.count, other.failed, other.first, other.last):
        return False
    return all(
        np.array_equal(a.keys, b.keys) and np.array_equal(a.values, b.values)
        for a, b in ((one.grid, other.grid), (one.second, other.second), (one.failures, other.failures))
    )


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
