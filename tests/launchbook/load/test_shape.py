"""What the shape of samples says against their figures; each beside a healthy variant that raises no alarm."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tables import InParts

from launchbook.load import doubts, judge
from launchbook.load.figures import sending
from launchbook.load.gathering import counted
from launchbook.load.judge import Plan
from launchbook.load.tally import Tally
from launchbook.thresholds import parse

CLOSED = Plan(50, 0.1, 300.0)
ASKED = {"http_reqs": ["rate>=100"], "http_req_failed": ["rate<0.01"], "http_req_duration": ["p(95)<500"]}


def samples(seconds: int = 300, rate: int = 200, ms: Any = None, failed: Any = None) -> pd.DataFrame:
    """Latencies around 40 ms, no error; ms and failed: functions of the start (s)."""
    random = np.random.default_rng(3)
    start = np.arange(seconds * rate) / rate
    took = random.lognormal(np.log(40), 0.3, len(start))
    took = took if ms is None else ms(start, took)
    bad = np.zeros(len(start), bool) if failed is None else failed(start)
    return pd.DataFrame(
        {"start": 1.7e9 + start, "ms": took, "failed": bad, "name": "a", "error": np.where(bad, "status 500", "")}
    )


def told(frame: pd.DataFrame, plan: Plan | None = CLOSED, asked: Any = None) -> list[tuple[str, str, str]]:
    """What a table says in memory, which is what it says read in parts; but for what every short one says."""
    said = _told(Tally.of(frame), plan, asked)
    assert said == _told(counted(InParts(frame, 7919))[0], plan, asked)
    return [one for one in said if one[1] != "no-minutes"]


def _told(tally: Tally, plan: Plan | None, asked: Any) -> list[tuple[str, str, str]]:
    thresholds = parse(asked or ASKED)
    found = judge.findings(tally, thresholds)
    plan = plan and replace(plan, duration=min(plan.duration, tally.seconds))
    reasons = judge.reasons(tally, plan, thresholds, found)
    return [(r.makes, r.id, r.message) for r in reasons]


def stall(begin: float, end: float) -> pd.DataFrame:
    """A closed loop of 50 VUs against a target that stands still in between: each VU waits with one request."""
    frame = samples(60)
    start = frame["start"] - 1.7e9
    frame = frame[(start < begin) | (start >= end)]
    waiting = (frame["start"] - 1.7e9 >= begin - 0.25) & (frame["start"] - 1.7e9 < begin)
    frame.loc[waiting, "ms"] = (end - (frame.loc[waiting, "start"] - 1.7e9)) * 1000
    return frame.reset_index(drop=True)


def spell(begin: float, end: float = 400.0) -> Any:
    """24 % of the answers in it take 920 ms."""
    return lambda s, ms: np.where((s >= begin) & (s < end) & (np.arange(len(s)) % 25 < 6), 920.0, ms)


def slower_at_the_end(frame: pd.DataFrame) -> pd.DataFrame:
    """Half as many requests in the last half minute, as where users leave."""
    late = frame["start"] - 1.7e9 >= 269
    return frame[~late | (np.arange(len(frame)) % 2 == 0)].reset_index(drop=True)


LAST = "http_req_duration: p(95)<500 holds over the whole, but breaks in 1 of 5 windows of 60 s; the worst"


def half_hung(seconds: float, users: int = 50, ms: float = 20.0, slow: float = 0.0) -> pd.DataFrame:
    """50 users with 0.1 s think time, of whom the first half waits for one answer from 100 s on; slow: the share of
    requests that always take 1.3 s."""
    rows, random = [], np.random.default_rng(5)
    for user in range(users):
        at = user / users * 0.12
        while at < 300:
            took = 1300.0 if random.random() < slow else ms * random.uniform(0.8, 1.2)
            if 100 <= at < 100.2 and user < users / 2:
                took = max(took, 1000 * seconds)
            rows.append((1.7e9 + at, took))
            at += took / 1000 + 0.1
    frame = pd.DataFrame(rows, columns=["start", "ms"])
    return frame.assign(failed=False, ended=frame["start"] + frame["ms"] / 1000).sort_values("ended", ignore_index=True)


@pytest.mark.parametrize(
    ("frame", "asked", "expected"),
    [
        (half_hung(20), "p(99)<500", [("INVALID", "For about 18 s up to 25 of 50 users waited for one answer each and sent nothing meanwhile: an open loop with a request each 120 ms and VU would have seen p(99) = ")]),
        (half_hung(20), "p(95)<500", []),
        (half_hung(2), "p(99)<500", []),
        (half_hung(0), "p(99)<500", []),
        (half_hung(0, slow=0.009), "p(99)<500", []),
        (half_hung(0, slow=0.04), "p(95)<500", []),
    ],
    ids=["a half hangs", "too few for p(95)", "too short", "healthy", "some are always slow", "many are always slow"],
)  # fmt: skip
def test_a_part_of_the_users_that_waited(frame: pd.DataFrame, asked: str, expected: Any) -> None:
    """One of two replicas that hangs for 20 s: 25 slow answers of 120,000, which an open loop would have seen 4000 of."""
    found = told(frame, CLOSED, {"http_req_duration": [asked]})
    assert [(makes, id) for makes, id, _ in found] == [(makes, "coordinated-omission") for makes, _ in expected]
    for (_, _, said), (_, message) in zip(found, expected, strict=True):
        assert said.startswith(message), said


MINUTE = (
    "http_req_duration: p(95)<500 holds over the whole, but breaks in 1 of 30 windows of 60 s; the worst begins at 600 s "
    "with 1322.0 ms."
)
ERRORS = (
    "http_req_failed: rate<0.01 holds over the whole, but breaks in 1 of 30 windows of 60 s; the worst begins at 600 s "
    "with 20.00 %."
)


@pytest.mark.parametrize(
    ("frame", "plan", "expected"),
    [
        (samples(), CLOSED, []),
        (samples(), None, []),
        (samples(1800, ms=lambda s, ms: np.where((s >= 600) & (s < 660), 20 * ms, ms)), CLOSED, [("FAIL", "worst-minute", MINUTE)]),
        (samples(1800, failed=lambda s: (s >= 600) & (s < 660) & (np.arange(len(s)) % 5 == 0)), CLOSED, [("FAIL", "worst-minute", ERRORS)]),
        (samples(300, rate=450, ms=spell(241)).head(134_775), CLOSED, [("FAIL", "worst-minute", f"{LAST} begins at 240 s with 924.0 ms.")]),
        (samples(300, rate=450, ms=spell(180, 240)).head(134_775), CLOSED, [("FAIL", "worst-minute", f"{LAST} begins at 180 s with 924.0 ms.")]),
        (samples(300, rate=450, ms=spell(285)), CLOSED, [("FAIL", "worst-minute", f"{LAST} begins at 240 s with ")]),
        (samples(300, rate=450, ms=spell(299)), CLOSED, []),
        (samples(299, rate=110).pipe(slower_at_the_end), None, []),
        (samples(299, rate=110).pipe(slower_at_the_end), CLOSED, [("FAIL", "worst-minute", "http_reqs: rate>=100 holds over the whole, but breaks in 1 of 5 windows of 60 s; the worst begins at 239 s with 8")]),
        (samples(1800, failed=lambda s: np.random.default_rng(1).random(len(s)) < 0.0095), CLOSED, []),
        (samples(100, ms=lambda s, ms: np.where((s >= 60) & (s < 63), 20 * ms, ms)), CLOSED, []),
        (
            samples(150, failed=lambda s: np.arange(len(s)) % 2 == 0, ms=lambda s, ms: np.where(np.arange(len(s)) % 2 == 0, 1.0, ms * np.where(np.arange(len(s)) % 11 == 0, 20, 1))),
            CLOSED,
            [("FAIL", "errors-flatter", "http_req_duration: p(95)<500 holds only because errors are quick: p(95) of the successful requests is ")],
        ),
        (
            stall(30, 36), CLOSED,
            [("INVALID", "coordinated-omission", "The target stood still for about 6 s, and the closed loop waited with it: an open loop with a request each 140 ms and VU would have seen p(95) = ")],
        ),
        (stall(30, 30.5), CLOSED, []),
        (stall(30, 36), Plan(50, 0, 60, rate=180.0), []),
        (
            samples(60, ms=lambda s, ms: np.where(s < 6, 40 * ms, ms)), CLOSED,
            [("INVALID", "warm-up-included", "The first 6 s were slower than the rest (p(95) ")],
        ),
        (samples(60, ms=lambda s, ms: np.where(s < 2, 20 * ms, ms)), CLOSED, [("NOTE", "slow-start", "The first 2 s were slower than the rest (p(95) ")]),
        (samples(60, ms=lambda s, ms: np.where(s < 30, 40 * ms, ms)), CLOSED, []),
        (samples(60).assign(blocked=0.002), CLOSED, []),
        (
            samples(60).assign(blocked=250.0), CLOSED,
            [("INVALID", "generator-saturated", "Requests waited for a connection before they were sent, p(95) = 251 ms (http_req_blocked), which their durations don't contain: the generator opens too many, or has too few.")],
        ),
        (
            samples(60, rate=90), Plan(13, 0.1, 60.0),
            [("INVALID", "vus-too-few", "13 VUs with 0.1 s think time were busy all the time: at the mean latency of ")],
        ),
        (samples(60, rate=60), Plan(13, 0.1, 60.0), []),
        (
            pd.concat([samples(90), samples(90)]), None,
            [("INVALID", "clock", "The clock ran back by 90 s.")],
        ),
    ],
)  # fmt: skip
def test_a_shape(frame: pd.DataFrame, plan: Plan | None, expected: list[tuple[str, str, str]]) -> None:
    """What it makes of the result, the id, and the message (or how it begins, where a figure ends it)."""
    found = told(frame, plan)
    assert [(makes, id) for makes, id, _ in found] == [(makes, id) for makes, id, _ in expected]
    for (_, _, said), (_, _, message) in zip(found, expected, strict=True):
        assert said.startswith(message), said


def test_a_run_too_short_for_minutes_says_that_none_was_looked_at() -> None:
    """And nothing where no threshold holds that a minute could break."""
    said = (
        "The samples cover 150 s, less than three minutes: no minute was held against the thresholds by itself, so a short bad "
        "time may be hidden in the whole."
    )
    assert ("NOTE", "no-minutes", said) in _told(Tally.of(samples(150)), CLOSED, None)
    assert "no-minutes" not in {id for _, id, _ in _told(Tally.of(samples(180)), CLOSED, None)}
    assert "no-minutes" not in {id for _, id, _ in _told(Tally.of(samples(150)), CLOSED, {"http_reqs": ["count>9"]})}


def test_a_clock_that_jumped_ahead_is_told_by_ours() -> None:
    """60 s of samples in 30 s."""
    found = doubts.clock(Tally.of(samples(60)), 30.0)
    assert [r.message for r in found] == [
        "The samples cover 60.0 s by the generator's clock, but 30.0 s passed: it jumped."
    ]
    assert doubts.clock(Tally.of(samples(60)), 61.0) == []


@pytest.mark.parametrize(
    ("by", "said"),
    [(50.0, ["The clock ran back by 50 s."]), (3.0, ["The clock ran back by 3 s."]), (1.5, []), (0.0, [])],
)
def test_a_clock_that_ran_back_makes_no_rate(by: float, said: list[str]) -> None:
    """80/s for 200 s would be read as 106.7/s; what is answered within a second or two may be written in any order."""
    frame = samples(200, rate=80)
    frame["start"] -= np.where(frame["start"] >= 1.7e9 + 100, by, 0.0)
    assert [r.message for r in doubts.clock(Tally.of(frame), None)] == said


@pytest.mark.parametrize(
    ("frame", "asked", "expected"),
    [
        (samples(600, ms=lambda s, ms: np.where((s >= 240) & (s < 300), 20 * ms, ms)), "avg<200", "http_req_duration: avg<200 holds over the whole, but breaks in 1 of 10 windows of 60 s; the worst begins at 240 s with 8"),
        (samples(600), "avg<200", None),
        (stall(30, 36), "avg<500", "The target stood still for about 6 s, and the closed loop waited with it: an open loop with a request each 140 ms and VU would have seen avg = "),
        (stall(30, 36), "avg<5000", None),
        (stall(30, 36), "max<9000", None),
        (samples(150, failed=lambda s: np.arange(len(s)) % 2 == 0, ms=lambda s, ms: np.where(np.arange(len(s)) % 2 == 0, 1.0, ms)), "avg<30", "http_req_duration: avg<30 holds only because errors are quick: avg of the successful requests is 41"),
    ],
)  # fmt: skip
def test_an_average_hides_as_much_as_a_percentile(frame: pd.DataFrame, asked: str, expected: str | None) -> None:
    """It is looked at in each minute, without quick errors, and with what a stall left out."""
    found = [
        m
        for makes, id, m in told(frame, asked={"http_req_duration": [asked], "http_req_failed": ["rate<0.9"]})
        if makes != "NOTE"
    ]
    assert len(found) == (expected is not None), found
    assert not expected or found[0].startswith(expected), found


def test_a_stamp_from_another_age_does_not_fill_the_memory() -> None:
    """0 where a program had no clock yet: half a million windows would be 8 GiB."""
    frame = samples(60)
    frame.loc[600, "start"] = 0.0
    assert ("INVALID", "clock", "The clock ran back by 1700000003 s.") in told(
        frame, None, {"http_req_duration": ["p(95)<500"]}
    )


@pytest.mark.parametrize("by", ["start", "ended", "second"])
def test_rows_in_any_order_that_an_engine_writes_are_no_clock_that_ran_back(by: str) -> None:
    """As sent, as answered, and by whole seconds, in which k6 may have stamped them; some answers take 40 s."""
    frame = samples(200, rate=80, ms=lambda s, ms: np.where(np.arange(len(s)) % 97 == 0, 40_000.0, ms))
    frame["ended"] = frame["start"] + frame["ms"] / 1000
    frame = frame.sort_values("start" if by == "start" else "ended")
    if by == "second":
        ended = np.floor(frame["ended"]) + np.random.default_rng(2).integers(-1, 1, len(frame))
        frame["start"] = ended - frame["ms"] / 1000
    assert doubts.clock(Tally.of(frame), None) == []


def test_a_minute_that_breaks_fails_its_threshold_and_no_waiver_can_bound_it() -> None:
    """The figure of the whole is not what broke."""
    frame = samples(1800, ms=lambda s, ms: np.where((s >= 600) & (s < 660), 20 * ms, ms))
    tally = Tally.of(frame)
    found = judge.findings(tally, parse(ASKED))
    reasons = judge.reasons(tally, replace(CLOSED, duration=1800.0), parse(ASKED), found)
    outcome = judge.outcome(tally.count, reasons, found)
    checks = judge.thresholds(found, outcome, CLOSED, {}, reasons)
    assert outcome == "FAIL"
    assert [(str(c.status), c.figure is None) for c in checks] == [("PASS", False), ("PASS", False), ("FAIL", True)]
    assert checks[2].because == MINUTE


def left_out(begin: float, end: float, seconds: int = 60, rate: int = 100) -> pd.DataFrame:
    """An open loop of 50 users against a target that stands still in between: half a second after, every user waits."""
    frame = samples(seconds, rate=rate)
    start = frame["start"] - 1.7e9
    waiting = (start >= begin) & (start < begin + 0.5)
    frame.loc[waiting, "ms"] = (end - start[waiting]) * 1000
    return frame[(start < begin + 0.5) | (start >= end)].reset_index(drop=True)


OMITTED = (
    "200 of 5800 requests were not sent when they were due, since every user still waited: as slow as the slowest, they would "
    "break http_req_duration: p(99)<500."
)


@pytest.mark.parametrize(
    ("frame", "asked", "expected"),
    [
        (left_out(30, 32.5), "p(99)<500", [("INVALID", "omitted", OMITTED)]),
        (left_out(30, 32.5), "p(95)<500", []),
        (left_out(30, 32.5), "p(99)<5000", []),
        (samples(60, rate=100), "p(99)<500", []),
        (samples(60, rate=100).drop(index=[3000, 3001]), "p(99.9)<500", []),
    ],
)  # fmt: skip
def test_an_open_loop_that_left_out_what_would_have_been_slow(frame: pd.DataFrame, asked: str, expected: Any) -> None:
    """150 slow answers of 5850 are 2.6 %; with the 200 that never were sent it is 5.8 %."""
    found = told(frame, Plan(50, 0, 60.0, rate=100.0), {"http_req_duration": [asked]})
    assert [one for one in found if one[1] == "omitted"] == expected


def test_the_wait_for_the_last_answers_is_no_time_of_sending() -> None:
    """But the time in which nothing was sent any more, is."""
    frame = samples(20, rate=100)
    frame.loc[frame.index[-1], "ms"] = 8000.0
    assert sending(Tally.of(frame), 20.0) == (1800, 18)
    count, seconds = sending(Tally.of(frame[frame["start"] < 1.7e9 + 15]), 20.0)
    assert (count, seconds) == (1300, pytest.approx(18.0))
