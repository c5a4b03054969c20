"""The figures that thresholds ask for, from samples."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from launchbook.thresholds import Threshold


def figure(threshold: Threshold, samples: pd.DataFrame, seconds: float) -> float | None:
    """The measured figure of a threshold; None where the samples can't carry it.

    samples: columns ms, failed; seconds: how long they took. Durations are of every request, failed ones too, in ms.
    """
    if samples.empty or seconds <= 0:
        return None
    if threshold.metric == "http_req_failed":
        return float(samples["failed"].mean())
    if threshold.metric in ("http_reqs", "iterations"):
        return len(samples) / seconds if threshold.aggregate == "rate" else float(len(samples))
    return trend(samples["ms"].to_numpy(), threshold.aggregate)


def trend(values: np.ndarray, aggregate: str) -> float:
    """avg, min, med, max or p(N) of durations, linear between neighbours as k6 has it."""
    if aggregate.startswith("p("):
        return float(np.percentile(values, float(aggregate[2:-1])))
    simple: dict[str, Callable[[np.ndarray], float]] = {"avg": np.mean, "min": np.min, "med": np.median, "max": np.max}
    return float(simple[aggregate](values))
