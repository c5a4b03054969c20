"""Counts in sentences."""

from __future__ import annotations


def counted(count: int, one: str, many: str = "") -> str:
    """`1 pod`, `2 pods`; many: where it is more than `one` with an s, such as `pods are`."""
    return f"{count} {one if count == 1 else many or f'{one}s'}"
