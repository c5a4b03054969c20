"""From when on a target is blocked: a row of blocks in the order of the attempts, whatever order they ended in."""

from __future__ import annotations

import pytest

from launchbook.isolation.connect import Attempt, Target
from launchbook.isolation.polling import blocked_since

TARGET = Target("t", "10.0.0.1", 80, 1)
WORDS = {"A": "ALLOWED", "D": "DROPPED", "R": "REFUSED", "E": "PROBE_ERROR"}


@pytest.mark.parametrize(
    ("outcomes", "since"),
    [
        ("", None),
        ("DD", None),
        ("DDD", 1.0),
        ("DRD", 1.0),
        ("AADDD", 3.0),
        ("DDDA", None),
        ("DDDADDD", 5.0),
        ("DD.D", None),
        ("A.DDD", 3.0),
        ("DDEDDD", 4.0),
    ],
)
def test_a_row_of_blocks(outcomes: str, since: float | None) -> None:
    """A dot is an attempt that has not ended; any success later than the row undoes it."""
    attempts = [Attempt(TARGET, n, WORDS[word], float(n), n + 2.0) for n, word in enumerate(outcomes, 1) if word != "."]
    assert blocked_since(attempts[::-1], 3) == since
