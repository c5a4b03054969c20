"""What a scenario plans: how many users or requests/s, for how long, once the warm-up is left out."""

from __future__ import annotations

from itertools import pairwise

from launchbook.load.judge import Plan
from launchbook.parameters import Scenario, Stage


def planned(scenario: Scenario) -> Plan:
    """The plan that a result is held against. Of stages, users and rate are means over the measured part."""
    if scenario.script:
        # Its think time, weights and shape are its own: nothing is known that would bound the rate.
        return Plan(scenario.vus, 0.0, scenario.duration, steady=False)
    if not scenario.stages:
        return Plan(scenario.vus, scenario.think_time, scenario.duration, scenario.rate)
    shape = _shape(scenario.stages, scenario.warmup)
    seconds = shape[-1][0]
    # The area below straight lines.
    mean = sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in pairwise(shape)) / seconds if seconds else 0.0
    if scenario.rate:
        return Plan(scenario.vus, scenario.think_time, seconds, mean, False, shape)
    return Plan(mean, scenario.think_time, seconds, None, False, shape)


def _shape(stages: tuple[Stage, ...], warmup: float) -> tuple[tuple[float, float], ...]:
    """(s since the warm-up, target) at each corner: straight lines from 0 through each stage's target."""
    corners: list[tuple[float, float]] = []
    start = passed = 0.0
    for stage in stages:
        skipped = min(max(warmup - passed, 0.0), stage.duration)
        if not corners and skipped < stage.duration:
            corners.append((0.0, start + (stage.target - start) * (skipped / stage.duration)))
        if corners:
            corners.append((corners[-1][0] + stage.duration - skipped, stage.target))
        start, passed = stage.target, passed + stage.duration
    return tuple(corners) or ((0.0, 0.0),)
