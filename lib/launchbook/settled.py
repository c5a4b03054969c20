"""A look at something that follows a change a moment later, taken again until it has."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import tenacity

_POLL = 0.5  # s
Seen = TypeVar("Seen")


def settled(look: Callable[[], Seen], unsettled: Callable[[Seen], object], seconds: float) -> Seen:
    """What `look` gives as soon as that is not `unsettled`, or what it gives in the end. Raises what `look` raises."""
    again = tenacity.Retrying(
        retry=tenacity.retry_if_result(lambda seen: bool(unsettled(seen))),
        wait=tenacity.wait_fixed(_POLL),
        stop=tenacity.stop_after_delay(seconds),
        retry_error_callback=lambda state: state.outcome and state.outcome.result(),
    )
    return again(look)
