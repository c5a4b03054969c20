"""Whether a generator had room to spare, from what it told of itself. Pure."""

from __future__ import annotations

from launchbook.load.terms import Reason, Sender

_NEAR = 0.8  # of its CPU: up to there it has room, says k6 of itself; what comes after is said, and spoils nothing yet
_BUSY = 0.9  # of its CPU limit (or of one core, which is all that one Python process can use)
_LATE = 0.1  # s, by which the generator's own clock may wake late in its worst seconds
_SLEPT = 2.0  # s, by which it may wake late once
_SEEN = 0.8  # of the measured seconds, in which the generator must have told of itself
NEAR_LIMIT = "generator-near-limit"


def doubts(sender: Sender, seconds: float) -> list[Reason]:
    """Why figures may be the generator's own. seconds: that the samples cover"""
    if not sender.seen or sender.seen < _SEEN * seconds:
        unseen = f"The generator's own health was measured in {sender.seen} of {seconds:.0f} s."
        return [Reason("generator-unseen", unseen), *(_busy(sender) if sender.seen else ())]
    return _busy(sender)


def _busy(sender: Sender) -> list[Reason]:
    busy = sender.cpu / sender.cores
    if busy >= _BUSY:
        return [
            Reason(
                "generator-saturated",
                f"The generator used {100 * busy:.0f} % of its {sender.cores:g} cores in its busiest seconds: the figures are "
                "its own, not the target's.",
            )
        ]
    if sender.lag > _LATE:
        return [
            Reason(
                "generator-saturated",
                f"The generator's own clock woke {1000 * sender.lag:.0f} ms late in its slowest seconds, so it was kept "
                "waiting.",
            )
        ]
    if sender.slept > _SLEPT:
        slept = f"The generator's own clock once woke {sender.slept:.1f} s late: it stood still"
        return [Reason("generator-saturated", f"{slept}, and what waited meanwhile is no answer of the target's.")]
    if busy >= _NEAR:
        near = f"The generator used {100 * busy:.0f} % of its {sender.cores:g} cores in its busiest seconds"
        return [Reason(NEAR_LIMIT, f"{near}; up to {100 * _NEAR:.0f} % it surely has room.", "NOTE")]
    return []
