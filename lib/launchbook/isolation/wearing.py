"""The labels that a pod must wear for selectors to select it, and for others not to: the smallest that will do.

Pure. A selector is a list of requirements, each of one key, so what a key may have is told exactly, and a set of labels
is there whenever any is. Rule: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from typing import Any

from launchbook.selector import matches

Requirement = tuple[str, str, tuple[str, ...]]  # key, operator, values
Requirements = tuple[Requirement, ...]
_CONTRARY = {"In": "NotIn", "NotIn": "In", "Exists": "DoesNotExist", "DoesNotExist": "Exists"}


def requirements(selector: Mapping[str, Any] | None) -> Requirements:
    """What a selector asks of labels; none of one that is empty, which selects everything, or absent."""
    given = selector or {}
    plain = [(key, "In", (value,)) for key, value in (given.get("matchLabels") or {}).items()]
    more = [
        (one["key"], one["operator"], tuple(one.get("values") or ())) for one in given.get("matchExpressions") or ()
    ]
    return (*plain, *more)


def smallest(wanted: Iterable[Requirement]) -> dict[str, str] | None:
    """The fewest labels that fulfil every requirement; None where they are at odds."""
    by_key: dict[str, list[Requirement]] = {}
    for one in wanted:
        by_key.setdefault(one[0], []).append(one)
    found = {}
    for key, mine in by_key.items():
        operators = {operator for _, operator, _ in mine}
        if not operators & {"In", "Exists"}:
            continue  # an absent key fulfils the others
        value = _value(mine)
        if "DoesNotExist" in operators or value is None:
            return None
        found[key] = value
    return found


def escaping(wanted: Requirements, selectors: Sequence[Mapping[str, Any]]) -> dict[str, str] | None:
    """Labels that fulfil every requirement and that none of `selectors` selects; None where there are none."""
    labels = smallest(wanted)
    if labels is None:
        return None
    caught = next((one for one in selectors if matches(one, labels)), None)
    if caught is None:
        return labels
    # Who is not selected fails at least one requirement of the selector.
    tries = (escaping((*wanted, (key, _CONTRARY[how], values)), selectors) for key, how, values in requirements(caught))
    return next((found for found in tries if found is not None), None)


def _value(mine: Sequence[Requirement]) -> str | None:
    """The first value that a key which must be there may have."""
    within = [values for _, operator, values in mine if operator == "In"]
    without = {value for _, operator, values in mine if operator == "NotIn" for value in values}
    if within:
        return next((v for v in within[0] if v not in without and all(v in values for values in within)), None)
    return next(value for value in _any() if value not in without)


def _any() -> Iterable[str]:
    yield "any"
    yield from (f"any-{n}" for n in count(1))
