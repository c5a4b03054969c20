"""Two run folders' load compared: only like with like."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from launchbook.folder import RunFolder
from launchbook.load.compared import compared
from launchbook.load.pod import keep_images
from launchbook.load.result import Result
from launchbook.parameters_file import load
from launchbook.record import read_evidence, write_evidence

ROOT = Path(__file__).parents[3]


def run(
    folder: Path, factor: float = 1.0, outcome: str = "PASS", seconds: int = 300, change: Any = None,
    evidence: dict[str, Any] | None = None, **about: Any,
) -> RunFolder:  # fmt: skip
    """change: of the parameters' load; evidence: name -> what is kept in evidence/load"""
    made = RunFolder(folder)
    (made.evidence / "load").mkdir(parents=True)
    made.documents.mkdir()
    parameters = yaml.safe_load(load(ROOT / "parameters" / "lab.yaml").to_yaml())
    if change:
        change(parameters["load"])
    made.parameters.write_text(yaml.safe_dump(parameters))
    for name, data in (evidence or {}).items():
        (made.evidence / "load" / name).write_text(json.dumps(data))
    made.verdict.write_text(json.dumps({"cluster": {"uid": "u"}}))
    said = {"engine": "locust", "version": "2.47", "outcome": outcome, **about}
    (made.documents / "load-test-results.json").write_text(json.dumps({"launchbook": said}))
    random = np.random.default_rng(int(10 * factor))
    start = np.arange(seconds * 50) / 50
    frame = pd.DataFrame({"start": start, "ms": factor * random.lognormal(3, 0.3, len(start)), "failed": False})
    frame.to_parquet(made.evidence / "load" / "samples.parquet")
    return made


BY_NAME = "load: the generator's images are the same by name alone: not both runs kept their digests."


@pytest.mark.parametrize(
    ("new", "said"),
    [
        ({"factor": 1.5}, [BY_NAME, "slower", "slower", "slower", "no difference"]),
        ({}, [BY_NAME, *["no difference; these runs would have shown one of"] * 4]),
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


def scripted(path: str) -> Any:
    def change(given: dict[str, Any]) -> None:
        given["engine"] = "k6"
        given["scenario"] = {"script": path, "vus": 5, "duration": "300s"}

    return change


def placed(**changed: Any) -> Any:
    return lambda given: given["generator"].update(changed)


IMAGES = {"images.json": {"locust:2": ["sha256:a"]}}
SCRIPT = {"script.json": {"sha256": "0123456789abcdef"}}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ({"change": scripted("/a.js"), "evidence": SCRIPT}, {"change": scripted("/b.js"), "evidence": SCRIPT}, ""),
        ({"change": scripted("/a.js"), "evidence": SCRIPT}, {"change": scripted("/a.js"), "evidence": {"script.json": {"sha256": "f" * 64}}}, "The script differs: 0123456789ab before, ffffffffffff now."),
        ({"change": scripted("/a.js"), "evidence": SCRIPT}, {"change": scripted("/a.js")}, "It is not known what the script was in the new run."),
        ({}, {"change": lambda given: given["target"].update(port=8080)}, "The target differs: {'port': 80} before, {'port': 8080} now."),
        ({"url": "http://a"}, {"url": "http://b"}, "The target differs: {'url': 'http://a'} before, {'url': 'http://b'} now."),
        ({}, {"change": placed(memory="2Gi")}, "The generator's place differs: {'memory': "),
        ({}, {"change": placed(processes=2)}, "The generator's place differs: {'processes': "),
        ({"evidence": IMAGES}, {"evidence": IMAGES}, ""),
        ({"evidence": IMAGES}, {"evidence": {"images.json": {"locust:2": ["sha256:b"]}}}, "The images of the generator differ: sha256:a before, sha256:b now."),
    ],
)  # fmt: skip
def test_runs_that_did_not_do_the_same_are_not_compared(
    tmp_path: Path, old: dict[str, Any], new: dict[str, Any], said: str
) -> None:
    """Another script under the same path, another target, more room for the generator, an image under the same name."""
    found = compared(run(tmp_path / "old", seconds=90, **old), run(tmp_path / "new", seconds=90, **new))
    told = [one for one in found if one.startswith("load: not compared.")]
    assert [one[: len(f"load: not compared. {said}")] for one in told] == (
        [f"load: not compared. {said}"] if said else []
    )
    if "evidence" in old and old["evidence"] is IMAGES:
        assert BY_NAME not in found


def test_the_images_are_kept_by_what_the_pods_report(tmp_path: Path) -> None:
    """Two pods with one name for two images, another container, one that has not begun."""

    class Kept:
        def evidence(self, name: str, data: Any) -> None:
            write_evidence(tmp_path / name, data)

    def pod(digest: str, name: str = "generator") -> dict[str, Any]:
        status = {"name": name, "image": "locust:2", "imageID": digest and f"locust@sha256:{digest}"}
        return {"status": {"containerStatuses": [status]}}

    keep_images(Kept(), Result("locust"), [pod("b"), pod("a"), pod(""), pod("c", "keeper"), {}])  # type: ignore[arg-type]
    assert read_evidence(tmp_path / "load" / "images.json") == {"locust:2": ["sha256:a", "sha256:b"]}
