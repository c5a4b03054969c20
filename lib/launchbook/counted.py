"""Counts and lists in sentences."""

from __future__ import annotations

from collections.abc import Sequence

_FEW = 5  # findings that a sentence lists


def counted(count: int, one: str, many: str = "") -> str:
    """`1 pod`, `2 pods`; many: where it is more than `one` with an s, such as `pods are`."""
    return f"{count} {one if count == 1 else many or f'{one}s'}"


def some(lines: Sequence[str], most: int) -> str:
    """`a; b; and 2 more`: the first of them, at most so many."""
    return "; ".join(lines[:most]) + (f"; and {len(lines) - most} more" if len(lines) > most else "")


def listed(lines: Sequence[str]) -> str:
    """The first few lines as one sentence."""
    shown = some(lines, _FEW)
    return f"{shown[:1].upper()}{shown[1:]}{'' if shown.endswith('?') else '.'}"
