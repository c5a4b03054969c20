"""Samples counted: all that a verdict and its figures need of them, however many there are.

A Tally is made part by part and merges exactly: the same whichever part came first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from launchbook.load.buckets import BUCKETS, Counts, bucket

OTHER = "(other names)"
_WIDTHS = (1, 10, 60, 600, 3600)  # s, each divides the next
_WINDOWS = 2400  # more windows than these are counted in wider ones
TICKS = 10  # a second
_NAMES = 200  # further names of requests, and kinds of errors, are counted together

Durations = Callable[[], Iterable[tuple[np.ndarray, np.ndarray]]]  # again and again: (ms, failed) of each part


@dataclass
class Tally:
    """What was counted of requests.

    grid: (start // width) * BUCKETS + bucket of ms -> requests; second, failures: whole second (since the epoch) ->
    requests sent in it, and those that failed; busy: tenth of a second -> by how many more (or fewer) requests are on
    their way; good: successes by bucket; by_name: name -> [requests, failed] and its buckets; errors: (error, name) ->
    requests; blocked: by bucket, where the engine tells; first, last: s since the epoch, of the first request sent and
    the last answer; impossible: rows without a time, a duration or an answer whether they failed; back: s by which the
    clock ran back, at most
    """

    width: int = 1
    grid: Counts = field(default_factory=Counts.none)
    second: Counts = field(default_factory=Counts.none)
    failures: Counts = field(default_factory=Counts.none)
    busy: Counts = field(default_factory=Counts.none)
    good: np.ndarray = field(default_factory=lambda: np.zeros(BUCKETS, np.int64))
    blocked: np.ndarray = field(default_factory=lambda: np.zeros(BUCKETS, np.int64))
    by_name: dict[str, np.ndarray] = field(default_factory=dict)  # requests, failed, then its buckets
    errors: dict[tuple[str, str], int] = field(default_factory=dict)
    count: int = 0
    failed: int = 0
    total: float = 0.0  # ms
    squares: float = 0.0
    low: float = math.inf
    high: float = -math.inf
    first: float = math.inf
    last: float = -math.inf
    impossible: int = 0
    back: float = 0.0
    durations: list[Durations] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """From the first request sent to the last answer read; 0 without a sample."""
        return self.last - self.first if self.count else 0.0

    @property
    def histogram(self) -> np.ndarray:
        """Requests by bucket."""
        return np.bincount(self.grid.keys % BUCKETS, self.grid.values, BUCKETS).astype(np.int64)

    @staticmethod
    def of(frame: pd.DataFrame) -> Tally:
        """Of a sample table. Only start (s), ms and failed must be there."""
        tally, order = of_part(frame), Order()
        order.see(frame)
        tally.back = order.back
        flags = frame["failed"].to_numpy(dtype=bool)
        _, ms, good = possible(frame)
        tally.durations = [lambda: [(ms[good], flags[good])]]
        return tally


class Order:
    """By how much a clock ran back from one row of a table to a later one, however many parts it is read in."""

    def __init__(self) -> None:
        self._latest, self._back = [-math.inf, -math.inf], [0.0, 0.0]

    @property
    def back(self) -> float:
        """s. A table lies in the order in which its requests were sent, or in that of their answers."""
        return min(self._back)

    def see(self, frame: pd.DataFrame) -> None:
        """The next part. Columns start (s) and ms."""
        start, ms, good = possible(frame)
        start, ms = start[good], ms[good]
        if not len(start):
            return
        for n, times in enumerate((start, start + ms / 1000)):
            latest = np.maximum(np.maximum.accumulate(times), self._latest[n])
            self._back[n] = max(self._back[n], float((latest - times).max()))
            self._latest[n] = float(latest[-1])


def merged(parts: Sequence[Tally]) -> Tally:
    """Several as one: counts add up, so it is what one Tally of all samples would be."""
    whole = Tally()
    if not parts:
        return whole
    whole.second = Counts.total([one.second for one in parts])
    whole.failures = Counts.total([one.failures for one in parts])
    whole.busy = Counts.total([one.busy for one in parts])
    whole.width = max(_fitting(whole.second), *(one.width for one in parts))
    whole.grid = Counts.total([_widened(one, whole.width) for one in parts])
    for one in parts:
        whole.good = whole.good + one.good
        whole.blocked = whole.blocked + one.blocked
        _add_names(whole, one)
        whole.count, whole.failed = whole.count + one.count, whole.failed + one.failed
        whole.impossible += one.impossible
        whole.durations = [*whole.durations, *one.durations]
    whole.total = math.fsum(one.total for one in parts)
    whole.squares = math.fsum(one.squares for one in parts)
    whole.low, whole.high = min(one.low for one in parts), max(one.high for one in parts)
    whole.first, whole.last = min(one.first for one in parts), max(one.last for one in parts)
    whole.back = max(one.back for one in parts)
    return whole


def possible(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(start, ms, whether it is possible) of each row: one has a time, and a duration that isn't negative."""
    start, ms = frame["start"].to_numpy(dtype=float), frame["ms"].to_numpy(dtype=float)
    return start, ms, np.isfinite(start) & np.isfinite(ms) & (ms >= 0)


def of_part(frame: pd.DataFrame) -> Tally:
    """Of a part of a sample table, without a way to its durations or to the part before."""
    start, ms, good = possible(frame)
    tally = Tally(impossible=len(frame) - int(good.sum()))
    if not good.all():
        frame, start, ms = frame[good], start[good], ms[good]
    if not len(frame):
        return tally
    failed, ended = frame["failed"].to_numpy(dtype=bool), start + ms / 1000
    whole, buckets = np.floor(start).astype(np.int64), bucket(ms)
    tally.second, tally.failures = Counts.of(whole), Counts.of(whole[failed])
    tally.width = _fitting(tally.second)
    tally.grid = Counts.of(whole // tally.width * BUCKETS + buckets)
    sent = Counts.of(np.floor(TICKS * start).astype(np.int64))
    answered = Counts.of(np.floor(TICKS * ended).astype(np.int64) + 1)
    tally.busy = Counts.total([sent, Counts(answered.keys, -answered.values)])
    tally.good = np.bincount(buckets[~failed], minlength=BUCKETS)
    tally.count, tally.failed = len(ms), int(failed.sum())
    tally.total, tally.squares = float(ms.sum()), float(np.square(ms).sum())
    tally.low, tally.high = float(ms.min()), float(ms.max())
    tally.first, tally.last = float(start.min()), float(ended.max())
    if "blocked" in frame:
        known = frame["blocked"].to_numpy(dtype=float)
        tally.blocked = np.bincount(bucket(np.maximum(known[np.isfinite(known)], 0.0)), minlength=BUCKETS)
    _name(tally, frame, buckets, failed)
    return tally


def _name(tally: Tally, frame: pd.DataFrame, buckets: np.ndarray, failed: np.ndarray) -> None:
    if "name" not in frame:
        return
    codes, names = coded(frame["name"])
    names = [str(name) for name in names]
    if len(names) > _NAMES:
        codes, names = np.minimum(codes, _NAMES), [*names[:_NAMES], OTHER]
    table = np.bincount(codes * BUCKETS + buckets, minlength=len(names) * BUCKETS).reshape(-1, BUCKETS)
    bad = np.bincount(codes[failed], minlength=len(names))
    for place, name in enumerate(names):
        if table[place].any():
            tally.by_name[name] = np.concatenate([[table[place].sum(), bad[place]], table[place]])
    if not failed.any() or "error" not in frame:
        return
    kinds, labels = coded(frame["error"][failed])
    pairs = Counts.of(kinds * len(names) + codes[failed])
    for pair, many in zip(pairs.keys, pairs.values, strict=True):
        error, name = str(labels[int(pair) // len(names)]), names[int(pair) % len(names)]
        key = (error, name) if len(tally.errors) < _NAMES or (error, name) in tally.errors else ("(other errors)", "")
        tally.errors[key] = tally.errors.get(key, 0) + int(many)


def coded(column: pd.Series) -> tuple[np.ndarray, list[str]]:
    """(a whole number each, what they stand for); a missing one stands for ''."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes, labels = column.cat.codes.to_numpy().astype(np.int64), list(column.cat.categories)
    else:
        codes, found = pd.factorize(column)
        labels = list(found)
    if (codes < 0).any():
        codes, labels = np.where(codes < 0, len(labels), codes), [*labels, ""]
    return codes, labels


def _add_names(whole: Tally, one: Tally) -> None:
    for name, row in one.by_name.items():
        key = name if name in whole.by_name or len(whole.by_name) < _NAMES else OTHER
        whole.by_name[key] = whole.by_name.get(key, 0) + row
    for pair, many in one.errors.items():
        kind = pair if pair in whole.errors or len(whole.errors) < _NAMES else ("(other errors)", "")
        whole.errors[kind] = whole.errors.get(kind, 0) + many


def _fitting(second: Counts) -> int:
    """How wide windows are, s, so that there are not too many of them."""
    if not len(second.keys):
        return 1
    low, high = int(second.keys[0]), int(second.keys[-1])
    return next((w for w in _WIDTHS if high // w - low // w < _WINDOWS), _WIDTHS[-1])


def _widened(one: Tally, width: int) -> Counts:
    by = width // one.width
    if by == 1:
        return one.grid
    window, place = one.grid.keys // BUCKETS, one.grid.keys % BUCKETS
    return Counts.of(window // by * BUCKETS + place, one.grid.values)
