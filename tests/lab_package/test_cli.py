"""The command: its exit codes and what it says when it can't."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from lab import cli
from lab.errors import Unmet


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr("lab.parts.check_machine", lambda: None)


def _main(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int | str | None:
    monkeypatch.setattr("sys.argv", ["lab", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return ended.value.code


def test_what_the_machine_lacks_is_one_sentence_and_exit_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def check() -> None:
        raise Unmet("apt is missing")

    monkeypatch.setattr("lab.parts.check_machine", check)
    assert _main(monkeypatch, "up") == 2
    assert capsys.readouterr().err == (
        "lab: apt is missing; or name a cluster of your own: launchbook run parameters/my-cluster.yaml\n"
    )


def test_an_unknown_lab_is_named_with_the_ones_there_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _main(monkeypatch, "kubeconfig", "--user", "alice", "--name", "other") == 1
    assert capsys.readouterr().err == ("lab: there is no lab other (labs: none); `lab up --name other` starts it\n")


def test_an_impossible_name_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert _main(monkeypatch, "up", "--name", "../etc") == 1
    assert "can't be a lab's name" in capsys.readouterr().err


def test_status_of_no_lab_fails_for_people_and_programs_alike() -> None:
    told = CliRunner().invoke(cli.app, ["status", "--name", "none"])
    assert (told.exit_code, told.stdout) == (1, "there is no lab none; `lab up --name none` starts it\n")
    json = CliRunner().invoke(cli.app, ["status", "--name", "none", "--json"])
    assert json.exit_code == 1
    assert '"up": false' in json.stdout


def test_every_command_is_explained() -> None:
    shown = CliRunner().invoke(cli.app, ["--help"]).stdout
    for name in ("build", "up", "status", "down", "list", "load-image", "kubectl", "kubeconfig", "stop", "start"):
        assert f"  {name} " in shown
