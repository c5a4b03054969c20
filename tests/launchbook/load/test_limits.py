"""What held a slow target back: said beside the threshold that failed, and nowhere else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from launchbook.load import judge
from launchbook.load.limits import saw
from launchbook.load.tally import Tally
from launchbook.load.usage import COLUMNS
from launchbook.thresholds import parse

DURATION = "http_req_duration: p(95)<500"
THRESHOLDS = parse({"http_req_duration": ["p(95)<500"], "http_req_failed": ["rate<0.01"]})


def samples(seconds: int = 30, rate: int = 50, ms: Any = 900.0, name: Any = "agents") -> pd.DataFrame:
    start = np.arange(seconds * rate) / rate
    return pd.DataFrame({"start": 1.7e9 + start, "ms": ms, "failed": False, "name": name, "error": ""})


def pods(*used: tuple[str, float, float]) -> pd.DataFrame:
    rows = [(1.7e9, "ns", pod, cpu, 1e8, limit, 0, "") for pod, cpu, limit in used]
    return pd.DataFrame(rows, columns=COLUMNS)


def told(frame: pd.DataFrame, found: pd.DataFrame | None = None, warmup: int = 0) -> list[tuple[str, str, str, str]]:
    whole, tally = Tally.of(frame), Tally.of(frame.iloc[warmup:])
    reasons = saw(whole, tally, judge.findings(tally, THRESHOLDS), found)
    return [(r.makes, r.about, r.id, r.message) for r in reasons]


QUEUED = np.concatenate([np.linspace(40, 900, 50), np.full(1450, 900.0)])
MIXED = np.where(np.arange(1500) % 10 == 0, "health", "agents")


@pytest.mark.parametrize(
    ("frame", "found", "expected"),
    [
        (samples(), None, []),
        (samples(ms=40.0), pods(("a", 1.0, 1.0)), []),
        (samples(), pods(("a", 0.5, 1.0), ("b", 0.9, float("nan"))), []),
        (samples(), pods(("a", 0.147, 0.15), ("b", 0.02, 1.0)), [("cpu-limit", "ns/a used 0.15 of the 0.15 cores that its limit allows.")]),
        (samples(ms=QUEUED), None, [("queue", "The fastest agents took 40 ms and the median 897 ms, at a steady 50.0 requests/s: as where requests queue for something limited.")]),
        (samples(ms=np.where(MIXED == "health", 2.0, 900.0), name=MIXED), None, []),
        (samples(ms=QUEUED)[lambda f: (f["start"] % 4 < 1) | (f["ms"] < 900)], None, []),
    ],
)  # fmt: skip
def test_what_is_seen(frame: pd.DataFrame, found: Any, expected: Any) -> None:
    """A slow answer that was always slow is no queue, nor is one whose fastest is another kind of request."""
    assert told(frame, found, warmup=50) == [("NOTE", DURATION, *one) for one in expected]


def test_it_is_said_with_the_threshold() -> None:
    """And changes neither its status nor the result's."""
    frame, used = samples(ms=QUEUED), pods(("a", 0.15, 0.15))
    tally = Tally.of(frame)
    found = judge.findings(tally, THRESHOLDS)
    reasons = saw(tally, tally, found, used)
    assert judge.outcome(tally.count, reasons, found) == "FAIL"
    checks = judge.thresholds(found, "FAIL", judge.Plan(50, 0.1, 30.0), {}, reasons)
    assert [c.because for c in checks] == [
        "It does not hold. ns/a used 0.15 of the 0.15 cores that its limit allows. The fastest agents took 40 ms and the "
        "median 897 ms, at a steady 50.0 requests/s: as where requests queue for something limited.",
        "It holds.",
    ]
    assert "limit" not in judge.validity("FAIL", reasons, tally.count, None).because
