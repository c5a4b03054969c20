"""What a lab leaves on disk: one folder for each, below `~/.local/state/launchbook/lab`.

NAME/lab.json                 what was started, and which processes hold it
NAME/admin.kubeconfig         everything is allowed
NAME/launchbook.kubeconfig    the user `launchbook`, who may do what its role grants
NAME/ca/                      the certificate authority
NAME/bin/ lib/                links to the programs and libraries in use
NAME/MACHINE/                 etc/ (certificates, settings), log/, var/, tmp/ of one machine
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import platformdirs
from filelock import FileLock, Timeout

from lab.errors import LabError

NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?")
LOCK_TIMEOUT = 600.0  # s: another `lab up` or `lab down` of the same name is waited for


@dataclass(frozen=True)
class Process:
    """A process that can't be mistaken for a later one: its id, its start (clock ticks since boot) and the boot."""

    pid: int
    start: int
    boot: str

    @classmethod
    def of(cls, pid: int) -> Process:
        """Raises `ProcessLookupError` when there is none."""
        return cls(pid, _stat(pid)[1], boot_id())

    @property
    def alive(self) -> bool:
        try:
            state, start = _stat(self.pid)
        except ProcessLookupError:
            return False
        return (start, boot_id()) == (self.start, self.boot) and state not in "ZX"


@dataclass
class Machine:
    """A machine of a lab: number 0 is the control plane, which is also the router; nodes count from 1."""

    name: str
    number: int
    init: Process | None = None


@dataclass
class Record:
    """What `lab.json` holds. `without` lists components that were left out, as COMPONENT@MACHINE."""

    name: str
    slice: int
    boot: str
    started: float  # seconds since the epoch
    machines: list[Machine] = field(default_factory=list)
    without: list[str] = field(default_factory=list)

    @property
    def nodes(self) -> list[Machine]:
        return [machine for machine in self.machines if machine.number]

    @property
    def control(self) -> Machine:
        return self.machines[0]


def labs_folder() -> Path:
    return Path(platformdirs.user_state_dir("launchbook")) / "lab"


def home(name: str) -> Path:
    """The folder of a lab. Raises `LabError` for a name that can't be a host's."""
    if not NAME.fullmatch(name):
        raise LabError(f"{name!r} can't be a lab's name: expected up to 20 letters a-z, digits and -, e.g. lab-2")
    return labs_folder() / name


def names() -> list[str]:
    """Every lab that has a record."""
    return sorted(path.parent.name for path in labs_folder().glob("*/lab.json"))


def load(name: str) -> Record | None:
    """The record of a lab, or None when there is no such lab."""
    try:
        data = json.loads((home(name) / "lab.json").read_text())
    except FileNotFoundError:
        return None
    machines = [
        Machine(item["name"], item["number"], Process(**item["init"]) if item["init"] else None)
        for item in data.pop("machines")
    ]
    return Record(machines=machines, **data)


def save(record: Record) -> None:
    """Replace the record in one step: a reader sees the old one or the new one."""
    path = home(record.name) / "lab.json"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = path.with_suffix(".new")
    new.write_text(json.dumps(asdict(record), indent=1))
    new.replace(path)


@contextmanager
def locked(name: str) -> Iterator[None]:
    """One act on a lab at a time. Raises `LabError` when another one lasts too long."""
    home(name)
    labs_folder().mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with FileLock(labs_folder() / f".{name}.lock", timeout=LOCK_TIMEOUT):
            yield
    except Timeout:
        raise LabError(f"another `lab` command has worked on {name} for {LOCK_TIMEOUT:.0f} s: end it first") from None


@contextmanager
def machine_locked() -> Iterator[None]:
    """One choice of addresses at a time on this machine, whoever makes it."""
    with FileLock("/run/launchbook-lab.lock", timeout=60):
        yield


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _stat(pid: int) -> tuple[str, int]:
    """A process's state letter and its start, in one reading: it may be gone at the next. Raises `ProcessLookupError`."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        raise ProcessLookupError(pid) from None
    return fields[0], int(fields[19])
