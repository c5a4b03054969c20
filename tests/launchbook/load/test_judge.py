"""Load judged: what makes figures worthless, what they say otherwise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from launchbook.errors import ParametersError
from launchbook.load import judge
from launchbook.load.figures import figures
from launchbook.load.judge import Plan
from launchbook.load.result import Result
from launchbook.load.tally import Tally
from launchbook.thresholds import parse
from launchbook.words import Status

THRESHOLDS = parse({"http_reqs": ["rate>=100"], "http_req_failed": ["rate<0.01"], "http_req_duration": ["p(95)<500"]})
PLAN = Plan(vus=50, think_time=0.1, duration=60.0)


def samples(count: int = 6000, failed: int = 0, ms: float = 20.0) -> pd.DataFrame:
    flags = np.arange(count) < failed
    return pd.DataFrame(
        {"start": np.linspace(0, 60, count), "ms": ms, "failed": flags, "error": np.where(flags, "status 500", "")}
    )


def health(cpu: float = 0.4, lag: float = 0.01) -> pd.DataFrame:
    return pd.DataFrame({"cpu": [cpu] * 60, "lag": [lag] * 60})


def reasons(frame: pd.DataFrame, plan: Plan = PLAN, asked: Any = THRESHOLDS, **changed: Any) -> tuple[str, list[Any]]:
    result = Result("locust", **{"health": health(), "complete": True, **changed})
    tally = Tally.of(frame)
    found = judge.findings(tally, asked)
    told = judge.reasons(tally, plan, asked, found, result.sender)
    return judge.outcome(tally.count, told, found), told


def judged(frame: pd.DataFrame, plan: Plan = PLAN, **changed: Any) -> tuple[str, list[str]]:
    """But for what every short load says."""
    outcome, told = reasons(frame, plan, **changed)
    return outcome, [r.id for r in told if r.id != "no-minutes"]


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (judged(samples(6003)), ("PASS", [])),
        (judged(samples(5990)), ("FAIL", [])),
        (judged(samples(9000, failed=180)), ("FAIL", [])),
        (judged(samples(9000, ms=900)), ("FAIL", [])),
        (judged(samples(9000), health=health(cpu=0.95)), ("INVALID", ["generator-saturated"])),
        (judged(samples(9000), health=health(cpu=0.095), cores=0.1), ("INVALID", ["generator-saturated"])),
        (judged(samples(9000), health=health(lag=0.4)), ("INVALID", ["generator-saturated"])),
        (judged(samples(9000), health=health().iloc[:0]), ("INVALID", ["generator-unseen"])),
        (judged(samples(9000).drop(range(4000, 4600))), ("INVALID", ["hole"])),
        (judged(samples(9000).drop(range(4000, 4600)), plan=Plan(50, 0.1, 60.0, steady=False)), ("INVALID", ["hole"])),
        (judged(samples(9000, ms=4100.0).drop(range(4000, 4600))), ("FAIL", [])),
        (judged(samples(9000), complete=False), ("INVALID", ["truncated"])),
        (judged(samples(9000).head(4500), health=health().head(30)), ("INVALID", ["truncated"])),
        (judged(samples(9000), plan=Plan(5, 0.1, 60.0)), ("INVALID", ["rate-out-of-reach"])),
        (judged(samples(90)), ("INVALID", ["too-few-samples"])),
        (judged(samples(0)), ("NO DATA", ["truncated", "too-few-samples"])),
    ],
)  # fmt: skip
def test_an_outcome(result: Any, expected: Any) -> None:
    """6003 requests in 60.02 s are 100/s, which keeps rate>=100; ten fewer do not."""
    assert result == expected


def test_little_s_law_is_said_with_its_figures() -> None:
    """A script that can't reach the target says so, not the system."""
    _, told = reasons(samples(9000), Plan(5, 0.1, 60.0))
    assert [r.message for r in told if r.makes != "NOTE"] == [
        "5 VUs with 0.1 s think time send at most 50.0 requests/s, however fast the target is; 100 are asked for."
    ]


def test_a_think_time_bound_rate_is_called_a_floor() -> None:
    """PASS, and no claim of capacity."""
    found = judge.findings(Tally.of(samples(9000)), THRESHOLDS)
    rate = judge.thresholds(found, "PASS", PLAN, {})[0]
    assert (rate.status, rate.measured) == (Status.PASS, "rate = 150.0 /s (149.9 to 150.0 /s)")
    assert rate.because.endswith("this rate is a floor, not the capacity.")


def test_errors_are_named_in_the_failed_threshold() -> None:
    """The reader sees what failed."""
    found = judge.findings(Tally.of(samples(9000, failed=180)), THRESHOLDS)
    check = judge.thresholds(found, "FAIL", PLAN, {"status 500": 180})[1]
    assert (check.status, check.measured, check.because) == (
        Status.FAIL,
        "rate = 2.00 % (1.73 to 2.31 %)",
        "It does not hold. Errors: 180 x status 500.",
    )


def test_an_invalid_result_judges_no_threshold() -> None:
    """Figures of a starved generator neither pass nor fail the system."""
    found = judge.findings(Tally.of(samples(9000)), THRESHOLDS)
    assert {c.status for c in judge.thresholds(found, "INVALID", PLAN, {})} == {Status.UNKNOWN}


@pytest.mark.parametrize(
    ("thresholds", "message"),
    [
        ({"http_req_durations": ["p(95)<500"]}, "did you mean 'http_req_duration'"),
        ({"http_req_duration": ["p95<500"]}, "such as 'p\\(95\\)<500'"),
        ({"http_req_duration": ["rate<0.01"]}, "write one of avg, min"),
        ({"http_req_failed": ["p(95)<1"]}, "write one of rate"),
        ({"http_req_duration": ["p(101)<1"]}, "percentile"),
    ],
)
def test_a_threshold_that_k6_would_not_know(thresholds: Any, message: str) -> None:
    """Before a request is sent, with the nearest known name."""
    with pytest.raises(ParametersError, match=message):
        parse(thresholds)


def test_zero_samples_hold_no_threshold() -> None:
    """An empty table has no figure, not a good one."""
    assert figures(THRESHOLDS, Tally.of(samples(0))) == [None, None, None]


def test_a_target_that_refuses_everything_does_not_pass_for_being_fast() -> None:
    """Where no threshold asks for errors, the judge does."""
    asked = parse({"http_req_duration": ["p(95)<500"], "http_reqs": ["rate>=100"]})
    outcome, told = reasons(samples(9000, failed=9000, ms=0.2), asked=asked)
    assert (outcome, [r.id for r in told]) == ("INVALID", ["no-success", "no-minutes"])


def test_an_open_loop_that_fell_behind_is_invalid() -> None:
    """It no longer sees how slow the target is."""
    assert judged(samples(9000), plan=Plan(50, 0.0, 60.0, rate=500.0)) == ("INVALID", ["rate-not-kept"])
    assert judged(samples(9000), plan=Plan(50, 0.0, 60.0, rate=150.0)) == ("PASS", [])


@pytest.mark.parametrize(
    ("told", "ids"),
    [
        (health().iloc[:3], ["generator-unseen"]),
        (health().assign(cpu=np.nan), ["generator-unseen"]),
        (health(cpu=0.95).iloc[:20], ["generator-unseen", "generator-saturated"]),
    ],
)
def test_a_generator_that_was_hardly_seen_vouches_for_nothing(told: pd.DataFrame, ids: list[str]) -> None:
    """Its health must be known in most of the seconds that count."""
    assert judged(samples(9000), health=told) == ("INVALID", ids)


def seconds(*cpu: tuple[float, int]) -> pd.DataFrame:
    """A row a second: so much CPU, for so many seconds."""
    used = np.repeat([one for one, _ in cpu], [many for _, many in cpu])
    return pd.DataFrame({"cpu": used, "lag": 0.08})


@pytest.mark.parametrize(
    ("told", "outcome", "said"),
    [
        (seconds((0.6, 160), (1.0, 140)), "INVALID", ["The generator used 100 % of its 1 cores in its busiest seconds: the figures are its own, not the target's."]),
        (seconds((0.6, 250), (0.95, 50)), "INVALID", ["The generator used 95 % of its 1 cores in its busiest seconds: the figures are its own, not the target's."]),
        (seconds((0.6, 900), (1.0, 40), (0.6, 900)), "INVALID", ["The generator used 100 % of its 1 cores in its busiest seconds: the figures are its own, not the target's."]),
        (seconds((1.0, 2), (0.3, 58)), "PASS", []),
        (seconds((1.0, 4), (0.3, 61)), "PASS", []),
        (seconds((0.6, 900), (1.0, 20), (0.6, 900)), "PASS", []),
        (seconds((0.89, 65)), "PASS", ["The generator used 89 % of its 1 cores in its busiest seconds; up to 80 % it surely has room."]),
        (seconds((0.8, 65)), "PASS", ["The generator used 80 % of its 1 cores in its busiest seconds; up to 80 % it surely has room."]),
        (seconds((0.79, 65)), "PASS", []),
    ],
)  # fmt: skip
def test_a_generator_that_was_busy_for_a_part_of_the_time(told: pd.DataFrame, outcome: str, said: list[str]) -> None:
    """A tenth of the seconds, or most of one minute; a second or two at the start is none."""
    found, given = reasons(samples(9000), health=told)
    assert (found, [r.message for r in given if r.id != "no-minutes"]) == (outcome, said)
    assert Result("locust", health=seconds((1.0, 2), (0.3, 13))).sender.cpu == 0.3


@pytest.mark.parametrize(
    ("late", "outcome", "said"),
    [
        (50.0, "INVALID", ["The generator's own clock once woke 50.0 s late: it stood still, and what waited meanwhile is no answer of the target's."]),
        (2.5, "INVALID", ["The generator's own clock once woke 2.5 s late: it stood still, and what waited meanwhile is no answer of the target's."]),
        (1.5, "PASS", []),
    ],
)  # fmt: skip
def test_a_generator_that_stood_still_is_not_the_target(late: float, outcome: str, said: list[str]) -> None:
    """Once is in no tenth of the seconds, and yet every request under way then took that long."""
    told = health().assign(lag=[0.01] * 59 + [late])
    found, given = reasons(samples(9000), health=told)
    assert (found, [r.message for r in given if r.id != "no-minutes"]) == (outcome, said)


@pytest.mark.parametrize(
    ("cpu", "said"),
    [(0.89, "The generator came near its limit, the run is whole, "), (0.5, "The generator had room to spare, the run is whole, ")],
)  # fmt: skip
def test_a_generator_near_its_limit_had_no_room_to_spare(cpu: float, said: str) -> None:
    """Which B.validity says."""
    outcome, given = reasons(samples(9000), health=seconds((cpu, 65)))
    check = judge.validity(outcome, given, 9000, None)
    assert (check.status, check.because.startswith(said)) == (Status.PASS, True), check.because


def test_what_no_threshold_bounds_is_unknown() -> None:
    """A load of nothing but errors would keep every threshold."""
    [check] = judge.unbounded(parse({"http_reqs": ("rate>=1",), "http_req_duration": ("p(95)<5",)}))
    assert (check.id, check.subject, check.status) == ("B.threshold", "http_req_failed", Status.UNKNOWN)
    assert check.because == "No threshold bounds it, so any share of failed requests would pass."


def target(**given: Any) -> tuple[Status, str]:
    found = {"service": "ns/api", "url": "http://api.ns.svc", "endpoints": ["198.18.1.2:80"], "problem": None,
             "unproven": False, "where": "pod", "way": "the Service's own name", **given}  # fmt: skip
    check = judge.target(found, given.pop("answered", True), given.pop("allowed", True))
    return check.status, check.because


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (target(), (Status.PASS, "It answered first; the load came from a pod through the Service's own name.")),
        (target(where="here", way="Ingress ns/web"), (Status.PASS, "It answered first; the load came from this machine through Ingress ns/web.")),
        (target(problem="There is no Service ns/api."), (Status.FAIL, "There is no Service ns/api.")),
        (target(problem="x is loopback.", unproven=True), (Status.UNKNOWN, "x is loopback.")),
        (target(answered=False), (Status.FAIL, "It did not answer before the load, so none was sent.")),
        (target(answered=None), (Status.UNKNOWN, "No load was sent, so what it would have hit is not known.")),
        (target(answered=None, allowed=False), (Status.UNKNOWN, "This run may not send load.")),
    ],
)  # fmt: skip
def test_a_target(said: Any, expected: Any) -> None:
    """What can't be proven is UNKNOWN; what is wrong fails."""
    assert said == expected


def test_logs_that_were_not_all_followed_are_not_counted_as_seen() -> None:
    """A container that started later, or a follower that broke, leaves the rate too low."""
    frame = pd.DataFrame({"namespace": "n", "pod": "p", "container": "c", "second": [0, 1], "bytes": 5, "lines": 1})
    assert judge.logs(frame, None).status is Status.PASS
    found = judge.logs(frame, "n/q c: it started later")
    assert found.status is Status.UNKNOWN
    assert found.because == "Not every container was followed from before the load to its end: n/q c: it started later."
    assert judge.logs(None, None).status is Status.UNKNOWN
