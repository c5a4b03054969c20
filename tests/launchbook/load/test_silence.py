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


def open_loop(rate: Any, seconds: float = 300) -> np.ndarray:
    """Arrivals whose rate (requests/s) is a function of the time, evenly spaced."""
    times = np.arange(0, seconds, 0.001)
    due = np.cumsum(rate(times)) * 0.001
    return times[np.flatnonzero(np.diff(np.floor(due)))]


def without(start: np.ndarray, begin: float, end: float, waiting: int = 0) -> pd.DataFrame:
    """Nothing sent in between; the last `waiting` requests before are answered at its end."""
    before, after = start[start < begin], start[start >= end]
    ms = np.full(len(before) + len(after), 20.0)
    if waiting:
        ms[len(before) - waiting : len(before)] = 1000 * (end - before[-waiting:])
    return table(np.concatenate([before, after]), ms)


def users_of(*corners: tuple[float, float]) -> Plan:
    return Plan(50, 0.1, corners[-1][0], None, False, corners)


def rate_of(*corners: tuple[float, float]) -> Plan:
    times, levels = zip(*corners, strict=True)
    return Plan(200, 0, times[-1], float(np.trapezoid(levels, times) / times[-1]), False, corners)


LATENCY = {"http_req_duration": ["p(95)<500"]}
ERRORS = {"http_req_failed": ["rate<0.01"]}
EVEN = open_loop(lambda t: np.full(len(t), 200.0))
HILL = ((0.0, 0.0), (100.0, 200.0), (200.0, 200.0), (300.0, 0.0))
UPHILL = open_loop(lambda t: np.interp(t, *zip(*HILL, strict=True)))
STEPS = ((0.0, 200.0), (100.0, 200.0), (101.0, 1.0), (160.0, 1.0), (161.0, 200.0), (300.0, 200.0))
STEPPED = open_loop(lambda t: np.interp(t, *zip(*STEPS, strict=True)))
GONE = ((0.0, 200.0), (100.0, 200.0), (100.1, 0.0), (130.0, 0.0), (130.1, 200.0), (300.0, 200.0))
AWAY = open_loop(lambda t: np.interp(t, *zip(*GONE, strict=True)))
PAUSED = "From {} s on nothing was sent for {} s, while answers were waited for, after 200 requests/s, which nothing in the load explains"
MISSING = "For {} s nothing was sent and no answer was waited for: samples are missing."
SCRIPT = Plan(100, 0.0, 300, steady=False)


@pytest.mark.parametrize(
    ("frame", "plan", "asked", "outcome", "said"),
    [
        (without(EVEN, 150, 164, 400), rate_of((0.0, 200.0), (300.0, 200.0)), LATENCY, "INVALID", [PAUSED.format(150, 14)]),
        (without(EVEN, 150, 164, 400), SCRIPT, LATENCY, "INVALID", [PAUSED.format(150, 14)]),
        (without(EVEN, 150, 164, 400), Plan(100, 0, 300, 200.0), LATENCY, "INVALID", ["2801 of 59601 requests were not sent"]),
        (without(EVEN, 150, 163), rate_of((0.0, 200.0), (300.0, 200.0)), ERRORS, "INVALID", [MISSING.format("12.9")]),
        (without(EVEN, 150, 163), SCRIPT, ERRORS, "INVALID", ["From 150 s on nothing was sent for 13 s, and no answer was waited for"]),
        (without(UPHILL, 150, 158, 100), rate_of(*HILL), {"http_req_duration": ["p(97)<500"]}, "INVALID", [PAUSED.format(149, 8)]),
        (without(UPHILL, 288, 300), rate_of(*HILL), LATENCY, "INVALID", [UNSEEN.format("13.0")]),
        (table(UPHILL), rate_of(*HILL), LATENCY, "PASS", []),
        (table(UPHILL), users_of(*HILL), LATENCY, "PASS", []),
        (table(STEPPED), rate_of(*STEPS), LATENCY, "PASS", []),
        (table(STEPPED), users_of(*STEPS), LATENCY, "PASS", []),
        (table(AWAY), rate_of(*GONE), LATENCY, "PASS", []),
        (table(AWAY), users_of(*GONE), LATENCY, "PASS", []),
        (without(EVEN, 150, 165), users_of((0.0, 50.0), (300.0, 50.0)), LATENCY, "INVALID", [MISSING.format("14.9")]),
        (table(EVEN), SCRIPT, LATENCY, "PASS", []),
        (without(EVEN, 275, 310, 100), users_of((0.0, 50.0), (300.0, 50.0)), LATENCY, "INVALID", [PAUSED.format(275, 25)]),
        (without(EVEN, 285, 310, 400), users_of((0.0, 50.0), (285.0, 50.0), (286.0, 1.0), (300.0, 1.0)), LATENCY, "PASS", []),
        (without(EVEN, 299, 310, 4), rate_of((0.0, 200.0), (300.0, 200.0)), LATENCY, "PASS", []),
    ],
)  # fmt: skip
def test_a_load_in_stages_or_of_a_script_that_fell_silent(
    frame: pd.DataFrame, plan: Plan, asked: Any, outcome: str, said: list[str]
) -> None:
    """Stages say how much was due when; of a script nothing is known but what it sent before and after."""
    found, messages = told(frame, plan, asked)
    assert (found, len(messages)) == (outcome, len(said)), messages
    assert all(message.startswith(start) for message, start in zip(messages, said, strict=True)), messages
