"""Label selectors as Kubernetes evaluates them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launchbook.selector import matches

LABELS = {"app": "nats", "tier": "data"}
KEYS = st.sampled_from(["app", "tier", "zone"])
VALUES = st.sampled_from(["nats", "data", "x"])


def expression(operator: str, key: str = "app", *values: str) -> dict[str, Any]:
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        (None, False),
        ({}, True),
        ({"matchLabels": {"app": "nats"}}, True),
        ({"matchLabels": {"app": "nats", "zone": "a"}}, False),
        (expression("In", "app", "nats", "redis"), True),
        (expression("In", "zone", "a"), False),
        (expression("NotIn", "app", "nats"), False),
        (expression("NotIn", "zone", "a"), True),
        (expression("Exists", "app"), True),
        (expression("Exists", "zone"), False),
        (expression("DoesNotExist", "zone"), True),
        (expression("DoesNotExist", "app"), False),
        ({"matchLabels": {"app": "nats"}, **expression("NotIn", "tier", "data")}, False),
    ],
)
def test_each_operator(selector: Any, selected: bool) -> None:
    """Absent keys fulfil NotIn and DoesNotExist; all requirements must hold."""
    assert matches(selector, LABELS) is selected


def test_an_operator_of_another_api_is_refused() -> None:
    """`Gt` belongs to node selectors."""
    with pytest.raises(ValueError, match="'Gt'"):
        matches(expression("Gt", "app", "1"), LABELS)


@given(st.dictionaries(KEYS, VALUES), KEYS, st.lists(VALUES, min_size=1))
def test_in_and_not_in_are_opposites(labels: dict[str, str], key: str, values: list[str]) -> None:
    """Of one selector with In and one with NotIn, exactly one selects."""
    assert matches(expression("In", key, *values), labels) != matches(expression("NotIn", key, *values), labels)
