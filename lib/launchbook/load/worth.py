"""What stands against a result: its generator, its plan, its shape, and what the engine itself says."""

from __future__ import annotations

from collections.abc import Sequence

from launchbook.load import floor, judge
from launchbook.load.figures import trend
from launchbook.load.result import Result
from launchbook.load.tally import Tally
from launchbook.load.terms import Finding, Plan, Reason
from launchbook.thresholds import Threshold


def worth(
    result: Result, tally: Tally, plan: Plan, thresholds: Sequence[Threshold], found: Sequence[Finding]
) -> list[Reason]:
    """Every reason against a result's figures. tally: without the warm-up; found: what the thresholds say."""
    first, last = result.window
    p95 = trend(tally, ["p(95)"]).get("p(95)")
    return [
        *judge.invalid(
            tally, result.health, plan, thresholds, cores=result.cores, complete=result.complete,
            problem=result.problem, elapsed=last - first if result.window != (0.0, 0.0) else None,
        ),
        *result.reasons,
        *judge.reasons(tally, plan, found),
        *floor.doubts(result.floor, p95.value if p95 else None, found),
    ]  # fmt: skip
