"""What held the target back where it was too slow: a CPU limit, or a queue before something that is limited. Pure.

Notes beside a threshold that failed: they say where to look, and change no verdict.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from launchbook.load.buckets import quantile
from launchbook.load.figures import per_second
from launchbook.load.tally import Tally
from launchbook.load.terms import Finding, Reason
from launchbook.words import Status

_AT = 0.9  # of its CPU limit: a pod that is held back by it
_TIMES = 5.0  # the median of the fastest answer: a queue, unless the pace is uneven
_UNEVEN = 0.25  # standard deviation of requests/s, as a share of their mean
_FEWEST = 100  # requests of one name
_SHOWN = 3  # pods


def saw(whole: Tally, tally: Tally, found: Sequence[Finding], pods: pd.DataFrame | None) -> list[Reason]:
    """Notes about each threshold of latency or rate that failed.

    whole, tally: with and without the warm-up; pods: usage.COLUMNS, None where they were not read
    """
    slow = [f.threshold for f in found if f.status is Status.FAIL and f.threshold.metric != "http_req_failed"]
    told = [*_cpu(pods), *_queue(whole, tally)] if slow else []
    return [Reason(id, message, "NOTE", threshold.name) for threshold in slow for id, message in told]


def _cpu(pods: pd.DataFrame | None) -> list[tuple[str, str]]:
    if pods is None or pods.empty:
        return []
    busiest = pods.dropna(subset=["cpu", "limit"]).groupby(["namespace", "pod"])[["cpu", "limit"]].max()
    held = busiest[busiest["cpu"] >= _AT * busiest["limit"]].head(_SHOWN)
    return [
        ("cpu-limit", f"{namespace}/{pod} used {row.cpu:.2f} of the {row.limit:g} cores that its limit allows.")
        for (namespace, pod), row in zip(held.index, held.itertuples(), strict=True)
    ]  # fmt: skip


def _queue(whole: Tally, tally: Tally) -> list[tuple[str, str]]:
    """The fastest answer is one that met no queue, most likely in the warm-up; of one name, since names differ."""
    many = {name: int(row[0]) for name, row in tally.by_name.items()}
    pace = per_second(tally)[1:-1]
    name = max(many, key=lambda one: many[one], default="")
    if not name or many[name] < _FEWEST or len(pace) < 5 or pace.std() > _UNEVEN * pace.mean():
        return []
    fastest, median = quantile(whole.by_name[name][2:], 0.0), quantile(tally.by_name[name][2:], 0.5)
    if not np.isfinite(fastest) or median < _TIMES * fastest:
        return []
    said = f"The fastest {name} took {fastest:.0f} ms and the median {median:.0f} ms, at a steady {pace.mean():.1f} requests/s"
    return [("queue", f"{said}: as where requests queue for something limited.")]
