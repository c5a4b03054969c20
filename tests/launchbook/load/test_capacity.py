"""The search for what a target takes: which rate comes next, what a step says, and what the answer is worth."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launchbook.load import capacity
from launchbook.load.capacity import Answer, Next, Step
from launchbook.load.figures import Figure
from launchbook.load.terms import Finding, Reason
from launchbook.thresholds import parse
from launchbook.words import Status

P95, FAILED = parse({"http_req_duration": ["p(95)<500"], "http_req_failed": ["rate<0.01"]})


def search(
    takes: float, gives: float = math.inf, first: float = 10, most: float = 1000, within: float = 0.1
) -> tuple[Answer, list[float]]:
    """takes: requests/s that the target takes; gives: that the generator sends at most."""
    steps: list[Step] = []
    while isinstance(coming := capacity.decide(steps, first=first, most=most, within=within), Next):
        assert len(steps) < 200
        if coming.rate > gives:
            steps.append(Step(coming.rate, None, "It used 99 % of its CPU.", gives, generators=True))
        else:
            steps.append(Step(coming.rate, coming.rate <= takes, "", coming.rate))
    return coming, [step.rate for step in steps]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (search(40), ("found", 37.96875, 40.078125, "37.9688 requests/s held and 40.0781 broke, 2 times each.")),
        (search(40, within=0.5), ("found", 33.75, 50.625, "33.75 requests/s held and 50.625 broke, 2 times each.")),
        (search(5), ("not even the first", None, 10, "10 requests/s, the first rate, broke 2 times.")),
        (search(5000), ("bound not found", 1000, None, "Bound not found: 1000 requests/s, the most that may be sent, held 2 times.")),
        (search(5000, gives=60), ("bound not found", 50.625, None, "Bound not found: the generator ended at 60 requests/s, where 75.9375 were to be sent. It used 99 % of its CPU.")),
        (search(5000, gives=5), ("bound not found", None, None, "Bound not found: the generator ended at 5 requests/s, where 10 were to be sent. It used 99 % of its CPU.")),
        (search(10, most=10), ("bound not found", 10, None, "Bound not found: 10 requests/s, the most that may be sent, held 2 times.")),
    ],
)  # fmt: skip
def test_an_answer(answer: Any, expected: Any) -> None:
    """With the words that a check says."""
    found, _ = answer
    assert (found.said, found.held, found.broken, found.because) == expected


def test_the_way_to_an_answer() -> None:
    """By half upwards, by halves between, and each end twice."""
    ends = [37.96875, 40.078125]
    assert search(40)[1] == [10, 15, 22.5, 33.75, 50.625, 42.1875, *ends, *reversed(ends)]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([Step(10, None, "x.")], Next(10)),
        ([Step(10, None, "x."), Step(10, True)], Next(15)),
        ([Step(10, True), Step(15, None, "x."), Step(15, None, "A clock jumped.")], Answer("can't tell", 10, None, "At 15 requests/s the result could not be believed, 2 times. A clock jumped.")),
        ([Step(10, True), Step(15, False), Step(12.5, None, "x.", 9, True), Step(12.5, None, "y.", 9, True)], Answer("can't tell", 10, 15, "At 12.5 requests/s the result could not be believed, 2 times. y.")),
        ([Step(10, True), Step(15, False), Step(12, False), Step(12, True)], Next(15)),
        ([Step(10, True), Step(15, False), Step(12, False), Step(12, True), Step(15, False)], Next(10)),
        ([Step(10, True), Step(15, False), Step(12, False), Step(12, True), Step(15, False), Step(10, True)], Answer("found", 10, 15, "10 requests/s held and 15 broke, 2 times each. 12 held once and broke once.")),
        ([Step(10, False), Step(10, True)], Next(15)),
        ([Step(10, False), Step(10, True), Step(15, True)], Answer("can't tell", None, None, "15 requests/s held, and 10 only once of twice: the target does not always take the same.")),
        ([Step(15, False), Step(20, True)], Answer("can't tell", None, 15, "20 requests/s held, and 15 broke: the target does not always take the same.")),
        ([Step(1000, True), Step(1000, False)], Answer("can't tell", None, None, "No rate up to 1000 requests/s broke twice. 1000 held once and broke once.")),
    ],
)  # fmt: skip
def test_a_step_that_disagrees(steps: list[Step], expected: Any) -> None:
    """What can't be believed is tried once more; what holds once and breaks once is no end of a bracket."""
    assert capacity.decide(steps, first=10, most=1000, within=0.25) == expected


@given(
    st.floats(1, 5000), st.floats(1, 500), st.floats(1, 20), st.sampled_from((0.01, 0.1, 0.25, 0.5)),
)  # fmt: skip
def test_a_search_ends_as_foretold_and_its_bracket_holds_the_figure(
    takes: float, first: float, span: float, within: float
) -> None:
    """Whatever a steady target takes; never a request/s above the most."""
    most = first * span
    answer, rates = search(takes, first=first, most=most, within=within)
    assert len(rates) <= capacity.most_steps(first, most, within)
    assert max(rates) <= max(most, first)
    assert answer.held is None or answer.held <= takes
    assert answer.broken is None or answer.broken > takes
    if answer.said == "found":
        assert answer.held is not None
        assert answer.broken is not None
        assert answer.broken - answer.held <= within * answer.held * (1 + 1e-9)


@given(st.lists(st.sampled_from((True, False, None)), min_size=200, max_size=200), st.booleans())
def test_a_search_ends_whatever_is_seen(seen: list[bool | None], generators: bool) -> None:
    """On a target without rhyme or reason, too."""
    steps: list[Step] = []
    for held in seen:
        coming = capacity.decide(steps, first=10, most=100, within=0.1)
        if isinstance(coming, Answer):
            return
        assert coming.rate <= 100
        steps.append(Step(coming.rate, held, "", 1.0, generators))
    raise AssertionError(f"{len(steps)} steps without an end")


SLOW = Finding(P95, Figure(1834.2), Status.FAIL)
FINE = [Finding(P95, Figure(41.0), Status.PASS), Finding(FAILED, Figure(0.0), Status.PASS)]
FEW = Reason("rate-not-kept", "30 of the 45 requests/s planned were sent.")
BUSY = Reason("generator-saturated", "The generator used 95 % of its 1 cores.")


@pytest.mark.parametrize(
    ("found", "reasons", "held", "generators", "why"),
    [
        (FINE, [], True, False, "Every threshold holds."),
        ([SLOW, FINE[1]], [], False, False, "http_req_duration: p(95)<500 does not hold: p(95) = 1834.2 ms."),
        ([SLOW, FINE[1]], [FEW], False, False, "http_req_duration: p(95)<500 does not hold: p(95) = 1834.2 ms. Only 30.0 requests/s were sent, since the target kept every user waiting."),
        (FINE, [FEW], None, True, FEW.message),
        (FINE, [BUSY], None, True, BUSY.message),
        ([SLOW, FINE[1]], [BUSY], None, True, BUSY.message),
        ([SLOW, FINE[1]], [FEW, BUSY], None, True, f"{FEW.message} {BUSY.message}"),
        (FINE, [Reason("clock", "The clock ran back.")], None, False, "The clock ran back."),
        (FINE, [Reason("errors-flatter", "It holds only because errors are quick.", "FAIL")], False, False, "It holds only because errors are quick."),
        (FINE, [Reason("stall", "A note.", "NOTE")], True, False, "Every threshold holds."),
        ([Finding(P95, None, Status.UNKNOWN)], [], None, False, "The samples don't carry every threshold."),
    ],
)  # fmt: skip
def test_a_step(found: Any, reasons: Any, held: bool | None, generators: bool, why: str) -> None:
    """A generator that gives out bounds nothing; a target that keeps the users waiting breaks all the same."""
    step = capacity.seen(45, 30.0, found, reasons)
    assert (step.held, step.generators, step.why) == (held, generators, why)


@pytest.mark.parametrize(
    ("answer", "wanted", "status", "measured", "because"),
    [
        (None, 0, Status.NA, "not searched", "Parameters ask for no search: load.capacity is not there."),
        (Answer("found", 40, 44, "Said."), 40, Status.PASS, "40/s held, 44/s broke", "Said."),
        (Answer("found", 40, 44, "Said."), 44, Status.FAIL, "40/s held, 44/s broke", "Said."),
        (Answer("found", 40, 44, "Said."), 42, Status.UNKNOWN, "40/s held, 44/s broke", "Said. 42 lie between them: lower load.capacity.within."),
        (Answer("not even the first", None, 10, "Said."), 100, Status.FAIL, "no rate held, 10/s broke", "Said."),
        (Answer("not even the first", None, 10, "Said."), 5, Status.UNKNOWN, "no rate held, 10/s broke", "Said. Whether 5 hold is not known: lower load.capacity.first."),
        (Answer("bound not found", 1000, None, "Said.", complete=True), 100, Status.PASS, "1000/s held", "Said."),
        (Answer("bound not found", 500, None, "Said."), 100, Status.UNKNOWN, "500/s held", "Said."),
        (Answer("can't tell", 500, 600, "Said."), 100, Status.UNKNOWN, "500/s held, 600/s broke", "Said."),
    ],
)  # fmt: skip
def test_a_check(answer: Any, wanted: float, status: Status, measured: str, because: str) -> None:
    """Where the generator ended first, nothing is known of the target, however much it had taken by then."""
    check = capacity.check(answer, wanted)
    assert (check.status, check.measured, check.because) == (status, measured, because)
    assert check.figure == (answer.held if answer else None)


@pytest.mark.parametrize(
    ("thresholds", "first", "seconds", "said"),
    [
        ([P95, FAILED], 20, 5, ""),
        ([FAILED], 1, 5, ""),
        ([], 20, 5, "no threshold of load.thresholds asks for latency or errors, so nothing could break"),
        ([P95], 10, 5, "a step of 5 s at 10 requests/s gives 50 samples, and p(95) needs 100: raise load.capacity.first or load.capacity.duration"),
    ],
)  # fmt: skip
def test_what_a_search_needs(thresholds: Any, first: float, seconds: float, said: str) -> None:
    """Before anything is sent."""
    assert capacity.unfit(thresholds, first, seconds) == said


@pytest.mark.parametrize(("rate", "users"), [(10, 11), (45, 46), (99_999, 10_000)])
def test_users_of_a_step(rate: float, users: int) -> None:
    """Twice as many as are under way at the limit of 500 ms; never more than a scenario may have."""
    assert capacity.users(rate, [P95, FAILED], 10_000) == users
