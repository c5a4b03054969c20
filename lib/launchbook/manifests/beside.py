"""What is beside the manifests, judged: objects that they don't hold, and fields of theirs that somebody else wrote."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from launchbook.counted import some
from launchbook.manifests import foreign as outsiders
from launchbook.manifests.drift import Held
from launchbook.manifests.foreign import Foreign
from launchbook.manifests.insides import injected
from launchbook.words import Check, Status

Object = Mapping[str, Any]
_SHOWN = 5  # objects named in a sentence
_PRESENT = ("evidence/manifests/foreign.json",)


def foreign(
    present: Mapping[str, Sequence[Object]] | str, rendered: Sequence[Object], known: Sequence[str] = ()
) -> list[Check]:
    """A.foreign and A.unlisted: what the manifests don't hold, by whether it changes what they say.

    present: see foreign.Present, or why it could not be read; known: `Kind/namespace/name` of what may be there.
    """
    expected = "nothing beside the manifests"
    ids = ("A.foreign", "A.unlisted")
    if isinstance(present, str) or not rendered:
        because = present if isinstance(present, str) else "The manifests don't render."
        return [Check(id, "namespaces", Status.UNKNOWN, "not read", expected, because) for id in ids]
    found = outsiders.foreign(present, rendered)
    strange = [one for one in found if one.object not in known]
    allowed = _allowed((one.object for one in found), known)
    beside = f"; {clause}" if (clause := injected(present)) else ""

    def say(id: str, those: Sequence[Foreign], fine: str) -> Check:
        told = some([f"{one.object} {one.effect or 'is not in the manifests'}" for one in those], _SHOWN)
        because = f"{told or fine + allowed}."
        status = Status.FAIL if those else Status.PASS
        return Check(id, "namespaces", status, f"{len(those)} found", expected, because, _PRESENT)

    return [
        say(
            "A.foreign",
            [one for one in strange if one.effect],
            "Nothing else opens, takes or sends what is the system's" + beside,
        ),
        say("A.unlisted", [one for one in strange if not one.effect], "Whatever runs there is in the manifests"),
    ]


def drift(held: Held, known: Sequence[str] = ()) -> Check:
    """A.drift: what applied objects hold beside what their manifests say.

    known: `Kind/namespace/name .field` of what may be there.
    """
    expected = "nothing that the manifests don't hold"

    def say(status: Status, measured: str, because: str) -> Check:
        return Check("A.drift", "manifests", status, measured, expected, because, ("evidence/manifests/drift.json",))

    if held.problem:
        return say(Status.UNKNOWN, "not read", held.problem)
    strange = [one for one in held.found if one.known_as not in known]
    measured = f"{len(strange)} found"
    if strange:
        told = [f"{one.object} holds {one.field} by {', '.join(one.managers)}" for one in strange]
        return say(Status.FAIL, measured, f"{some(told, _SHOWN)}. To take out the first: `{strange[0].command}`.")
    if held.unread:
        return say(Status.UNKNOWN, "not read", f"{some(held.unread, _SHOWN)}.")
    allowed = _allowed((one.known_as for one in held.found), known)
    return say(Status.PASS, measured, f"Each applied object holds what its manifest says and no more{allowed}.")


def _allowed(found: Iterable[str], known: Sequence[str]) -> str:
    """What was found and may be there, as a clause, or ""."""
    accepted = sorted(set(found) & set(known))
    return f"; {', '.join(accepted)} is known" if accepted else ""
