"""The search driven step by step, with a target that answers so many requests/s and no cluster."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tables import InParts

from launchbook import load as package
from launchbook.display import Chart
from launchbook.errors import ParametersError
from launchbook.load import climbing, searching
from launchbook.load.engine import Engine
from launchbook.load.judge import Reason
from launchbook.load.k6 import K6
from launchbook.load.result import Result
from launchbook.parameters import Load

TARGET = {"url": "http://api.ns.svc"}
CAPACITY = {"first": 20, "most": 200, "duration": "10s", "warmup": "1s", "within": 0.25, "at_least": 30}


def parameters(capacity: Any = None, **changes: Any) -> Load:
    return Load.model_validate(
        {
            "target": {"service": "ns/api"}, "scenario": {"requests": [{"name": "a", "path": "/"}]}, "engine": "locust",
            "thresholds": {"http_req_duration": ["p(95)<500"], "http_reqs": ["rate>=25"]}, **changes,
            "capacity": {**CAPACITY, **(capacity or {})},
        }
    )  # fmt: skip


class Run:
    """What search() needs of a run."""

    def __init__(self, given: Load) -> None:
        self.parameters: Any = type("P", (), {"load": given})
        self.kept: dict[str, Any] = {}
        self.said: list[str] = []

    def require(self, act: str) -> None:
        assert act == "load"

    def evidence(self, name: str, data: Any) -> None:
        self.kept[name] = json.loads(json.dumps(data)) if name.endswith(".json") else data

    def progress(self, text: str, fraction: float | None = None) -> None:
        assert fraction is not None
        assert 0 <= fraction < 1
        self.said.append(text)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """{"target": requests/s that it answers, "generator": that are sent at most}: a queue grows where more is sent."""
    can = {"target": 45.0, "generator": 1e9}

    def deliver(run: Any, engine: Engine, result: Result) -> None:
        scenario = engine.load.scenario
        assert scenario.rate is not None
        rate = min(scenario.rate, can["generator"])
        start = np.arange(scenario.seconds * rate) / rate
        wait = np.arange(len(start)) / can["target"] - start
        table = pd.DataFrame({"start": 1.7e9 + start, "ms": 40 + 1000 * np.maximum(wait, 0), "name": "a"})
        result.samples = InParts(table.assign(status=200, failed=False, error=""), 500)
        result.health = pd.DataFrame({"cpu": [0.99 if rate < scenario.rate else 0.3] * 30, "lag": 0.01})
        result.complete, result.window = True, (0.0, float(start[-1] + max(wait[-1], 0) + 5))

    monkeypatch.setattr(searching, "deliver", deliver)
    return can


def sent() -> Result:
    return Result("locust", answered=True)


def test_a_break_is_bracketed_with_the_evidence_of_each_step(answers: Any) -> None:
    """45/s: 40 held and 50 broke, both twice."""
    run: Any = Run(parameters())
    found = package.search(run, TARGET, sent())
    assert found
    assert [(one.step.rate, one.step.held) for one in found.tried] == [
        (20, True), (30, True), (45, True), (67.5, False), (56.25, False), (56.25, False), (45, True),
    ]  # fmt: skip
    assert found.answer.because == "45 requests/s held and 56.25 broke, 2 times each."
    assert {name for name in run.kept if name.endswith("health.parquet")} == {
        f"load/capacity/{n:02}/health.parquet" for n in range(1, 8)
    }
    kept = run.kept["load/capacity.json"]
    assert (kept["said"], kept["held"], kept["broken"], kept["wanted"]) == ("found", 45, 56.25, 30)
    assert [step["evidence"] for step in kept["steps"]][:2] == [
        "evidence/load/capacity/01",
        "evidence/load/capacity/02",
    ]
    assert kept["steps"][3]["figures"].keys() == {"http_req_duration: p(95)<500"}
    assert run.said[0] == "step 1 of about 10: 20 requests/s"
    check = package.bound(found)
    assert (check.status, check.measured, check.expected) == (
        "PASS", "45/s held, 56.25/s broke", "at least 30 requests/s, and a bound",
    )  # fmt: skip


def test_a_generator_that_gives_out_bounds_nothing(answers: Any) -> None:
    """It says where it ended."""
    answers |= {"target": 1e9, "generator": 50.0}
    found = package.search(Run(parameters()), TARGET, sent())  # type: ignore[arg-type]
    assert found
    assert package.bound(found).status == "UNKNOWN"
    assert found.answer.because.startswith(
        "Bound not found: the generator ended at 50 requests/s, where 67.5 were to be sent. The generator used 99 % of its 1 "
        "cores"
    )


def test_a_step_that_fails_leaves_what_was_found_before(answers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record is written after each step, and says that the search did not come to its end."""
    run: Any = Run(parameters())
    real = searching.deliver

    def third(*given: Any) -> None:
        if len(run.kept.get("load/capacity.json", {}).get("steps", ())) == 2:
            raise KeyboardInterrupt
        real(*given)

    monkeypatch.setattr(searching, "deliver", third)
    with pytest.raises(KeyboardInterrupt):
        package.search(run, TARGET, sent())
    kept = run.kept["load/capacity.json"]
    assert (kept["because"], len(kept["steps"])) == ("The search did not come to its end.", 2)


def test_no_step_begins_that_would_end_too_late(answers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Starting generators takes its time, too, which nobody can foretell."""
    run: Any = Run(parameters({"deadline": "110s"}))
    clock = iter(range(0, 10_000, 40))
    monkeypatch.setattr(searching.time, "monotonic", lambda: next(clock))
    found = package.search(run, TARGET, sent())
    assert found
    assert found.answer.because == "The 110 s of load.capacity.deadline were over after 2 steps."
    assert package.bound(found).status == "UNKNOWN"


def test_without_a_load_before_it_nothing_is_sent() -> None:
    """Refused, unanswered, or not allowed."""
    found = package.search(Run(parameters()), TARGET, Result("locust"))  # type: ignore[arg-type]
    assert found
    assert (found.tried, found.answer.because) == ([], "No load was sent.")
    assert package.bound(found).status == "UNKNOWN"
    assert package.search(Run(parameters().model_copy(update={"capacity": None})), TARGET, sent()) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("capacity", "changes", "said"),
    [
        ({"duration": "2s"}, {}, "load.capacity: a step of 2 s at 20 requests/s gives 40 samples, and p(95) needs 100"),
        ({"deadline": "60s"}, {}, "load.capacity: up to 10 steps of 11 s take 110 s, and no step begins after load.capacity.deadline, 60 s"),
        ({"at_least": None}, {"thresholds": {"http_req_duration": ["p(95)<500"]}}, "load.capacity: no threshold asks for a rate, so write `at_least: 100`"),
        ({"at_least": None}, {"thresholds": {"http_reqs": ["rate>=300"], "http_req_failed": ["rate<0.01"]}}, "load.capacity: 300 requests/s are asked for by load.thresholds, and load.capacity.most is 200"),
        ({}, {"thresholds": {"http_reqs": ["rate>=10"]}}, "load.capacity: no threshold of load.thresholds asks for latency or errors"),
    ],
)  # fmt: skip
def test_a_search_that_can_not_be_made_is_refused_first(capacity: Any, changes: Any, said: str) -> None:
    """With what to write instead."""
    with pytest.raises(ParametersError, match="Nothing was sent") as raised:
        searching.foretold(parameters(capacity, **changes))
    assert str(raised.value).startswith(said)


def test_it_is_said_how_long_it_takes() -> None:
    """Before it begins."""
    given = parameters()
    assert searching.foretold(given) == {"steps": 10, "seconds": 110, "deadline": 900}
    text = climbing.plan(given, 5.0, searching.foretold(given)).text
    for part in (
        "305 s",
        "50 VUs, 0.1 s think time",
        "110 s at most",
        "up to 10 steps, 11 s each, from 20 up to 200 requests/s",
    ):
        assert part in text


def test_the_chart_has_each_steps_numbers(answers: Any) -> None:
    """And so has the document."""
    found = package.search(Run(parameters()), TARGET, sent())  # type: ignore[arg-type]
    assert found
    rows = climbing.rows(found)
    assert rows["says"].tolist() == ["held"] * 3 + ["broke"] * 3 + ["held"]
    assert rows["requests/s"].tolist()[:3] == ["20", "30", "45"]
    assert rows["http_req_duration: p(95)<500"][0] == "40.0 ms"
    assert "does not hold: p(95) = " in rows["because"][3]
    text = climbing.section(found)
    assert text.startswith("\n## Capacity\n\n**found** 45 requests/s held and 56.25 broke")
    assert text.count("| broke") == 3
    assert climbing.section(None) == ""
    chart = climbing.climb(found)
    assert isinstance(chart, Chart)
    assert chart.figure.layout.title.text == "Capacity: found"
    assert chart.numbers
    assert chart.numbers.text.count("not hold") == 3


def test_reasons_of_a_k6_whose_users_all_waited_are_the_targets(answers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dropped iterations and a broken threshold: the target broke. Each step is an arrival rate of its own."""
    real = searching.deliver
    rates: list[float] = []

    def dropped(run: Any, engine: Engine, result: Result) -> None:
        real(run, engine, result)
        assert isinstance(engine, K6)
        told = engine.scenario("/tmp")
        assert (told["vus"], told["duration"], told["stages"]) == (math.ceil(told["rate"]) + 1, 12, [])
        rates.append(told["rate"])
        if engine.load.scenario.rate and engine.load.scenario.rate > 45:
            result.reasons.append(Reason("rate-not-kept", "9 iterations were dropped: there was no free VU for them."))

    monkeypatch.setattr(searching, "deliver", dropped)
    given = parameters(engine="auto", generator={"k6_image": "grafana/k6:1.3.0"})
    found = package.search(Run(given), TARGET, sent())  # type: ignore[arg-type]
    assert found
    assert found.answer.said == "found"
    assert rates[:4] == [20, 30, 45, 67.5]


def test_a_step_that_could_not_be_sent_is_tried_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """And then the search ends with the reason; nothing is known of the target."""
    monkeypatch.setattr(searching, "deliver", lambda run, engine, result: result.fail("The API server is gone."))
    found = package.search(Run(parameters()), TARGET, sent())  # type: ignore[arg-type]
    assert found
    assert (found.answer.said, len(found.tried)) == ("can't tell", 2)
    assert found.answer.because.startswith(
        "At 20 requests/s the result could not be believed, 2 times. The API server is gone."
    )
    assert package.bound(found).status == "UNKNOWN"
    assert climbing.rows(found)["http_req_duration: p(95)<500"].tolist() == ["-", "-"]
    assert isinstance(climbing.climb(found), Chart)
