"""The openings that nobody declared, judged: an edge that none names is one that no probe asks about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from launchbook.counted import counted, listed
from launchbook.isolation.openings import Opening, effects
from launchbook.words import Check, Status


def undeclared(found: Mapping[str, Any]) -> Check:
    """A.undeclared: every opening that the policies allow is one that the parameters declare. found: see openings()."""
    evidence, among = ("evidence/isolation/openings.parquet",), found["openings"]
    left = [one for one in among if not one.declared]
    sure, unsure = [one for one in left if not one.unsure], [one for one in left if one.unsure]

    def say(status: Status, because: str) -> Check:
        measured = f"{len(sure)} undeclared of {counted(len(among), 'opening')}" if not found["problem"] else "not told"
        return Check("A.undeclared", "openings", status, measured, "none undeclared", because, evidence)

    if found["problem"]:
        return say(Status.UNKNOWN, found["problem"])
    if sure:
        return say(Status.FAIL, f"{listed(effects(sure))} {_cure(sure)}")
    if unsure:
        return say(Status.UNKNOWN, f"Perhaps, as the network plugin has it: {listed(effects(unsure))}")
    if found["unasked"]:
        return say(Status.UNKNOWN, f"Every opening that was asked for is declared; not asked: {found['unasked']}.")
    return say(Status.PASS, "Every opening is declared.")


def _cure(undeclared: Sequence[Opening]) -> str:
    """What to write where the first of each kind of opening is meant to be there."""
    places = {"edges": [one.write for one in undeclared if one.write and not one.anybodys]}
    places["open_to_all"] = [one.write for one in undeclared if one.write and one.anybodys]
    lines = [f"`- {lines[0]}` under isolation.{place}" for place, lines in places.items() if lines]
    meant = f"; what is meant to be open, declare: {' and '.join(lines)}" if lines else ""
    return f"Close it{meant}."
