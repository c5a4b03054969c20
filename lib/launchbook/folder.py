"""The run folder: `outputs/DATE/TIME-ENVIRONMENT/`, made once, never overwritten."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from launchbook.contents import FILE, kind_of
from launchbook.errors import ParametersError


class RunFolder:
    """Where everything of one run is. Knows paths, nothing else."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.evidence = self.path / "evidence"
        self.documents = self.path / "documents"
        self.parameters = self.path / "parameters.yaml"
        self.verdict = self.path / "verdict.json"
        self.manifest = self.path / "MANIFEST.json"

    @property
    def id(self) -> str:
        """`2026-11-23-190512z-lab`: also a valid label value and Lease holder."""
        return f"{self.path.parent.name}-{self.path.name}".lower()

    @property
    def sealed(self) -> bool:
        """Whether it holds a MANIFEST.json of its own, not a link to one or something that blocks who reads it."""
        return os.path.lexists(self.manifest) and kind_of(self.manifest) == FILE

    @classmethod
    def existing(cls, path: Path) -> RunFolder:
        """A folder that a run made. Raises ParametersError where it isn't one."""
        folder = cls(path)
        if not (folder.evidence / "batch.jsonl").is_file() or not folder.verdict.is_file():
            raise ParametersError(
                f"{path} is no run folder: it lacks evidence/batch.jsonl or verdict.json. Name one such as "
                "outputs/latest. Nothing was touched."
            )
        return folder

    @classmethod
    def named(cls, outputs: Path, id: str) -> RunFolder | None:
        """The run of that id below `outputs`, or None where it isn't there."""
        return next((run for path in sorted(outputs.glob("????-??-??/*")) if (run := cls(path)).id == id), None)

    @classmethod
    def create(cls, outputs: Path, environment: str, now: datetime) -> RunFolder:
        """A new folder below `outputs`; a second run in the same second gets the next free name.

        Raises ParametersError where outputs can't be written, or a folder has the place of a link to the latest run.
        """
        for link in (outputs / name for name in _links(environment)):
            if link.is_dir() and not link.is_symlink():
                raise ParametersError(
                    f"{link} is a folder, and a run lets a link of that name point to itself. Move it away, or name another "
                    "place with --outputs. No run folder was made. Nothing was touched."
                )
        try:
            return cls._make(outputs, environment, now)
        except OSError as error:
            raise ParametersError(
                f"{outputs}: no run folder can be made there: {error.strerror or error}: {error.filename or outputs}. Name a "
                "folder that can be written with --outputs. Nothing was touched."
            ) from None

    @classmethod
    def _make(cls, outputs: Path, environment: str, now: datetime) -> RunFolder:
        day = outputs / now.strftime("%Y-%m-%d")
        stem = f"{now.strftime('%H%M%SZ')}-{environment}"
        for attempt in range(1, 1000):
            path = day / (stem if attempt == 1 else f"{stem}-{attempt}")
            try:
                path.mkdir(parents=True)
            except FileExistsError:
                continue
            folder = cls(path)
            try:
                folder.evidence.mkdir()
                folder.documents.mkdir()
            except OSError:
                folder.discard()
                raise
            return folder
        raise FileExistsError(f"{day} holds a thousand runs named {stem}")

    def discard(self) -> None:
        """Takes a folder away in which nothing was recorded, and its day where no other run is in it."""
        shutil.rmtree(self.path)
        with suppress(OSError):
            self.path.parent.rmdir()

    def latest(self, environment: str) -> None:
        """Lets `outputs/latest` and `outputs/latest-ENVIRONMENT` point here."""
        outputs = self.path.parent.parent
        for name in _links(environment):
            link = outputs / f".{name}.{os.getpid()}"
            link.unlink(missing_ok=True)
            link.symlink_to(self.path.relative_to(outputs))
            link.replace(outputs / name)


def _links(environment: str) -> tuple[str, str]:
    """The names of the links below outputs that lead to a run."""
    return "latest", f"latest-{environment}"
