"""Soak and regression decided: what grows, and what changed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from launchbook.load import judge, regression, soak
from launchbook.load.tally import Tally
from launchbook.words import Status


def samples(seconds: int, ms: Any, rate: int = 10, seed: int = 1) -> Tally:
    random = np.random.default_rng(seed)
    start = np.arange(seconds * rate) / rate
    took = random.lognormal(0, 0.3, len(start)) * ms(start)
    return Tally.of(pd.DataFrame({"start": start, "ms": took, "failed": False}))


def memory(mib: Any, seconds: int = 7200, noise: float = 2.0) -> pd.DataFrame:
    second = np.arange(0.0, seconds, 15)
    given = mib(second / 3600) + np.random.default_rng(2).normal(0, noise, len(second))
    frame = pd.DataFrame({"second": second, "namespace": "n", "pod": "p", "memory": given * 2**20})
    return frame.assign(restarts=0, ended="")


STEADY = samples(7200, lambda s: 40 + 0 * s)


@pytest.mark.parametrize(
    ("tally", "pods", "trends", "status"),
    [
        (STEADY, memory(lambda h: 200 + 0 * h), ["does not grow"] * 3, Status.PASS),
        (STEADY, memory(lambda h: 200 + 60 * h), ["does not grow", "does not grow", "grows"], Status.FAIL),
        (samples(7200, lambda s: 40 * (1 + s / 7200)), memory(lambda h: 200 + 0 * h), ["grows", "does not grow", "does not grow"], Status.FAIL),
        (STEADY, memory(lambda h: 200 + 5 * h, noise=400), ["does not grow", "does not grow", "can't tell yet"], Status.UNKNOWN),
        (STEADY, None, ["does not grow", "does not grow"], Status.UNKNOWN),
        (samples(600, lambda s: 40 + s), None, ["can't tell yet", "can't tell yet"], Status.NA),
    ],
)  # fmt: skip
def test_a_soak(tally: Tally, pods: Any, trends: list[str], status: Status) -> None:
    """Leak, no leak, can't tell yet."""
    found = soak.slopes(tally, pods)
    assert [one.trend for one in found] == trends
    assert judge.soak(found, "PASS", tally.seconds).status is status


def test_a_leak_is_said_with_its_figures() -> None:
    """60 MiB an hour."""
    found = soak.slopes(STEADY, memory(lambda h: 200 + 60 * h))
    said = judge.soak(found, "PASS", STEADY.seconds).because
    assert said == "memory of n/p grows by +59.8 MiB an hour (+59.5 to +60.2): 119 MiB in 2 hours, on 260 MiB."


LIKE = {
    "script": "a", "engine": "k6", "version": "1", "images": "i", "cluster": "u", "shape": {"vus": 5, "rate": None},
    "target": {"service": "ns/api", "port": 80}, "generator": {"where": "pod", "cpu": "1", "pods": 1},
}  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "reasons"),
    [
        ({}, []),
        ({"engine": "locust"}, ["The engine differs: k6 before, locust now."]),
        ({"shape": {"vus": 6, "rate": None}}, ["The shape of the load differs: {'vus': 5} before, {'vus': 6} now."]),
        (
            {"target": {"service": "ns/other", "port": 80}},
            ["The target differs: {'service': 'ns/api'} before, {'service': 'ns/other'} now."],
        ),
        (
            {"generator": {"where": "pod", "cpu": "2", "pods": 1}},
            ["The generator's place differs: {'cpu': '1'} before, {'cpu': '2'} now."],
        ),
        ({"images": "j"}, ["The images of the generator differ: i before, j now."]),
        ({"cluster": None}, ["It is not known what the cluster was in the new run."]),
    ],
)
def test_unlike_runs_are_not_compared(changed: Any, reasons: list[str]) -> None:
    """Nor those of which that isn't known."""
    assert regression.unlike(LIKE, {**LIKE, **changed}) == reasons


@pytest.mark.parametrize(
    ("factor", "said"), [(1.0, "no difference"), (1.3, "slower"), (0.7, "faster"), (1.03, "no difference")]
)
def test_a_difference(factor: float, said: str) -> None:
    """Of ten minutes at 50/s each, other draws of the same distribution times a factor."""
    old = samples(600, lambda s: 40 + 0 * s, rate=50, seed=1)
    new = samples(600, lambda s: factor * 40 + 0 * s, rate=50, seed=2)
    found = regression.differences(old, new)
    assert [one.said for one in found] == [said] * 3 + ["no difference"]
    assert all(one.low <= one.change <= one.high for one in found)


def failing(share: float, seed: int, seconds: int = 600, rate: int = 50, burst: int = 0, sent: float = 1.0) -> Tally:
    """burst: s from the middle on in which all fail; sent: of the requests/s"""
    random = np.random.default_rng(seed)
    start = np.arange(int(seconds * rate * sent)) / (rate * sent)
    bad = (random.random(len(start)) < share) | ((start >= seconds / 2) & (start < seconds / 2 + burst))
    return Tally.of(pd.DataFrame({"start": start, "ms": random.lognormal(3, 0.3, len(start)), "failed": bad}))


@pytest.mark.parametrize(
    ("old", "new", "said", "message"),
    [
        ((0.0, 1), (0.0, 2), "no difference", "http_req_failed was 0.00 % and is 0.00 % (+0.00 points, +0.00 to +0.00): no difference; these runs would have shown one of 0.0093 points."),
        ((0.0, 1), (0.0083, 2), "more errors", "http_req_failed was 0.00 % and is 0.83 % (+0.83 points, +0.73 to +0.94): more errors."),
        ((0.0083, 1), (0.0, 2), "fewer errors", "http_req_failed was 0.77 % and is 0.00 % (-0.77 points, "),
        ((0.02, 1), (0.02, 2), "can't tell", "http_req_failed was 1.93 % and is "),
        ((0.0, 1), (0.0001, 2), "no difference", "http_req_failed was 0.00 % and is 0.01 % ("),
        ((0.0, 1), (0.0, 2, 600, 50, 8), "can't tell", "http_req_failed was 0.00 % and is 1.33 % (+1.33 points, +0.00 to "),
    ],
)  # fmt: skip
def test_errors_are_compared_too(old: Any, new: Any, said: str, message: str) -> None:
    """What failed uniformly is told from chance; one burst alone is not, and is not called the same."""
    found = regression.differences(failing(*old), failing(*new))[3]
    assert (found.said, found.message[: len(message)]) == (said, message)


@pytest.mark.parametrize(
    ("sent", "share", "said"),
    [(1.0, 0.0, "no difference"), (0.9, 0.0, "less throughput"), (1.0, 0.2, "less throughput"), (1.1, 0.0, "more throughput")],
)  # fmt: skip
def test_an_open_loop_s_throughput_is_compared(sent: float, share: float, said: str) -> None:
    """Of the requests that succeeded; a closed loop's is a consequence of its latency."""
    old, new = failing(0.0, 1), failing(share, 2, sent=sent)
    assert len(regression.differences(old, new)) == 4
    found = regression.differences(old, new, open_loop=True)[4]
    assert (found.figure, found.said) == ("successful requests", said)
    assert found.message.startswith("successful requests was 50/s and is ")


def test_a_noisy_run_says_what_it_could_have_seen() -> None:
    """Latency that swings from minute to minute hides a change of a tenth."""

    def swing(seed: int) -> Any:
        levels = np.random.default_rng(seed).lognormal(3, 1, 100)
        return lambda s: levels[(s // 10).astype(int)]

    found = regression.differences(samples(120, swing(1)), samples(120, swing(2), seed=2))
    assert found[1].said == "can't tell"
    assert "can't tell; only a difference of" in found[1].message


def test_runs_of_a_minute_are_too_short_to_differ() -> None:
    """Five whole blocks."""
    assert regression.differences(samples(55, lambda s: 40 + 0 * s), STEADY) == []


def lives(*parts: tuple[int, str, float]) -> pd.DataFrame:
    """Readings of one pod: (restarts, why the last container ended, MiB an hour of growth) for an hour each."""
    frames = []
    for number, (restarts, ended, growth) in enumerate(parts):
        one = memory(lambda h, growth=growth: 100 + growth * h, seconds=3600)
        frames.append(one.assign(second=one["second"] + 3600 * number, restarts=restarts, ended=ended))
    return pd.concat(frames, ignore_index=True)


@pytest.mark.parametrize(
    ("pods", "status", "said"),
    [
        (lives((0, "", 60), (1, "OOMKilled", 60), (2, "OOMKilled", 60)), Status.FAIL, "memory of n/p grows by so much that a container was killed for it (OOMKilled), 2 restarts while the load lasted."),
        (lives((0, "", 60), (1, "Error", 60)), Status.FAIL, "memory of n/p grows by +59.9 MiB an hour (+59 to +60.9): 59.7 MiB in 60 minutes, on 130 MiB."),
        (lives((3, "OOMKilled", 0), (3, "OOMKilled", 0)), Status.PASS, "Nothing grows by more than would matter."),
        (lives((0, "", 0)).assign(memory=np.nan), Status.UNKNOWN, "memory of n/p: can't tell yet, 0 s in 0 windows; 30 minutes and 20 are needed."),
    ],
)  # fmt: skip
def test_a_restart_is_no_cure(pods: pd.DataFrame, status: Status, said: str) -> None:
    """Memory that falls since the container began anew would hide a leak; a restart before the load says nothing of it."""
    check = judge.soak(soak.slopes(STEADY, pods), "PASS", STEADY.seconds)
    assert (check.status, check.because) == (status, said)


def test_a_soak_that_parameters_call_one() -> None:
    """45 s with a reading every 2 s carry a slope; by default they are none."""
    tally = samples(45, lambda s: 40 + 0 * s)
    steady = pd.DataFrame({"second": np.arange(0, 45, 2.0), "namespace": "n", "pod": "p", "restarts": 0, "ended": ""})
    leaking = steady.assign(memory=(60 + steady["second"]) * 2**20)
    assert judge.soak(soak.slopes(tally, leaking), "PASS", tally.seconds).status is Status.NA
    check = judge.soak(soak.slopes(tally, leaking, 40.0), "PASS", tally.seconds, 40.0)
    assert check.status is Status.FAIL
    assert check.measured == "45 s, 3 figures"
    assert check.because == "memory of n/p grows by +3600 MiB an hour (+3600 to +3600): 44 MiB in 44 s, on 82 MiB."
    assert soak.slopes(tally, steady.assign(memory=60 * 2**20), 40.0)[2].trend == "does not grow"


def test_memory_that_could_not_be_read_is_unknown_with_the_reason() -> None:
    """Latency and errors alone are no soak."""
    check = judge.soak(soak.slopes(STEADY, None), "PASS", STEADY.seconds, unread="metrics.k8s.io doesn't answer")
    assert check.status is Status.UNKNOWN
    assert check.because == (
        "Latency and errors do not grow; the pods' memory was not read: metrics.k8s.io doesn't answer"
    )
