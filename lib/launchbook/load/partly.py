"""A part of a closed loop's users that waited while the others went on: one of several replicas that hangs. Pure."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from launchbook.load.buckets import BUCKETS, backfilled, middle
from launchbook.load.figures import per_second
from launchbook.load.tally import Tally

_LONG = 10  # cycles of a user: an answer that takes as long
_MANY = 0.1  # of the users, who wait for such answers at once and don't usually
_FEWER = 0.5  # of what these would have sent is missing, at least
_SECONDS = 3  # of them that follow each other


def waits(tally: Tally, users: float, cycle: float) -> tuple[int, int, np.ndarray] | None:
    """(s, how many users waited at most, requests by bucket that an open loop would have counted); None without any.

    Long answers that come at any time are how the target is, and an open loop would see the same share of them. What
    counts is many at once with fewer requests sent meanwhile. users: of the loop; cycle: ms, of one user
    """
    sent = per_second(tally)
    if not len(sent):
        return None
    starts, ms = tally.grid.keys // BUCKETS * tally.width, middle(tally.grid.keys % BUCKETS)
    long = (ms >= _LONG * cycle) & (ms >= 2000 * (tally.width - 1))
    begin = starts[long] + 1 - int(tally.second.keys[0])
    end = begin - 1 + np.floor(ms[long] / 1000).astype(np.int64)
    waiting = np.cumsum(_at(begin, end, tally.grid.values[long], len(sent)))[: len(sent)]
    more = waiting - float(np.median(waiting))
    missing = sent <= float(np.median(sent)) * (1 - _FEWER * more / users)
    spells = [(a, b) for a, b in _spells(missing & (more >= _MANY * users)) if b - a >= _SECONDS]
    if not spells:
        return None
    # Those of the long ones that were under way in such a spell.
    within = np.zeros(len(begin), bool)
    for a, b in spells:
        within |= (begin < b) & (end > a)
    places = tally.grid.keys[long][within] % BUCKETS
    held = np.bincount(places, tally.grid.values[long][within], BUCKETS).astype(np.int64)
    most = max(float(more[a:b].max()) for a, b in spells)
    return sum(b - a for a, b in spells), round(most), tally.histogram + backfilled(held, cycle) - held


def _at(begin: np.ndarray, end: np.ndarray, many: np.ndarray, seconds: int) -> np.ndarray:
    """By how many more (or fewer) wait, in each second."""
    kept = end > begin
    changes = np.zeros(seconds + 1, np.int64)
    np.add.at(changes, np.clip(begin[kept], 0, seconds), many[kept])
    np.subtract.at(changes, np.clip(end[kept], 0, seconds), many[kept])
    return changes


def _spells(given: np.ndarray) -> Iterator[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], given.astype(np.int8), [0]])))
    yield from ((int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True))
