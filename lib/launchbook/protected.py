"""A protected environment is changed only where its name was typed."""

from __future__ import annotations

from launchbook.errors import NotAllowed
from launchbook.parameters import Environment


def require_name(environment: Environment, typed: str | None) -> None:
    """Raises NotAllowed for a command on a protected environment whose name was not given with it."""
    name = environment.name
    if environment.cluster.protected and typed != name:
        raise NotAllowed(f"{name!r} is protected: pass `--confirm {name}`. Nothing was changed.")
