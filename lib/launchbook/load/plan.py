"""What a scenario plans: how many users or requests/s, for how long, once the warm-up is left out."""

from __future__ import annotations

from launchbook.load.judge import Plan
from launchbook.parameters import Scenario, Stage


def planned(scenario: Scenario) -> Plan:
    """The plan that a result is held against. Of stages, users and rate are means over the measured part."""
    if scenario.script:
        # Its think time, weights and shape are its own: nothing is known that would bound the rate.
        return Plan(scenario.vus, 0.0, scenario.duration, steady=False)
    if not scenario.stages:
        return Plan(scenario.vus, scenario.think_time, scenario.duration, scenario.rate)
    mean, seconds = _mean(scenario.stages, scenario.warmup)
    if scenario.rate:
        return Plan(scenario.vus, scenario.think_time, seconds, mean, steady=False)
    return Plan(mean, scenario.think_time, seconds, steady=False)


def _mean(stages: tuple[Stage, ...], warmup: float) -> tuple[float, float]:
    """Mean target after the warm-up, and over how many seconds: straight lines from 0 through each stage's target."""
    area = seconds = start = passed = 0.0
    for stage in stages:
        skipped = min(max(warmup - passed, 0.0), stage.duration)
        kept = stage.duration - skipped
        first = start + (stage.target - start) * (skipped / stage.duration if stage.duration else 1.0)
        area += kept * (first + stage.target) / 2
        seconds += kept
        start, passed = stage.target, passed + stage.duration
    return (area / seconds if seconds else 0.0), seconds
