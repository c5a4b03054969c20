"""Latency counted in logarithmic buckets, a row a window of time: merges exactly, whoever counted which part.

A bucket is 1 % wide, so a figure read from it lies within RELATIVE_ERROR of the exact one. Counts add up, so parts
merge in any order to the same (as HdrHistogram's do: https://hdrhistogram.github.io/HdrHistogram/).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

FLOOR = 0.001  # ms: what is quicker is counted in bucket 0
BUCKETS = 2400  # the last one begins at 6.5 hours
_RATIO = 1.01
_LOG = float(np.log(_RATIO))
RELATIVE_ERROR = _RATIO**0.5 - 1


def bucket(ms: np.ndarray) -> np.ndarray:
    """The bucket of each duration (ms, finite, not negative)."""
    with np.errstate(divide="ignore"):
        found = np.floor(np.log(ms / FLOOR) / _LOG) + 1
    places: np.ndarray = np.clip(found, 0, BUCKETS - 1).astype(np.int64)
    return places


def middle(buckets: Any) -> np.ndarray:
    """What a bucket stands for, in ms: its geometric middle."""
    found: np.ndarray = FLOOR * _RATIO ** (np.asarray(buckets, dtype=float) - 0.5)
    return found


def edges(buckets: np.ndarray) -> np.ndarray:
    """Where a bucket begins, in ms."""
    found: np.ndarray = np.where(buckets <= 0, 0.0, FLOOR * _RATIO ** (np.asarray(buckets, dtype=float) - 1))
    return found


def quantile(counts: np.ndarray, share: float) -> float:
    """The duration (ms) that `share` of the requests don't exceed. counts: of each bucket; NaN where there are none."""
    total = int(counts.sum())
    if not total:
        return float("nan")
    place = np.searchsorted(np.cumsum(counts), np.floor(share * (total - 1)), side="right")
    return float(middle(place))


def average(counts: np.ndarray) -> tuple[float, float]:
    """(mean, standard deviation) in ms; NaN where there are none. counts: of each bucket"""
    total, places = int(counts.sum()), np.flatnonzero(counts)
    if not total:
        return float("nan"), float("nan")
    weights, took = counts[places] / total, middle(places)
    mean = float(weights @ took)
    return mean, float(np.sqrt(weights @ np.square(took - mean)))


def backfilled(counts: np.ndarray, interval: float) -> np.ndarray:
    """What an open loop would have counted that sends every `interval` ms, whether or not answers come.

    A sender that waited v ms left out the requests due meanwhile, which would have waited v - interval,
    v - 2 interval, … down to interval (HdrHistogram, copyCorrectedForCoordinatedOmission).
    """
    filled = counts.astype(np.int64)
    for place in np.flatnonzero(counts):
        waited = float(middle(place))
        # A sender that was kept from more than 10000 requests is counted as if it had been kept from 10000.
        missed = np.arange(1, min(int(waited // interval), 10_001)) if interval > 0 else np.arange(0)
        if missed.size:
            filled += int(counts[place]) * np.bincount(bucket(waited - missed * interval), minlength=BUCKETS)
    return filled


@dataclass(frozen=True)
class Counts:
    """How many of each key. keys: int64, ascending, each once; values: int64."""

    keys: np.ndarray
    values: np.ndarray

    @staticmethod
    def none() -> Counts:
        return Counts(np.empty(0, np.int64), np.empty(0, np.int64))

    @staticmethod
    def of(keys: np.ndarray, values: np.ndarray | None = None) -> Counts:
        """Keys in any order, each as often as `values` says (once)."""
        if not len(keys):
            return Counts.none()
        low, high = int(keys.min()), int(keys.max())
        if values is None and high - low < 10 * len(keys) + 100_000:
            dense = np.bincount(keys - low)
            found = np.flatnonzero(dense)
            return Counts(found + low, dense[found].astype(np.int64))
        # Parts of a run follow each other in time: a stable sort finds them nearly in order.
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        firsts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
        many = np.ones(len(keys), np.int64) if values is None else values[order]
        return Counts(keys[firsts], np.add.reduceat(many, firsts))

    @staticmethod
    def total(parts: Sequence[Counts]) -> Counts:
        """All of them added up."""
        if len(parts) == 1:
            return parts[0]
        if not parts:
            return Counts.none()
        keys = np.concatenate([one.keys for one in parts])
        return Counts.of(keys, np.concatenate([one.values for one in parts]))
