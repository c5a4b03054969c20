"""What of a latency is the generator's own: verdict and exact words by table."""

from __future__ import annotations

import pytest

from launchbook.load.floor import doubts, say, worst
from launchbook.load.judge import Finding
from launchbook.thresholds import parse
from launchbook.words import Status

FLOOR = {"med": 1.0, "p(95)": 2.0, "p(99)": 3.0, "count": 500}
OWN = "The generator's own p(95), against a target that does nothing, was 2.00 ms"


@pytest.mark.parametrize(
    ("floor", "p95", "said"),
    [
        (None, 5.0, "The generator's own latency was not measured."),
        (FLOOR, None, f"{OWN}."),
        (FLOOR, 20.0, f"{OWN}, 10 % of the 20.00 ms measured."),
        (FLOOR, 4.0, f"{OWN}; the 4.00 ms measured are within reach of it, so they say how slow the target is at most, not how fast it is."),
    ],
)  # fmt: skip
def test_it_is_said_beside_the_result(floor: dict[str, float] | None, p95: float | None, said: str) -> None:
    """Within twice its own latency a generator can't tell the target's from it."""
    assert say(floor, p95) == said


@pytest.mark.parametrize(
    ("p95", "limit", "status", "ids"),
    [
        (3.9, 3, Status.FAIL, ["generator-floor"]),
        (3.9, 500, Status.PASS, []),
        (40.0, 30, Status.FAIL, []),
    ],
)  # fmt: skip
def test_a_generator_fails_nobody(p95: float, limit: int, status: Status, ids: list[str]) -> None:
    """A broken threshold within its reach is a doubt; a kept one stands, since the target is no slower."""
    (threshold,) = parse({"http_req_duration": (f"p(95)<{limit}",)})
    found = doubts(FLOOR, p95, [Finding(threshold, p95, status)])
    assert [one.id for one in found] == ids
    assert not found or found[0].message.endswith("So p(95)<3 is broken by the generator, not by the target.")
    assert doubts(None, p95, [Finding(threshold, p95, status)]) == []


def test_of_several_processes_the_slowest_counts() -> None:
    """Any request may be its."""
    assert worst([FLOOR, {**FLOOR, "p(95)": 7.0}]) == {**FLOOR, "p(95)": 7.0}
    assert worst([]) is None
