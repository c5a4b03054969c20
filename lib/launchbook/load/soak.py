"""A long run judged for what grows: latency, errors, and the memory of each pod. Pure.

A slope is Theil and Sen's, the median of the slopes between all pairs, with its interval
(https://docs.scipy.org/doc/scipy/reference/generated/scipy.stats.theilslopes.html). It asks that the windows do not
depend on each other, so windows are a minute or longer in a soak of half an hour.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

from launchbook.load.buckets import quantile
from launchbook.load.tally import Tally
from launchbook.load.windows import cut

Trend = Literal["grows", "does not grow", "can't tell yet"]
LONG = 1800.0  # s, below which a slope says more of the warm-up than of a leak, unless parameters say otherwise
_FEWEST = 20  # windows, or readings
_WINDOWS = 30  # in the shortest soak
_MOST = 400  # windows: pairs grow with their square
_ALMOST = 0.9  # of the shortest soak: readings begin and end a little within it
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


def slopes(tally: Tally, memory: pd.DataFrame | None = None, shortest: float = LONG) -> list[Slope]:
    """Of p(95), the share of errors, and of each pod's memory.

    tally: without the warm-up; memory: see usage.COLUMNS, of which cpu and limit may be missing, None where it was not
    read; shortest: s, from which a load is a soak.
    """
    windows = cut(tally, max(math.ceil(shortest / _WINDOWS), int(tally.seconds // _MOST)))
    hours = windows.begins / 3600
    sent = windows.requests > 0
    p95 = np.array([quantile(row, 0.95) for row in windows.grid])
    failed = 100 * windows.failed / np.maximum(windows.requests, 1)
    found = [
        slope("latency p(95)", "ms", hours[sent], p95[sent], tally.seconds, shortest),
        slope("errors", "%", hours[sent], failed[sent], tally.seconds, shortest, least=0.1),
    ]
    if memory is not None:
        for (namespace, pod), rows in memory.groupby(["namespace", "pod"]):
            found.append(_memory(f"memory of {namespace}/{pod}", rows.sort_values("second"), shortest))
    return found


def _memory(name: str, rows: pd.DataFrame, shortest: float) -> Slope:
    """A restart ends a pod's line of memory: the container's memory begins anew, and a fall is no cure."""
    lives = [life.dropna(subset=["memory"]) for _, life in rows.groupby("restarts")]
    longest = max(lives, key=len)
    times, mib = longest["second"].to_numpy(dtype=float), longest["memory"].to_numpy(dtype=float) / 2**20
    if len(lives) > 1 and rows["ended"].iloc[-1] == "OOMKilled":
        level = float(np.median(mib)) if len(mib) else math.nan
        again = int(rows["restarts"].iloc[-1] - rows["restarts"].iloc[0])
        killed = f"so much that a container was killed for it (OOMKilled), {again} restarts while the load lasted."
        return Slope(name, "MiB", level, math.nan, math.nan, math.nan, "grows", killed)
    span = float(times[-1] - times[0]) if len(times) else 0.0
    step = max(1, len(times) // _MOST)
    hours = (times[::step] - times[0]) / 3600 if len(times) else times
    return slope(name, "MiB", hours, mib[::step], span, shortest, least=8.0)


def slope(
    name: str, unit: str, hours: np.ndarray, values: np.ndarray, seconds: float, shortest: float = LONG, *,
    least: float = 1.0,
) -> Slope:  # fmt: skip
    """One figure's slope. seconds: how long it was looked at; least: growth (in `unit`) that is never acted on."""
    if len(values) < _FEWEST or seconds < _ALMOST * shortest:
        level = float(np.median(values)) if len(values) else math.nan
        few = f"{lasting(seconds)} in {len(values)} windows; {lasting(shortest)} and {_FEWEST} are needed."
        return Slope(name, unit, level, float("nan"), float("nan"), float("nan"), "can't tell yet", few)
    middle, _, low, high = (float(n) for n in stats.theilslopes(values, hours, 0.95))
    level, whole = float(np.median(values)), seconds / 3600
    matters = max(_MATTERS * level, least)
    told = f"{_signed(middle)} {unit} an hour ({_signed(low)} to {_signed(high)})"
    if low > 0 and middle * whole >= matters:
        because = f"{told}: {middle * whole:.3g} {unit} in {lasting(seconds)}, on {level:.3g} {unit}."
        return Slope(name, unit, level, middle, low, high, "grows", because)
    if high * whole < matters:
        because = f"{told}: in {lasting(seconds)} less than the {matters:.3g} {unit} that would matter."
        return Slope(name, unit, level, middle, low, high, "does not grow", because)
    because = f"{told}: as much as {high * whole:.3g} {unit} in {lasting(seconds)} can't be ruled out; run longer."
    return Slope(name, unit, level, middle, low, high, "can't tell yet", because)


def lasting(seconds: float) -> str:
    """`45 s`, `30 minutes` or `24 hours`."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.3g} hours"


def _signed(value: float) -> str:
    return f"{value:+.3g}" if abs(value) < 1000 else f"{value:+.0f}"


def table(found: list[Slope]) -> pd.DataFrame:
    """A row a figure, for a page."""
    return pd.DataFrame(
        [
            {
                "figure": s.name,
                "level": f"{s.level:.3g} {s.unit}" if np.isfinite(s.level) else "-",
                "an hour": f"{_signed(s.per_hour)} {s.unit}" if np.isfinite(s.per_hour) else "-",
                "95 % interval": f"{_signed(s.low)} to {_signed(s.high)}" if np.isfinite(s.low) else "-",
                "says": s.trend,
                "because": s.because,
            }
            for s in found
        ],
        columns=["figure", "level", "an hour", "95 % interval", "says", "because"],
    )
