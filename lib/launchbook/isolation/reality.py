"""What probes saw of an edge, and whether they can tell at all: pure, it reads what probe() found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_BLOCKED = {"DROPPED", "REFUSED"}
NOT_REACHED = "Not reached:"
_CONTROLS = "before, meanwhile and after"
Target = Mapping[str, Any]
Seen = Mapping[str, Any]


def reality_of(edge: Any, observed: Mapping[str, Any]) -> tuple[str | None, str]:
    """`open`, `closed` or `mixed` as probes saw an edge, with why; None where they can't tell.

    A connection that stood, or an answer that came, is open whatever else failed. Everything else needs a sound probe
    pod, and every protocol of the Service's port asked. A skipped probe is never a pass.
    """
    seen = observed["edges"].get(edge.name)
    if seen is None:
        return None, observed["problem"] or "It was not probed."
    reality, why = outcome(seen)
    if edge.expect == "open" and reality is None and (failed := unreached(seen)):
        reality, why = "closed", failed
    broken = _broken(seen)
    if reality is not None and broken and edge.expect == "open":
        return None, broken
    if reality == edge.expect and (caveat := broken or _unasked(seen)):
        return None, caveat
    return reality, why


def outcome(seen: Seen) -> tuple[str | None, str]:
    """What the probes of an edge met: see reality_of()."""
    targets = _telling(seen)
    if seen["problem"]:
        return None, f"The probe pod could not be started: {seen['problem']}"
    if not any(target["kind"] == "pod" for target in seen["targets"]):
        return None, "The destination is absent, has no such port or has no pod, so nothing could be probed."
    reached = [t for t in targets if "ALLOWED" in t["outcomes"]]
    if not reached and (why := _broken(seen) or ("" if targets else _unasked(seen))):
        return None, why
    blocked = [t for t in targets if _blocked(t, seen)]
    if unclear := [t for t in targets if t not in reached and t not in blocked]:
        told = "; ".join(f"{t['target']} ({t['kind']}): {', '.join(t['outcomes']) or 'not probed'}" for t in unclear)
        if not reached:
            return None, f"Neither open nor blocked: {told}."
        return "mixed", f"Reached {_names(reached)}, but not {told}."
    if reached and blocked:
        return "mixed", f"Reached {_names(reached)}, blocked from {_names(blocked)}."
    if reached:
        return "open", f"Reached {_names(reached)}."
    if unanswered := [t for t in targets if t["answers"] is False]:
        return None, (
            f"Blocked, but nobody reached {_names(unanswered)} before and after, so it may be down: "
            "declare an edge that is open to it."
        )
    attempts = min((len(t["outcomes"]) for t in blocked if t["kind"] != "name"), default=1)
    return "closed", f"Blocked from {_names(blocked)}, {attempts} times each, with the controls open {_CONTROLS}."


def unreached(seen: Seen) -> str | None:
    """Why an edge that must be open isn't, whatever the reason: every target was tried in vain from a sound probe pod.

    By TCP alone: what is silent to a question over UDP may be well.
    """
    targets = [target for target in seen["targets"] if target["protocol"] == "TCP"]
    tried = all(t["outcomes"] and "ALLOWED" not in t["outcomes"] for t in targets)
    if seen["problem"] or not targets or not tried or _broken(seen):
        return None
    told = "; ".join(f"{_names([t])} {t['outcomes'][-1]}" for t in targets)
    return f"{NOT_REACHED} {told}."


def sentence(text: str) -> str:
    """`text` with a full stop at its end."""
    return text if text.endswith(".") else f"{text}."


def _blocked(target: Target, seen: Seen) -> bool:
    """By every attempt, of which each address has as many as confirm a block; a name leads to those addresses."""
    enough = 1 if target["kind"] == "name" else seen["confirmations"]
    return len(target["outcomes"]) >= enough and set(target["outcomes"]) <= _BLOCKED


def _telling(seen: Seen) -> list[Target]:
    """The targets whose outcomes mean something: by UDP an answer, or a silence that every control stands against."""
    return [
        target
        for target in seen["targets"]
        if target["protocol"] == "TCP" or (target["protocol"] == "UDP" and not _mute(target, seen))
    ]


def _mute(target: Target, seen: Seen) -> str:
    """Why a target that is asked by UDP tells nothing; "" where it does."""
    if "ALLOWED" in target["outcomes"]:
        return ""
    if not target["outcomes"]:
        return f"{target['target']} was not asked"
    if not _blocked(target, seen):
        return f"{target['target']} gave {', '.join(dict.fromkeys(target['outcomes']))}"
    if unanswered := [t for t in seen["targets"] if t["protocol"] == "UDP" and t["answers"] is False]:
        return f"nobody got an answer from {_names(unanswered)} before and after"
    if not seen.get("udp_control") or not all(seen["udp_control"]):
        return f"the probe pod got no answer from its UDP control {_CONTROLS}"
    return ""


def _broken(seen: Seen) -> str:
    """Why what the probe pod did not reach says nothing; "" where it does."""
    if seen["failed"]:
        return f"The probe pod could not be asked: {sentence(seen['failed'])}"
    if not all(seen["control"]):
        return f"The probe pod did not reach its control {_CONTROLS}, so its own network may be broken."
    return ""


def _unasked(seen: Seen) -> str:
    """Which protocols of the Service's port told nothing, and why; "" where there are none."""
    if protocols := sorted({t["protocol"] for t in seen["targets"]} - {"TCP", "UDP"}):
        return f"The Service's port is {' and '.join(protocols)}, which probes do not speak: prove this edge by other means."
    reasons = [why for t in seen["targets"] if t["protocol"] == "UDP" and (why := _mute(t, seen))]
    if not reasons:
        return ""
    return (
        f"The Service's port is UDP, where silence and a block look alike: {'; '.join(dict.fromkeys(reasons))}. "
        "Only what answers a DNS question can be told open, and closed where another source gets the answer."
    )


def _names(targets: Sequence[Target]) -> str:
    words = {"pod": "", "service": "the Service's address", "name": "the Service's name"}
    pods = [t["target"] for t in targets if t["kind"] == "pod"]
    return ", ".join(dict.fromkeys([*pods, *(words[t["kind"]] for t in targets if t["kind"] != "pod")]))
