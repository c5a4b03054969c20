"""What a figure over the whole may hide, in words: the same for samples and for totals that were told over time. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from launchbook.load.terms import Reason, amount
from launchbook.thresholds import Threshold

MINUTE = 60  # s
FEWEST = 3  # minutes: in less there is no minute to tell from the whole


def worst_minute(threshold: Threshold, broken: Sequence[tuple[float, float]], of: int) -> list[Reason]:
    """Minutes that break what the whole keeps. broken: (begin in s, figure) of each; of: how many were looked at"""
    if not broken:
        return []
    begins, value = max(broken, key=lambda one: abs(one[1] - threshold.limit))
    said = (
        f"{threshold.name} holds over the whole, but breaks in {len(broken)} of {of} windows of {MINUTE} s; the worst begins "
        f"at {begins:.0f} s with {amount(threshold, value)}."
    )
    return [Reason("worst-minute", said, "FAIL", threshold.name)]


def flattered(threshold: Threshold, value: float, failed: float) -> Reason:
    """Quick errors that keep a latency down. value: ms, of the successful requests; failed: the share that failed"""
    said = (
        f"{threshold.metric}: {threshold.expression} holds only because errors are quick: {threshold.aggregate} of the "
        f"successful requests is {value:.1f} ms ({100 * failed:.2f} % failed)."
    )
    return Reason("errors-flatter", said, "FAIL", threshold.name)
