"""What stages plan on average, once the warm-up is left out."""

from __future__ import annotations

from typing import Any

import pytest

from launchbook.load.judge import Plan
from launchbook.load.plan import planned
from launchbook.parameters import Scenario


def scenario(**given: Any) -> Scenario:
    return Scenario.model_validate({"requests": [{"name": "a", "path": "/"}], "warmup": 0, **given})


@pytest.mark.parametrize(
    ("given", "plan"),
    [
        ({"vus": 20, "duration": "30s"}, Plan(20, 0.1, 30.0)),
        ({"stages": [{"duration": "10s", "target": 20}]}, Plan(10.0, 0.1, 10.0, None, False, ((0, 0), (10, 20)))),
        ({"stages": [{"duration": "10s", "target": 20}, {"duration": "10s", "target": 20}]}, Plan(15.0, 0.1, 20.0, None, False, ((0, 0), (10, 20), (20, 20)))),
        ({"warmup": "10s", "stages": [{"duration": "10s", "target": 20}, {"duration": "10s", "target": 20}]}, Plan(20.0, 0.1, 10.0, None, False, ((0, 20), (10, 20)))),
        ({"warmup": "5s", "stages": [{"duration": "10s", "target": 20}]}, Plan(15.0, 0.1, 5.0, None, False, ((0, 10), (5, 20)))),
        ({"rate": 100, "stages": [{"duration": "10s", "target": 50}]}, Plan(50, 0.1, 10.0, 25.0, False, ((0, 0), (10, 50)))),
        ({"warmup": "15s", "stages": [{"duration": "10s", "target": 20}, {"duration": "10s", "target": 0}]}, Plan(5.0, 0.1, 5.0, None, False, ((0, 10), (5, 0)))),
    ],
)  # fmt: skip
def test_a_plan(given: Any, plan: Plan) -> None:
    """Straight lines between the targets, as k6 and Locust drive them."""
    assert planned(scenario(**given)) == plan


def test_a_warm_up_must_leave_something() -> None:
    """Otherwise no sample would be judged."""
    with pytest.raises(ValueError, match="leaves nothing of"):
        scenario(warmup="10s", stages=[{"duration": "10s", "target": 20}])
