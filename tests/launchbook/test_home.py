"""Whose namespace an object is of."""

from __future__ import annotations

from typing import Any

import pytest

from launchbook.home import home


@pytest.mark.parametrize(
    ("meta", "expected"),
    [({"namespace": "a"}, "a"), ({}, "default"), ({"namespace": None}, "default"), ({"namespace": ""}, "default")],
)
def test_an_object_without_a_namespace_is_of_default(meta: dict[str, Any], expected: str) -> None:
    """A key without a value says nothing either: it is no namespace named None."""
    assert home({"metadata": {"name": "x", **meta}}) == expected
