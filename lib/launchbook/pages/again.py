"""The pages of a run rendered again, elsewhere, from the files that they were rendered from."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from launchbook.contents import FILE, contents
from launchbook.pages.site import render
from launchbook.record import write_evidence


def rendered_again(folder: Path, verdict: Mapping[str, Any]) -> dict[str, bytes]:
    """Name -> content of each page, of `verdict` and the folder's notebooks, documents and names of evidence.

    Nothing is written to the folder, and no link in it is followed.
    """
    with TemporaryDirectory() as place:
        copy = Path(place)
        for name, kind in contents(folder).items():
            if kind != FILE or name.endswith(".html"):
                continue
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            if name.endswith(".ipynb") or name.startswith("documents/"):
                shutil.copyfile(folder / name, copy / name)
            elif name.startswith("evidence/"):
                (copy / name).touch()  # pages list evidence by its name alone
        write_evidence(copy / "verdict.json", verdict)
        render(copy)
        return {path.relative_to(copy).as_posix(): path.read_bytes() for path in copy.rglob("*.html")}
