"""The lab's control groups, on cgroup v1 and v2 alike.

    lab-NAME/MACHINE/components   the machine's own processes
    lab-NAME/MACHINE/pods         the kubelet's root

A process in `lab-NAME` is the lab's, which is how `down` finds what a crash left behind. Version 2 is written
after its documentation and could not be tried where this was developed, which has version 1.
"""

from __future__ import annotations

import errno
import itertools
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from lab.errors import LabError, Unmet

# What the kubelet asks for where the kernel has it, and io.
CONTROLLERS = ("cpuset", "cpu", "hugetlb", "io", "memory", "pids")
REMOVAL_TIMEOUT = 10.0  # s


def hierarchies(mountinfo: str | None = None) -> list[Path]:
    """Where control groups are mounted: one place on v2, one for each controller on v1 (hybrid: and a v2 one)."""
    text = Path("/proc/self/mountinfo").read_text() if mountinfo is None else mountinfo
    found = []
    for line in text.splitlines():
        fields = line.split()
        if fields[fields.index("-") + 1] in ("cgroup", "cgroup2"):
            found.append(Path(fields[4]))
    return list(dict.fromkeys(found))


def is_v2() -> bool:
    """Whether the kubelet sees version 2: the unified hierarchy is what is mounted at /sys/fs/cgroup itself."""
    return Path("/sys/fs/cgroup/cgroup.controllers").exists()


def pods_root(lab: str, machine: str) -> str:
    """The kubelet's `cgroupRoot`."""
    return f"/{_name(lab)}/{machine}/pods"


def create(lab: str, machine: str) -> list[Path]:
    """Make a machine's groups; give the folders (one a hierarchy) that its processes join.

    Raises `Unmet` where control groups can't be written.
    """
    try:
        return [_create(top, lab, machine) for top in hierarchies()]
    except OSError as error:
        if error.errno not in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise
        raise Unmet(
            f"control groups can't be written here ({error.filename}): run the lab outside a container"
        ) from error


def _create(top: Path, lab: str, machine: str) -> Path:
    group = top / _name(lab) / machine
    for leaf in ("components", "pods"):
        (group / leaf).mkdir(parents=True, exist_ok=True)
    chain = (top, top / _name(lab), group)
    for parent, child in (*itertools.pairwise(chain), (group, group / "components"), (group, group / "pods")):
        _inherit_cpuset(parent, child)
        _delegate(parent)
    return group / "components"


def _inherit_cpuset(parent: Path, child: Path) -> None:
    """On v1 a new cpuset group is empty, and no process can join it."""
    for file in ("cpuset.cpus", "cpuset.mems"):
        if (child / file).exists() and not (parent / "cgroup.controllers").exists():
            (child / file).write_text((parent / file).read_text())


def _delegate(group: Path) -> None:
    """On v2 a group hands each controller down by name."""
    available = group / "cgroup.controllers"
    if not available.exists():
        return
    for controller in set(CONTROLLERS) & set(available.read_text().split()):
        try:
            (group / "cgroup.subtree_control").write_text(f"+{controller}")
        except OSError as error:
            raise LabError(
                f"the controller {controller} can't be handed down from {group} ({error.strerror}): "
                "run the lab outside a container, or in one whose own processes are in a group below its root"
            ) from error


def processes(lab: str) -> set[int]:
    """Every process of a lab, as this machine numbers them."""
    found = set()
    for top in hierarchies():
        for folder in _tree(top / _name(lab)):
            try:
                found |= {int(pid) for pid in (folder / "cgroup.procs").read_text().split()}
            except OSError:  # removed since it was listed
                continue
    return found - {0}


def remove(lab: str) -> None:
    """Kill what is left in a lab's groups and remove them. Raises `LabError` when they can't be removed in time."""
    deadline = time.monotonic() + REMOVAL_TIMEOUT
    while True:
        for pid in processes(lab):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        left = [folder for top in hierarchies() for folder in _tree(top / _name(lab)) if not _removed(folder)]
        if not left:
            return
        if time.monotonic() > deadline:
            raise LabError(f"control groups of lab {lab} can't be removed: {left[-1]} still holds {processes(lab)}")
        time.sleep(0.02)


def labs() -> set[str]:
    """The names of all labs that have control groups."""
    return {path.name.removeprefix("lab-") for top in hierarchies() for path in top.glob("lab-*") if path.is_dir()}


def _removed(folder: Path) -> bool:
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _tree(top: Path) -> Iterator[Path]:
    """Folders below and including `top`, children first."""
    for folder, _, _ in os.walk(top, topdown=False):
        yield Path(folder)


def _name(lab: str) -> str:
    return f"lab-{lab}"
