"""A long run judged for what grows: latency, errors, and the memory of each pod. Pure.

A slope is Theil and Sen's, the median of the slopes between all pairs, with its interval
(https://docs.scipy.org/doc/scipy/reference/generated/scipy.stats.theilslopes.html). It asks that the windows do not
depend on each other, so windows are a minute or longer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

from launchbook.load.buckets import quantile
from launchbook.load.tally import Tally
from launchbook.load.windows import cut

Trend = Literal["grows", "does not grow", "can't tell yet"]
LONG = 1800.0  # s, below which a slope says more of the warm-up than of a leak
_FEWEST = 20  # windows
_MOST = 400  # windows: pairs grow with their square
_MATTERS = 0.10  # of the level over the whole run: growth that a reader would act on


@dataclass(frozen=True)
class Slope:
    """How a figure changes in time. name: latency p(95), errors, memory of NAMESPACE/POD; unit: of level.

    level: its median; per_hour: change, with low and high of its 95 % interval; trend: what that says
    """

    name: str
    unit: str
    level: float
    per_hour: float
    low: float
    high: float
    trend: Trend
    because: str


def slopes(tally: Tally, memory: pd.DataFrame | None = None) -> list[Slope]:
    """Of p(95), the share of errors, and of each pod's memory.

    tally: without the warm-up; memory: columns second (s since the epoch), namespace, pod, memory (bytes), None where
    it was not read. A restart ends a pod's line of memory: the container's memory begins anew, and a fall is no cure.
    """
    windows = cut(tally, max(60, int(tally.seconds // _MOST)))
    hours = windows.begins / 3600
    sent = windows.requests > 0
    p95 = np.array([quantile(row, 0.95) for row in windows.grid])
    failed = 100 * windows.failed / np.maximum(windows.requests, 1)
    found = [
        slope("latency p(95)", "ms", hours[sent], p95[sent], tally.seconds),
        slope("errors", "%", hours[sent], failed[sent], tally.seconds, least=0.1),
    ]
    if memory is not None:
        for (namespace, pod), rows in memory.groupby(["namespace", "pod"]):
            ordered = rows.sort_values("second")
            times, mib = ordered["second"].to_numpy(dtype=float), ordered["memory"].to_numpy(dtype=float) / 2**20
            span = float(times[-1] - times[0]) if len(times) else 0.0
            step = max(1, len(times) // _MOST)
            name = f"memory of {namespace}/{pod}"
            found.append(slope(name, "MiB", (times[::step] - times[0]) / 3600, mib[::step], span, least=8.0))
    return found


def slope(name: str, unit: str, hours: np.ndarray, values: np.ndarray, seconds: float, *, least: float = 1.0) -> Slope:
    """One figure's slope. seconds: how long it was looked at; least: growth (in `unit`) that is never acted on."""
    if len(values) < _FEWEST or seconds < LONG:
        level = float(np.median(values)) if len(values) else float("nan")
        few = f"{seconds / 60:.0f} minutes in {len(values)} windows; {LONG / 60:.0f} minutes and {_FEWEST} are needed."
        return Slope(name, unit, level, float("nan"), float("nan"), float("nan"), "can't tell yet", few)
    middle, _, low, high = (float(n) for n in stats.theilslopes(values, hours, 0.95))
    level, whole = float(np.median(values)), seconds / 3600
    matters = max(_MATTERS * level, least)
    told = f"{middle:+.3g} {unit} an hour ({low:+.3g} to {high:+.3g})"
    if low > 0 and middle * whole >= matters:
        because = f"{told}: {middle * whole:.3g} {unit} in {whole:.3g} hours, on {level:.3g} {unit}."
        return Slope(name, unit, level, middle, low, high, "grows", because)
    if high * whole < matters:
        because = f"{told}: in {whole:.3g} hours less than the {matters:.3g} {unit} that would matter."
        return Slope(name, unit, level, middle, low, high, "does not grow", because)
    because = f"{told}: as much as {high * whole:.3g} {unit} in {whole:.3g} hours can't be ruled out; run longer."
    return Slope(name, unit, level, middle, low, high, "can't tell yet", because)


def table(found: list[Slope]) -> pd.DataFrame:
    """A row a figure, for a page."""
    return pd.DataFrame(
        [
            {
                "figure": s.name,
                "level": f"{s.level:.3g} {s.unit}" if np.isfinite(s.level) else "-",
                "an hour": f"{s.per_hour:+.3g} {s.unit}" if np.isfinite(s.per_hour) else "-",
                "95 % interval": f"{s.low:+.3g} to {s.high:+.3g}" if np.isfinite(s.low) else "-",
                "says": s.trend,
                "because": s.because,
            }
            for s in found
        ],
        columns=["figure", "level", "an hour", "95 % interval", "says", "because"],
    )
