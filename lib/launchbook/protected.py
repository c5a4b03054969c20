"""A protected environment is changed only where its name was typed; any other takes no name but its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from launchbook.errors import NotAllowed

if TYPE_CHECKING:
    from launchbook.parameters import Environment


def typed_now(name: str | None) -> dict[str, str]:
    """The override with which a new run is begun: a name that stands in a file, such as in a former run's parameters,
    was typed for that one."""
    return {"confirm": name or ""}


def unconfirmed(environment: Environment, typed: str | None) -> bool:
    """Whether an environment is protected and its name was not typed: nothing of it may be changed then."""
    return environment.cluster.protected and typed != environment.name


def require_name(environment: Environment, typed: str | None) -> None:
    """Raises NotAllowed for a command on a protected environment whose name was not given with it, or on any other where
    another name was."""
    name, protected = environment.name, environment.cluster.protected
    if unconfirmed(environment, typed):
        raise NotAllowed(f"{name!r} is protected: pass `--confirm {name}`. Nothing was changed.")
    if why := misnamed(name, typed, protected=protected):
        raise NotAllowed(f"{why}. Nothing was changed.")


def misnamed(name: str, typed: str | None, *, protected: bool) -> str:
    """Why a name that was typed for an environment can't be meant, "" where it can.

    Asked of one that isn't protected: nothing there waits for the name, so that whoever typed another one would change an
    environment that they don't mean. Its own name is let pass, so that one call serves every environment.
    """
    if protected or typed in (None, "", name):  # "": typed_now() of nothing
        return ""
    return (
        f"confirm names {typed!r}, and these are the parameters of {name!r}, which is not protected and needs no name"
    )
