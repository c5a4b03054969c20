"""The labels that a selector asks for: the smallest set, and whether there is any, held against every set there is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from worlds import LABELS, PODS_BY

from launchbook.isolation.wearing import escaping, requirements, smallest
from launchbook.selector import matches


def asking(operator: str, *values: str, key: str = "app") -> dict[str, Any]:
    return {"key": key, "operator": operator, **({"values": list(values)} if values else {})}


@pytest.mark.parametrize(
    ("selector", "labels"),
    [
        (None, {}),
        ({}, {}),
        ({"matchLabels": None, "matchExpressions": None}, {}),
        ({"matchLabels": {"app": "x", "tier": "front"}}, {"app": "x", "tier": "front"}),
        ({"matchLabels": {"app": ""}}, {"app": ""}),
        ({"matchExpressions": [asking("In", "x", "y")]}, {"app": "x"}),
        ({"matchExpressions": [asking("Exists")]}, {"app": "any"}),
        ({"matchExpressions": [asking("NotIn", "x")]}, {}),
        ({"matchExpressions": [asking("DoesNotExist")]}, {}),
        ({"matchExpressions": [asking("Exists"), asking("NotIn", "any", "any-1")]}, {"app": "any-2"}),
        ({"matchExpressions": [asking("In", "x", "y"), asking("NotIn", "x")]}, {"app": "y"}),
        ({"matchExpressions": [asking("In", "x", "y"), asking("In", "y", "z")]}, {"app": "y"}),
        ({"matchLabels": {"app": "x"}, "matchExpressions": [asking("DoesNotExist")]}, None),
        ({"matchLabels": {"app": "x"}, "matchExpressions": [asking("NotIn", "x")]}, None),
        ({"matchLabels": {"app": "x"}, "matchExpressions": [asking("In", "y")]}, None),
    ],
)
def test_the_smallest_labels(selector: Any, labels: Any) -> None:
    """Of In the first value that will do, of Exists any, of what must be absent none; none at all where they are at odds."""
    assert smallest(requirements(selector)) == labels


@given(PODS_BY, st.lists(PODS_BY, max_size=3))
def test_there_are_labels_wherever_some_pod_could_wear_them(selector: Any, others: list[Any]) -> None:
    """What is built is selected, and by none of the others; nothing is built only where no set of labels is."""
    found = escaping(requirements(selector), others)
    fitting = [one for one in LABELS if matches(selector, one) and not any(matches(other, one) for other in others)]
    assert (found is None) == (not fitting)
    if found is not None:
        assert matches(selector, found)
        assert not any(matches(other, found) for other in others)
        assert others or len(found) == min(map(len, fitting))
