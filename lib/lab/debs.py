"""Debian packages unpacked into a folder of our own: nothing is installed, started or displaced.

apt resolves and verifies with a state, a cache and an *empty* status file of ours, so that the closure is
the same on every machine whatever it has installed, and the user's own apt is neither locked nor changed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from filelock import FileLock

from lab.errors import LabError

LISTS_MAX_AGE = 3600  # s: package lists younger than this are not fetched again
MERGED_FOLDERS = ("bin", "sbin", "lib", "lib64")
UNPRIVILEGED = ("--no-same-owner", "--no-same-permissions")  # no second copy of a set-user-id passwd
_LAYOUT = 1  # raise when a change here makes trees that were unpacked earlier wrong

Progress = Callable[[str], None]


class DebError(LabError):
    """apt or dpkg could not do what was asked; the message says what the user can do."""


@dataclass(frozen=True)
class Tree:
    """An unpacked closure of packages. `versions` maps each package in it to its Debian version."""

    root: Path
    versions: dict[str, str]


def architecture() -> str:
    """Debian's name of this machine's architecture, e.g. `amd64`. Raises `DebError` where dpkg is missing."""
    return _run(["dpkg", "--print-architecture"]).strip()


def fetch(
    packages: Sequence[str],
    cache: Path,
    *,
    refresh: bool = False,
    progress: Progress = lambda message: None,
) -> Tree:
    """Give the tree that holds these packages and all that they depend on (not what they recommend).

    It is unpacked below `cache` once and taken from there afterwards; `refresh` asks Debian again and unpacks
    anew when a version changed. The tree has merged folders (`lib` is a link to `usr/lib`) and no set-user-id
    bits; no maintainer script was run, and nothing in it may be changed. Raises `DebError` when apt or dpkg
    is missing or fails.
    """
    wanted = sorted(set(packages))
    name = hashlib.sha256(f"{_LAYOUT} {_release()} {wanted}".encode()).hexdigest()[:16]
    folder = cache / "debs" / name
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):
        known = _known(folder)
        if known and not refresh:
            return known
        with FileLock(cache / "apt.lock"):
            config = _configure(cache / "apt")
            _update(config, refresh, progress)
            progress(f"fetching {len(wanted)} Debian packages and what they need (some seconds)")
            archives = _download(config, folder / "archives", wanted)
        versions = dict(map(_version, archives))
        tree = known if known and known.versions == versions else _replace(folder, archives, versions)
        shutil.rmtree(folder / "archives")
        return tree


def _replace(folder: Path, archives: Sequence[Path], versions: dict[str, str]) -> Tree:
    """Unpack beside the tree that is there, then move the record: a reader sees one or the other."""
    root = folder / f"root-{hashlib.sha256(json.dumps(versions, sort_keys=True).encode()).hexdigest()[:12]}"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    _unpack(root, archives)
    record = folder / "tree.new"
    record.write_text(json.dumps({"root": root.name, "versions": versions}, indent=1, sort_keys=True))
    record.replace(folder / "tree.json")
    return Tree(root, versions)


def _known(folder: Path) -> Tree | None:
    record = folder / "tree.json"
    if not record.exists():
        return None
    data = json.loads(record.read_text())
    root = folder / data["root"]
    return Tree(root, data["versions"]) if root.is_dir() else None


def _release() -> str:
    """What decides which versions apt would choose: the release of Debian and the architecture."""
    lines = Path("/etc/os-release").read_text().splitlines()
    release = [line for line in lines if line.startswith(("ID=", "VERSION_ID="))]
    return " ".join([*sorted(release), architecture()])


def _configure(folder: Path) -> Path:
    (folder / "state" / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    (folder / "cache").mkdir(exist_ok=True)
    (folder / "status").write_text("")
    config = folder / "apt.conf"
    # The cleared hooks are the system's own (a container's docker-clean deletes what was just fetched).
    config.write_text(
        f"""\
Dir::State "{folder}/state";
Dir::State::status "{folder}/status";
Dir::Cache "{folder}/cache";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Invoke;
#clear DPkg::Post-Invoke;
#clear DPkg::Pre-Install-Pkgs;
APT::Install-Recommends "0";
APT::Install-Suggests "0";
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Retries "3";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "0";
"""
    )
    return config


def _update(config: Path, refresh: bool, progress: Progress) -> None:
    stamp = config.parent / "updated"
    fresh = stamp.exists() and time.time() - stamp.stat().st_mtime < LISTS_MAX_AGE
    if fresh and not refresh:
        return
    progress("reading Debian's package lists (a few seconds)")
    try:
        _run(["apt-get", "-c", str(config), "-qq", "--error-on=any", "update"])
    except DebError as error:
        # A third party's source that is down is no reason to stop: what is fetched next may come from Debian.
        progress(f"some package lists can't be read: {error}")
    else:
        stamp.touch()


def _download(config: Path, folder: Path, packages: Sequence[str]) -> list[Path]:
    """Fetch the closure of these packages into `folder`, which then holds its archives and no others."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "partial").mkdir(parents=True)
    option = f"Dir::Cache::archives={folder}"
    _run(["apt-get", "-c", str(config), "-o", option, "-qq", "-y", "--download-only", "install", *packages])
    return sorted(folder.glob("*.deb"))


def _version(archive: Path) -> tuple[str, str]:
    shown = _run(["dpkg-deb", "--show", "--showformat=${Package}\t${Version}", str(archive)])
    name, version = shown.split("\t")
    return name, version


def _unpack(root: Path, archives: Sequence[Path]) -> None:
    for name in MERGED_FOLDERS:
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")
    for archive in archives:
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(archive)], stdout=subprocess.PIPE) as source:
            _run(["tar", "-x", "--keep-directory-symlink", *UNPRIVILEGED, "-C", str(root)], stdin=source.stdout)
        if source.returncode:
            raise DebError(f"dpkg-deb could not unpack {archive.name}; remove {archive.parent} and try again")


def _run(command: list[str], stdin: IO[bytes] | None = None) -> str:
    program = command[0]
    if not shutil.which(program):
        raise DebError(f"{program} is not on PATH; the lab needs Debian or a derivative of it (apt, dpkg, tar)")
    environment = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(command, stdin=stdin, capture_output=True, text=True, env=environment)
    if done.returncode:
        said = done.stderr.strip() or done.stdout.strip() or "it said nothing"
        raise DebError(f"{program} ended with exit code {done.returncode}: {said}")
    return done.stdout
