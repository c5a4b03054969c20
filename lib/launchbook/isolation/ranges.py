"""Sets of whole numbers (ports, addresses) as sorted disjoint ranges, ends included."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Range = tuple[int, int]


def union(ranges: Iterable[Range]) -> tuple[Range, ...]:
    """Sorted disjoint ranges that cover the same numbers."""
    merged: list[Range] = []
    for first, last in sorted(r for r in ranges if r[0] <= r[1]):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return tuple(merged)


def intersect(one: Sequence[Range], other: Sequence[Range]) -> tuple[Range, ...]:
    """Sorted disjoint ranges of the numbers in both."""
    return union((max(a, c), min(b, d)) for a, b in one for c, d in other if max(a, c) <= min(b, d))


def subtract(one: Sequence[Range], other: Sequence[Range]) -> tuple[Range, ...]:
    """Sorted disjoint ranges of the numbers in `one` that aren't in `other`."""
    left: list[Range] = []
    for first, last in union(one):
        for a, b in union(other):
            if b < first or a > last:
                continue
            left.append((first, a - 1))
            first = b + 1
        left.append((first, last))
    return union(left)
