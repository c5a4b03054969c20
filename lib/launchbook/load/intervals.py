"""Confidence intervals (95 %) of what was measured.

Percentiles by order statistics (Hahn and Meeker, Statistical Intervals, 5.2), shares by Wilson (1927), rates and means
over time by a bootstrap of blocks with a fixed seed (Künsch 1989), since neighbouring seconds are alike.
"""

from __future__ import annotations

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
TAIL = 5  # samples that must lie above a percentile before it is quoted
_SEED = 20_261_124
_DRAWS = 2000
_BLOCKS = 30


def needed(percent: float) -> int:
    """How many samples a percentile needs before it is quoted."""
    return round(TAIL / (1 - percent / 100)) if percent < 100 else 1


def ranks(count: int, percent: float, alpha: float = 1 - CONFIDENCE) -> tuple[int, int] | None:
    """The places (from 0, ascending) of the samples that bound a percentile; None where so few can't bound it."""
    share = percent / 100
    low = int(stats.binom.ppf(alpha / 2, count, share)) - 1
    high = int(stats.binom.ppf(1 - alpha / 2, count, share))
    return (low, high) if low >= 0 and high < count and share < 1 else None


def share(hits: int, count: int, alpha: float = 1 - CONFIDENCE) -> tuple[float, float]:
    """Wilson's interval of `hits` among `count` (above 0)."""
    z = float(stats.norm.ppf(1 - alpha / 2))
    found = hits / count
    centre = (found + z * z / (2 * count)) / (1 + z * z / count)
    half = z * np.sqrt(found * (1 - found) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    low, high = max(0.0, float(centre - half)), min(1.0, float(centre + half))
    return (0.0 if hits == 0 else low), (1.0 if hits == count else high)


def around(mean: float, deviation: float, count: int, alpha: float = 1 - CONFIDENCE) -> tuple[float, float]:
    """Of the mean of `count` (above 0) values that don't depend on each other."""
    half = float(stats.norm.ppf(1 - alpha / 2)) * deviation / float(np.sqrt(count))
    return mean - half, mean + half


def mean(values: np.ndarray, alpha: float = 1 - CONFIDENCE) -> tuple[float, float] | None:
    """Of the mean of values that follow each other in time; None with fewer than 8 of them."""
    if len(values) < 8:
        return None
    size = max(1, len(values) // _BLOCKS)
    whole = values[: len(values) // size * size].reshape(-1, size).mean(axis=1)
    drawn = np.random.default_rng(_SEED).integers(0, len(whole), (_DRAWS, len(whole)))
    low, high = np.quantile(whole[drawn].mean(axis=1), [alpha / 2, 1 - alpha / 2])
    return float(low), float(high)
