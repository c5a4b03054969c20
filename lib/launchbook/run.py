"""A run as a notebook sees it: start(), check(), evidence(), finish().

One Run is one track's process working in a run folder. It writes records and evidence; the verdict is computed from
them (`verdict.py`), never kept here.
"""

from __future__ import annotations

import atexit
import getpass
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import launchbook.banner as banner
import launchbook.versions as versions
from launchbook.asked import asked
from launchbook.checklist import load as load_checklist
from launchbook.errors import ClusterError, Gate, NotAllowed, ParametersError
from launchbook.folder import RunFolder
from launchbook.interact import Confirmation, Progress
from launchbook.leasing import Holder, leased
from launchbook.ours import RUN_LABEL as RUN_LABEL
from launchbook.parameters import Act, Environment
from launchbook.parameters_file import Resolved, knobs, load
from launchbook.protected import typed_now
from launchbook.record import Log, check_fields, checks_in, read_evidence, write_atomically, write_evidence
from launchbook.rules import rules_of
from launchbook.tracks import TRACKS, Track, by_subject
from launchbook.verdict import fold, opening
from launchbook.whole import first_cluster
from launchbook.words import Check, Priority, Status, merge, now_text

if TYPE_CHECKING:
    from launchbook.cluster import Cluster


class Run:
    """One track at work in a run folder. Made by start() in a notebook, by Run.create() elsewhere."""

    def __init__(self, folder: RunFolder, track: Track, resolved: Resolved, *, read_only: bool = False) -> None:
        self.files = folder
        self.track = track
        self.resolved = resolved
        self.read_only = read_only
        self.log = Log(folder.evidence / f"{track.id}.jsonl")
        self.opened = Log(folder.evidence / "batch.jsonl").read()[0]
        self.label = {RUN_LABEL: folder.id}
        self._confirmation = Confirmation(
            self.parameters.name, self.parameters.confirm, protected=self.parameters.cluster.protected
        )
        self._barred: str | None = None
        self._progress: Progress | None = None
        self._clean_up: list[Callable[[], Any]] = []
        self._banner: banner.Banner | None = None
        atexit.register(self._leave)

    @classmethod
    def create(
        cls,
        resolved: Resolved,
        outputs: Path,
        *,
        track: str = "A",
        tracks: Sequence[str] | None = None,
        mode: str = "single",
        read_only: bool = False,
    ) -> Run:
        """A run folder of its own below `outputs`, opened for `tracks` (default: `track` alone)."""
        folder = open_folder(resolved, outputs, tracks=tracks or (track,), mode=mode, read_only=read_only)
        return cls(folder, next(t for t in TRACKS if t.id == track), resolved, read_only=read_only)

    @property
    def parameters(self) -> Environment:
        return self.resolved.environment

    @property
    def folder(self) -> Path:
        return self.files.path

    @property
    def id(self) -> str:
        return self.files.id

    def now(self) -> datetime:
        """The time in UTC: the one clock of a run."""
        return datetime.now(UTC)

    @cached_property
    def cluster(self) -> Cluster:
        """The cluster that the parameters name, connected at first use, its identity recorded.

        Raises ClusterError where it can't be reached, or is another one than was named or than the run began with.
        """
        from launchbook.cluster import Cluster

        cluster = Cluster.connect(self.parameters.cluster)
        began = first_cluster(Log(self.files.evidence / "batch.jsonl").read(), self._logs())
        self._say("cluster", cluster=cluster.identity.recorded())
        if began and began["uid"] != cluster.identity.uid:
            raise ClusterError(
                f"this run began on cluster {began['uid']} ({began['server']}), and context "
                f"{cluster.identity.context!r} leads to {cluster.identity.uid} ({cluster.identity.server}) now. Point "
                f"the context at the former one and start a new run. Track {self.track.id} changed nothing."
            )
        return cluster

    def allowed(self, act: Act) -> bool:
        """Whether this run may `apply`, `probe`, `evict` or `load`."""
        return self.refusal(act) is None

    def refusal(self, act: Act) -> str | None:
        """Why this run may not do `act`, and what to write where, as one or two sentences; None where it may."""
        if self.read_only:
            return f"{act} is refused: this run is read-only."
        if self._barred:
            return f"{act} is refused: {self._barred}."
        if act not in self.parameters.allow:
            return (
                f"{act} is not allowed in environment {self.parameters.name!r}. Write `allow: [{act}]` in its "
                "parameters where it may be done."
            )
        if not self._confirmation.given:
            name = self.parameters.name
            return (
                f"{act} is refused: {name!r} is protected. Pass `--confirm {name}` (papermill: `-p confirm {name}`), "
                "or type its name in the box under Target."
            )
        return None

    def require(self, act: Act) -> None:
        """Raises NotAllowed, with what to write where, unless this run may do `act`."""
        if refusal := self.refusal(act):
            raise NotAllowed(f"{refusal} Nothing was changed.")
        self._lease.acquire()

    def bar(self, reason: str) -> None:
        """Lets this track change nothing any more, whatever its environment allows."""
        self._barred = reason

    def check(self, found: Check | Iterable[Check]) -> banner.Shown:
        """Records checks, each stamped with the time, and shows them. Returns what was recorded."""
        at = now_text(self.now())
        checks = [replace(c, at=at) for c in ([found] if isinstance(found, Check) else found)]
        for check in checks:
            self._say("check", check=check_fields(check))
        self._refresh()
        return banner.Shown(checks)

    def checks(self, track: str | None = None) -> tuple[Check, ...]:
        """What this run folder holds so far, one check per (id, subject); of one track, or of all."""
        records = [record for id, log in self._logs().items() if track in (None, id) for record in log]
        told = [(r["id"], r["subject"]) for r in records if r["event"] == "explained"]
        return merge(checks_in(records), told)

    def explain(self, id: str, subject: str, *, why: str, author: str) -> None:
        """Says why a check that was FAIL is PASS now; without it the verdict counts UNKNOWN."""
        if not why.strip() or not author.strip():
            raise ParametersError("explain() needs a reason and its author. Nothing was recorded.")
        self._say("explained", id=id, subject=subject, why=why, author=author)

    def evidence(self, name: str, data: Any) -> str:
        """Writes `data` to evidence/`name` and returns that path for Check.evidence."""
        write_evidence(self.files.evidence / name, data)
        return f"evidence/{name}"

    def read(self, name: str) -> Any:
        """What any track of this run wrote to evidence/`name`, or None."""
        return read_evidence(self.files.evidence / name)

    def document(self, name: str, text: str) -> str:
        """Writes `text` to documents/`name` and returns that path."""
        write_atomically(self.files.documents / name, text)
        return f"documents/{name}"

    def subject(self, kind: str, name: str, digest: str) -> None:
        """Records what is judged. The same name with another digest later makes the run INCOMPLETE."""
        self._say("subject", kind=kind, name=name, digest=digest)

    def note(self, text: str) -> None:
        """A line of the log that no verdict reads."""
        self._say("note", text=text)

    def progress(self, text: str, fraction: float | None = None) -> None:
        """How far this step is (0 to 1, None: not known), in the notebook and in the batch's terminal."""
        if self._progress is None or self._progress.is_of_another_cell():
            self._progress = Progress()
        self._progress.update(text, fraction)
        self._say("progress", text=text, fraction=fraction)

    @property
    def interactive(self) -> bool:
        """Whether a person steps through this run in JupyterLab, so that it can be asked."""
        return str(self.opened["mode"]) == "interactive"

    def confirm(self) -> Confirmation:
        """The box in which the name of a protected environment is typed, or the line that none is needed."""
        return self._confirmation

    def at_exit(self, clean_up: Callable[[], Any]) -> None:
        """Called once, last registered first: at finish(), or when the kernel ends, however it ends."""
        self._clean_up.append(clean_up)

    def finish(self) -> banner.Shown:
        """The gate: cleans up, closes the track's record and computes the verdict anew.

        In a notebook that was started alone it raises Gate where a P0 check of the track is FAIL or UNKNOWN, so that
        plain papermill ends with an error; a batch computes its own exit code from the records.
        """
        self._leave()
        self.observe()
        self._say("finished")
        verdict = fold(self.files)
        write_evidence(self.files.verdict, verdict)
        self._refresh()
        mine = [c for c in verdict["checks"] if c["track"] == self.track.id]
        stops = [c for c in mine if c["priority"] == Priority.P0 and c["status"] in (Status.FAIL, Status.UNKNOWN)]
        if stops and self.opened["mode"] == "single":
            lines = "\n".join(f"  {c['status']} {c['id']} {c['subject']}: {c['because']}" for c in stops)
            raise Gate(f"track {self.track.id} stops the launch:\n{lines}\nThe record is in {self.folder}.")
        return banner.Shown(self.checks(self.track.id))

    def begin(self) -> None:
        """Opens the track's record and shows the banner."""
        self._say("started", pid=os.getpid(), read_only=self.read_only)
        self._banner = banner.Banner(self.resolved, self.track, self.folder, self.read_only)
        self._banner.show(fold(self.files))

    def _refresh(self) -> None:
        if self._banner:
            self._banner.update(fold(self.files))

    def _say(self, event: str, **fields: Any) -> None:
        self.log.append(event, at=now_text(self.now()), run=self.opened["run"], **fields)

    def _logs(self) -> dict[str, list[dict[str, Any]]]:
        return {t.id: Log(self.files.evidence / f"{t.id}.jsonl").read() for t in TRACKS}

    @cached_property
    def _lease(self) -> _Lease:
        held_by_the_batch = self.opened["mode"] == "batch"
        return _Lease(None if held_by_the_batch else self)

    def observe(self) -> None:
        """Reads what is judged, at the end of every track at least, so that a change during the run is seen."""
        if "cluster" not in self.__dict__:
            return
        from launchbook.subject import observe

        for (kind, name), digest in observe(self.cluster, self.parameters.manifests.namespaces).items():
            self.subject(kind, name, digest)
        self._say("observed")

    def _leave(self) -> None:
        atexit.unregister(self._leave)
        while self._clean_up:
            try:
                self._clean_up.pop()()
            except Exception as error:
                with suppress(OSError):
                    self._say("note", text=f"clean-up failed: {type(error).__name__}: {error}")


class _Lease:
    """Taken at the first act of a notebook that was started by itself; the batch holds it for its own."""

    def __init__(self, run: Run | None) -> None:
        self._run = run
        self._taken = False

    def acquire(self) -> None:
        if self._run is None or self._taken:
            return
        run = self._run
        held = leased(run.cluster, run.parameters, Holder.here(run.id), shared=run.interactive)
        held.__enter__()
        run.at_exit(lambda: held.__exit__(None, None, None))
        self._taken = True


def open_folder(
    resolved: Resolved,
    outputs: Path,
    *,
    tracks: Sequence[str],
    mode: str,
    read_only: bool = False,
    secure: Callable[[RunFolder], Any] = lambda folder: None,
) -> RunFolder:
    """A new run folder with its parameters frozen and its expectations fixed; verdict.json says INCOMPLETE.

    secure: called once the run has its name and before anything of it is written; where it raises, there is no folder,
    and `latest` stays. Raises ParametersError where the checklist can't be read, before the folder is made.
    """
    environment = resolved.environment
    checklist = load_checklist(environment.launch.checklist)
    rules = rules_of(environment, checklist)
    now = datetime.now(UTC)
    folder = RunFolder.create(outputs, environment.name, now)
    try:
        secure(folder)
    except BaseException:
        folder.discard()
        raise
    write_atomically(folder.parameters, resolved.to_yaml())
    write_evidence(folder.evidence / "origins.json", dict(resolved.origins))
    fields = opening(
        run=folder.id, environment=environment.name, tracks=tracks, mode=mode, rules=rules,
        waivers=[given.waiver() for given in environment.waivers],
        read_only=read_only, valid_days=environment.launch.valid_days, actor=getpass.getuser(),
        versions=versions.here(), asked=asked(environment, checklist, read_only=read_only),
    )  # fmt: skip
    Log(folder.evidence / "batch.jsonl").append("run", at=now_text(now), **fields)
    write_evidence(folder.verdict, fold(folder))
    folder.latest(environment.name)
    return folder


def start(subject: str, namespace: Mapping[str, Any]) -> Run:
    """Opens the track `subject` ("manifests", "load", "logs" or "launch") and shows its banner.

    namespace is the notebook's vars(), after its parameters cell: `environment`, `run_folder`, `read_only`, `confirm`
    and the track's own knobs. With no run_folder the notebook makes a run of its own.

    Raises ParametersError for an unknown or unusable parameter; nothing was touched then.
    """
    track = by_subject(subject)
    overrides = knobs(subject, namespace)
    if namespace.get("confirm") is not None:
        overrides["confirm"] = namespace["confirm"]
    read_only = bool(namespace.get("read_only"))
    if namespace.get("run_folder"):
        folder = RunFolder.existing(Path(namespace["run_folder"]))
        resolved = load(folder.parameters, overrides)
        frozen = read_evidence(folder.evidence / "origins.json") or {}
        resolved = Resolved(
            resolved.environment,
            {
                name: "notebook" if name in overrides else frozen.get(name, origin)
                for name, origin in resolved.origins.items()
            },
        )
        opened = Log(folder.evidence / "batch.jsonl").read()
        run = Run(folder, track, resolved, read_only=read_only or opened[0]["read_only"])
    else:
        path = _find(Path(str(namespace.get("environment", "parameters/lab.yaml"))))
        overrides |= typed_now(namespace.get("confirm"))
        run = Run.create(load(path, overrides), _outputs(), track=track.id, read_only=read_only)
    run.begin()
    return run


def _find(path: Path) -> Path:
    """`path`, from here or from the folder above: a notebook may be opened from its own folder."""
    return path if path.exists() or not (Path("..") / path).exists() else (Path("..") / path).resolve()


def _outputs() -> Path:
    here = Path.cwd()
    return (here.parent if here.name == "notebooks" else here) / "outputs"
