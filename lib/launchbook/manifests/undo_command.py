"""`launchbook undo RUN`: takes back what a finished run applied, under the same permissions as applying it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tabulate import tabulate

from launchbook.cluster import Cluster
from launchbook.display import visible
from launchbook.errors import NotAllowed, ParametersError
from launchbook.folder import RunFolder
from launchbook.leasing import Holder, leased
from launchbook.manifests.journal import FILE
from launchbook.manifests.undoing import COLUMNS, take_back
from launchbook.parameters import Environment
from launchbook.parameters_file import load
from launchbook.protected import require_name
from launchbook.record import read_evidence
from launchbook.sealed import sealed


def command(folder: Path, *, confirm: str | None, even_if_changed: bool, tell: Callable[[str], Any]) -> tuple[str, int]:
    """The table of what was done, and 1 where something could not be undone. The run folder stays as it was sealed.

    confirm: the environment's name, typed now, where it is protected. Raises ParametersError, NotAllowed, ClusterError;
    nothing was changed then.
    """
    files = RunFolder(folder)
    journal = read_evidence(files.evidence / FILE)
    if journal is None:
        raise ParametersError(
            f"{folder} holds no evidence/{FILE}: this run applied nothing, or is no run folder. Name one such as "
            "outputs/latest. Nothing was changed."
        )
    _require_sealed(files)
    environment = load(files.parameters).environment
    _require(environment, confirm)
    cluster = Cluster.connect(environment.cluster)
    applying = environment.model_copy(update={"allow": ("apply",)})
    with leased(cluster, applying, Holder.here(f"undo-{files.id}")):
        frame = take_back(cluster, journal, environment.manifests, even_if_changed=even_if_changed, tell=tell)
    rows = [[visible(value) for value in row] for row in frame.itertuples(index=False)]
    whole = frame["action"].isin(["restored", "deleted"]).all()
    return tabulate(rows, [name.upper() for name in COLUMNS]), int(not whole)


def _require_sealed(files: RunFolder) -> None:
    """Raises ParametersError where the seal of a run says that what undo goes by was changed since."""
    if not files.sealed:
        return
    for path in (files.evidence / FILE, files.parameters):
        if not sealed(files, path):
            raise ParametersError(
                f"{path} is not what was sealed with the run: whoever changed it would choose what is undone. "
                f"`launchbook verify {files.path}` says what else differs. Nothing was changed."
            )


def _require(environment: Environment, confirm: str | None) -> None:
    name = environment.name
    if "apply" not in environment.allow:
        raise NotAllowed(
            f"undo changes the cluster, and this run's parameters don't allow `apply` in environment {name!r}. "
            "Nothing was changed."
        )
    require_name(environment, confirm)
