"""When the users of an open loop send: evenly spaced together, and no burst after a wait."""

from __future__ import annotations

import pytest

from launchbook.load.arrivals import Arrivals


def moments(place: int, waits: list[float], vus: int = 4, rate: float = 8.0) -> list[float]:
    """When a user sends whose answers take so long (s)."""
    arrivals, now, found = Arrivals(place, vus, rate, 100.0), 100.0, []
    for wait in [0.0, *waits]:
        now += wait
        now += arrivals.pause(now)
        found.append(now - 100.0)
    return found


def test_all_users_together_send_evenly() -> None:
    """Four users and 8/s: every eighth of a second."""
    sent = sorted(moment for place in range(4) for moment in moments(place, [0.1, 0.1]))
    assert sent == [n / 8 for n in range(12)]


@pytest.mark.parametrize(
    ("waits", "expected"),
    [
        ([0.01, 0.4, 0.01], [0.0, 0.5, 1.0, 1.5]),
        ([0.7, 0.01], [0.0, 0.7, 1.0]),
        ([1.2, 0.01, 0.01], [0.0, 1.2, 1.5, 2.0]),
        ([2.0, 0.01], [0.0, 2.0, 2.5]),
    ],
)
def test_a_user_that_had_to_wait(waits: list[float], expected: list[float]) -> None:
    """It sends at once, keeps its place afterwards, and makes up for no more than the last moment."""
    assert moments(0, waits) == pytest.approx(expected)
