"""The command's errors: each one message for the person who must act, with exit code 2, and nothing touched."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from runs import environment

from launchbook.errors import ParametersError
from launchbook.run import Run

ROOT = Path(__file__).parents[2]


def launchbook(*arguments: str | Path, home: Path) -> tuple[int, str]:
    """Exit code and standard error of the command, for somebody with an empty home."""
    done = subprocess.run(
        [sys.executable, "-m", "launchbook", *map(str, arguments)],
        cwd=ROOT, env={**os.environ, "HOME": str(home), "KUBECONFIG": ""}, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "parameters/nope.yaml"], "parameters/nope.yaml: can't be read"),
        (
            ["run", "parameters/lab.yaml"],
            "launchbook.kubeconfig. Name yours under `cluster.kubeconfig`; the lab's is written by `make lab`.",
        ),
        (["run", "parameters/example.yaml"], "context 'my-context' can't be used from your kubeconfig"),
        (["run", "parameters/lab.yaml", "--tracks", "A,X"], "--tracks: there is no track 'X'; write some of A,B,C,D."),
        (["run", "README.md"], "is not YAML"),
        (["verify", "docs"], "docs is no run folder"),
        (["compare", "docs", "docs"], "docs is no run folder"),
        (["sweep", "parameters/example.yaml"], "nothing may be done in environment 'my-cluster'"),
        (["close", "docs"], "docs is no run folder"),
        (["reach", "nowhere"], "nowhere does not exist"),
        (["selectors", "docs"], "docs holds no kustomization.yaml"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_call_that_can_not_be_done(tmp_path: Path, arguments: list[str], said: str) -> None:
    code, errors = launchbook(*arguments, home=tmp_path)
    assert (code, errors.count("Traceback")) == (2, 0)
    assert said in errors


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_outputs_that_can_not_be_written_are_refused(tmp_path: Path, place: str) -> None:
    """Before a Lease is taken; said as what it is, not as a run that broke off."""
    (tmp_path / "file").write_text("mine")
    environment(tmp_path / "parameters")
    rendered = tmp_path / "parameters" / "manifests"
    rendered.mkdir()
    (rendered / "a.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: a}\n")
    connect = "from launchbook import cli, cluster; cluster.Cluster.connect = lambda given: None; cli.main()"
    done = subprocess.run(
        [sys.executable, "-c", connect, "run", tmp_path / "parameters" / "mini.yaml", "--outputs", tmp_path / place],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith(
        f"launchbook: {tmp_path / place}: no run folder can be made there: Not a directory: {tmp_path / place}/20"
    )
    assert done.stderr.endswith("Name a folder that can be written with --outputs. Nothing was touched.\n")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_folder_in_the_place_of_the_latest_run_is_refused(tmp_path: Path) -> None:
    """A run would end there after it was begun."""
    (tmp_path / "outputs" / "latest").mkdir(parents=True)
    with pytest.raises(ParametersError, match=r"outputs/latest is a folder, .* Nothing was touched\."):
        Run.create(environment(tmp_path / "parameters"), tmp_path / "outputs")
    assert [path.name for path in (tmp_path / "outputs").iterdir()] == ["latest"]
