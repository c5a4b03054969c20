"""The namespace an object is of: said once, for every judge that asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def home(item: Mapping[str, Any]) -> str:
    """An object's namespace: `default` where it names none, as kubectl has it.

    Of an object of a kind that is in no namespace it means nothing.
    """
    return str(item["metadata"].get("namespace") or "default")
