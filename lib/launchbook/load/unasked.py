"""What a result shows that no threshold asks for, and a reader would. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from launchbook import bounds
from launchbook.load.tally import Tally
from launchbook.load.terms import Reason
from launchbook.thresholds import Threshold

_MANY = 0.01  # of all requests, as the default threshold has it
_FEWEST = 20  # requests of one name
_SHOWN = 3  # names


def errors(count: int, failed: float, asked: Sequence[Threshold]) -> list[Reason]:
    """Failed requests that no threshold bounds: nothing else would make many of them more than a note."""
    if not failed or "http_req_failed" not in bounds.unbounded([one for one in asked if not bounds.empty(one)]):
        return []
    many = failed / count > _MANY
    said = f"{100 * failed / count:.2f} % of {count} requests failed, and no threshold bounds that"
    if not many:
        return [Reason("errors-unasked", f"{said}.", "NOTE")]
    return [Reason("errors-unasked", f"{said}: ask for a bound, such as http_req_failed: rate<0.01.")]


def statuses(refused: int, count: int, tells: bool) -> list[Reason]:
    """Requests that got one of HTTP's statuses for errors and do not count as failed. tells: whether the results say at
    all which requests failed"""
    if not refused:
        return []
    said = f"{refused} of {count} requests have a status from 400 on and do not count as failed"
    if tells:
        return [Reason("errors-expected", f"{said}: the results call them expected.", "NOTE")]
    makes = f"{said}, since the results don't say (http_req_failed) which did."
    return [Reason("errors-untold", makes, "INVALID" if refused / count > _MANY else "NOTE")]


def names(tally: Tally) -> list[Reason]:
    """A name all of whose requests failed, which the share of all requests hides."""
    down = [(name, int(row[0])) for name, row in tally.by_name.items() if row[0] >= _FEWEST and row[0] == row[1]]
    if not down or tally.failed == tally.count:
        return []
    told = ", ".join(f"{name} ({many})" for name, many in sorted(down)[:_SHOWN])
    return [Reason("name-down", f"Every request of some names failed, which the whole hides: {told}.", "NOTE")]


def none_held(count: int, held: int) -> list[Reason]:
    """Checks of which none held: whatever was asked of the rest, nothing came back as it should."""
    if not count or held:
        return []
    return [
        Reason(
            "checks", f"None of {count} checks held, and no threshold made that a FAIL: nothing came back as it should."
        )
    ]
