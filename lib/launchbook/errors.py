"""What can go wrong, said to the person who must act. Each message names what, where, and what was expected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class LaunchbookError(Exception):
    """Anything that launchbook itself refuses or can't do."""


class ParametersError(LaunchbookError):
    """The parameters can't be used. Nothing was touched. Exit code 2."""


class NotAllowed(LaunchbookError):
    """The environment doesn't allow this act (`allow:` in its parameters), or its name was not confirmed."""


class ClusterError(LaunchbookError):
    """The cluster can't be reached, isn't the one that was named, or answered what can't be used.

    status: of the answer, None where there was none; causes: the answer's `details.causes`, each with reason, message
    and field.
    """

    def __init__(self, message: str, *, status: int | None = None, causes: Sequence[Mapping[str, Any]] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.causes = tuple(causes)


class Unavailable(ClusterError):
    """No answer, or one that says to come again (429, 5xx): what was asked may be asked once more."""


class NotFound(ClusterError):
    """404: there is no such object, or no such group."""


class UnknownKind(ClusterError):
    """The cluster serves no such kind."""


class BadCredentials(ClusterError):
    """The API server doesn't know us (401): nothing else will succeed either."""


class MissingRight(ClusterError):
    """The identity lacks a right; the message names verb, resource and namespace."""


class ConflictError(ClusterError):
    """Somebody else owns a field, or the object has changed; the message names owner and field."""


class WaitTimeout(ClusterError):
    """What was awaited did not come in time; `last` is the object as last seen, or None."""

    def __init__(self, message: str, last: dict[str, Any] | None) -> None:
        super().__init__(message)
        self.last = last


class Gate(LaunchbookError):
    """Raised by the last cell of a notebook that was started alone, when its track must stop a launch."""
