"""Samples by windows of time: what the average of the whole would hide."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from launchbook.load.buckets import BUCKETS, Counts
from launchbook.load.tally import Tally

_MOST = 20_000  # windows; more of them come from a stamp that is none


@dataclass(frozen=True)
class Windows:
    """Whole windows of one width that follow each other.

    size: s; begins: s since the first request; requests, failed: of each window; grid: its requests by bucket
    """

    size: int
    begins: np.ndarray
    requests: np.ndarray
    failed: np.ndarray
    grid: np.ndarray

    def __len__(self) -> int:
        return len(self.begins)

    def within(self, first: int, after: int) -> np.ndarray:
        """Requests by bucket of the windows from `first` up to but not `after`."""
        summed: np.ndarray = self.grid[first:after].sum(axis=0)
        return summed


def cut(tally: Tally, size: int) -> Windows:
    """The whole windows of `size` seconds (or of the next width that the samples were counted in)."""
    size = max(tally.width, math.ceil(size / tally.width) * tally.width)
    if not tally.count:
        none = np.empty(0, np.int64)
        return Windows(size, none, none, none, np.empty((0, BUCKETS), np.int64))
    base = math.ceil(tally.first / tally.width) * tally.width
    many = max(0, int((int(tally.second.keys[-1]) - base) // size))
    many = 0 if many > _MOST else many
    grid = _placed(tally.grid.keys // BUCKETS * tally.width, base, size, many)
    table = np.bincount(
        grid[0] * BUCKETS + tally.grid.keys[grid[1]] % BUCKETS, tally.grid.values[grid[1]], many * BUCKETS
    )
    table = table.astype(np.int64).reshape(many, BUCKETS)
    bad = _placed(tally.failures.keys, base, size, many)
    failed = np.bincount(bad[0], tally.failures.values[bad[1]], many).astype(np.int64)
    return Windows(size, base + size * np.arange(many) - tally.first, table.sum(axis=1), failed, table)


def last(tally: Tally, size: int) -> Windows:
    """The one window that ends with the last request sent: `size` seconds, and what the width of the counts adds to them.

    Whole windows from the beginning leave out what comes after the last of them.
    """
    ends = int(tally.second.keys[-1]) + 1
    begin = (ends - size) // tally.width * tally.width
    grid = _between(tally.grid, begin // tally.width * BUCKETS, math.ceil(ends / tally.width) * BUCKETS)
    table = np.bincount(grid.keys % BUCKETS, grid.values, BUCKETS).astype(np.int64)
    failed = _between(tally.failures, begin, ends).values.sum()
    return Windows(
        ends - begin, np.array([begin - tally.first]), np.array([table.sum()]), np.array([failed]), table[None, :]
    )


def _between(counts: Counts, begin: int, end: int) -> Counts:
    first, after = np.searchsorted(counts.keys, [begin, end])
    return Counts(counts.keys[first:after], counts.values[first:after])


def _placed(seconds: np.ndarray, base: int, size: int, many: int) -> tuple[np.ndarray, np.ndarray]:
    """(which window, which of the given seconds) of those that lie in one."""
    window = (seconds - base) // size
    inside = np.flatnonzero((window >= 0) & (window < many))
    return window[inside], inside
