"""What is in a folder, by name and kind. Follows no link and opens nothing, so nothing in it can mislead or block."""

from __future__ import annotations

import os
import stat
from pathlib import Path

FILE, FOLDER = "a regular file", "a folder"
_OTHERS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a fifo",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a device",
    stat.S_IFCHR: "a device",
}


def contents(root: Path) -> dict[str, str]:
    """Name below `root` -> FILE, FOLDER or another kind, of everything in it, hidden or not, in order of names."""
    found: dict[str, str] = {}
    left = [root]
    while left:
        for path in left.pop().iterdir():
            kind = kind_of(path)
            found[path.relative_to(root).as_posix()] = kind
            if kind == FOLDER:
                left.append(path)
    return dict(sorted(found.items()))


def kind_of(path: Path) -> str:
    """FILE, FOLDER, or in words what else `path` itself is, a link not being what it leads to."""
    mode = os.lstat(path).st_mode
    if stat.S_ISREG(mode):
        return FILE
    return FOLDER if stat.S_ISDIR(mode) else _OTHERS.get(stat.S_IFMT(mode), "of an unknown kind")
