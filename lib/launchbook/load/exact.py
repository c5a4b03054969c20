"""Exact order statistics of samples that were counted: buckets say where to look, a second look at the samples finds them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from launchbook.load.buckets import BUCKETS, bucket
from launchbook.load.tally import Tally


def ordered(tally: Tally, ranks: Sequence[int], *, good: bool = False) -> dict[int, float]:
    """The exact durations (ms) at these places (from 0, ascending) of all requests, or of the successful alone.

    The buckets say where they lie, so that a second look at the samples keeps those of a few buckets only.
    """
    counts = np.cumsum(tally.good if good else tally.histogram)
    places = {rank: int(np.searchsorted(counts, rank, side="right")) for rank in set(ranks)}
    wanted = np.zeros(BUCKETS, bool)
    wanted[list(places.values())] = True
    kept: list[tuple[np.ndarray, np.ndarray]] = []
    for source in tally.durations:
        for ms, failed in source():
            ms = ms[~failed] if good else ms
            kept.append(np.unique(ms[wanted[bucket(ms)]], return_counts=True))
            if len(kept) == 64:
                kept = [_compact(kept)]
    values, many = _compact(kept) if kept else (np.empty(0), np.empty(0, np.int64))
    before = np.concatenate([[0], counts[:-1]])
    inside, running = bucket(values), np.cumsum(many)
    answer = {}
    for rank, place in places.items():
        skipped = int(many[inside < place].sum())
        at = int(np.searchsorted(running, rank - int(before[place]) + skipped, side="right"))
        answer[rank] = float(values[at])
    return answer


def _compact(kept: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    values, inverse = np.unique(np.concatenate([v for v, _ in kept]), return_inverse=True)
    return values, np.bincount(inverse, np.concatenate([n for _, n in kept]), len(values)).astype(np.int64)
