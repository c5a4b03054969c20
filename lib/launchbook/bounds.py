"""Thresholds that ask for nothing: those that hold for every figure, and figures that none of them bounds. Pure.

k6 takes them all; a launch that rests on one was not asked anything.
"""

from __future__ import annotations

from collections.abc import Sequence

from launchbook.errors import ParametersError
from launchbook.thresholds import METRICS, Threshold

_MOST = {"trend": float("inf"), "rate": 1.0, "counter": float("inf")}  # each is 0 at least
# What must be bounded from above, and what passes unseen otherwise.
_BOUNDED = {
    "http_req_failed": "any share of failed requests would pass",
    "http_req_duration": "any latency would pass",
}
_EXAMPLE = {"trend": "p(95)<500", "rate": "rate<0.01", "counter": "rate>=100"}


def refuse_empty(thresholds: Sequence[Threshold]) -> None:
    """Raises ParametersError for a threshold that every figure keeps, or that asks for latency or errors to be high."""
    for one in thresholds:
        if why := empty(one):
            raise ParametersError(
                f"load.thresholds: {one.metric} {one.expression!r} {why}; ask for something that can break, such as "
                f"{_EXAMPLE[METRICS[one.metric]]!r}. Nothing was sent."
            )


def empty(one: Threshold) -> str:
    """Why a threshold asks for nothing, "" where it asks for something. Only of a metric in METRICS it can be told."""
    kind = METRICS.get(one.metric)
    if kind is None:
        return ""
    if _always(one, _MOST[kind]):
        return "holds whatever is measured"
    if kind != "counter" and one.relation in (">", ">="):
        return "holds for the slowest target best" if kind == "trend" else "holds best where every request fails"
    return ""


def unbounded(thresholds: Sequence[Threshold]) -> dict[str, str]:
    """metric -> what passes unseen, for each that must be bounded from above and isn't."""
    bounded = {one.metric for one in thresholds if one.relation in ("<", "<=", "==", "===")}
    return {metric: unseen for metric, unseen in _BOUNDED.items() if metric not in bounded}


def _always(one: Threshold, most: float) -> bool:
    """Whether every figure from 0 to `most` keeps it."""
    if one.relation == "!=":
        return not 0 <= one.limit <= most
    return {
        "<": one.limit > most, "<=": one.limit >= most, ">": one.limit < 0, ">=": one.limit <= 0,
    }.get(one.relation, False)  # fmt: skip
