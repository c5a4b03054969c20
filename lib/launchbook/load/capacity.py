"""How much the target takes: which rate to try next, and when the answer is known. Pure.

An open loop is raised by half until a threshold breaks; the break is then bracketed by halving, and each end repeated,
since one bad minute is no bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

_FACTOR = 1.5
_CLOSE = 0.10  # of the rate that held: a bracket as narrow as this is an answer
_AGAIN = 2  # times that each end of the bracket must have been seen


@dataclass(frozen=True)
class Step:
    """One rate (requests/s) that was tried: whether every threshold held; None where the result could not be believed."""

    rate: float
    held: bool | None


@dataclass(frozen=True)
class Next:
    """The rate to try next."""

    rate: float


@dataclass(frozen=True)
class Answer:
    """said: `found` (held is kept twice, broken broke twice), `bound not found` (broken is None: nothing broke up to the
    most that may be sent), `not even the first` (held is None), or `can't tell` (the generator gave out, or the same rate
    held once and broke once)."""

    said: Literal["found", "bound not found", "not even the first", "can't tell"]
    held: float | None
    broken: float | None
    because: str


def decide(steps: Sequence[Step], *, first: float, most: float) -> Next | Answer:
    """What to do after these steps. first: the rate to begin with; most: that may be sent at all (both requests/s)."""
    if steps and steps[-1].held is None:
        said = f"At {steps[-1].rate:g} requests/s the result could not be believed."
        return Answer("can't tell", _highest(steps), _lowest(steps), said)
    rates = sorted({step.rate for step in steps})
    torn = [rate for rate in rates if {s.held for s in steps if s.rate == rate} == {True, False}]
    if torn:
        said = f"{torn[0]:g} requests/s held once and broke once."
        return Answer("can't tell", _highest([s for s in steps if s.rate not in torn]), torn[0], said)
    held, broken = _highest(steps), _lowest(steps)
    if held is not None and broken is not None and held > broken:
        said = f"{held:g} requests/s held, and {broken:g} broke: the target does not always take the same."
        return Answer("can't tell", None, broken, said)
    if held is None and broken is None:
        return Next(first)
    return _outside(steps, held, broken, most) if held is None or broken is None else _between(steps, held, broken)


def _outside(steps: Sequence[Step], held: float | None, broken: float | None, most: float) -> Next | Answer:
    """One end of the bracket is still missing."""
    if held is None:
        assert broken is not None
        if _seen(steps, broken) < _AGAIN:
            return Next(broken)
        return Answer(
            "not even the first", None, broken, f"{broken:g} requests/s, the first rate, broke {_AGAIN} times."
        )
    if held < most:
        return Next(min(held * _FACTOR, most))
    if _seen(steps, held) < _AGAIN:
        return Next(held)
    return Answer(
        "bound not found", held, None, f"{held:g} requests/s, the most that may be sent, held {_AGAIN} times."
    )


def _between(steps: Sequence[Step], held: float, broken: float) -> Next | Answer:
    if broken - held > _CLOSE * held:
        return Next((held + broken) / 2)
    for end in (broken, held):
        if _seen(steps, end) < _AGAIN:
            return Next(end)
    said = f"{held:g} requests/s held and {broken:g} broke, {_AGAIN} times each."
    return Answer("found", held, broken, said)


def _highest(steps: Sequence[Step]) -> float | None:
    return max((s.rate for s in steps if s.held), default=None)


def _lowest(steps: Sequence[Step]) -> float | None:
    return min((s.rate for s in steps if s.held is False), default=None)


def _seen(steps: Sequence[Step], rate: float) -> int:
    return sum(s.rate == rate for s in steps)
