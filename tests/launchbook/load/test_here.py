"""A generator on this machine: the real Locust against a real server on loopback, and programs in k6's place."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import psutil
import pytest

from launchbook.errors import ClusterError
from launchbook.folder import RunFolder
from launchbook.load import here, live
from launchbook.load.engine import Engine
from launchbook.load.k6 import K6, find
from launchbook.load.locust import Locust
from launchbook.load.result import Result
from launchbook.load.samples import BadSamples
from launchbook.load.stream import Stream
from launchbook.parameters import Generator, Load


class Answers(BaseHTTPRequestHandler):
    """/ready and /a answer 200, /echo with the Authorization that it was given, /moved redirects, others are 404.

    /still answers forty requests, then none until `over`.
    """

    protocol_version = "HTTP/1.1"
    given: ClassVar[set[str | None]] = set()
    left: ClassVar[list[int]] = list(range(40))
    over: ClassVar[threading.Event] = threading.Event()

    def do_GET(self) -> None:
        if self.path == "/still" and not (self.left and self.left.pop()):
            self.over.wait()
        code = {"/ready": 200, "/a": 200, "/still": 200, "/echo": 200, "/moved": 302}.get(self.path, 404)
        self.send_response(code)
        body = b""
        if self.path == "/echo":
            self.given.add(self.headers["Authorization"])
            body = b'{"you": "%s"}' % str(self.headers["Authorization"]).encode()
        if code == 302:
            self.send_header("Location", "/ready")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Silence."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Its URL."""
    serving = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=serving.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{serving.server_port}"
    Answers.over.set()
    serving.shutdown()
    serving.server_close()
    thread.join()


@dataclass
class FakeRun:
    """What here.send() needs of a run."""

    files: RunFolder
    left: list[Any] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    waiting: list[Any] = field(default_factory=list)

    def now(self) -> datetime:
        return datetime(2026, 11, 24, tzinfo=UTC)

    def progress(self, text: str, fraction: float | None = None) -> None:
        assert fraction is None or 0 <= fraction <= 1
        self.said.append(text)

    def at_exit(self, clean_up: Any) -> None:
        self.left.append(clean_up)


def load(probe: str = "/ready", **scenario: Any) -> Load:
    requests = [{"name": "good", "path": "/a", "weight": 3}, {"name": "bad", "path": "/b"}]
    given = {"requests": requests, "vus": 4, "duration": "2s", "warmup": "1s", "think_time": "50ms", **scenario}
    return Load.model_validate({"target": {"service": "ns/api", "probe_path": probe}, "scenario": given})


@pytest.fixture
def run(tmp_path: Path) -> FakeRun:
    return FakeRun(RunFolder(tmp_path / "run"))


def sent(run: FakeRun, engine: Engine, whole: float = 3.0) -> Result:
    result = Result(engine.name, cores=engine.cores)
    before = children()
    here.send(run, engine, whole, result)  # type: ignore[arg-type]
    for clean_up in run.left:
        clean_up()
    assert not children() - before
    return result


def children() -> set[psutil.Process]:
    """Those of this process in its own network: a lab that these tests share their session with starts others."""
    found = set()
    for child in psutil.Process().children(recursive=True):
        with suppress(OSError):
            if Path(f"/proc/{child.pid}/ns/net").readlink() == Path("/proc/self/ns/net").readlink():
                found.add(child)
    return found


def test_locust_sends_the_scenario(run: FakeRun, server: str) -> None:
    """Samples, health and version of a real run; a 404 is a failed request."""
    result = sent(run, here_locust(load(), server))
    assert (result.problem, result.complete, result.answered, result.reasons) == (None, True, True, [])
    assert result.version.startswith("2.")
    counts = result.samples.whole().groupby("name")["failed"].agg(["size", "sum"])
    assert counts.loc["good", "sum"] == 0 < counts.loc["good", "size"]
    assert counts.loc["bad", "sum"] == counts.loc["bad", "size"] > 0
    assert set(result.samples.whole().loc[result.samples.whole()["failed"], "error"]) == {"status 404"}
    assert len(result.health.dropna(subset=["cpu", "lag"])) >= 3


def here_locust(given: Load, url: str) -> Locust:
    return Locust(given, url, python=sys.executable)


@pytest.mark.parametrize("stages", [(), ({"duration": "1s", "target": 4}, {"duration": "2s", "target": 4})])
def test_what_still_waits_when_the_load_ends_is_in_the_samples(run: FakeRun, server: str, stages: Any) -> None:
    """A target that answers nobody any more would leave no sample of it, had the users been ended."""
    Answers.left[:] = range(1, 41)
    given = {"requests": [{"name": "a", "path": "/still"}], "request_timeout": "4s", "duration": "2s", "stages": stages}
    result = sent(run, here_locust(load(**given), server))
    assert (result.problem, result.complete, result.count) == (None, True, 44)
    table = result.samples.whole()
    assert table["failed"].sum() == 4
    assert table.loc[table["failed"], "ms"].between(3900, 5000).all()


@pytest.mark.parametrize(("rate", "low", "high"), [(None, 60, 165), (40.0, 50, 90)])
def test_locust_keeps_stages(run: FakeRun, server: str, rate: float | None, low: int, high: int) -> None:
    """Users, or with a rate requests/s, rise and stay: 2 s up to the target and 2 s there, or thereabouts."""
    target = 40 if rate else 4
    stages = [{"duration": "2s", "target": target}, {"duration": "2s", "target": target}]
    result = sent(run, here_locust(load(stages=stages, rate=rate), server), whole=4.0)
    assert result.complete
    first = result.samples.whole()["start"].min()
    rising, level = ((result.samples.whole()["start"] - first).between(*part).sum() for part in ((0, 2), (2, 4)))
    assert low <= level <= high
    assert rising < level


def test_an_open_loop_sends_evenly(run: FakeRun, server: str) -> None:
    """Twenty users that all began at once would send twenty requests twice a second, and none in between."""
    result = sent(run, here_locust(load(rate=40.0, vus=20, duration="2s"), server), whole=3.0)
    start = np.sort(result.samples.whole()["start"].to_numpy())
    later = start[start >= start[0] + 0.5]
    assert 30 <= len(later) / (later[-1] - later[0]) <= 42
    quarters = np.bincount(((later - later[0]) / 0.25).astype(int))
    assert quarters.max() < 20
    assert (quarters > 0).mean() > 0.75


@pytest.mark.parametrize(("path", "said"), [("/nothing", "status 404"), ("/moved", "status 302")])
def test_a_target_that_does_not_answer_gets_no_load(
    run: FakeRun, server: str, path: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A redirect leads elsewhere, so it is no answer."""
    monkeypatch.setattr(here.time, "sleep", lambda _: None)
    result = Result("locust")
    with pytest.raises(ClusterError, match=f"{said}.*no load was sent"):
        here.send(run, here_locust(load(path), server), 3.0, result)  # type: ignore[arg-type]
    assert result.answered is False
    assert not result.began


PROGRAM = """#!/bin/sh
case "$1" in inspect) {inspect} ;; esac
case "$*" in *floor.js) echo 'LB {{"floor": {{"med": 1, "p(95)": 2, "p(99)": 3, "count": 9}}}}'; exit 0 ;; esac
for word; do case "$word" in csv=*) file="${{word#csv=}}" ;; esac; done
env > "$(dirname "$file")/seen"
{run}
"""


def program(folder: Path, does: str, inspect: str = "exit 0") -> str:
    """A shell script in k6's place; `does` is its load, and finds the samples' file in $file."""
    file = folder / "k6"
    file.write_text(PROGRAM.format(run=does, inspect=inspect))
    file.chmod(0o755)
    return str(file)


@pytest.mark.parametrize(
    ("does", "problem"),
    [
        ("echo 'level=error msg=boom' >&2; exit 107", "k6 ended with exit code 107: the script threw an exception. It said: level=error msg=boom"),
        ("kill -9 $$", "k6 ended with exit code -9"),
    ],
)  # fmt: skip
def test_a_k6_that_fails_is_told_with_what_it_said(
    run: FakeRun, server: str, tmp_path: Path, does: str, problem: str
) -> None:
    """And without samples there is nothing to believe."""
    result = Result("k6")
    with pytest.raises(BadSamples, match="left no samples"):
        here.send(run, K6(load(), server, program=program(tmp_path, does)), 3.0, result)  # type: ignore[arg-type]
    assert not result.complete
    assert problem in str(result.problem)


def test_a_k6_that_refuses_the_scenario_sends_nothing(run: FakeRun, server: str, tmp_path: Path) -> None:
    """`k6 inspect` is the dry run."""
    result = Result("k6")
    engine = K6(load(), server, program=program(tmp_path, "exit 0", "echo 'bad executor' >&2; exit 104"))
    with pytest.raises(ClusterError, match="k6 refuses the scenario: bad executor No load was sent"):
        here.send(run, engine, 3.0, result)  # type: ignore[arg-type]
    assert not result.began


@pytest.mark.parametrize(("code", "complete"), [(0, True), (99, True), (107, False)])
def test_a_script_that_throws_in_each_iteration_is_no_result(
    run: FakeRun, server: str, tmp_path: Path, code: int, complete: bool
) -> None:
    """k6 ends with 0 all the same; 99 says that one of its thresholds broke, and the summary which."""
    rows = "metric_name,timestamp,metric_value,error,name,status,url\n" + "".join(
        f"http_req_duration,{10_000 * n},5.0,,a,200,{server}/a\nhttp_req_failed,{10_000 * n},0,,a,200,{server}/a\n"
        f"checks,{10_000 * n},0,,a,,\n"
        for n in range(500)
    )
    broken = {"passes": 0, "fails": 500, "value": 0, "thresholds": {"rate>0.9": code == 99}}
    summary = {"metrics": {"http_reqs": {"count": 500, "rate": 100}, "checks": broken}}
    (tmp_path / "rows.gz").write_bytes(gzip.compress(rows.encode()))
    (tmp_path / "summary").write_text(json.dumps(summary))
    does = (
        f'cp {tmp_path}/rows.gz "$file"; cp {tmp_path}/summary "$(dirname "$file")/summary.json"\n'
        f"for n in 1 2 3; do echo 'level=error msg=Uncaught' >&2; done; exit {code}"
    )
    script = tmp_path / "mine.js"
    script.write_text("export default function () {}\n")
    given = load(requests=[], script=str(script), think_time="100ms")
    result = sent(run, K6(given, server, program=program(tmp_path, does)))
    assert (result.complete, result.count) == (complete, 500)
    told = [one.message for one in result.reasons]
    assert told[0].startswith("k6 logged 3 errors of the script")
    assert told[0].endswith("The first: level=error msg=Uncaught")
    none = "None of 500 checks held, and no threshold made that a FAIL: nothing came back as it should."
    broken = "The script's own threshold checks: rate>0.9 does not hold over the whole test, says k6."
    assert told[1] == (broken if code == 99 else none)


def test_a_k6_that_hangs_is_ended(run: FakeRun, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the scenario's own time and some more; one signal first, so that it may write its summary."""
    monkeypatch.setattr(here, "SLACK", 0.0)
    engine = K6(load(), server, program=program(tmp_path, "trap 'exit 105' INT; while :; do sleep 0.1; done"))
    result = Result("k6")
    with pytest.raises(BadSamples):
        here.send(run, engine, 1.0, result)  # type: ignore[arg-type]
    assert result.problem == "The generator did not come to its end in time."


def test_the_environment_is_not_handed_on(
    run: FakeRun, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A K6_* variable of the user's would go before the script's options."""
    monkeypatch.setenv("K6_VUS", "9999")
    monkeypatch.setenv("CLOUD_TOKEN", "x")
    kept = tmp_path / "kept"
    engine = K6(load(), server, program=program(tmp_path, f'cp "$(dirname "$file")/seen" {kept}; exit 0'))
    with pytest.raises(BadSamples):
        here.send(run, engine, 3.0, Result("k6"))  # type: ignore[arg-type]
    names = {line.partition("=")[0] for line in kept.read_text().splitlines()}
    assert names - {"PWD", "_", "SHLVL", "OLDPWD"} == {
        "PATH",
        "HOME",
        "NULL",
        "OUT",
        "K6_CSV_TIME_FORMAT",
        "K6_AUTO_EXTENSION_RESOLUTION",
    }


@pytest.mark.skipif(not shutil.which("k6"), reason="k6 is not on PATH; it is the user's own program")
def test_the_real_k6_sends_the_scenario(run: FakeRun, server: str) -> None:
    """The same as with Locust."""
    path, said = find()
    assert path, said
    result = sent(run, K6(load(), server, program=path))
    assert (result.problem, result.complete, result.reasons) == (None, True, [])
    counts = result.samples.whole().groupby("name")["failed"].agg(["size", "sum"])
    assert counts.loc["good", "sum"] == 0 < counts.loc["good", "size"]
    assert counts.loc["bad", "sum"] == counts.loc["bad", "size"] > 0


SECRET = "pl4nted-s3cret"
ECHO = {"name": "echo", "path": "/echo", "headers": {"Authorization": {"env": "API_TOKEN", "prefix": "Bearer "}}}


def with_secret(**more: Any) -> Load:
    scenario = {"requests": [{**ECHO, **more}], "vus": 2, "duration": "1s", "warmup": "0s"}
    return Load.model_validate(
        {"target": {"service": "ns/api", "probe_path": "/ready"}, "scenario": scenario, "generator": {"where": "here"}}
    )


def test_a_secret_reaches_the_target_and_nothing_that_is_kept(
    run: FakeRun, server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Not even where the target sends it back and its answer is refused."""
    monkeypatch.setenv("API_TOKEN", SECRET + "\n")
    result = sent(run, here_locust(with_secret(expect_body={"json_fields": {"you": "nobody"}}), server))
    assert f"Bearer {SECRET}" in Answers.given
    assert result.samples.whole()["failed"].all()
    assert set(result.samples.whole()["error"]) == {"body: you is not as expected"}
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    for path in files:
        assert SECRET.encode() not in path.read_bytes() + b"".join(Stream(path).blocks()), path
    assert SECRET not in "".join([str(result), result.samples.whole().to_csv(), result.health.to_csv(), str(run.said)])


def test_what_a_generator_says_is_shown_without_its_secrets(
    run: FakeRun, server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A program that prints its environment and fails."""
    monkeypatch.setenv("API_TOKEN", SECRET)
    engine = K6(with_secret(), server, program=program(tmp_path, "env | grep LAUNCHBOOK >&2; exit 107"))
    result = Result("k6")
    with pytest.raises(BadSamples):
        here.send(run, engine, 1.0, result)  # type: ignore[arg-type]
    assert "LAUNCHBOOK_HEADER" in str(result.problem)
    assert SECRET not in str(result.problem)


def test_a_variable_that_is_not_set_stops_before_anything_is_sent(
    run: FakeRun, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its name."""
    monkeypatch.delenv("API_TOKEN", raising=False)
    result = Result("locust")
    with pytest.raises(ClusterError, match="API_TOKEN, which a header needs, is not set: no load was sent"):
        here.send(run, here_locust(with_secret(), server), 1.0, result)  # type: ignore[arg-type]
    assert (result.answered, result.began) == (None, "")


def test_several_processes_are_one_run(run: FakeRun, server: str) -> None:
    """Each with its own health, their samples put together, and a floor before the load."""
    given = load(vus=6).model_copy(update={"generator": Generator(where="here", processes=3)})
    result = sent(run, here_locust(given, server))
    assert (result.problem, result.complete) == (None, True)
    assert set(result.processes["worker"]) == {"0", "1", "2", "master"}
    assert result.processes["requests"].sum() == pytest.approx(result.count, rel=0.1)
    assert result.health["users"].max() == 6
    assert result.cores == 1.0
    assert result.floor is not None
    assert 0 < result.floor["med"] <= result.floor["p(95)"]
    ended = result.samples.whole()["start"] + result.samples.whole()["ms"] / 1000
    assert ended.diff().min() > -0.05


def busy(run: FakeRun, then: Any) -> Any:
    """`run`, but at the first progress that tells of load `then` is called, once."""
    told = run.progress

    def progress(text: str, fraction: float | None = None) -> None:
        told(text, fraction)
        if "requests/s" in text and run.waiting:
            run.waiting.pop()()

    run.waiting = [then]
    run.progress = progress  # type: ignore[method-assign]
    return run


@pytest.mark.parametrize("processes", [1, 2])
def test_a_generator_that_is_killed_leaves_what_it_measured(
    run: FakeRun, server: str, processes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up to the last second, and the result says that it is not whole."""
    monkeypatch.setattr(live, "_LINE", 1.0)
    given = load(duration="60s").model_copy(update={"generator": Generator(where="here", processes=processes)})

    def kill() -> None:
        for child in psutil.Process().children(recursive=True):
            if "generator.py" in " ".join(child.cmdline()):
                child.kill()

    result = sent(busy(run, kill), here_locust(given, server), whole=60.0)
    assert not result.complete
    assert "exit code -9" in str(result.problem)
    assert result.count >= 20
    assert {f"samples-{n}.csv.gz" for n in range(processes)} <= {
        p.name for p in (run.files.evidence / "load").iterdir()
    }


class Abandoned(Locust):
    """Its run is dead: nobody touches what says that it lives."""

    def environment(self, out: str) -> dict[str, str]:
        return {**super().environment(out), "RENEWED": f"{out}/renewed", "RENEW_WITHIN": "2"}


@pytest.mark.parametrize("processes", [1, 2])
def test_a_load_that_nobody_waits_for_ends_by_itself(run: FakeRun, server: str, processes: int) -> None:
    """And should somebody wait after all, it isn't taken for a whole one."""
    given = load(duration="60s").model_copy(update={"generator": Generator(where="here", processes=processes)})
    began = time.monotonic()
    result = sent(run, Abandoned(given, server, python=sys.executable), whole=60.0)
    assert time.monotonic() - began < 45
    assert not result.complete
    assert "exit code 75: nobody looked at it for too long, and it ended by itself" in str(result.problem)
    assert result.count > 20


def test_a_worker_that_is_lost_is_seen(run: FakeRun, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its samples are kept, and the load was not the one planned."""
    monkeypatch.setattr(live, "_LINE", 1.0)
    given = load(vus=4, duration="4s").model_copy(update={"generator": Generator(where="here", processes=2)})

    def kill() -> None:
        started = [p for p in psutil.Process().children() if "generator.py" in " ".join(p.cmdline())]
        started[0].children()[0].kill()

    result = sent(busy(run, kill), here_locust(given, server), whole=6.0)
    assert not result.complete
    assert "1 of 2 Locust processes did not come to their end" in str(result.problem)
    assert result.count > 20


def test_a_disk_that_fills_up_ends_the_load_and_keeps_what_was_measured(
    run: FakeRun, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it is full: the run's own records need room, too."""
    monkeypatch.setattr(live, "_LINE", 1.0)
    usage = shutil.disk_usage("/")

    def fill() -> None:
        monkeypatch.setattr(here.shutil, "disk_usage", lambda _: usage._replace(free=5 << 20))

    result = sent(busy(run, fill), here_locust(load(duration="60s"), server), whole=60.0)
    assert str(result.problem).startswith(
        "Only 5 MiB are left on the disk, so the load was stopped; what was measured is kept."
    )
    assert not result.complete
    assert result.count >= 20


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_a_generator_that_can_not_write_says_so(
    run: FakeRun, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a disk of 64 KiB that is full after some seconds: it stops, rather than to go on and lose the samples."""
    monkeypatch.setattr(here, "_ROOM", 0)
    small = run.files.evidence / "load"
    small.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", small], check=True)
    try:
        given = load(vus=20, duration="60s", think_time="1ms")
        result = sent(run, here_locust(given, server), whole=60.0)
    finally:
        subprocess.run(["umount", "-l", small], check=True)
    assert "samples can't be written: No space left on device" in str(result.problem)
    assert not result.complete
    assert result.count > 100


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"Authorization": "Bearer abc"}, "needs a reference"), ({"Host": "other"}, "another site"),
        ({"a b": "c"}, "no name of a header"), ({"X-A": {"secret": "name/key"}}, "only a generator in a pod can read"),
        ({"X-A": {"value": "abc"}}, "X-A is a text, `{secret: name/key}` or `{env: VARIABLE}`"),
    ],
)  # fmt: skip
def test_headers_that_can_not_be_sent_are_refused(headers: Any, said: str) -> None:
    """With the file's parameters, before anything starts; a literal credential would be kept by the run."""
    with pytest.raises(ValueError, match=said) as refused:
        Load.model_validate(
            {
                "target": {"service": "ns/api"}, "generator": {"where": "here"},
                "scenario": {"requests": [{"name": "a", "path": "/", "headers": headers}]},
            }
        )  # fmt: skip
    assert "abc" not in refused.value.errors()[0]["msg"]


@pytest.mark.parametrize("url", ["http://me:pw@x", "http://x/?a=b", "http://x#y", "http://x\\@y", "http://x y"])
def test_a_url_is_a_place_and_nothing_else(url: str) -> None:
    """A user would be kept, and a part that programs read differently may lead elsewhere."""
    with pytest.raises(ValueError, match="scheme, host, port and path alone"):
        Load.model_validate({**load().model_dump(), "target": {"service": "ns/api", "url": url}})
