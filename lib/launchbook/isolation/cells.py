"""The cells of a table: what the policies of one row say of ends that its rules name alike, each part made once.

Pure. See table.py for what a row and a cell are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from launchbook.isolation.classes import named_ports, names_of_ports
from launchbook.isolation.ranges import Range
from launchbook.isolation.reach import ALL, End, Opening, Side, doubt, freedom, opened
from launchbook.isolation.spec import Direction, Object


@dataclass(frozen=True)
class Cell:
    """An end of a row and another end, which stand for all of the cell. named: of each rule of the row, as naming()."""

    row: int
    self_: End
    peer: End
    named: tuple[str | None, ...] = ()


@dataclass(frozen=True)
class Rows:
    """One direction. A row for each set of policies that governs some class; row 0 is for the ends that none governs.

    row: of each class; mine: the policies of each row; cells: row x class of the other end -> number of a cell;
    cell: of each number
    """

    row: NDArray[np.intp]
    mine: tuple[tuple[Object, ...], ...]
    cells: NDArray[np.int32]
    cell: tuple[Cell, ...]


class Sides:
    """The sides of cells for one protocol, made of parts that many of them have in common."""

    def __init__(self, protocol: str) -> None:
        self._protocol = protocol
        self._ports: dict[object, tuple[Range, ...]] = {}
        self._openings: dict[object, Opening] = {}
        self._sides: dict[object, Side] = {}

    def side(
        self, cell: Cell, direction: Direction, policies: tuple[str, ...], named: Sequence[tuple[str, Object]]
    ) -> Side:
        """The same as reach.side() but for rules that open nothing. named: the rules of the cell's row with their names."""
        if not policies:
            return Side(direction, freedom(cell.self_))
        destination = cell.peer if direction == "egress" else cell.self_
        openings = tuple(
            self._opening(name, ports, why)
            for (name, rule), why in zip(named, cell.named, strict=True)
            if why is not None and (ports := self._opened(rule, destination))
        )
        doubted = doubt(cell.self_, cell.peer)
        key = (cell.row, doubted, *map(id, openings))
        if key not in self._sides:
            self._sides[key] = Side(direction, "", policies, openings, doubted)
        return self._sides[key]

    def _opening(self, name: str, ports: tuple[Range, ...], why: str) -> Opening:
        key = (name, ports, why)
        if key not in self._openings:
            self._openings[key] = Opening(name, ports, why)
        return self._openings[key]

    def _opened(self, rule: Object, destination: End) -> tuple[Range, ...]:
        wanted = rule.get("ports")
        if not wanted:
            return ALL
        key = (id(wanted), named_ports(destination, names_of_ports(rule)))
        if key not in self._ports:
            self._ports[key] = opened(rule, self._protocol, destination)
        return self._ports[key]
