"""The command's errors: each one message for the person who must act, with exit code 2, and nothing touched."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

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
