"""Which rule could be deleted unnoticed: whether any pair's answer would be another without it.

Pure. Each policy and rule is left out alone: of two that say the same, each could go, but not both. A pair is one of a
table's classes, and two pods of one class are a pair too.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np

from launchbook.isolation.reach import PROTOCOLS, End, Side, meet
from launchbook.isolation.spec import DIRECTIONS, Direction, policy_name, policy_types, rules
from launchbook.isolation.table import Ports, Table


class Use(IntEnum):
    """What a policy or rule is there for. The greatest that holds of any pair counts."""

    NONE = 0  # it selects nobody, or names nobody, or opens no port that they have
    DOUBLED = 1  # others say the same
    HIDDEN = 2  # the policies of the other ends decide, whatever it says
    NEEDED = 3


@dataclass(frozen=True)
class Notice:
    """A pair whose answer would be another: of one class each, so two different pods where they are the same."""

    source: End
    destination: End
    protocol: str
    before: Ports
    after: Ports


@dataclass(frozen=True)
class Need:
    """policy: `namespace/name`; rule: `ingress[0]`, "" where it is the whole policy; because: "" where it is needed."""

    policy: str
    rule: str
    use: Use
    because: str
    notice: Notice | None = None


_WHOLE = {
    Use.NONE: "it selects nobody",
    Use.DOUBLED: "other policies say the same",
    Use.HIDDEN: "the policies of the other ends decide, whatever it says",
}
_PART = {
    Use.NONE: "it opens no port to anybody who is given here, though it may serve others",
    Use.DOUBLED: "other rules open the same",
    Use.HIDDEN: "the policies of the other ends open none of it",
}


def needs(table: Table) -> list[Need]:
    """Of each policy, and after it of each of its rules, what it is there for; of a needed one, who would notice."""
    uses: dict[str, Use] = {}
    notices: dict[str, Notice] = {}
    for protocol in PROTOCOLS:
        for direction in DIRECTIONS:
            for name, use, notice in _uses(table, direction, protocol, notices):
                uses[name] = max(use, uses.get(name, Use.NONE))
                if notice:
                    notices[name] = notice
    found = []
    for policy in table.world.policies:
        whole = policy_name(policy)
        use = uses.get(whole, Use.NONE)
        found.append(Need(whole, "", use, _WHOLE.get(use, ""), notices.get(whole)))
        for direction in DIRECTIONS:
            for name, _ in rules(policy, direction):
                use = uses.get(name, Use.NONE)
                because = _PART.get(use, "")
                if direction.capitalize() not in policy_types(policy):
                    because = f"its policy's policyTypes leave {direction} out"
                elif whole not in uses:
                    because = "its policy selects nobody"
                found.append(Need(whole, name.removeprefix(f"{whole} "), use, because, notices.get(name)))
    return found


def _uses(
    table: Table, direction: Direction, protocol: str, known: Container[str]
) -> Iterator[tuple[str, Use, Notice | None]]:
    """(policy or rule, use, who would notice) of each cell of one direction, but for what is known to be needed."""
    opposite: Direction = "egress" if direction == "ingress" else "ingress"
    rows, others, ends = table.rows(direction), table.rows(opposite), table.classes.ends
    met = _Met(table.sides(opposite, protocol))
    doubled: set[tuple[str, int]] = set()  # of the sides that cells share, what others say too
    for number, side in enumerate(table.sides(direction, protocol)):
        unknown = [name for name in _names(side) if name not in known and (name, id(side)) not in doubled]
        if side.free or not unknown:
            continue
        mine = np.flatnonzero(rows.row == rows.cell[number].row)
        peers = np.flatnonzero(rows.cells[rows.row[mine[0]]] == number)
        cells = others.cells[np.ix_(others.row[peers], mine)]
        occurs = np.unique(cells)
        before = met.ports(side)
        for name in unknown:
            rest = met.without(side, name)
            if rest == before:
                doubled.add((name, id(side)))
                yield name, Use.DOUBLED, None
                continue
            changed = next((cell for cell in occurs if met.of(before, cell) != met.of(rest, cell)), None)
            if changed is None:
                yield name, Use.HIDDEN, None
                continue
            peer, self_ = np.argwhere(cells == changed)[0]
            pair = [ends[mine[self_]], ends[peers[peer]]]
            source, destination = pair if direction == "egress" else reversed(pair)
            notice = Notice(source, destination, protocol, met.of(before, changed), met.of(rest, changed))
            yield name, Use.NEEDED, notice


class _Met:
    """What sides, whole or with something left out, open together with those of the other direction, each asked once."""

    def __init__(self, others: Sequence[Side]) -> None:
        self._numbers: dict[Ports, int] = {}
        self._sides: list[Side] = []
        self._others = [self.ports(side) for side in others]
        self._rests: dict[tuple[int, str], int] = {}
        self._met: dict[tuple[int, int], Ports] = {}

    def ports(self, side: Side) -> int:
        """The number of what a side opens."""
        number = self._numbers.setdefault((side.ports, side.unsure), len(self._sides))
        if number == len(self._sides):
            self._sides.append(side)
        return number

    def without(self, side: Side, name: str) -> int:
        """The number of what a side, which a table keeps, opens without a policy or a rule."""
        key = (id(side), name)
        if key not in self._rests:
            self._rests[key] = self.ports(_without(side, name))
        return self._rests[key]

    def of(self, ports: int, cell: int) -> Ports:
        """What is open between what has a number and a cell of the other direction."""
        key = (ports, self._others[cell])
        if key not in self._met:
            self._met[key] = meet(self._sides[ports], self._sides[key[1]])
        return self._met[key]


def _names(side: Side) -> list[str]:
    """The policies that govern, and those of their rules that open something."""
    return [*side.policies, *(opening.rule for opening in side.openings if opening.ports)]


def _without(side: Side, name: str) -> Side:
    """A side without a policy or a rule; one whose last policy goes is governed by none."""
    policies = tuple(policy for policy in side.policies if policy != name)
    openings = tuple(one for one in side.openings if name not in (one.rule, one.rule.rpartition(" ")[0]))
    return replace(side, policies=policies, openings=openings, free="" if policies else "no policy is left")
