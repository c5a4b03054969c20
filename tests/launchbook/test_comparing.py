"""Two runs held against each other: each by its seal first, then by what changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from runs import environment
from typer.testing import CliRunner

from launchbook.batch import close_by_hand
from launchbook.cli import app
from launchbook.comparing import command, compare
from launchbook.errors import ParametersError
from launchbook.folder import RunFolder
from launchbook.rules import rules_of
from launchbook.run import Run
from launchbook.words import Check, Status


def sealed(tmp_path: Path, status: Status) -> RunFolder:
    """A closed run of track A alone, with one check of this status."""
    run = Run.create(environment(tmp_path / "parameters"), tmp_path / "outputs", mode="interactive")
    rule = next(rule for rule in rules_of(run.parameters).values() if rule.track == "A")
    run.check(Check(rule.id, "s", status, "m", "e", "because of it"))
    run.finish()
    close_by_hand(run.files, lambda folder: None)
    return run.files


def test_what_changed_is_said_below_the_seals(tmp_path: Path) -> None:
    """Of each run by its name, and of what its seal could not be held against."""
    before, after = sealed(tmp_path, Status.PASS), sealed(tmp_path, Status.FAIL)
    text, code = command(before, after)
    assert code == 0
    lines = text.splitlines()
    assert [line for line in lines if line.endswith("its seal holds")] == [
        f"{before.id}: its seal holds",
        f"{after.id}: its seal holds",
    ]
    assert any(line.endswith("s: PASS became FAIL: because of it") for line in lines)


def test_a_run_compared_with_itself(tmp_path: Path) -> None:
    """It is verified once."""
    folder = sealed(tmp_path, Status.PASS)
    text, code = command(folder, RunFolder(folder.path))
    assert (text.count("its seal holds"), code) == (1, 0)
    assert text.endswith("\nnothing changed: same verdict, same checks, same subject")


def test_a_run_that_was_altered_is_not_compared(tmp_path: Path) -> None:
    """A verdict changed by hand would read as a verdict; which of the two it is, and what differs, is said."""
    before, after = sealed(tmp_path, Status.PASS), sealed(tmp_path, Status.FAIL)
    verdict = json.loads(after.verdict.read_text())
    after.verdict.write_text(json.dumps({**verdict, "verdict": "GO"}))
    done = CliRunner().invoke(app, ["compare", str(before.path), str(after.path)])
    assert done.exit_code == 1
    assert f"{before.id}: its seal holds\n" in done.output
    assert f"{after.id}: its seal does not hold\n  verdict.json: was changed after the run\n" in done.output
    assert done.output.endswith("\nNothing was compared: what was altered says nothing of a run.\n")
    assert "became" not in done.output


def test_an_unsealed_run_is_not_compared(tmp_path: Path) -> None:
    """It would read as if everything were gone."""
    open_ = Run.create(environment(tmp_path / "parameters"), tmp_path / "outputs").files
    for asked in (compare, command):
        with pytest.raises(ParametersError, match="not closed yet"):
            asked(open_, open_)
