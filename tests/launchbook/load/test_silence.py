"""Load that fell silent though more was planned, each beside a healthy load that is silent for a reason of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from launchbook.load import judge
from launchbook.load.judge import Plan, Sender
from launchbook.load.tally import Tally
from launchbook.thresholds import parse

ASKED = {"http_reqs": ["rate>=100"], "http_req_failed": ["rate<0.01"], "http_req_duration": ["p(95)<500"]}
HEALTHY = Sender(elapsed=310.0, seen=305, cpu=0.3, lag=0.01)


def table(start: Any, ms: Any = 20.0) -> pd.DataFrame:
    return pd.DataFrame({"start": 1.7e9 + np.asarray(start), "ms": ms, "failed": False})


def told(frame: pd.DataFrame, plan: Plan, asked: Any = None) -> tuple[str, list[str]]:
    """(outcome, messages of everything but notes)"""
    tally, thresholds = Tally.of(frame), parse(asked or ASKED)
    found = judge.findings(tally, thresholds)
    reasons = judge.reasons(tally, plan, thresholds, found, HEALTHY)
    return judge.outcome(tally.count, reasons, found), [r.message for r in reasons if r.makes != "NOTE"]


def users(many: int, think_time: float, ms: float, until: float, every: int = 1) -> pd.DataFrame:
    """A closed loop whose users all begin at once and keep in step; every: so many of them send the same."""
    cycle = think_time + ms / 1000
    return table(np.sort(np.repeat(np.arange(0, until, cycle), many // every)), ms)


def hung(until: float, stopped: float) -> pd.DataFrame:
    """50 users at 450/s against a target that answers nobody from `until` on, and lets all of them go at `stopped`."""
    start = np.arange(0, until, 1 / 450)
    ms = np.full(len(start), 20.0)
    ms[-50:] = 1000 * (stopped - start[-50:])
    return table(start, ms)


CLOSED = Plan(50, 0.1, 300)
UNSEEN = (
    "In {} s of the 300 s planned, at their beginning or their end, nothing was sent and no answer came: a request that "
    "still waits when the load ends leaves no sample."
)


@pytest.mark.parametrize(
    ("frame", "plan", "expected"),
    [
        (table(np.arange(0, 286.5, 1 / 450)), CLOSED, ("INVALID", [UNSEEN.format("13.5")])),
        (table(np.arange(13.5, 300, 1 / 450)), CLOSED, ("INVALID", [UNSEEN.format("13.5")])),
        (table(np.arange(0, 286.5, 1 / 450)), Plan(50, 0, 300, 450.0), ("INVALID", [UNSEEN.format("13.5")])),
        (table(np.arange(0, 301, 1 / 450)), CLOSED, ("PASS", [])),
        (table(np.arange(0, 298.5, 1 / 450)), CLOSED, ("PASS", [])),
        (users(2000, 10.0, 30.0, 301.0), Plan(2000, 10.0, 300), ("PASS", [])),
        (users(50, 0.1, 200.0, 5.8), Plan(50, 0.1, 5), ("PASS", [])),
        (users(600, 0.0, 4000.0, 296.0), Plan(600, 0.0, 300), ("FAIL", [])),
        (table(np.arange(0, 281, 1 / 450)), CLOSED, ("INVALID", ["The samples cover 281.0 s of the 300 s planned."])),
        (table([*np.arange(0, 301, 1 / 100), 300.99], [*np.full(30100, 20.0), 9000.0]), Plan(50, 0, 300, 100.0), ("FAIL", [])),
    ],
    ids=["until the end", "from the beginning", "an open loop", "whole", "a second short", "long think time in step",
         "five seconds", "slow answers in step", "said already", "the last answer is late"],
)  # fmt: skip
def test_a_load_that_fell_silent_before_its_end(frame: pd.DataFrame, plan: Plan, expected: Any) -> None:
    """What hangs when a generator ends its users has no row, so only the plan tells of it."""
    assert told(frame, plan) == expected


def test_a_target_that_stands_still_until_the_end_is_seen_in_the_answers_that_came() -> None:
    """Where a generator waits for them: 50 slow answers of 123,750, and an open loop would have had 11,250 of them."""
    outcome, said = told(hung(275, 300), CLOSED)
    assert outcome == "INVALID"
    assert said == [
        "The target stood still for about 25 s, and the closed loop waited with it: an open loop with a request each 120 ms "
        "and VU would have seen p(95) = 9021 ms, which breaks p(95)<500."
    ]
    assert told(hung(299, 301), CLOSED) == ("PASS", [])
