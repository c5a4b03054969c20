"""Ends of connections by what policies can tell apart: the pods of one class have the same answer to every question.

Pure. Two pods are of one class where they share namespace and kind of network, what some selector asks of their labels,
and the ports that some rule calls by name. An address outside is a class of its own.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from launchbook.isolation.blocks import Outside
from launchbook.isolation.reach import End
from launchbook.isolation.spec import DIRECTIONS, Object, every_peer, rules

_OTHER = object()  # any value that no selector names


@dataclass(frozen=True)
class Classes:
    """ends: one of each class, for all of it; of: the class of each end, in order."""

    ends: tuple[End, ...]
    of: NDArray[np.intp]

    @property
    def sizes(self) -> NDArray[np.intp]:
        """How many ends are of each class."""
        return np.bincount(self.of, minlength=len(self.ends))


def classes(policies: Sequence[Object], ends: Sequence[End]) -> Classes:
    """The classes into which policies part these ends."""
    asked, named = asked_labels(policies), _named(policies)
    numbers: dict[Hashable, int] = {}
    of = np.fromiter((numbers.setdefault(_key(end, asked, named), len(numbers)) for end in ends), np.intp, len(ends))
    _, first = np.unique(of, return_index=True)
    return Classes(tuple(ends[n] for n in first), of)


def named_ports(end: End, named: Iterable[tuple[str, str]]) -> tuple[tuple[str, str, int], ...]:
    """The ports of an end that are called by one of these (name, protocol), sorted."""
    return () if isinstance(end, Outside) else tuple(sorted({p for p in end.ports if p[:2] in named}))


def names_of_ports(rule: Object) -> set[tuple[str, str]]:
    """(name, protocol) of the ports that a rule calls by name."""
    return {(p["port"], p.get("protocol") or "TCP") for p in rule.get("ports") or () if isinstance(p.get("port"), str)}


def asked_labels(policies: Sequence[Object]) -> dict[str, set[str]]:
    """Label key -> the values that some selector of pods names for it."""
    found: dict[str, set[str]] = {}
    for selector in _pod_selectors(policies):
        for key, value in (selector.get("matchLabels") or {}).items():
            found.setdefault(key, set()).add(value)
        for one in selector.get("matchExpressions") or ():
            found.setdefault(one["key"], set()).update(one.get("values") or ())
    return found


def _key(end: End, asked: Mapping[str, set[str]], named: set[tuple[str, str]]) -> Hashable:
    if isinstance(end, Outside):
        return end
    labels = frozenset((k, v if v in asked[k] else _OTHER) for k, v in end.labels.items() if k in asked)
    return end.namespace, labels, named_ports(end, named), end.host_network


def _pod_selectors(policies: Sequence[Object]) -> Iterator[Object]:
    yield from (policy["spec"].get("podSelector") or {} for policy in policies)
    yield from (peer.get("podSelector") or {} for _, _, peer in every_peer(policies))


def _named(policies: Sequence[Object]) -> set[tuple[str, str]]:
    return {
        name
        for policy in policies
        for direction in DIRECTIONS
        for _, rule in rules(policy, direction)
        for name in names_of_ports(rule)
    }
