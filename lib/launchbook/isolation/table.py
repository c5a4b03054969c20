"""Who may reach whom, for every pair at once: reach() asked once of what policies can tell apart.

Pure. The rules are reach.py's own; here they are only asked less often. Classes of one end that the same policies govern
share a row, and within it the other ends that each rule names alike share a cell, so that time and memory grow with
classes, not with pods.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from launchbook.home import home
from launchbook.isolation.blocks import Outside
from launchbook.isolation.cells import Cell, Rows, Sides
from launchbook.isolation.classes import Classes, classes, named_ports, names_of_ports
from launchbook.isolation.ranges import Range
from launchbook.isolation.reach import (
    BLOCK,
    HOST,
    ITSELF,
    Answer,
    End,
    Pod,
    Side,
    World,
    allows,
    freedom,
    governing,
    meet,
    naming,
    same_pod,
    within,
)
from launchbook.isolation.spec import Direction, Object, peers, policy_name, rules

_NAMED = ("", BLOCK, HOST, None)  # what naming() says; of several peers of a rule the first of these counts
_CODES = {said: code for code, said in enumerate(_NAMED)}
_A_WORD = 31  # rules whose codes fit a whole number of 64 bits
Ports = tuple[tuple[Range, ...], tuple[Range, ...]]  # open for certain, unsure


@dataclass(frozen=True)
class Answers:
    """One protocol. ids: class of the source x class of the destination -> index in ports.

    Of two ends of one class it is the answer between two different pods; a pod always reaches itself.
    """

    ids: NDArray[np.int32]
    ports: tuple[Ports, ...]

    def allowed(self, port: int) -> NDArray[np.int8]:
        """Class x class: 1 open, 0 closed, -1 unsure. Of ends it is `allowed(port)[np.ix_(of, of)]`: Classes.of."""
        each = [allows(Answer(ports, "", unsure), port) for ports, unsure in self.ports]
        return np.array([-1 if one is None else int(one) for one in each], np.int8)[self.ids]


class Table:
    """The answers between `ends` in a world, computed where asked for and kept."""

    def __init__(self, world: World, ends: Sequence[End]) -> None:
        self.world, self.ends = world, tuple(ends)
        self._policies: dict[str, list[Object]] = {}
        for policy in world.policies:
            self._policies.setdefault(home(policy), []).append(policy)
        self._namings: dict[str, NDArray[np.uint8]] = {}
        self._rows: dict[Direction, Rows] = {}
        self._sides: dict[tuple[Direction, str], list[Side]] = {}
        self._answers: dict[str, Answers] = {}

    @cached_property
    def classes(self) -> Classes:
        return classes(self.world.policies, self.ends)

    def answer(self, source: int, destination: int, protocol: str) -> Answer:
        """The same as reach() of two ends, by their indices."""
        if same_pod(self.ends[source], self.ends[destination]):
            return ITSELF
        ports, unsure = self.ports(source, destination, protocol)
        out, into = (
            self.side("egress", source, destination, protocol),
            self.side("ingress", destination, source, protocol),
        )
        because = [
            f"{one.direction}: {freedom(self.ends[end])}" if one.free else one.because
            for one, end in ((out, source), (into, destination))
        ]
        return Answer(ports, "; ".join(because), unsure)

    def ports(self, source: int, destination: int, protocol: str) -> Ports:
        """Open for certain, and unsure, of two different ends by their indices."""
        found, of = self.answers(protocol), self.classes.of
        return found.ports[found.ids[of[source], of[destination]]]

    def side(self, direction: Direction, self_: int, peer: int, protocol: str) -> Side:
        """What one end's own policies say, by indices. Where none governs it, `free` may name another of its class."""
        rows, of = self.rows(direction), self.classes.of
        return self.sides(direction, protocol)[int(rows.cells[rows.row[of[self_]], of[peer]])]

    def answers(self, protocol: str) -> Answers:
        """Every pair of classes."""
        if protocol not in self._answers:
            self._answers[protocol] = self._meet(protocol)
        return self._answers[protocol]

    def sides(self, direction: Direction, protocol: str) -> list[Side]:
        """The side of each cell of rows(direction), of the rules only those that open something.

        Cells of one row for which the same is opened share one object.
        """
        key = (direction, protocol)
        if key not in self._sides:
            rows, shared = self.rows(direction), Sides(protocol)
            policies = [tuple(map(policy_name, mine)) for mine in rows.mine]
            named = [[one for p in mine for one in rules(p, direction)] for mine in rows.mine]
            self._sides[key] = [shared.side(cell, direction, policies[cell.row], named[cell.row]) for cell in rows.cell]
        return self._sides[key]

    def rows(self, direction: Direction) -> Rows:
        """Which classes the same policies govern, and which other ends these name alike."""
        if direction not in self._rows:
            self._rows[direction] = self._group(direction)
        return self._rows[direction]

    def _group(self, direction: Direction) -> Rows:
        numbers: dict[tuple[object, ...], int] = {(): 0}
        mine: list[tuple[Object, ...]] = [()]
        row = np.zeros(len(self.classes.ends), np.intp)
        for at, end in enumerate(self.classes.ends):
            policies = governing(self._policies.get(end.namespace, ()), direction, end) if isinstance(end, Pod) else ()
            # The ports that an ingress rule calls by name are those of the end that it governs.
            names = _names(policies, direction) if direction == "ingress" else set()
            own = (*named_ports(end, names), _is_on_its_node(end)) if policies else ()
            row[at] = numbers.setdefault((*map(id, policies), *own), len(numbers))
            if row[at] == len(mine):
                mine.append(policies)
        cells = np.zeros((len(mine), len(row)), np.int32)
        cell = [Cell(0, end, end) for end in self.classes.ends[:1]]
        _, first = np.unique(row, return_index=True)
        for at in first:
            if policies := mine[row[at]]:
                codes = [self._named(home(p), rule, direction) for p in policies for _, rule in rules(p, direction)]
                alike, examples = self._alike(codes, policies, direction)
                cells[row[at]] = alike + len(cell)
                self_ = self.classes.ends[at]
                cell += [
                    Cell(
                        int(row[at]), self_, self.classes.ends[example], tuple(_NAMED[code[example]] for code in codes)
                    )
                    for example in examples
                ]
        return Rows(row, tuple(mine), cells, tuple(cell))

    def _alike(
        self, codes: Sequence[NDArray[np.uint8]], policies: Sequence[Object], direction: Direction
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """The classes that each rule names alike, of one kind of network and, for egress, whose ports have the same names.

        Gives the number of each, and the first of each number.
        """
        facts = [
            sum((code.astype(np.int64) << 2 * n for n, code in enumerate(codes[at : at + _A_WORD])), np.int64(0))
            for at in range(0, len(codes), _A_WORD)
        ]
        if direction == "egress" and (names := _names(policies, direction)):
            numbers: dict[object, int] = {}
            kinds = [numbers.setdefault(named_ports(end, names), len(numbers)) for end in self.classes.ends]
            facts.append(np.array(kinds, np.int64))
        facts.append(np.array([_is_on_its_node(end) for end in self.classes.ends], np.int64))
        alike = np.zeros(len(self.classes.ends), np.intp)
        for fact in facts:
            values, which = np.unique(fact, return_inverse=True)
            alike = np.unique(alike * len(values) + which, return_inverse=True)[1]
        return alike, np.unique(alike, return_index=True)[1]

    def _named(self, at: str, rule: Object, direction: Direction) -> NDArray[np.uint8]:
        """The code of what a rule, of a policy in namespace `at`, says of each class."""
        found = [self._naming(at, one) for one in peers(rule, direction)]
        return np.minimum.reduce(found) if found else np.zeros(len(self.classes.ends), np.uint8)

    def _naming(self, at: str, peer: Object) -> NDArray[np.uint8]:
        ends, by_address = self.classes.ends, peer.get("ipBlock") is not None
        local = not by_address and peer.get("namespaceSelector") is None
        key = json.dumps([at if local else "", peer], sort_keys=True)
        if key not in self._namings:
            codes = np.full(len(ends), _CODES[None], np.uint8)
            if by_address:
                for members in self._by_address.values():
                    codes[members] = _CODES[naming(self.world, at, peer, ends[members[0]])]
            else:
                for namespace, members in self._by_namespace.items():
                    if within(self.world, at, peer, namespace):
                        codes[members] = [_CODES[naming(self.world, at, peer, ends[n])] for n in members]
            self._namings[key] = codes
        return self._namings[key]

    @cached_property
    def _by_address(self) -> dict[object, list[int]]:
        """The classes that an ipBlock can't tell apart."""
        found: dict[object, list[int]] = {}
        for number, end in enumerate(self.classes.ends):
            found.setdefault(end if isinstance(end, Outside) else end.host_network, []).append(number)
        return found

    @cached_property
    def _by_namespace(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for number, end in enumerate(self.classes.ends):
            if isinstance(end, Pod):
                found.setdefault(end.namespace, []).append(number)
        return found

    def _meet(self, protocol: str) -> Answers:
        """Each pair of ports of an egress and of an ingress is met once."""
        numbers: dict[Ports, int] = {}
        examples: list[Side] = []
        found: list[NDArray[np.int32]] = []
        for direction in ("egress", "ingress"):
            kinds = []
            for one in self.sides(direction, protocol):
                kinds.append(numbers.setdefault((one.ports, one.unsure), len(numbers)))
                if len(numbers) > len(examples):
                    examples.append(one)
            rows = self.rows(direction)
            found.append(np.array(kinds, np.int32)[rows.cells][rows.row])
        out, into = found
        size = len(examples)
        pairs = out.astype(np.min_scalar_type(size**2)) * size + into.T
        occurs = np.zeros(size**2, bool)
        occurs[pairs] = True
        answers: dict[Ports, int] = {}
        lookup = np.zeros(len(occurs), np.int32)
        for pair in np.flatnonzero(occurs):
            met = meet(examples[pair // size], examples[pair % size])
            lookup[pair] = answers.setdefault(met, len(answers))
        return Answers(lookup[pairs], tuple(answers))


def _names(policies: Sequence[Object], direction: Direction) -> set[tuple[str, str]]:
    """(name, protocol) of the ports that some rule of these policies calls by name."""
    return {name for policy in policies for _, rule in rules(policy, direction) for name in names_of_ports(rule)}


def _is_on_its_node(end: End) -> bool:
    return isinstance(end, Pod) and end.host_network
