"""What goes into an image: the chosen paths of an unpacked tree and the libraries that their programs load."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from lab.errors import LabError
from lab.images.oci import Entry, File, Folder, Link

NEVER = (  # none of it is read while a program runs; byte code would make two builds differ
    "*/__pycache__/*",
    "*.pyc",
    "*.pyi",
    "*.a",
    "*/include/*",
    "*/share/doc/*",
    "*/share/man/*",
    "*/share/locale/*",
)
LOADERS = ("usr/lib*/ld-linux*.so.*",)  # where a program's header names it
USER = 65532  # neither root nor anybody's own number
_PASSWD = f"root:x:0:0:root:/:/usr/sbin/nologin\nnonroot:x:{USER}:{USER}:nonroot:/tmp:/usr/sbin/nologin\n"
_LIBRARY = re.compile(r"^\s*(\S+) => (/\S+|not found)", re.MULTILINE)


class ImageError(LabError):
    """An image can't be made; the message says from what, and what is missing."""


def base() -> dict[str, Entry]:
    """Give what every image has: merged folders, a user, name resolution by file and DNS, a writable /tmp."""
    merged: dict[str, Entry] = {f"/{name}": Link(f"usr/{name}") for name in ("bin", "sbin", "lib", "lib64")}
    return merged | {
        "/usr/bin": Folder(),
        "/usr/sbin": Folder(),
        "/usr/lib": Folder(),
        "/usr/lib64": Folder(),
        "/etc/passwd": File(_PASSWD.encode()),
        "/etc/group": File(f"root:x:0:\nnonroot:x:{USER}:\n".encode()),
        "/etc/nsswitch.conf": File(b"passwd: files\ngroup: files\nhosts: files dns\n"),
        "/tmp": Folder(0o1777),
    }


def select(root: Path, patterns: Iterable[str], without: Sequence[str] = (), at: str = "/") -> dict[str, Entry]:
    """Give the files below `root` that the patterns name (folders with all in them), placed below `at`.

    `without` are patterns of paths to leave out, matched against `/path/below/root`. A link stays a link when it
    is relative and what it names is chosen too; else the file it names, sought in `root`, takes its place.
    Raises `ImageError` for a pattern that names nothing.
    """
    chosen: dict[str, Path] = {}
    for pattern in patterns:
        found = {
            f"/{path.relative_to(root)}": path
            for start in sorted(root.glob(pattern.lstrip("/")))
            for path in ([start] if not start.is_dir() else start.rglob("*"))
            if path.is_symlink() or path.is_file()
        }
        if not found:
            raise ImageError(f"no file is named {pattern} below {root}; the packages no longer bring it")
        chosen |= found
    leave = (*NEVER, *without)
    kept = {name: path for name, path in chosen.items() if not any(fnmatch(name, glob) for glob in leave)}
    targets = {path.resolve() for path in kept.values() if not path.is_symlink()}
    entries: dict[str, Entry] = {}
    for name, path in kept.items():
        entry = _entry(root, path, targets)
        if entry:
            entries[f"{at.rstrip('/')}{name}"] = entry
    return entries


def _entry(root: Path, path: Path, targets: set[Path]) -> Entry | None:
    if not path.is_symlink():
        return read(path)
    target = path.readlink()
    if not target.is_absolute() and Path(os.path.realpath(path)) in targets:
        return Link(str(target))
    named = _followed(root, path)
    return read(named) if named else None  # None: in a package that was left out, or made by a maintainer script


def _followed(root: Path, path: Path) -> Path | None:
    """The file that a link names when `root` is the root folder; None where there is none."""
    for _ in range(40):  # as many links as the kernel follows
        if not path.is_symlink():
            return path if path.is_file() else None
        target = path.readlink()
        path = root / str(target).lstrip("/") if target.is_absolute() else path.parent / target
    return None


def read(path: Path) -> File:
    """Give a file of this machine as an image's file; what may be executed here, everyone may execute there."""
    return File(path.read_bytes(), executable=bool(path.stat().st_mode & 0o100), origin=path)


def libraries(root: Path, entries: Mapping[str, Entry]) -> dict[str, Entry]:
    """Give the shared libraries and the loader that the ELF files among `entries` load, taken from `root`.

    The tree's own loader resolves them as it would at the start, without running the program (`ld.so --list`).
    Raises `ImageError` when a library is in no package.
    """
    loader = Loader.of(root)
    files = [entry for entry in entries.values() if isinstance(entry, File) and entry.origin]
    programs = [entry.origin for entry in files if entry.origin and entry.content.startswith(b"\x7fELF")]
    own = {entry.origin.resolve() for entry in files if entry.origin}
    found: dict[str, Entry] = {}
    for program in programs:
        for library, path in loader.needs(program):
            if path and path.is_relative_to(root):
                found[f"/{path.relative_to(root)}"] = read(path)
            elif not path or path.resolve() not in own:
                raise ImageError(f"{program} needs {library}, which none of the packages below {root} brings")
    return found | select(root, LOADERS) if found else {}


@dataclass(frozen=True)
class Loader:
    """A tree's dynamic loader (`ld.so`) and the folder of its libraries."""

    program: Path

    @classmethod
    def of(cls, root: Path) -> Loader:
        """Find the loader of the tree at `root`. Raises `ImageError` when the C library is not in it."""
        programs = sorted(root.glob("usr/lib/*/ld-linux*.so.*"))
        if not programs:
            raise ImageError(f"no dynamic loader below {root}/usr/lib: libc6 is not among the packages")
        return cls(programs[0])

    def needs(self, program: Path) -> list[tuple[str, Path | None]]:
        """Give each library that `program` loads, directly or not, and where it was found (None: nowhere)."""
        if subprocess.run([self.program, "--verify", program], capture_output=True).returncode == 1:
            return []  # linked statically
        command = [str(self.program), "--library-path", str(self.program.parent), "--list", str(program)]
        listed = subprocess.run(command, capture_output=True, text=True).stdout
        return [
            (name, None if path == "not found" else Path(os.path.normpath(path)))
            for name, path in _LIBRARY.findall(listed)
            if not name.startswith("/")
        ]


def applets(root: Path, program: str) -> dict[str, Entry]:
    """Give a link to `program` (a multi-call binary below `root`) for each name that its `--list` prints."""
    names = subprocess.run([root / program, "--list"], capture_output=True, text=True, check=True).stdout.split()
    own = Path(program).name
    return {f"/usr/bin/{name}": Link(own) for name in names if name != own}
