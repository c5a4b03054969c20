"""Whether a file of a run is what its seal says: for who goes by one file, and needs no verdict for it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from launchbook.contents import FILE, kind_of
from launchbook.folder import RunFolder


def sealed(folder: RunFolder, path: Path) -> bool:
    """Whether a file of a sealed run is a regular one with the content that was sealed."""
    name = path.relative_to(folder.path).as_posix()
    noted = json.loads(folder.manifest.read_text())["files"].get(name)
    return kind_of(path) == FILE and sha256(path) == noted


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
