"""`launchbook sweep ENVIRONMENT`: takes away what runs left that were killed, and nothing of a run that is at work."""

from __future__ import annotations

from pathlib import Path

from launchbook.cluster import Cluster
from launchbook.errors import ClusterError, NotAllowed
from launchbook.leasing import running
from launchbook.parameters import Environment
from launchbook.parameters_file import load
from launchbook.protected import require_name
from launchbook.sweep import delete, orphans


def command(parameters: Path, *, run: str | None, confirm: str | None) -> tuple[str, int]:
    """A line for each object, and 1 where one could not be deleted.

    parameters: an environment's YAML, also a run folder's; run: whose objects go, None: those of every run that is
    over; confirm: the environment's name, typed now, where it is protected. Raises ParametersError, NotAllowed,
    ClusterError; nothing was changed then.
    """
    environment = load(parameters).environment
    _require(environment, confirm)
    cluster, space = Cluster.connect(environment.cluster), environment.cluster.lease_namespace
    if run in running(cluster, space):
        raise NotAllowed(
            f"run {run} is at work: it holds Leases in namespace {space}. Stop it, and it takes away what it made. "
            "Nothing was changed."
        )
    lines, code = [], 0
    for one in orphans(cluster, space):
        if run not in (None, one.run):
            continue
        try:
            done = "deleted" if delete(cluster, one) else "was gone already"
        except ClusterError as error:
            done, code = f"could not be deleted: {error}", 1
        lines.append(f"{one} of run {one.run}: {done}")
    whose = f"run {run}" if run else "any run that is over"
    return "\n".join(lines) or f"Nothing is left of {whose}.", code


def _require(environment: Environment, confirm: str | None) -> None:
    name = environment.name
    if not environment.allow:
        raise NotAllowed(
            f"sweep changes the cluster, and nothing may be done in environment {name!r}: its parameters' `allow:` is "
            "empty. Nothing was changed."
        )
    require_name(environment, confirm)
