"""The first process of a machine: gives it a root file system of its own, then becomes supervisord.

Run as a file inside fresh namespaces: `python init.py SPEC`, where SPEC is JSON:
`hostname`; `folder` with the machine's own `var` and `tmp`; `writable` and `readable` paths to keep;
`hidden` paths to cover; `sysctls` file -> value; `settled` file -> value that must read so and stay untouched;
`command` to become.

Everything of the host is seen read-only, except /run, /tmp and /var, which are the machine's own: nothing that
Kubernetes writes at fixed places (/var/lib/cni, /var/log/pods, /run/netns, …) is ever the user's.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

OWN = ("run", "tmp", "var")
SPECIAL = ("dev", "proc", "sys")
SCRATCH = ("/run", "/mnt", "/media", "/srv")


def main(spec: dict[str, Any]) -> None:
    _mount("--make-rprivate", "/")
    keep = [Path(path) for path in [*spec["writable"], *spec["readable"]]]
    root = next(Path(path) for path in SCRATCH if not any(kept.is_relative_to(path) for kept in keep))
    _mount("-t", "tmpfs", "-o", "mode=755", "lab", root)
    _host_folders(root)
    _own_folders(root, Path(spec["folder"]))
    _special_folders(root, spec)
    for path in spec["hidden"]:
        if _below(root, path).exists():
            _mount("-t", "tmpfs", "-o", "mode=700", "hidden", _below(root, path))
    for path in keep:
        target = _below(root, path)
        if not target.exists():
            target.mkdir(parents=True)
        _mount("-o", "bind" if str(path) in spec["writable"] else "bind,ro", path, target)
    for name, value in spec["sysctls"].items():
        Path("/proc/sys", name).write_text(value)
    socket.sethostname(spec["hostname"])
    os.chdir(root)
    old = root / "old"
    old.mkdir()
    subprocess.run(["pivot_root", ".", "old"], check=True)
    os.chdir("/")
    subprocess.run(["umount", "-l", "/old"], check=True)
    Path("/old").rmdir()
    os.execv(spec["command"][0], spec["command"])


def _host_folders(root: Path) -> None:
    for entry in os.scandir("/"):
        target = root / entry.name
        if entry.is_symlink():
            target.symlink_to(Path(entry.path).readlink())
        elif entry.is_dir() and entry.name not in (*OWN, *SPECIAL):
            target.mkdir()
            if Path(entry.path) != root:
                _mount("-o", "rbind,ro", entry.path, target)


def _own_folders(root: Path, folder: Path) -> None:
    for name in OWN:
        (root / name).mkdir()
    _mount("-t", "tmpfs", "-o", "mode=755", "run", root / "run")
    for name in ("tmp", "var"):
        _mount("--bind", folder / name, root / name)
    (root / "var" / "run").symlink_to("/run")


def _special_folders(root: Path, spec: dict[str, Any]) -> None:
    """A proc and a sysfs of this machine's own namespaces; devices and control groups are the host's."""
    for name in SPECIAL:
        (root / name).mkdir()
    _mount("--rbind", "/dev", root / "dev")
    _mount("-t", "proc", "proc", root / "proc")
    _mount("-t", "sysfs", "sysfs", root / "sys")
    _mount("--rbind", "/sys/fs/cgroup", root / "sys/fs/cgroup")
    settled = root / "var" / "settled"
    settled.mkdir()
    for name, value in spec["settled"].items():
        file = settled / name.replace("/", ".")
        file.write_text(f"{value}\n")
        _mount("-o", "bind,ro", file, root / "proc/sys" / name)


def _below(root: Path, path: str | Path) -> Path:
    return root / Path(path).relative_to("/")


def _mount(*arguments: str | Path) -> None:
    subprocess.run(["mount", *arguments], check=True)


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
