"""k6's adapter: its script under Node, its outputs from recorded shapes, its wrapper with a program in its place."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from launchbook.load.act import choose
from launchbook.load.engine import source
from launchbook.load.k6 import K6, find
from launchbook.load.locust import Locust
from launchbook.load.samples import BadSamples, from_k6
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


def test_requests_are_read_with_when_they_were_sent() -> None:
    """k6 stamps the end of a request; other metrics are left out."""
    data = packed(
        request(2_000_000, 500.0), "vus,2000000,4.000000,,,,,,,,,\n", request(2_000_000, 250.0, 503, 1, name="b"),
        request(3_000_000, 0.0, 0, 1, "dial: connection refused"),
    )  # fmt: skip
    table = from_k6(data)
    assert table.to_dict("list") == {
        "start": [1.5, 1.75, 3.0], "ms": [500.0, 250.0, 0.0], "name": ["a", "b", "a"], "status": [200, 503, 0],
        "failed": [False, True, True], "error": ["", "status 503", "dial: connection refused"],
    }  # fmt: skip


def test_a_killed_k6_leaves_what_was_written() -> None:
    """The request whose last row is missing goes; rows that don't pair up are no samples."""
    whole = packed(*[request(1_000_000 + n, 5.0) for n in range(2000)])
    assert 0 < len(from_k6(whole[: len(whole) // 2])) < 2000
    with pytest.raises(BadSamples, match="4 durations and 0 answers"):
        from_k6(packed(*["http_req_duration,1,1.0,,,,,,,,,\n"] * 4))
    with pytest.raises(BadSamples, match="can't be read"):
        from_k6(gzip.compress(b"no,such,columns\n1,2,3\n"))
    with pytest.raises(BadSamples, match="left no samples"):
        from_k6(b"")


@pytest.mark.parametrize(
    ("summary", "ids"),
    [
        ({"metrics": {"http_reqs": {"values": {"count": 2}}}}, []),
        ({"metrics": {"http_reqs": {"values": {"count": 3}}}}, ["truncated"]),
        ({"metrics": {"http_reqs": {"values": {"count": 2}}, "dropped_iterations": {"values": {"count": 7}}}}, ["generator-saturated"]),
        ({}, ["truncated"]),
    ],
)  # fmt: skip
def test_the_summary_must_agree_with_the_samples(summary: Any, ids: list[str]) -> None:
    """Lost samples and dropped iterations are reasons against the result."""
    outputs = {
        "samples.csv.gz": packed(request(1_000_000, 5.0), request(2_000_000, 5.0)),
        "summary.json": json.dumps(summary).encode(),
    }
    _, doubts = K6(load(), "http://x").read(outputs)
    assert [one.id for one in doubts] == ids


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
    assert line[line.index("--config") + 1] == "/code/k6.json"
    assert json.loads(engine.files("/out")["k6.json"]) == {}
    assert set(engine.environment("/out")) == {"HOME", "OUT", "K6_CSV_TIME_FORMAT", "K6_AUTO_EXTENSION_RESOLUTION"}


def test_the_wrapper_tells_cpu_and_the_exit_code(program: Callable[[str], Path], tmp_path: Path) -> None:
    """k6.sh, as a pod runs it, around a program that takes a second and fails."""
    program(
        '[ "$1" = version ] && { echo "k6 v1.3.0 (go)"; exit 0; }\nsleep 1.3\necho "level=error msg=no"\nexit 107\n'
    )
    script = tmp_path / "k6.sh"
    script.write_text(source("k6.sh"))
    environment = {**os.environ, "OUT": str(tmp_path), "HOLD": "0"}
    done = subprocess.run(
        ["sh", script, "k6", "run"], capture_output=True, text=True, env=environment, timeout=30, check=True
    )
    lines = done.stdout.splitlines()
    told = [json.loads(line[3:]) for line in lines if line.startswith("LB ")]
    assert told[0] == {"version": "k6 v1.3.0 (go)"}
    assert told[-1] == {"done": True, "code": 107}
    assert len(told) >= 4
    assert all(line.keys() == {"clock", "ticks", "hertz"} for line in told[1:-1])
    assert "level=error msg=no" in lines
    assert "the script threw an exception" in K6(load(), "http://x").meaning(107)


NODE = """
import { register } from 'node:module';
import { readFileSync } from 'node:fs';
const hooks = `
export async function resolve(name, context, next) {
  const ours = {
    'k6': 'export const sleep = (s) => globalThis.slept.push(s);',
    'k6/http': `+'`'+`export default { expectedStatuses: (...all) => all, request: (...all) => globalThis.sent.push(all) };`+'`'+`,
  };
  return name in ours
    ? { url: 'data:text/javascript,' + encodeURIComponent(ours[name]), shortCircuit: true } : next(name, context);
}`;
register('data:text/javascript,' + encodeURIComponent(hooks));
globalThis.sent = []; globalThis.slept = [];
globalThis.open = (name) => readFileSync(name, 'utf8');
const script = await import(process.cwd() + '/generator.mjs');
for (let n = 0; n < 1000; n++) script.default();
const summary = script.handleSummary({ metrics: {} });
console.log(JSON.stringify({ options: script.options, sent, slept, summary }));
"""


def under_node(folder: Path, given: Load) -> Any:
    engine = K6(given, "http://api.ns.svc")
    for name, text in engine.files("/tmp").items():
        (folder / name).write_text(text)
    (folder / "generator.js").rename(folder / "generator.mjs")
    (folder / "main.mjs").write_text(NODE)
    done = subprocess.run(["node", "main.mjs"], cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


needs_node = pytest.mark.skipif(not shutil.which("node"), reason="node is not on PATH")


@needs_node
def test_the_script_sends_the_scenario(tmp_path: Path) -> None:
    """Method, URL, body, headers, expected statuses and weights, with think time after each."""
    requests = [
        {"name": "get", "path": "/v1?x=1", "weight": 3},
        {
            "name": "post",
            "path": "/m",
            "method": "POST",
            "body": {"a": 1},
            "expect_status": [202],
            "headers": {"X-A": "b"},
        },
    ]
    said = under_node(tmp_path, load(scenario={"requests": requests, "think_time": "50ms"}))
    gets = [one for one in said["sent"] if one[0] == "GET"]
    posts = [one for one in said["sent"] if one[0] == "POST"]
    assert 650 < len(gets) < 850
    assert gets[0][1:3] == ["http://api.ns.svc/v1?x=1", None]
    assert posts[0][1:3] == ["http://api.ns.svc/m", '{"a":1}']
    told = posts[0][3]
    assert (told["headers"], told["responseCallback"]) == ({"Content-Type": "application/json", "X-A": "b"}, [202])
    assert (told["tags"], told["timeout"]) == ({"name": "post"}, "10s")
    assert said["slept"] == [0.05] * 1000
    assert said["summary"] == {"/tmp/summary.json": '{"metrics":{}}'}
    assert said["options"]["maxRedirects"] == 0


@needs_node
@pytest.mark.parametrize(
    ("given", "executor"),
    [
        ({"vus": 7, "duration": "20s"}, {"executor": "constant-vus", "vus": 7, "duration": "26s"}),
        ({"rate": 2.5, "duration": "20s"}, {"executor": "constant-arrival-rate", "rate": 2500, "timeUnit": "1000s", "duration": "26s", "preAllocatedVUs": 4, "maxVUs": 4}),
        ({"stages": [{"duration": "20s", "target": 9}]}, {"executor": "ramping-vus", "startVUs": 0, "stages": [{"duration": "20s", "target": 9}], "gracefulRampDown": "2s"}),
        ({"rate": 5, "stages": [{"duration": "20s", "target": 9}]}, {"executor": "ramping-arrival-rate", "startRate": 0, "timeUnit": "1000s", "stages": [{"duration": "20s", "target": 9000}], "preAllocatedVUs": 4, "maxVUs": 4}),
    ],
)  # fmt: skip
def test_each_shape_has_its_executor(tmp_path: Path, given: Any, executor: Any) -> None:
    """Closed and open loop, steady and in stages; an open loop has no think time."""
    said = under_node(tmp_path, load(scenario=given))
    assert said["options"]["scenarios"]["load"] == {**executor, "gracefulStop": "2s"}
    assert bool(said["slept"]) == ("rate" not in given)
