"""Records survive a crash, and show when they were changed."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from launchbook.record import Log, check_fields, checks_in, read_evidence, write_atomically, write_evidence
from launchbook.words import Check, Status

CHECK = Check("A.ready", "a/b", Status.FAIL, "0 of 1", "1 of 1", "Ünready.", ("evidence/x.json",), "T", 1.5)


def test_a_check_reads_back_as_it_was_written(tmp_path: Path) -> None:
    """The log is the record: nothing of a check may be lost in it."""
    log = Log(tmp_path / "A.jsonl")
    log.append("check", at="T", check=check_fields(CHECK))
    assert checks_in(log.read()) == [CHECK]


def test_a_line_that_a_crash_cut_off_is_left_out(tmp_path: Path) -> None:
    """What was whole still counts."""
    log = Log(tmp_path / "A.jsonl")
    log.append("started", at="T")
    with log.path.open("a") as file:
        file.write('{"event": "fini')
    assert [r["event"] for r in log.read()] == ["started"]


def test_a_broken_line_in_the_middle_is_an_error(tmp_path: Path) -> None:
    """A crash can only cut the last line; anything else was done to the file."""
    log = Log(tmp_path / "A.jsonl")
    log.path.write_text('{"event": "star\n{"event": "finished", "at": "T"}\n')
    with pytest.raises(ValueError, match=r"A.jsonl:1: is no record; the log was changed"):
        log.read()


@pytest.mark.parametrize(
    ("name", "data"),
    [("a/x.json", {"k": [1, "é"]}), ("x.txt", "text\n"), ("x.yaml", {"a": 1}), ("x.json", [])],
)
def test_evidence_reads_back_as_it_was_written(tmp_path: Path, name: str, data: object) -> None:
    """JSON, YAML and text, in folders that need not exist."""
    write_evidence(tmp_path / name, data)
    assert read_evidence(tmp_path / name) == data


def test_a_frame_reads_back_as_it_was_written(tmp_path: Path) -> None:
    """Parquet keeps columns and types."""
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", None]})
    write_evidence(tmp_path / "f.parquet", frame)
    pd.testing.assert_frame_equal(read_evidence(tmp_path / "f.parquet"), frame)


def test_evidence_that_is_not_there_is_none(tmp_path: Path) -> None:
    """A track reads what another may not have written."""
    assert read_evidence(tmp_path / "no.json") is None


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    """verdict.json is replaced whole or not at all."""
    path = tmp_path / "verdict.json"
    write_atomically(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "new \ud800")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
