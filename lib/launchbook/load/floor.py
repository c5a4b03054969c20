"""What of a latency is the generator's own: measured against a target that does nothing, just before the load. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from launchbook.load.terms import Finding, Reason
from launchbook.words import Status

_REACH = 2.0  # times its own latency, within which the generator can't tell a target's from it

# Percentiles in ms and how many requests they are of: {"med": …, "p(95)": …, "p(99)": …, "count": …}
Floor = Mapping[str, float]


def worst(floors: Sequence[Floor]) -> Floor | None:
    """Of several processes the slowest one's: every figure may come from it."""
    return max(floors, key=lambda one: one["p(95)"], default=None)


def within_reach(floor: Floor | None, p95: float | None) -> bool:
    """Whether a measured p(95) (ms) is so near to the generator's own that it may be nothing else."""
    return floor is not None and p95 is not None and p95 <= _REACH * floor["p(95)"]


def say(floor: Floor | None, p95: float | None) -> str:
    """A sentence to stand beside the result. p95: measured, ms; None where nothing was."""
    if floor is None:
        return "The generator's own latency was not measured."
    own = f"The generator's own p(95), against a target that does nothing, was {floor['p(95)']:.2f} ms"
    if p95 is None:
        return f"{own}."
    if within_reach(floor, p95):
        return (
            f"{own}; the {p95:.2f} ms measured are within reach of it, so they say how slow the target is at most, not "
            "how fast it is."
        )
    return f"{own}, {100 * floor['p(95)'] / p95:.0f} % of the {p95:.2f} ms measured."


def doubts(floor: Floor | None, p95: float | None, found: Sequence[Finding]) -> list[Reason]:
    """Why a latency threshold that does not hold fails nobody: the generator alone would break it as well."""
    if floor is None or not within_reach(floor, p95):
        return []
    broken = [f.threshold for f in found if f.threshold.metric == "http_req_duration" and f.status is Status.FAIL]
    if not broken:
        return []
    names = ", ".join(one.expression for one in broken)
    return [Reason("generator-floor", f"{say(floor, p95)} So {names} is broken by the generator, not by the target.")]
