"""k6's adapter: its script under Node, its outputs from recorded shapes, its wrapper with a program in its place."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from launchbook.load import csvs, stream
from launchbook.load.act import choose
from launchbook.load.engine import source
from launchbook.load.k6 import K6, find
from launchbook.load.locust import Locust
from launchbook.load.samples import COLUMNS, BadSamples
from launchbook.parameters import Load

HEAD = (
    "metric_name,timestamp,metric_value,check,error,error_code,expected_response,group,method,name,status,extra_tags\n"
)


def load(**given: Any) -> Load:
    scenario = {"requests": [{"name": "a", "path": "/a"}], "vus": 4, **given.pop("scenario", {})}
    return Load.model_validate({"target": {"service": "ns/api"}, "scenario": scenario, **given})


def request(end: int, ms: float, status: int = 200, failed: int = 0, error: str = "", name: str = "a") -> str:
    """Rows of one request as k6 writes them, without the phases."""
    tags = f",,{error},{1400 if failed else ''},{'false' if failed else 'true'},,GET,{name},{status},\n"
    return "".join(
        f"{metric},{end},{value:f}{tags}"
        for metric, value in (("http_reqs", 1), ("http_req_duration", ms), ("http_req_failed", failed))
    )


def packed(*rows: str) -> bytes:
    return gzip.compress((HEAD + "".join(rows)).encode())


SUMMARY = {"metrics": {"http_reqs": {"values": {"count": 2}}}}


def left(folder: Path, data: bytes, summary: Any = None, engine: K6 | None = None) -> Any:
    """What a k6 left that wrote these."""
    (folder / "samples.csv.gz").write_bytes(data)
    (folder / "summary.json").write_text(json.dumps(SUMMARY if summary is None else summary))
    return (engine or K6(load(), "http://x")).left(folder)


def test_requests_are_read_with_when_they_were_sent(tmp_path: Path) -> None:
    """k6 stamps the end of a request; other metrics are left out."""
    data = packed(
        request(2_000_000, 500.0), "vus,2000000,4.000000,,,,,,,,,\n", request(2_000_000, 250.0, 503, 1, name="b"),
        request(3_000_000, 0.0, 0, 1, "dial: connection refused"),
    )  # fmt: skip
    assert left(tmp_path, data).whole()[list(COLUMNS)].to_dict("list") == {
        "start": [1.5, 1.75, 3.0], "ms": [500.0, 250.0, 0.0], "name": ["a", "b", "a"], "status": [200, 503, 0],
        "failed": [False, True, True], "error": ["", "status 503", "dial: connection refused"],
    }  # fmt: skip


def test_a_killed_k6_leaves_what_was_written(tmp_path: Path) -> None:
    """The request whose last row is missing goes; rows that don't pair up are no samples."""
    whole = packed(*[request(1_000_000 + n, 5.0) for n in range(2000)])
    assert 0 < len(left(tmp_path, whole[: len(whole) // 2]).whole()) < 2000
    with pytest.raises(BadSamples, match="4 durations and 0 answers"):
        left(tmp_path, packed(*["http_req_duration,1,1.0,,,,,,,,,\n"] * 4)).whole()
    with pytest.raises(BadSamples, match="can't be read"):
        left(tmp_path, gzip.compress(b"no,such,columns\n1,2,3\n")).whole()
    with pytest.raises(BadSamples, match="left no samples"):
        left(tmp_path, b"")


@pytest.mark.parametrize(
    ("summary", "ids"),
    [
        ({"metrics": {"http_reqs": {"values": {"count": 2}}}}, []),
        ({"metrics": {"http_reqs": {"values": {"count": 3}}}}, ["truncated"]),
        ({"metrics": {"http_reqs": {"values": {"count": 2}}, "dropped_iterations": {"values": {"count": 7}}}}, ["rate-not-kept"]),
        ({}, ["truncated"]),
    ],
)  # fmt: skip
def test_the_summary_must_agree_with_the_samples(tmp_path: Path, summary: Any, ids: list[str]) -> None:
    """Lost samples and dropped iterations are reasons against the result."""
    found = left(tmp_path, packed(request(1_000_000, 5.0), request(2_000_000, 5.0)), summary)
    assert len(found.whole()) == 2
    assert [one.id for one in found.doubts] == ids


def test_health_is_made_from_the_clock_and_the_ticks() -> None:
    """Cores used between two lines, and by how much the second was late."""
    told = [
        {"version": "k6 v1.3.0"},
        {"clock": 10.0, "ticks": 100, "hertz": 100},
        {"clock": 11.25, "ticks": 150, "hertz": 100},
    ]
    frame = K6(load(), "http://x").health(told)
    assert frame[["cpu", "lag"]].to_dict("records") == [{"cpu": 0.4, "lag": 0.25}]


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Puts a shell script named k6 alone on PATH, beside the system's own programs."""

    def put(text: str) -> Path:
        file = tmp_path / "bin" / "k6"
        file.parent.mkdir(exist_ok=True)
        file.write_text("#!/bin/sh\n" + text)
        file.chmod(0o755)
        monkeypatch.setenv("PATH", f"{file.parent}:/usr/bin:/bin")
        return file

    return put


@pytest.mark.parametrize(
    ("says", "version"),
    [
        ("k6 v0.52.0 (go1.22.4, linux/amd64)", "v0.52.0"), ("k6 v1.3.0 (commit/abc, go1.25, linux/amd64)", "v1.3.0"),
        ("k6 v2.2.0", "v2.2.0"), ("k6 v0.49.0", None), ("k6 v3.0.0", None), ("k9 1", None),
    ],
)  # fmt: skip
def test_only_known_versions_are_driven(program: Callable[[str], Path], says: str, version: str | None) -> None:
    """A major version that nobody has looked at is refused, with its number."""
    file = program(f"echo '{says}'\n")
    found, said = find()
    assert (found, said) == (str(file), version) if version else found is None


def test_auto_takes_k6_where_it_can(program: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """On PATH for this machine, as an image for a pod; asked for and absent, it is named, never replaced."""
    here = {"where": "here"}
    pod = {"where": "pod", "k6_image": "k6:1"}
    program("echo 'k6 v1.3.0'\n")
    assert isinstance(choose(load(generator=here), "http://x"), K6)
    assert isinstance(choose(load(generator=here, engine="locust"), "http://x"), Locust)
    assert isinstance(choose(load(generator=pod), "http://x"), K6)
    assert isinstance(choose(load(), "http://x"), Locust)
    assert "k6_image" in str(choose(load(engine="k6"), "http://x"))
    monkeypatch.setenv("PATH", "/nowhere")
    assert isinstance(choose(load(generator=here), "http://x"), Locust)
    assert "there is no k6 on PATH" in str(choose(load(generator=here, engine="k6"), "http://x"))


def test_the_command_line_calls_nobody_and_leaks_nothing() -> None:
    """As k6's options have it."""
    engine = K6(load(), "http://x")
    line = engine.command("/code", "/out")
    for wanted in ("--no-usage-report", "--include-system-env-vars=false", "--no-thresholds"):
        assert wanted in line
    assert line[line.index("--summary-trend-stats") + 1] == "avg,min,med,max,p(90),p(95),p(99),p(99.9),count"
    assert line[line.index("--config") + 1] == "/code/k6.json"
    assert json.loads(engine.files("/out")["k6.json"]) == {}
    assert set(engine.environment("/out")) == {"HOME", "OUT", "K6_CSV_TIME_FORMAT", "K6_AUTO_EXTENSION_RESOLUTION"}


def wrapped(folder: Path, program: Callable[[str], Path], text: str, **environment: str) -> tuple[list[Any], list[str]]:
    """(what k6.sh told, what else it printed), as a pod runs it, around a program."""
    program(text)
    script = folder / "k6.sh"
    script.write_text(source("k6.sh"))
    done = subprocess.run(
        ["sh", script, str(folder), "k6", "run", "generator.js"],
        capture_output=True, text=True, env={**os.environ, "OUT": str(folder), **environment}, timeout=30, check=True,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    return [json.loads(one[3:]) for one in lines if one.startswith("LB ")], [
        one for one in lines if not one.startswith("LB ")
    ]


def test_the_wrapper_tells_cpu_and_the_exit_code(program: Callable[[str], Path], tmp_path: Path) -> None:
    """Around a program that takes a second and fails; the dry run and the floor come first."""
    told, said = wrapped(
        tmp_path, program,
        'case "$1" in version) echo "k6 v1.3.0 (go)"; exit 0 ;; inspect) exit 0 ;; esac\n'
        "case \"$*\" in *'NULL=http://n '*floor.js) echo 'LB {\"floor\": {\"p(95)\": 2}}'; exit 0 ;; esac\n"
        'sleep 1.3\necho "level=error msg=no"\nexit 107\n',
        NULL="http://n",
    )  # fmt: skip
    assert told[:2] == [{"version": "k6 v1.3.0 (go)"}, {"floor": {"p(95)": 2}}]
    assert told[-1] == {"done": True, "code": 107}
    assert (tmp_path / "k6-errors.txt").read_text() == "1\nlevel=error msg=no\n"
    assert len(told) >= 5
    assert all(line.keys() == {"clock", "ticks", "hertz"} for line in told[2:-1])
    assert "level=error msg=no" in said
    assert "the script threw an exception" in K6(load(), "http://x").meaning(107)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('case "$1" in version) echo "k6 v3.0.0" ;; *) touch "$OUT/sent" ;; esac\n', "0.50 up to 2.x can be driven"),
        ('case "$1" in version) echo "k6 v1.3.0" ;; inspect) echo "bad executor"; exit 104 ;; *) touch "$OUT/sent" ;; esac\n', "bad executor"),
    ],
)  # fmt: skip
def test_the_wrapper_sends_nothing_where_k6_can_not_be_driven(
    program: Callable[[str], Path], tmp_path: Path, text: str, said: str
) -> None:
    """An unknown version, or a dry run that k6 refuses."""
    told, printed = wrapped(tmp_path, program, text, NULL="http://n")
    assert told[-1] == {"done": True, "code": 104}
    assert said in printed
    assert not (tmp_path / "sent").exists()


SLOW = 'case "$1" in version) echo "k6 v1.3.0"; exit 0 ;; inspect) exit 0 ;; esac\n'


def test_the_wrapper_ends_a_load_that_nobody_waits_for(program: Callable[[str], Path], tmp_path: Path) -> None:
    """Once its run is dead, and nothing touches the file that says that it lives."""
    renewal = {"RENEWED": str(tmp_path / "renewed"), "RENEW_WITHIN": "1"}
    told, said = wrapped(tmp_path, program, SLOW + "exec sleep 25\n", **renewal)
    assert told[-1] == {"done": True, "code": 143}
    assert "Nobody has asked for this load for 1 s: it ends." in said


def test_the_wrapper_goes_on_while_somebody_waits(program: Callable[[str], Path], tmp_path: Path) -> None:
    """The load touches the file itself here."""
    touching = 'for n in 1 2 3 4 5 6; do touch "$RENEWED"; sleep 1; done\n'
    renewal = {"RENEWED": str(tmp_path / "renewed"), "RENEW_WITHIN": "3"}
    told, _ = wrapped(tmp_path, program, SLOW + touching, **renewal)
    assert told[-1] == {"done": True, "code": 0}
    assert (tmp_path / "k6-errors.txt").read_text() == "0\n\n"


CHECK = "checks,{},{},,,,,,,{},,\n"
BODY = {"requests": [{"name": "a", "path": "/a", "expect_body": {"contains": "x"}}]}


def test_a_body_that_lacks_something_makes_its_request_a_failed_one(tmp_path: Path) -> None:
    """k6's check is a row of its own: the last request of that name before it fails, no other."""
    data = packed(
        request(1_000_000, 5.0, name="a"), CHECK.format(1_000_100, "0.000000", "a"),
        request(2_000_000, 5.0, name="a"), CHECK.format(2_000_100, "1.000000", "a"),
        request(2_500_000, 5.0, name="b"), request(3_000_000, 5.0, name="a"),
        CHECK.format(3_000_050, "0.000000", "a"), request(3_000_090, 9.0, name="a"),
    )  # fmt: skip
    samples = left(tmp_path, data, engine=K6(load(scenario=BODY), "http://x")).whole()
    ended = (samples["start"] + samples["ms"] / 1000).round(3)
    assert set(ended[samples["failed"]]) == {1.0, 3.0}
    assert set(samples.loc[samples["failed"], "error"]) == {"body: is not as expected"}


def test_a_check_may_stand_in_the_block_after_its_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever blocks end, each failed check fails one request; one whose request is not there is said."""
    rows = [
        request(1_000_000 + 100_000 * n, 5.0) + CHECK.format(1_000_100 + 100_000 * n, f"{n % 3 > 0:f}", "a")
        for n in range(300)
    ]  # fmt: skip
    engine = K6(load(scenario=BODY), "http://x")
    for size in (500, 1000, 5000, 1 << 20):
        monkeypatch.setattr(csvs, "_PARSE", size)
        monkeypatch.setattr(stream, "_BLOCK", size // 3)
        monkeypatch.setattr(stream, "_READ", size // 9)
        found = left(tmp_path, packed(*rows), engine=engine)
        samples = found.whole()
        assert samples["failed"].tolist() == [n % 3 == 0 for n in range(300)]
        assert "belong to no request" not in str(found.doubts)
    found = left(tmp_path, packed(*rows, CHECK.format(999_000, "0.000000", "a")), engine=engine)
    assert found.whole()["failed"].sum() == 100
    assert "1 failed checks belong to no request that was written." in str(found.doubts)


def test_a_script_of_the_users_own_is_run_in_place_of_ours(tmp_path: Path) -> None:
    """It is told the target, its summary is exported, and a request to another site spoils the result."""
    script = tmp_path / "mine.js"
    script.write_text("export default function () {}\n")
    engine = K6(load(scenario={"requests": [], "script": str(script)}), "http://api.ns.svc")
    assert engine.files("/out")["generator.js"] == script.read_text()
    line = engine.command("/code", "/out")
    assert line[line.index("--summary-export") + 1] == "/out/summary.json"
    assert "TARGET=http://api.ns.svc" in line
    head = "metric_name,timestamp,metric_value,error,name,status,url\n"
    rows = "".join(
        f"http_req_duration,{n},5.0,,a,200,{url}\nhttp_req_failed,{n},0,,a,200,{url}\n"
        for n, url in ((1, "http://api.ns.svc/x"), (2, "http://other/x"))
    )
    summary = {"metrics": {"http_reqs": {"count": 2}}}
    (tmp_path / "k6-errors.txt").write_text("0\n\n")
    found = left(tmp_path, gzip.compress((head + rows).encode()), summary, engine)
    assert len(found.whole()) == 2
    assert [(one.id, one.message) for one in found.doubts] == [
        ("elsewhere", "The script sent requests to http://other, which is not http://api.ns.svc.")
    ]


def test_a_script_needs_k6() -> None:
    """Locust can't run it, and one of the two describes the load."""
    with pytest.raises(ValueError, match="script is for k6"):
        load(engine="locust", scenario={"requests": [], "script": "a.js"})
    with pytest.raises(ValueError, match="needs `requests:`, or `script:`"):
        load(scenario={"script": "a.js"})
