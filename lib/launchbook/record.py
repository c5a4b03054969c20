"""The run's records: one append-only log of JSON lines a track, and evidence files beside them.

A line is on disk before append() returns, so that a kernel that is killed a moment later loses nothing that it said.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from launchbook.words import Check, Status


class Log:
    """One append-only log: `evidence/<name>.jsonl` of a run folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, event: str, *, at: str, **fields: Any) -> None:
        """One line, flushed to disk. Raises OSError where it can't be (a full disk ends the track, visibly)."""
        line = json.dumps({"event": event, "at": at, **fields}, ensure_ascii=False, default=_plain) + "\n"
        with self.path.open("ab") as file:
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())

    def read(self) -> list[dict[str, Any]]:
        """Every whole record in order. A last line that was cut off by a crash is left out."""
        if not self.path.exists():
            return []
        lines = self.path.read_text(encoding="utf-8", errors="replace").split("\n")
        records = []
        for number, line in enumerate(lines):
            if not line:
                continue
            try:
                records.append(json.loads(line))
            except json.JSONDecodeError:
                if any(lines[number + 1 :]):
                    raise ValueError(f"{self.path}:{number + 1}: is no record; the log was changed") from None
        return records


def check_fields(check: Check) -> dict[str, Any]:
    """A check as a record's fields."""
    return {**asdict(check), "status": str(check.status), "evidence": list(check.evidence)}


def checks_in(records: Iterable[Mapping[str, Any]]) -> list[Check]:
    """The checks of a log's records, in order."""
    return [
        Check(
            **{
                **record["check"],
                "status": Status(record["check"]["status"]),
                "evidence": tuple(record["check"]["evidence"]),
            }
        )
        for record in records
        if record["event"] == "check"
    ]


def write_atomically(path: Path, text: str) -> None:
    """The whole of `text` in `path`, or what was there before: never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_evidence(path: Path, data: Any) -> None:
    """A DataFrame as Parquet, text as it is, bytes as they are, anything else as JSON (or YAML by its ending)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(data, pd.DataFrame):
        data.to_parquet(path, compression="zstd")
    elif isinstance(data, bytes):
        path.write_bytes(data)
    elif isinstance(data, str):
        write_atomically(path, data)
    elif path.suffix in (".yaml", ".yml"):
        write_atomically(path, yaml.safe_dump(data, sort_keys=False, allow_unicode=True))
    else:
        write_atomically(path, json.dumps(data, indent=2, ensure_ascii=False, default=_plain) + "\n")


def read_evidence(path: Path) -> Any:
    """What write_evidence() wrote, or None where there is no such file."""
    if not path.exists():
        return None
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    if path.suffix == ".json":
        return json.loads(path.read_text(encoding="utf-8"))
    if path.suffix in (".yaml", ".yml"):
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    return path.read_text(encoding="utf-8")


def _plain(value: Any) -> Any:
    if isinstance(value, (Path, date)):
        return str(value)
    if isinstance(value, (set, frozenset, tuple)):
        return list(value)
    if hasattr(value, "item"):  # numpy's scalars
        return value.item()
    raise TypeError(f"{type(value).__name__} can't be written as evidence")
