"""A generator on this machine: the real Locust against a real server on loopback, and programs in k6's place."""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest

from launchbook.errors import ClusterError
from launchbook.load import here
from launchbook.load.engine import Engine
from launchbook.load.k6 import K6, find
from launchbook.load.locust import Locust
from launchbook.load.result import Result
from launchbook.load.samples import BadSamples
from launchbook.parameters import Load


class Answers(BaseHTTPRequestHandler):
    """/ready and /a answer 200, /moved redirects, anything else is 404."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        code = {"/ready": 200, "/a": 200, "/moved": 302}.get(self.path, 404)
        self.send_response(code)
        if code == 302:
            self.send_header("Location", "/ready")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Silence."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Its URL."""
    serving = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=serving.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{serving.server_port}"
    serving.shutdown()
    serving.server_close()
    thread.join()


@dataclass
class FakeRun:
    """What here.send() needs of a run."""

    left: list[Any] = field(default_factory=list)

    def now(self) -> datetime:
        return datetime(2026, 11, 24, tzinfo=UTC)

    def progress(self, text: str, fraction: float | None = None) -> None:
        assert text
        assert fraction is None or 0 <= fraction <= 1

    def at_exit(self, clean_up: Any) -> None:
        self.left.append(clean_up)


def load(probe: str = "/ready", **scenario: Any) -> Load:
    requests = [{"name": "good", "path": "/a", "weight": 3}, {"name": "bad", "path": "/b"}]
    given = {"requests": requests, "vus": 4, "duration": "2s", "warmup": "1s", "think_time": "50ms", **scenario}
    return Load.model_validate({"target": {"service": "ns/api", "probe_path": probe}, "scenario": given})


def sent(engine: Engine, whole: float = 3.0) -> Result:
    result, run = Result(engine.name), FakeRun()
    before = set(psutil.Process().children(recursive=True))
    here.send(run, engine, whole, result)  # type: ignore[arg-type]
    for clean_up in run.left:
        clean_up()
    assert not set(psutil.Process().children(recursive=True)) - before
    return result


def test_locust_sends_the_scenario(server: str) -> None:
    """Samples, health and version of a real run; a 404 is a failed request."""
    result = sent(here_locust(load(), server))
    assert (result.problem, result.complete, result.answered, result.reasons) == (None, True, True, [])
    assert result.version.startswith("2.")
    counts = result.samples.groupby("name")["failed"].agg(["size", "sum"])
    assert counts.loc["good", "sum"] == 0 < counts.loc["good", "size"]
    assert counts.loc["bad", "sum"] == counts.loc["bad", "size"] > 0
    assert set(result.samples.loc[result.samples["failed"], "error"]) == {"status 404"}
    assert len(result.health.dropna(subset=["cpu", "lag"])) >= 3


def here_locust(given: Load, url: str) -> Locust:
    return Locust(given, url, python=sys.executable)


@pytest.mark.parametrize(("rate", "low", "high"), [(None, 60, 165), (40.0, 50, 90)])
def test_locust_keeps_stages(server: str, rate: float | None, low: int, high: int) -> None:
    """Users, or with a rate requests/s, rise and stay: 2 s up to the target and 2 s there, or thereabouts."""
    target = 40 if rate else 4
    stages = [{"duration": "2s", "target": target}, {"duration": "2s", "target": target}]
    result = sent(here_locust(load(stages=stages, rate=rate), server), whole=4.0)
    assert result.complete
    first = result.samples["start"].min()
    rising, level = ((result.samples["start"] - first).between(*part).sum() for part in ((0, 2), (2, 4)))
    assert low <= level <= high
    assert rising < level


@pytest.mark.parametrize(("path", "said"), [("/nothing", "status 404"), ("/moved", "status 302")])
def test_a_target_that_does_not_answer_gets_no_load(
    server: str, path: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A redirect leads elsewhere, so it is no answer."""
    monkeypatch.setattr(here.time, "sleep", lambda _: None)
    result = Result("locust")
    with pytest.raises(ClusterError, match=f"{said}.*no load was sent"):
        here.send(FakeRun(), here_locust(load(path), server), 3.0, result)  # type: ignore[arg-type]
    assert result.answered is False
    assert not result.began


PROGRAM = """#!/bin/sh
case "$1" in inspect) {inspect} ;; esac
for word; do case "$word" in csv=*) file="${{word#csv=}}" ;; esac; done
env > "$(dirname "$file")/seen"
{run}
"""


def program(folder: Path, run: str, inspect: str = "exit 0") -> str:
    """A shell script in k6's place; `run` finds the samples' file in $file."""
    file = folder / "k6"
    file.write_text(PROGRAM.format(run=run, inspect=inspect))
    file.chmod(0o755)
    return str(file)


@pytest.mark.parametrize(
    ("run", "problem"),
    [
        ("echo 'level=error msg=boom' >&2; exit 107", "k6 ended with exit code 107: the script threw an exception. It said: level=error msg=boom"),
        ("kill -9 $$", "k6 ended with exit code -9"),
    ],
)  # fmt: skip
def test_a_k6_that_fails_is_told_with_what_it_said(server: str, tmp_path: Path, run: str, problem: str) -> None:
    """And without samples there is nothing to believe."""
    result = Result("k6")
    with pytest.raises(BadSamples, match="left no samples"):
        here.send(FakeRun(), K6(load(), server, program=program(tmp_path, run)), 3.0, result)  # type: ignore[arg-type]
    assert not result.complete
    assert problem in str(result.problem)


def test_a_k6_that_refuses_the_scenario_sends_nothing(server: str, tmp_path: Path) -> None:
    """`k6 inspect` is the dry run."""
    result = Result("k6")
    engine = K6(load(), server, program=program(tmp_path, "exit 0", "echo 'bad executor' >&2; exit 104"))
    with pytest.raises(ClusterError, match="k6 refuses the scenario: bad executor No load was sent"):
        here.send(FakeRun(), engine, 3.0, result)  # type: ignore[arg-type]
    assert not result.began


def test_a_k6_that_hangs_is_ended(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the scenario's own time and some more; one signal first, so that it may write its summary."""
    monkeypatch.setattr(here, "SLACK", 0.0)
    engine = K6(load(), server, program=program(tmp_path, "trap 'exit 105' INT; while :; do sleep 0.1; done"))
    result = Result("k6")
    with pytest.raises(BadSamples):
        here.send(FakeRun(), engine, 1.0, result)  # type: ignore[arg-type]
    assert result.problem == "The generator did not come to its end in time."


def test_the_environment_is_not_handed_on(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A K6_* variable of the user's would go before the script's options."""
    monkeypatch.setenv("K6_VUS", "9999")
    monkeypatch.setenv("CLOUD_TOKEN", "x")
    kept = tmp_path / "kept"
    engine = K6(load(), server, program=program(tmp_path, f'cp "$(dirname "$file")/seen" {kept}; exit 0'))
    with pytest.raises(BadSamples):
        here.send(FakeRun(), engine, 3.0, Result("k6"))  # type: ignore[arg-type]
    names = {line.partition("=")[0] for line in kept.read_text().splitlines()}
    assert names - {"PWD", "_", "SHLVL", "OLDPWD"} == {
        "PATH",
        "HOME",
        "OUT",
        "K6_CSV_TIME_FORMAT",
        "K6_AUTO_EXTENSION_RESOLUTION",
    }


@pytest.mark.skipif(not shutil.which("k6"), reason="k6 is not on PATH; it is the user's own program")
def test_the_real_k6_sends_the_scenario(server: str) -> None:
    """The same as with Locust."""
    path, said = find()
    assert path, said
    result = sent(K6(load(), server, program=path))
    assert (result.problem, result.complete, result.reasons) == (None, True, [])
    counts = result.samples.groupby("name")["failed"].agg(["size", "sum"])
    assert counts.loc["good", "sum"] == 0 < counts.loc["good", "size"]
    assert counts.loc["bad", "sum"] == counts.loc["bad", "size"] > 0
