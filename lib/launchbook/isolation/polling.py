"""From when on is a target blocked? Asked again and again, so that the time from policy to block is measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from launchbook.isolation.connect import ALLOWED, DROPPED, REFUSED, STAGGER, Attempt, Prober, Target

_BLOCKED = (DROPPED, REFUSED)


def await_blocks(
    prober: Prober, targets: Sequence[Target], confirmations: int, until: Callable[[], float], since: dict[str, float]
) -> None:
    """Fills `since`: target id -> when the first of its confirmed blocks began, until each has one or it is `until()`.

    Every target is tried every STAGGER seconds (less often where there are many), whatever became of the attempt before,
    so the time is as exact as that. Times are of time.monotonic(). Raises ClusterError.
    """
    seen: dict[str, list[Attempt]] = {target.id: [] for target in targets}
    number, due = 0, time.monotonic()
    while (left := [t for t in targets if t.id not in since]) and time.monotonic() < until():
        if time.monotonic() >= due:
            number += 1
            prober.start([(target, number) for target in left])
            due = time.monotonic() + max(STAGGER, len(left) * (prober.seconds + 0.2) / prober.parallel)
        for attempt in prober.ended(min(due, until()) - time.monotonic()):
            if attempt.target.id in seen:
                seen[attempt.target.id].append(attempt)
        for target in left:
            if (began := blocked_since(seen[target.id], confirmations)) is not None:
                since[target.id] = began


def blocked_since(attempts: Sequence[Attempt], confirmations: int) -> float | None:
    """When the streak of blocks began that is the last thing known of a target, if it has `confirmations` in a row.

    An attempt that has not ended yet, or ended otherwise than open or blocked, breaks the row.
    """
    outcomes: Mapping[int, Attempt] = {attempt.number: attempt for attempt in attempts}
    last_open = max((n for n, attempt in outcomes.items() if attempt.outcome == ALLOWED), default=0)
    row: list[Attempt] = []
    for number in range(last_open + 1, max(outcomes, default=0) + 1):
        attempt = outcomes.get(number)
        row = [*row, attempt] if attempt and attempt.outcome in _BLOCKED else []
        if len(row) >= confirmations:
            return row[0].began
    return None
