"""`launchbook load-verdict` on results of several shapes, good and broken. Shapes as k6's documentation has them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from launchbook.errors import ParametersError
from launchbook.load.readers import read
from launchbook.load.verdict import command

SUMMARY = {
    "metrics": {
        "http_reqs": {"type": "counter", "contains": "default", "values": {"count": 9000, "rate": 150.0}},
        "http_req_failed": {"type": "rate", "contains": "default", "values": {"rate": 0.0, "passes": 0, "fails": 9000}},
        "http_req_duration": {
            "type": "trend", "contains": "time", "values": {"avg": 12.0, "med": 11.0, "max": 90.0, "p(95)": 31.0},
            "thresholds": {"p(95)<500": {"ok": True}},
        },
    }
}  # fmt: skip
EXPORT = {
    "metrics": {
        "http_reqs": {"count": 9000, "rate": 150.0},
        "http_req_failed": {"value": 0.02, "passes": 180, "fails": 8820, "thresholds": {"rate<0.01": True}},
        "http_req_duration": {"avg": 12.0, "p(95)": 31.0},
    }
}

# As Locust 2.47 writes it for `--csv`.
STATS = (
    "Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,Min Response Time,"
    "Max Response Time,Average Content Size,Requests/s,Failures/s,50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%\n"
    "GET,/ready,84,0,3,3.42,2.11,8.82,0.0,28.42,0.0,3,4,4,4,5,5,6,9,9,9,9\n"
    "GET,/users,81,{failed},3,3.62,1.80,1300.7,328.8,27.42,0.0,3,4,4,4,5,5,7,9,1300,1300,1300\n"
    ",Aggregated,165,{failed},3,3.52,1.80,1300.7,164.4,55.84,0.0,3,4,4,4,5,{p95},700,900,1300,1300,1300\n"
)


def ndjson(count: int, failed: int = 0, ms: float = 20.0) -> str:
    lines = []
    for n in range(count):
        at = f"2026-11-24T00:{n // 600:02d}:{n // 10 % 60:02d}.{n % 10}00Z"
        tags = {"status": "500" if n < failed else "200"}
        for metric, value in (("http_reqs", 1), ("http_req_duration", ms), ("http_req_failed", int(n < failed))):
            lines.append(
                json.dumps({"type": "Point", "metric": metric, "data": {"time": at, "value": value, "tags": tags}})
            )
    return "\n".join(lines) + "\n"


SCENARIO = (
    "thresholds:\n  http_reqs: ['rate>=9']\n  http_req_failed: ['rate<0.01']\n  http_req_duration: ['p(95)<500']\n"
)


def verdict(tmp_path: Path, data: bytes | str, scenario: str | None = SCENARIO) -> tuple[dict[str, Any], int]:
    file = tmp_path / "result"
    file.write_bytes(data.encode() if isinstance(data, str) else data)
    given = None
    if scenario is not None:
        given = tmp_path / "scenario.yaml"
        given.write_text(scenario)
    text, code = command([file], given)
    return json.loads(text), code


@pytest.mark.parametrize(
    ("data", "outcome", "code", "reasons"),
    [
        (json.dumps(SUMMARY), "PASS", 0, []),
        (json.dumps(EXPORT), "FAIL", 1, ["threshold"]),
        (ndjson(600), "PASS", 0, []),
        (ndjson(600, failed=12), "FAIL", 1, ["threshold"]),
        (ndjson(600, ms=900), "FAIL", 1, ["threshold"]),
        (gzip.compress(ndjson(600).encode()), "PASS", 0, []),
        (gzip.compress(ndjson(600).encode())[:-200], "INVALID", 4, ["truncated"]),
        (ndjson(600)[:-30], "INVALID", 4, ["truncated"]),
        (ndjson(20), "INVALID", 4, ["too-few-samples"]),
        (ndjson(600, ms=-5), "INVALID", 4, ["impossible"]),
        (STATS.format(failed=0, p95=5), "PASS", 0, []),
        (STATS.format(failed=2, p95=5), "FAIL", 1, ["threshold"]),
        (STATS.format(failed=0, p95=600), "FAIL", 1, ["threshold"]),
        (STATS.format(failed=0, p95="N/A"), "INVALID", 4, ["figure-missing"]),
        (STATS.format(failed=0, p95=-5), "INVALID", 4, ["impossible"]),
        (STATS.format(failed=200, p95=5), "INVALID", 4, ["impossible", "threshold"]),
        (STATS.partition(",Agg")[0], "INVALID", 4, ["unreadable"]),
        (b"", "NO DATA", 4, ["no-requests"]),
        (json.dumps({"metrics": {}}), "NO DATA", 4, ["no-requests"]),
        ("<html>", "INVALID", 4, ["unreadable"]),
        (json.dumps({"metrics": {**SUMMARY["metrics"], "dropped_iterations": {"values": {"count": 7}}}}), "INVALID", 4, ["rate-not-kept"]),
    ],
)  # fmt: skip
def test_a_result(tmp_path: Path, data: Any, outcome: str, code: int, reasons: list[str]) -> None:
    """Outcome, exit code and the reasons' ids."""
    found, exit_code = verdict(tmp_path, data)
    ids = [reason["id"] for reason in found["reasons"]]
    assert (found["outcome"], exit_code) == (outcome, code)
    assert set(reasons) <= set(ids)
    assert bool(ids) == bool(reasons)


def test_a_figure_that_the_summary_lacks_is_no_pass(tmp_path: Path) -> None:
    """p(99) isn't in k6's summary unless it was asked for."""
    found, code = verdict(tmp_path, json.dumps(SUMMARY), "thresholds: {http_req_duration: ['p(99)<500']}\n")
    assert code == 4
    assert found["reasons"][-1]["message"] == "http_req_duration: p(99)<500: the results don't hold p(99)."


def test_the_runs_own_samples_are_read(tmp_path: Path) -> None:
    """The evidence of a run is a result like any other."""
    frame = pd.DataFrame({"start": [n / 10 for n in range(600)], "ms": 20.0, "failed": False})
    frame.to_parquet(tmp_path / "samples.parquet")
    text, code = command([tmp_path / "samples.parquet"], None)
    assert code == 1
    assert json.loads(text)["reasons"][0]["message"].startswith("http_reqs: rate>=100 does not hold")


def test_summaries_are_not_merged(tmp_path: Path) -> None:
    """Percentiles don't add up."""
    for name in ("a", "b"):
        (tmp_path / name).write_text(json.dumps(SUMMARY))
    text, code = command([tmp_path / "a", tmp_path / "b"], None)
    assert code == 4
    assert "percentiles don't add up" in text


def own(**metrics: Any) -> str:
    return json.dumps({"metrics": {**SUMMARY["metrics"], **metrics}})


@pytest.mark.parametrize(
    "data",
    [
        own(checks={"type": "rate", "values": {"rate": 0.5}, "thresholds": {"rate>0.9": {"ok": False}}}),
        own(checks={"value": 0.5, "thresholds": {"rate>0.9": True}}),
        own(**{"http_req_duration{expected_response:true}": {"values": {}, "thresholds": {"p(95)<5": {"ok": False}}}}),
    ],
)
def test_a_threshold_that_only_k6_can_judge_still_fails(tmp_path: Path, data: str) -> None:
    """In handleSummary's shape, and in --summary-export's, where true means crossed."""
    found, code = verdict(tmp_path, data, None)
    assert (found["outcome"], code) == ("FAIL", 1)
    assert found["reasons"][0]["message"].endswith("does not hold, says k6.")


LATENCY = "thresholds: {http_req_duration: ['p(95)<500']}\n"
ERRORS = "thresholds: {http_req_failed: ['rate<0.01']}\n"
ROWS = "start,ms,failed\n" + "".join(f"{n / 10},5,0\n" for n in range(600))


@pytest.mark.parametrize(
    ("data", "scenario", "outcome", "reason"),
    [
        (ndjson(600, failed=600, ms=0.0), LATENCY, "INVALID", "no-success"),
        (own(http_req_failed={"values": {"rate": 1.0}}), LATENCY, "INVALID", "no-success"),
        ("\n".join(n for n in ndjson(600).splitlines() if "failed" not in n), ERRORS, "INVALID", "figure-missing"),
        ('{"metrics": {"http_reqs": {"values": {"count": NaN}}}}', None, "NO DATA", "impossible"),
        ('{"metrics": {"http_reqs": {"values": {"count": Infinity}}}}', None, "NO DATA", "impossible"),
        (own(http_req_duration={"values": {"p(95)": float("inf")}}), LATENCY, "INVALID", "impossible"),
        (own(http_reqs={"values": [1]}), None, "INVALID", "unreadable"),
        (own(dropped_iterations={"values": {"count": "7"}}), None, "INVALID", "unreadable"),
        (own(http_req_failed={"values": {"rate": 0.0}, "thresholds": ["rate<1"]}), None, "INVALID", "unreadable"),
        (own(checks={"values": {}, "thresholds": {"rate>0.9": "yes"}}), None, "INVALID", "figure-missing"),
        (ROWS + "60.0,5,\n", LATENCY, "INVALID", "impossible"),
        (ROWS + ",5,0\n", LATENCY, "INVALID", "impossible"),
        (ROWS + "60.0,abc,0\n", LATENCY, "INVALID", "impossible"),
    ],
)
def test_a_result_that_cannot_be_believed_is_an_answer_in_plain_json(
    tmp_path: Path, data: str, scenario: str | None, outcome: str, reason: str
) -> None:
    """Never a pass, never a traceback, never a figure that JSON has no word for."""
    found, code = verdict(tmp_path, data, scenario)
    assert (found["outcome"], code) == (outcome, 4)
    assert reason in [one["id"] for one in found["reasons"]]
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize(
    "given", ["thresholds: {}", "thresholds: {http_req_duration: 5}", "thresholds: {http_reqs: [5]}"]
)
def test_a_scenario_without_usable_thresholds_is_refused(tmp_path: Path, given: str) -> None:
    """Nothing to judge by is no pass."""
    with pytest.raises(ParametersError, match="thresholds"):
        verdict(tmp_path, json.dumps(SUMMARY), given)


REPORT = {
    "version": "1.0.0",
    "metadata": {"generated_at": "2026-01-15T10:30:45Z", "k6_version": "1.7.1"},
    "config": {"execution": "local", "script": "script.js", "duration": 60.0},
    "results": {
        "passed": True,
        "metrics": [
            {"name": "http_reqs", "type": "counter", "contains": "default", "category": "http", "values": {"count": 9000, "rate": 150.0}},
            {"name": "http_req_duration", "type": "trend", "contains": "time", "category": "http", "values": {"count": 9000, "avg": 12.0, "p(95)": 31.0}},
            {"name": "http_req_failed", "type": "rate", "contains": "default", "category": "http", "values": {"rate": 0.0, "passes": 0, "fails": 9000}},
        ],
    },
}  # fmt: skip
# As Locust 2.47 writes it for `--csv`: totals so far, percentiles of the last ten seconds.
HISTORY = (
    "Timestamp,User Count,Type,Name,Requests/s,Failures/s,50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%,"
    "Total Request Count,Total Failure Count,Total Median Response Time,Total Average Response Time,"
    "Total Min Response Time,Total Max Response Time,Total Average Content Size\n"
    "1764028800,50,,Aggregated,0.000000,0.000000,N/A,N/A,N/A,N/A,N/A,N/A,N/A,N/A,N/A,N/A,N/A,0,0,0,0.0,0,0,0\n"
    "1764028860,50,,Aggregated,150.0,0.0,3,4,4,4,5,5,6,9,9,9,9,9000,{failed},3,3.5,1.8,13.7,164.4\n"
)
CSV = (
    "metric_name,timestamp,metric_value,check,error,error_code,expected_response,group,method,name,status,extra_tags\n"
)


def k6_csv(count: int, ms: str = "20.000000", stamp: int = 1_764_028_800, tagged: bool = True, name: str = "a") -> str:
    """As `--out csv` writes it, ten requests a second, stamps in whole seconds, or in microseconds."""
    rows, second = [], 1_000_000 if stamp > 1e15 else 1
    for n in range(count):
        tags = f",,,,{'true' if tagged else ''},,GET,{name},200,\n"
        rows += [f"{m},{stamp + n * second // 10},{v}{tags}" for m, v in (("http_reqs", "1.000000"), ("http_req_duration", ms), ("http_req_blocked", "0.001000"), ("http_req_failed", "0.000000"))]  # fmt: skip
    return CSV + "".join(rows)


RATELESS = "thresholds: {http_req_failed: ['rate<0.01'], http_req_duration: ['avg<500']}\n"
BACK = k6_csv(300) + k6_csv(300).removeprefix(CSV)
NOTHING = ["0 samples; 100 are needed for p(95).", "http_req_duration: p(95)<500: the results don't hold p(95)."]
OWN = "start,ms,name,status,failed,error\n" + "".join(f"{n / 10},5.0,<b>a</b>,200,0,\n" for n in range(600))


@pytest.mark.parametrize(
    ("data", "scenario", "outcome", "reasons"),
    [
        (json.dumps(REPORT), SCENARIO, "PASS", []),
        (json.dumps({**REPORT, "results": {**REPORT["results"], "passed": False}}), None, "FAIL", ["k6 says that the test did not pass, and not which threshold broke."]),
        (json.dumps({**REPORT, "results": {"metrics": {}}}), None, "INVALID", ["result: `results.metrics` is no list of metrics with names, so this is no k6 summary."]),
        (HISTORY.format(failed=0), RATELESS, "PASS", []),
        (HISTORY.format(failed=180), RATELESS, "FAIL", ["http_req_failed: rate<0.01 does not hold: rate is 0.02."]),
        (HISTORY.format(failed=0), LATENCY, "INVALID", ["http_req_duration: p(95)<500: the results don't hold p(95)."]),
        (HISTORY.format(failed=0)[:-60], RATELESS, "INVALID", ["result: its last row Aggregated is not whole: "]),
        (k6_csv(600), SCENARIO, "PASS", []),
        (k6_csv(600, tagged=False), SCENARIO, "PASS", []),
        (k6_csv(600, stamp=1_764_028_800_000_000), LATENCY, "PASS", []),
        (gzip.compress(k6_csv(300).encode()) + gzip.compress(k6_csv(300, stamp=1_764_028_830).removeprefix(CSV).encode()), SCENARIO, "PASS", []),
        (gzip.compress(k6_csv(600).encode())[:-300], SCENARIO, "INVALID", ["result: 1 lines are no k6 points; the file may be cut off.", "result ends in the middle of its gzip stream."]),
        (k6_csv(600)[:-20], SCENARIO, "INVALID", ["result: 1 lines are no k6 points; the file may be cut off."]),
        (k6_csv(600, ms="NaN"), LATENCY, "INVALID", ["600 rows have no time, or a duration that is negative or no number.", *NOTHING]),
        (k6_csv(600, ms="-1.000000"), LATENCY, "INVALID", ["600 rows have no time, or a duration that is negative or no number.", *NOTHING]),
        (k6_csv(600, ms="abc"), LATENCY, "INVALID", ["600 rows have no time, or a duration that is negative or no number.", *NOTHING]),
        (BACK + k6_csv(900, stamp=1_764_028_700).removeprefix(CSV), LATENCY, "INVALID", ["The clock ran back by 1", "From 89 s on nothing was sent for 10 s, and no answer was waited for, after 10 requests/s"]),
        (k6_csv(600) + "dropped_iterations,1764028860,7.000000,,,,,,,,,\n", LATENCY, "INVALID", ["7 iterations were dropped: there was no free VU for them, or no time left, so the rate was not kept."]),
        (k6_csv(600, name="<script>alert(1)</script>"), LATENCY, "PASS", []),
        (OWN, LATENCY, "PASS", []),
        (OWN.replace("\n", "\r\n"), LATENCY, "PASS", []),
        (OWN + "\n\n", LATENCY, "PASS", []),
        (OWN.replace(",<b>", ',"<b>', 1), LATENCY, "INVALID", ["result: "]),
        (OWN.encode() + b"\xff\xfe,5,a\x80,200,0,\n", LATENCY, "INVALID", ["1 rows have no time, or a duration that is negative or no number."]),
        (OWN.encode() + b"\xff\xfe,5,\x80\n", LATENCY, "INVALID", ["result: 1 lines are no samples; the file may be cut off."]),
        (OWN + "9" * 3_000_000 + ",5.0,a,200,0,\n", LATENCY, "INVALID", ["1 rows have no time, or a duration that is negative or no number."]),
        (b"\x1f\x8b\x08\x00broken", None, "INVALID", ["result: its gzip stream holds nothing that can be read."]),
        (b"PAR1broken", None, "INVALID", ["result: is no whole Parquet file of samples: "]),
        ("a,b\n1,2\n", None, "INVALID", ["result: is no load result. Expected k6's summary or "]),
        ("{}", None, "INVALID", ["result: is no load result. Expected k6's summary or `--out json` or `--out csv` (also gzipped), Locust's _stats.csv or _stats_history.csv, or this runbook's samples.parquet; it holds nothing."]),
        ('{"a": 1}', None, "INVALID", ["result: is no load result. Expected k6's summary or "]),
        ('{"type":"Point"}\n', None, "INVALID", ["result: none of its 1 lines are k6 points."]),
        (own(checks={"type": "rate", "values": {"rate": 0, "passes": 0, "fails": 0}, "thresholds": {"rate>0.9": {"ok": True}}}), None, "INVALID", ["checks: rate>0.9 holds, says k6, but on zero samples."]),
        (own(slow={"type": "trend", "values": {"avg": 0, "max": 0, "p(95)": 0}, "thresholds": {"p(95)<5": {"ok": True}}}), None, "INVALID", ["slow: p(95)<5 holds, says k6, but on zero samples."]),
        (own(slow={"type": "trend", "values": {"avg": 1, "max": 2, "p(95)": 2}, "thresholds": {"p(95)<5": {"ok": True}}}), None, "PASS", []),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # pyarrow's, of bytes that are no text
def test_anyones_result(tmp_path: Path, data: Any, scenario: str | None, outcome: str, reasons: list[str]) -> None:
    """Each shape that k6, Locust and the runbook write, whole and broken, with the exact words."""
    found, _ = verdict(tmp_path, data, scenario)
    told = [one["message"].removeprefix(f"{tmp_path}/") for one in found["reasons"]]
    assert found["outcome"] == outcome, told
    assert len(told) == len(reasons), told
    for message, reason in zip(told, reasons, strict=True):
        assert message.startswith(reason)
    json.dumps(found, allow_nan=False)


def test_figures_come_with_their_intervals(tmp_path: Path) -> None:
    """And a percentile that so few samples can't carry is left out."""
    found, _ = verdict(tmp_path, ndjson(300), LATENCY)
    duration = found["metrics"]["http_req_duration"]
    assert duration["intervals"]["p(95)"] == [20.0, 20.0]
    assert "p(99)" not in duration["values"]


def test_a_whole_scenario_is_held_against_the_results(tmp_path: Path) -> None:
    """Its think time and VUs can't reach the rate; the results are shorter than planned."""
    scenario = SCENARIO + "scenario: {requests: [{name: a, path: /}], vus: 1, think_time: 1s, duration: 120s}\n"
    found, code = verdict(tmp_path, ndjson(600), scenario)
    assert code == 4
    assert [one["id"] for one in found["reasons"]] == ["truncated", "rate-out-of-reach"]
    with pytest.raises(ParametersError, match=r"scenario\.vuss"):
        verdict(tmp_path, ndjson(600), scenario.replace("vus:", "vuss:"))


def test_mixed_files_are_refused(tmp_path: Path) -> None:
    """A summary beside samples."""
    (tmp_path / "a").write_text(json.dumps(SUMMARY))
    (tmp_path / "b").write_text(ndjson(100))
    text, code = command([tmp_path / "a", tmp_path / "b"], None)
    assert code == 4
    assert "percentiles don't add up" in text


def test_samples_of_several_runners_add_up(tmp_path: Path) -> None:
    """Counts and percentiles of all requests together."""
    for name, ms in (("a", 20.0), ("b", 40.0)):
        (tmp_path / name).write_text(ndjson(600, ms=ms))
    text, _ = command([tmp_path / "a", tmp_path / "b"], None)
    metrics = json.loads(text)["metrics"]
    assert metrics["http_reqs"]["values"]["count"] == 1200
    assert metrics["http_req_duration"]["values"]["avg"] == 30.0


@pytest.mark.parametrize("data", [ndjson(600, failed=60), k6_csv(600).replace("20.000000,,,,true", "20.000000,,,,false", 60).replace(",a,200,", ",a,500,", 240)])  # fmt: skip
def test_errors_are_kept_by_kind(tmp_path: Path, data: str) -> None:
    """By their status, where k6 has no words for them."""
    (tmp_path / "result").write_text(data)
    tally = read(tmp_path / "result").tally
    assert tally is not None
    assert (tally.failed, [kind for kind, _ in tally.errors]) == (60, ["status 500"])
