"""Sample tables on disk and in parts: judged as a whole in memory would be, and by whoever reads them as by the run itself."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tables import InParts

from launchbook.load import gathering
from launchbook.load.figures import TRENDS, trend
from launchbook.load.gathering import Gathered, counted
from launchbook.load.kept import Kept
from launchbook.load.locust import Locust
from launchbook.load.parquet import About, write
from launchbook.load.result import Result
from launchbook.load.samples import COLUMNS
from launchbook.load.steps import evaluate
from launchbook.load.tally import Tally
from launchbook.load.terms import Plan
from launchbook.load.told import Told
from launchbook.load.verdict import command
from launchbook.parameters import Load

START = 1_764_028_800.0
THRESHOLDS = {"http_reqs": ["rate>=90"], "http_req_failed": ["rate<0.01"], "http_req_duration": ["p(95)<100"]}
ROW = st.tuples(st.floats(-500, 500), st.floats(-1, 1e5), st.booleans(), st.sampled_from("ab"))


def table(rows: list[tuple[float, float, bool, str]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["start", "ms", "failed", "name"]).astype({"start": float, "ms": float})
    return frame.assign(failed=frame["failed"].astype(bool), error=np.where(frame["failed"] == 1, "status 500", ""))


@given(st.lists(ROW, max_size=40), st.integers(1, 9), st.sampled_from([0.0, 3.0, 400.0]))
def test_parts_say_what_the_whole_says(rows: list[Any], size: int, warmup: float) -> None:
    """Whatever their size, with and without a warm-up, clocks that run back included."""
    frame = table(rows)
    possible = frame[frame["ms"] >= 0]
    kept = frame[~(frame["start"] < frame["start"].min() + warmup)]
    for found, of in zip(counted(InParts(frame, size), warmup), (Tally.of(kept), Tally.of(frame)), strict=True):
        assert (found.count, found.failed, found.impossible) == (of.count, of.failed, of.impossible)
        assert (found.first, found.last, found.low, found.high) == (of.first, of.last, of.low, of.high)
        assert {name: row.tolist() for name, row in found.by_name.items()} == {
            n: r.tolist() for n, r in of.by_name.items()
        }
        assert found.errors == of.errors
        assert found.back == Tally.of(possible).back
        ours, theirs = trend(found, TRENDS), trend(of, TRENDS)
        assert {n: f.value for n, f in ours.items()} == pytest.approx({n: f.value for n, f in theirs.items()})


@pytest.mark.parametrize("rows", [1, 7, 100, 300, 301, 600])
def test_a_clock_that_ran_back_between_two_parts_is_seen(rows: int) -> None:
    """At a boundary of two of them, on it, and far from one: in a file, and in one that can't be read again."""
    start = np.concatenate([np.arange(300) / 10, np.arange(300) / 10 - 100])
    frame = pd.DataFrame({"start": START + start, "ms": 5.0, "failed": False})
    gathered = Gathered()
    for part in InParts(frame, rows).frames():
        gathered.add(part)
    assert counted(InParts(frame, rows))[0].back == gathered.tally().back == pytest.approx(129.9)


def test_durations_that_can_not_be_read_again_are_kept_in_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Past a bound; figures are exact all the same."""
    monkeypatch.setattr(gathering, "_MEMORY", 1000)
    monkeypatch.setattr(gathering, "_LOOK", 77)
    frame = table([(float(n), float(n % 97), n % 5 == 0, "a") for n in range(1000)])
    gathered = Gathered()
    for part in InParts(frame, 130).frames():
        gathered.add(part)
    tally = gathered.tally()
    assert trend(tally, ["p(95)"])["p(95)"].value == pytest.approx(np.percentile(frame["ms"], 95))
    assert trend(tally, ["med"], good=True)["med"].value == frame.loc[~frame["failed"], "ms"].median()


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"failed": pa.array([True, None] * 300)}, "300 rows have no time, or a duration that is negative or no number."),
        ({"failed": pa.array(["false"] * 600)}, "is no whole Parquet file of samples: its column failed is string; a number or boolean was expected."),
        ({"start": pa.array(range(600), pa.timestamp("us"))}, "is no whole Parquet file of samples: its column start is timestamp[us]; a number was expected."),
    ],
)  # fmt: skip
def test_a_foreign_table_that_says_too_little_is_no_pass(tmp_path: Path, columns: Any, reason: str) -> None:
    """A row that doesn't say whether it failed is no success."""
    given = {"start": np.arange(600) / 10, "ms": np.full(600, 5.0), "failed": np.zeros(600, bool), **columns}
    pq.write_table(pa.table(given), tmp_path / "samples.parquet")
    text, code = command([tmp_path / "samples.parquet"], None)
    assert code == 4
    assert reason in text


def test_what_a_file_says_of_itself_must_be_whole(tmp_path: Path) -> None:
    """It is no metadata of ours otherwise, and nobody knows what was warm-up."""
    path = tmp_path / "samples.parquet"
    frame = pd.DataFrame({"start": np.arange(600) / 10, "ms": 5.0, "failed": False})
    pq.write_table(pa.Table.from_pandas(frame).replace_schema_metadata({"launchbook": '{"warmup": "long"}'}), path)
    text, code = command([path], None)
    assert code == 4
    assert "what it says of itself (metadata key launchbook) can't be read" in text


def test_a_table_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    """One that broke in the middle leaves the earlier one as it was, and nothing beside it."""
    path, frame = tmp_path / "samples.parquet", table([(1.0, 5.0, False, "a")]).assign(status=200)
    assert write(path, InParts(frame, 1), lambda: About("locust", "2", 0.0, Plan(1, 0.0, 1.0))) == 1
    before = path.read_bytes()

    class Broken(InParts):
        def frames(self, *_: Any) -> Iterator[pd.DataFrame]:
            yield frame
            raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        write(path, Broken(frame, 1), lambda: About("locust", "2", 0.0, Plan(1, 0.0, 1.0)))
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["samples.parquet"]
    assert pq.read_schema(path).names == list(COLUMNS)


def measured(
    folder: Path,
    *,
    warm: float = 1.0,
    slow: float = 1.0,
    cpu: float = 0.4,
    seconds: int = 70,
    told: Told | None = None,
    **changed: Any,
) -> Any:
    """(run, result) of 100 requests/s of about 20 ms, 10 s of them warm-up that is `warm` times slower."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(2)
    start = np.arange(seconds * 100) / 100
    ms = slow * np.where(start < 10, warm, 1.0) * random.lognormal(3, 0.2, len(start))
    lines = "".join(f"{START + s:.3f},{m:.3f},a,200,0,\n" for s, m in zip(start, ms, strict=True))
    load = Load.model_validate(
        {
            "target": {"service": "ns/api"}, "thresholds": THRESHOLDS,
            "scenario": {"requests": [{"name": "a", "path": "/"}], "vus": 12, "duration": "60s", "warmup": "10s", "think_time": "100ms"},
        }
    )  # fmt: skip
    health = pd.DataFrame({"cpu": [cpu] * seconds, "lag": [0.01] * seconds})
    result = Result("locust", "2.47", health=health, complete=True, window=(5.0, 6.0 + seconds))
    for name, value in changed.items():
        setattr(result, name, value)
    engine = Locust(load, "http://api.ns.svc")
    if told:
        result.hear(engine, told, 0.0)
    result.kept = Kept(folder, engine.outputs)
    result.kept.append("samples-0.csv.gz", gzip.compress(("start,ms,name,status,failed,error\n" + lines).encode()))
    result.take(engine)
    parameters = type("P", (), {"load": load})
    return type("R", (), {"parameters": parameters, "read": lambda *_: None}), result


@pytest.mark.parametrize(
    ("changed", "outcome", "ids"),
    [
        ({}, "PASS", []),
        ({"warm": 20.0}, "PASS", []),
        ({"slow": 10.0}, "FAIL", []),
        ({"cpu": 0.97}, "INVALID", ["generator-saturated"]),
        ({"seconds": 40}, "INVALID", ["truncated"]),
        ({"complete": False, "problem": "It was killed."}, "INVALID", ["truncated"]),
        ({"window": (5.0, 15.0)}, "INVALID", ["clock"]),
        ({"floor": {"med": 100.0, "p(95)": 150.0, "p(99)": 160.0, "count": 9}, "slow": 10.0}, "INVALID", ["generator-floor"]),
    ],
)  # fmt: skip
def test_a_run_and_whoever_reads_its_file_judge_the_same(
    tmp_path: Path, changed: Any, outcome: str, ids: list[str]
) -> None:
    """Its warm-up, plan, thresholds and generator stand in the file: the same figures, reasons and outcome."""
    run, result = measured(tmp_path, **changed)
    judged = evaluate(run, result)
    text, _ = command([tmp_path / "samples.parquet"], None)
    told = json.loads(text)
    against = [r.id for r in judged.reasons if r.makes != "NOTE"]
    assert (judged.outcome, against) == (told["outcome"], [r["id"] for r in told["reasons"] if r["id"] != "threshold"])
    assert (judged.outcome, against) == (outcome, ids)
    values = told["metrics"]["http_req_duration"]["values"]
    assert {n: f.value for n, f in judged.trends.items() if n in values} == values
    assert told["metrics"]["http_reqs"]["values"]["count"] == judged.tally.count == result.count - 1000
    assert told["metrics"]["http_reqs"]["thresholds"].keys() == {"rate>=90"}
    assert told["notes"][-1] == {
        "id": "warm-up",
        "message": "The run's warm-up, its first 10 s, is left out, as it is in the run's own figures.",
    }


def test_files_of_several_runs_leave_each_ones_warm_up_out(tmp_path: Path) -> None:
    """And what stands against one of them stands against the whole."""
    for name, cpu in (("a", 0.4), ("b", 0.97)):
        measured(tmp_path / name, cpu=cpu)
    text, _ = command([tmp_path / name / "samples.parquet" for name in "ab"], None)
    told = json.loads(text)
    assert (told["outcome"], told["reasons"][0]["id"]) == ("INVALID", "generator-saturated")
    assert told["metrics"]["http_reqs"]["values"]["count"] == 12_000


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_what_the_generator_wrote_and_is_not_here_makes_the_result_invalid(tmp_path: Path) -> None:
    """Its last word is how many requests each process wrote."""
    told = Told(lines=[{"worker": 0, "whole": True, "count": 7001}])
    _, result = measured(tmp_path / "a", told=told)
    assert [r.message for r in result.reasons] == ["The generator wrote 7001 requests, and 7000 of them are here."]
    told.lines[0]["count"] = 7000
    assert measured(tmp_path / "b", told=told)[1].reasons == []


def test_samples_that_can_not_be_written_as_parquet_are_judged_all_the_same(tmp_path: Path) -> None:
    """On a disk that the generator's own files have filled: they stay, and the result says why it can't be believed."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=72k", "none", tmp_path], check=True)
    try:
        run, result = measured(tmp_path)
        judged = evaluate(run, result)
        left = sorted(path.name for path in tmp_path.iterdir())
    finally:
        subprocess.run(["umount", "-l", tmp_path], check=True)
    assert left == ["samples-0.csv.gz"]
    assert (judged.outcome, judged.tally.count, result.count) == ("INVALID", 6000, 7000)
    assert judged.trends["p(95)"].value == pytest.approx(28, rel=0.05)
    assert [r.message for r in judged.reasons if r.makes != "NOTE"] == [
        "The samples can't be written as Parquet (No space left on device); they stay as they came."
    ]
