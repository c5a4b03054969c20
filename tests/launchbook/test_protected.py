"""A protected environment is changed only where its name was typed for this very run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from runs import ENVIRONMENT, environment, notebooks
from typer.testing import CliRunner

from launchbook import batch, cluster, interactive, start
from launchbook.cli import app
from launchbook.parameters_file import Resolved, load
from launchbook.protected import typed_now

# As a confirmed run's own parameters.yaml holds it.
FORMER = ENVIRONMENT.replace("cluster: {context: none}", "confirm: mini\ncluster: {context: none, protected: true}")


@pytest.fixture
def former(tmp_path: Path) -> Path:
    environment(tmp_path)
    (tmp_path / "mini.yaml").write_text(FORMER)
    return tmp_path / "mini.yaml"


@pytest.mark.parametrize(("typed", "confirmed"), [([], ""), (["--confirm", "mini"], "mini")])
def test_a_command_goes_by_what_was_typed_with_it(
    former: Path, monkeypatch: pytest.MonkeyPatch, typed: list[str], confirmed: str
) -> None:
    """A run on the parameters of a former one is a new run."""
    begun: list[Resolved] = []

    def begin(resolved: Resolved, *_: Any, **__: Any) -> Any:
        begun.append(resolved)
        raise KeyboardInterrupt

    monkeypatch.setattr(cluster.Cluster, "connect", lambda parameters: None)
    monkeypatch.setattr(batch, "run_batch", begin)
    monkeypatch.setattr(interactive, "prepare", begin)
    CliRunner().invoke(app, ["run", str(former), *typed])
    CliRunner().invoke(app, ["notebook", str(former)])
    assert [one.environment.confirm for one in begun] == [confirmed, ""]


@pytest.mark.parametrize(("typed", "allowed"), [(None, False), ("mini", True)])
def test_a_notebook_of_its_own_goes_by_its_own_parameter(
    former: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str | None, allowed: bool
) -> None:
    """`-p confirm mini`, as the refusal says."""
    notebooks(tmp_path / "notebooks", {})
    monkeypatch.chdir(tmp_path)
    run = start("manifests", {"environment": str(former), "confirm": typed})
    assert run.allowed("apply") is allowed


def test_what_was_not_typed_has_no_origin_in_the_notebook(tmp_path: Path) -> None:
    environment(tmp_path)
    origins = [load(tmp_path / "mini.yaml", typed_now(name)).origins["confirm"] for name in (None, "mini")]
    assert origins == ["default", "notebook"]
