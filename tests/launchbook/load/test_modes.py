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


LIKE = {"script": "a", "engine": "k6", "version": "1", "images": "i", "cluster": "u", "shape": {"vus": 5}}


@pytest.mark.parametrize(
    ("changed", "reasons"),
    [
        ({}, []),
        ({"engine": "locust"}, ["The engine differs: k6 before, locust now."]),
        ({"shape": {"vus": 6}}, ["The shape of the load differs: {'vus': 5} before, {'vus': 6} now."]),
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
    assert [one.said for one in found] == [said] * 3
    assert all(one.low <= one.change <= one.high for one in found)


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
