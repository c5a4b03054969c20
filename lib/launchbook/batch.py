"""The batch: each track's notebook in a process of its own, one run folder, one verdict.

A track that fails doesn't stop the others: they are judged as far as they can be, and the verdict says what is
missing. Stopping the batch stops the track at work within seconds and leaves an INCOMPLETE run.
"""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import launchbook.render as rendering
from launchbook import load
from launchbook.bounds import refuse_empty
from launchbook.errors import LaunchbookError, ParametersError
from launchbook.folder import RunFolder
from launchbook.leasing import Holder, leased
from launchbook.mend import mend
from launchbook.parameters_file import Resolved
from launchbook.protected import unconfirmed
from launchbook.record import Log, write_evidence
from launchbook.run import open_folder
from launchbook.seal import seal
from launchbook.sweep import orphans, sweep, told
from launchbook.thresholds import parse
from launchbook.tracks import TRACKS, Track
from launchbook.verdict import fold
from launchbook.words import now_text
from launchbook.workers import Exit, Workers, attend

if TYPE_CHECKING:
    from launchbook.cluster import Cluster

Say = Callable[[str], None]
_ROOM = 100e6  # bytes; a run of the lab takes 7 MB, of which 5 are plotly's; a longer load takes more


class Stopped(Exception):
    """SIGINT or SIGTERM reached the batch."""


def run_batch(
    resolved: Resolved,
    cluster: Cluster | None,
    *,
    notebooks: Path,
    outputs: Path,
    tracks: Sequence[str],
    read_only: bool,
    say: Say,
    render: Callable[[Path], Any],
) -> dict[str, Any]:
    """Executes `tracks` and returns the content of verdict.json; the run folder is complete then.

    cluster: the connected target, leased for the run and swept after each track (None: notebooks that need none)
    notebooks: the folder with the tracks' templates; outputs: where the run folder is made; say: takes each line of
    progress; render: makes the pages of a run folder.

    Raises ParametersError, also where the manifests don't render, or ClusterError where another run holds the
    environment; nothing was touched then. Raises
    OSError where the run folder can't be written any more: what had been written stays, and says INCOMPLETE.
    """
    refuse_empty(parse(resolved.environment.load.thresholds))
    if resolved.environment.load.capacity is not None:  # imports what a batch else has no use for
        load.foretold(resolved.environment.load)
    if cluster is not None:
        manifests = resolved.environment.manifests
        rendering.render(manifests.path, allow_remote=manifests.allow_remote, most=rendering.MOST_APPLIED)
    selected = [track for track in TRACKS if track.id in tracks]
    if absent := [t.notebook for t in selected if not (notebooks / t.notebook).exists()]:
        raise ParametersError(f"{notebooks} holds no {absent[0]}. Nothing was touched.")
    _require_room(outputs)
    held = ExitStack()
    folder = open_folder(
        resolved, outputs, tracks=tracks, mode="batch", read_only=read_only,
        secure=lambda new: held.enter_context(_leased(cluster, resolved, new, read_only)),
    )  # fmt: skip
    log = Log(folder.evidence / "batch.jsonl")
    if cluster is not None:
        log.append("cluster", at=_now(), cluster=cluster.identity.recorded())
    say(f"run {folder.id} in {_shown(folder.path)}")
    for given in resolved.environment.waivers:
        if fault := given.waiver().fault(datetime.now(UTC).date()):
            say(f"the waiver of {given.check} {given.subject} is ignored: {fault}")
    _tell_left(cluster, resolved, folder, log, say)
    workers = Workers(selected, folder)
    try:
        with _stoppable(), held, workers:
            for track in selected:
                _run_track(track, workers, folder, log, notebooks, resolved, read_only, say)
                _sweep(cluster, folder, log, say)
    except Stopped as stopped:
        log.append("note", at=_now(), text=f"the batch was stopped by {stopped}")
        say(f"stopped by {stopped}")
        _sweep(cluster, folder, log, say)
    except OSError:
        with suppress(OSError):
            _sweep(cluster, folder, log, say)
        raise
    return close(folder, log, render)


def _require_room(outputs: Path) -> None:
    """Raises ParametersError where a run would fill the disk before its end."""
    place = next(p for p in (outputs.absolute(), *outputs.absolute().parents) if p.exists())
    free = shutil.disk_usage(place).free
    if free < _ROOM:
        raise ParametersError(
            f"{outputs}: {free / 1e6:.0f} MB are free, and a run needs {_ROOM / 1e6:.0f} MB for its evidence and pages. Free "
            "some, or name another place with --outputs. Nothing was touched."
        )


def close_by_hand(folder: RunFolder, render: Callable[[Path], Any]) -> dict[str, Any]:
    """Ends a run that a person stepped through, once.

    Raises ParametersError where it is sealed already, since a second seal would cover what was changed since, or where
    a batch made it.
    """
    log = Log(folder.evidence / "batch.jsonl")
    if folder.manifest.is_symlink() or folder.manifest.exists():
        raise ParametersError(
            f"{folder.path} is sealed already, and a second seal would cover whatever was changed since. "
            f"`launchbook verify {folder.path}` says what was. Nothing was touched."
        )
    if log.read()[0]["mode"] == "batch":
        raise ParametersError(
            f"{folder.path} was made by `launchbook run`, which closes its own runs: it is at work, or it broke off and "
            "stays INCOMPLETE. Nothing was touched."
        )
    return close(folder, log, render)


def close(folder: RunFolder, log: Log, render: Callable[[Path], Any]) -> dict[str, Any]:
    """Ends a run: the last fold, the pages, the seal."""
    log.append("closed", at=_now())
    verdict = fold(folder)
    write_evidence(folder.verdict, verdict)
    try:
        render(folder.path)
    finally:
        seal(folder)
    return verdict


def _run_track(
    track: Track, workers: Workers, folder: RunFolder, log: Log, notebooks: Path, resolved: Resolved, read_only: bool,
    say: Say,
) -> None:  # fmt: skip
    say(f"track {track.id}: {track.title}")
    output = folder.path / track.notebook
    ended = Exit(130, 0.0, "was stopped")
    log.append("begun", at=_now(), track=track.id)
    began = time.monotonic()
    try:
        order = {"source": str(notebooks / track.notebook), "output": str(output), "parameters": {
            "environment": str(folder.parameters), "run_folder": str(folder.path), "read_only": read_only,
        }}  # fmt: skip

        def tell(record: Mapping[str, Any]) -> None:
            # Not before the first record: while this track starts, the others would take the cores that it needs.
            workers.prepare_after(track)
            _tell(record, say)

        new = _Tail(folder.evidence / f"{track.id}.jsonl").new
        ended = attend(workers.order(track, order), new, began, resolved.environment.track_deadline, tell)
    except Stopped:
        ended = Exit(130, time.monotonic() - began, "was stopped before its end")
        raise
    finally:
        log.append(
            "exited",
            at=_now(),
            track=track.id,
            code=ended.code,
            seconds=round(ended.seconds, 3),
            reason=ended.reason,
        )
        verdict = fold(folder)
        write_evidence(folder.verdict, verdict)
        state = next(t for t in verdict["tracks"] if t["id"] == track.id)
        mend(notebooks / track.notebook, output, state)
        say(f"track {track.id} {state['because']} after {ended.seconds:.0f} s")


def _tell(record: Mapping[str, Any], say: Say) -> None:
    if record["event"] == "progress":
        percent = "" if record["fraction"] is None else f" ({100 * record['fraction']:.0f} %)"
        say(f"  {record['text']}{percent}")
    elif record["event"] == "check" and record["check"]["status"] not in ("PASS", "NA"):
        check = record["check"]
        say(f"  {check['status']} {check['id']} {check['subject']}: {check['because']}")


class _Tail:
    """The records that a growing log has gained since the last look."""

    def __init__(self, path: Path) -> None:
        self._log, self._seen = Log(path), 0

    def new(self) -> list[dict[str, Any]]:
        records = self._log.read()
        fresh, self._seen = records[self._seen :], len(records)
        return fresh


@contextmanager
def _stoppable() -> Iterator[None]:
    def stop(number: int, frame: Any) -> None:
        raise Stopped(signal.Signals(number).name)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leased(
    cluster: Cluster | None, resolved: Resolved, folder: RunFolder, read_only: bool
) -> AbstractContextManager[None]:
    """Keeps two runs that change the same namespaces apart; a run that changes nothing needs no Lease, nor may write one."""
    environment = resolved.environment
    looks_only = read_only or unconfirmed(environment, environment.confirm) or not environment.allow
    if cluster is None or looks_only:
        return nullcontext()
    return leased(cluster, environment, Holder.here(folder.id))


def _tell_left(cluster: Cluster | None, resolved: Resolved, folder: RunFolder, log: Log, say: Say) -> None:
    """What killed runs left may be in this run's way, and is not this run's to delete."""
    if cluster is None:
        return
    try:
        lines = told(orphans(cluster, resolved.environment.cluster.lease_namespace), _shown(folder.parameters))
    except LaunchbookError as error:
        lines = [f"what earlier runs left is not known: {error}"]
    for line in lines:
        log.append("note", at=_now(), text=line)
        say(line)


def _sweep(cluster: Cluster | None, folder: RunFolder, log: Log, say: Say) -> None:
    if cluster is None:
        return
    try:
        left = sweep(cluster, folder.id)
    except LaunchbookError as error:
        log.append("note", at=_now(), text=f"the sweep failed: {error}")
        say(f"  the sweep failed: {error}")
        return
    if left:
        log.append("note", at=_now(), text=f"swept {', '.join(left)}")


def _shown(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _now() -> str:
    return now_text(datetime.now(UTC))
