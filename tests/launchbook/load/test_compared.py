"""Two run folders' load compared: only like with like."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from launchbook.folder import RunFolder
from launchbook.load.compared import compared
from launchbook.parameters_file import load

ROOT = Path(__file__).parents[3]


def run(folder: Path, factor: float = 1.0, outcome: str = "PASS", seconds: int = 300, **about: Any) -> RunFolder:
    made = RunFolder(folder)
    (made.evidence / "load").mkdir(parents=True)
    made.documents.mkdir()
    made.parameters.write_text(load(ROOT / "parameters" / "lab.yaml").to_yaml())
    made.verdict.write_text(json.dumps({"cluster": {"uid": "u"}}))
    said = {"engine": "locust", "version": "2.47", "outcome": outcome, **about}
    (made.documents / "load-test-results.json").write_text(json.dumps({"launchbook": said}))
    random = np.random.default_rng(int(10 * factor))
    start = np.arange(seconds * 50) / 50
    frame = pd.DataFrame({"start": start, "ms": factor * random.lognormal(3, 0.3, len(start)), "failed": False})
    frame.to_parquet(made.evidence / "load" / "samples.parquet")
    return made


@pytest.mark.parametrize(
    ("new", "said"),
    [
        ({"factor": 1.5}, ["slower", "slower", "slower"]),
        ({}, ["no difference; these runs would have shown one of"] * 3),
        ({"version": "2.48"}, ["load: not compared. The engine's version differs: 2.47 before, 2.48 now."]),
        ({"outcome": "INVALID"}, ["load: not compared. The new run's load is INVALID."]),
        ({"seconds": 40}, ["load: not compared. A run of less than a minute is too short"]),
    ],
)  # fmt: skip
def test_two_runs(tmp_path: Path, new: dict[str, Any], said: list[str]) -> None:
    """A sentence a figure, or why there is none."""
    found = compared(run(tmp_path / "old"), run(tmp_path / "new", **new))
    assert len(found) == len(said)
    assert all(part in line for part, line in zip(said, found, strict=True)), found


def test_a_run_without_load_has_nothing_to_compare(tmp_path: Path) -> None:
    """Tracks that sent nothing."""
    old, new = run(tmp_path / "old"), run(tmp_path / "new")
    shutil.rmtree(new.evidence)
    assert compared(old, new) == []
