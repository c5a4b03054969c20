"""Thresholds in k6's own syntax, parsed: a mistyped one is refused before a run begins.

https://grafana.com/docs/k6/latest/using-k6/thresholds/#threshold-expression-syntax
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from launchbook.errors import ParametersError
from launchbook.strict_yaml import nearest

_EXPRESSION = re.compile(
    r"^\s*(?P<aggregate>avg|min|max|med|rate|count|value|p\(\s*(?P<percent>\d+(?:\.\d+)?)\s*\))\s*"
    r"(?P<relation><=|>=|===|==|!=|<|>)\s*(?P<limit>-?\d+(?:\.\d+)?)\s*$"
)
_RELATIONS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "===": operator.eq,
    "!=": operator.ne,
}  # fmt: skip
# metric -> its kind in k6, which decides what may be asked of it, and its unit
METRICS = {"http_req_duration": "trend", "http_req_failed": "rate", "http_reqs": "counter", "iterations": "counter"}
_AGGREGATES = {
    "trend": ("avg", "min", "med", "max", "p(N)"), "rate": ("rate",), "counter": ("count", "rate"), "gauge": ("value",),
}  # fmt: skip
_ANY = tuple(dict.fromkeys(one for ones in _AGGREGATES.values() for one in ones))


@dataclass(frozen=True)
class Threshold:
    """`metric` with one expression, such as http_req_duration p(95)<500 (ms)."""

    metric: str
    expression: str
    aggregate: str
    relation: str
    limit: float

    @property
    def name(self) -> str:
        return f"{self.metric}: {self.expression}"

    @property
    def asks_for_rate(self) -> bool:
        """Whether it asks for at least so many requests/s."""
        return METRICS.get(self.metric) == "counter" and self.aggregate == "rate" and self.relation in (">", ">=")

    def holds(self, figure: float) -> bool:
        """Whether a measured figure keeps it."""
        return _RELATIONS[self.relation](figure, self.limit)


def parse(thresholds: Mapping[str, Sequence[str]]) -> list[Threshold]:
    """Every threshold of `load.thresholds`.

    Raises ParametersError for a metric or an expression that k6 would not know, with the nearest known name.
    """
    return [_parse(metric, text) for metric, texts in thresholds.items() for text in texts]


def understood(metric: str, text: str, kind: str | None = None) -> Threshold | None:
    """One threshold of any metric of k6; None where it isn't understood, which `unclear` then says.

    kind: the metric's in k6 (trend, rate, counter, gauge); None where it isn't known, so that any aggregate may be asked
    """
    found = _EXPRESSION.match(text)
    if not found or ("p(N)" if found["percent"] else found["aggregate"]) not in _asked_of(metric, kind):
        return None
    if found["percent"] and not 0 < float(found["percent"]) <= 100:
        return None
    return Threshold(metric, text, found["aggregate"].replace(" ", ""), found["relation"], float(found["limit"]))


def unclear(metric: str, text: str, kind: str | None = None) -> str:
    """What may be written in place of a threshold that isn't understood."""
    if (found := _EXPRESSION.match(text)) and found["percent"] and not 0 < float(found["percent"]) <= 100:
        return f"{metric} {text!r}: a percentile lies above 0 and up to 100."
    return (
        f"{metric} can't be held against {text!r}; write one of {', '.join(_asked_of(metric, kind))}, a relation and "
        "a number, such as 'p(95)<500' (ms) or 'rate<0.01'."
    )


def _asked_of(metric: str, kind: str | None) -> Sequence[str]:
    return _AGGREGATES.get(METRICS.get(metric, kind or ""), _ANY)


def _parse(metric: str, text: str) -> Threshold:
    if metric not in METRICS:
        raise ParametersError(
            f"load.thresholds: no metric is named {metric!r}{nearest(metric, METRICS)}; known: {', '.join(METRICS)}. "
            "Nothing was sent."
        )
    found = understood(metric, text)
    if found is None:
        raise ParametersError(f"load.thresholds: {unclear(metric, text)} Nothing was sent.")
    return found
