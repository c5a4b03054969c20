"""Samples while a test runs: fetched as they grow, kept whatever ends first. A pod's commands are run on this machine."""

from __future__ import annotations

import gzip
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from launchbook.errors import ClusterError
from launchbook.execing import ExecResult
from launchbook.load import kept as module
from launchbook.load import pod
from launchbook.load.kept import Fetcher, Kept
from launchbook.load.told import Told


class Pod:
    """A cluster with one pod, whose volume is a folder here. gone: whether the pod is."""

    gone = False

    def exec(self, namespace: str, pod: str, command: list[str], **_: Any) -> ExecResult:
        if self.gone:
            raise ClusterError(f"pod {namespace}/{pod} is gone")
        done = subprocess.run([sys.executable, *command[1:]], capture_output=True, text=True, check=False)
        return ExecResult(done.stdout, done.stderr, done.returncode)


def fetcher(cluster: Any, here: Path, there: Path, every: float = 3600) -> tuple[Kept, Fetcher]:
    kept = Kept(here, ["samples-0.csv.gz", "samples-1.csv.gz"])
    return kept, Fetcher(cluster, kept, ("ns", "p", "keeper"), str(there), kept.names, every)


def held(kept: Kept) -> dict[str, bytes]:
    """What there is of each file that holds anything."""
    return {
        path.name: data for path in kept.folder.iterdir() if path.name in kept.names and (data := path.read_bytes())
    }


def test_what_grew_is_fetched_and_nothing_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In pieces, from where the last look ended; a file that isn't there yet is no problem."""
    monkeypatch.setattr(module, "_CHUNK", 1000)
    there, data = tmp_path / "there", gzip.compress(bytes(range(256)) * 100, 0)
    there.mkdir()
    kept, fetching = fetcher(Pod(), tmp_path / "here", there)
    (there / "samples-0.csv.gz").write_bytes(data[:2500])
    assert fetching._fetch() == ""
    assert held(kept) == {"samples-0.csv.gz": data[:2500]}
    (there / "samples-0.csv.gz").write_bytes(data)
    (there / "other").write_bytes(b"x")
    with fetching:
        fetching.finish()
    assert (fetching.problem, held(kept)) == ("", {"samples-0.csv.gz": data})


def test_a_pod_that_is_lost_costs_what_came_since_the_last_look(tmp_path: Path) -> None:
    """What was fetched stays, and the result says why there is no more."""
    there, cluster = tmp_path / "there", Pod()
    there.mkdir()
    (there / "samples-1.csv.gz").write_bytes(b"first")
    kept, fetching = fetcher(cluster, tmp_path / "here", there, every=0.01)
    with fetching:
        while not held(kept):
            assert not fetching.problem
        cluster.gone = True
        fetching.finish()
    assert fetching.problem == "The generator's samples could not be fetched: pod ns/p is gone"
    assert held(kept) == {"samples-1.csv.gz": b"first"}


def test_each_look_says_that_the_run_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two fetches, too, where they are far apart."""
    monkeypatch.setattr(module, "_RENEW", 0.01)
    there = tmp_path / "there"
    there.mkdir()
    kept, fetching = fetcher(Pod(), tmp_path / "here", there)
    with fetching:
        while not (there / module.RENEWED).exists():
            time.sleep(0.01)
        first = (there / module.RENEWED).stat().st_mtime_ns
        while (there / module.RENEWED).stat().st_mtime_ns == first:
            time.sleep(0.01)
    assert (fetching.problem, held(kept)) == ("", {})


def test_an_earlier_try_is_not_mixed_in(tmp_path: Path) -> None:
    """A cell that is run again starts anew."""
    Kept(tmp_path, ["a"]).append("a", b"old")
    assert held(Kept(tmp_path, ["a"])) == {}


class Stream:
    """A log that ends after its chunks."""

    def __init__(self, chunks: list[bytes]) -> None:
        self._chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._chunks)

    def close(self) -> None:
        """Nothing is open."""


class Broken:
    """A cluster whose first stream breaks while the generator runs."""

    def __init__(self) -> None:
        self.asked: list[int | None] = []

    def follow(self, *_: str, since_seconds: int | None = None) -> Stream:
        self.asked.append(since_seconds)
        first, second = b'LB {"cpu": 1, "lag": 0, "second": 1}\n', b'LB {"cpu": 1, "lag": 0, "second": 2}\n'
        return Stream(
            [first, b'LB {"cp'] if len(self.asked) == 1 else [first, second, b'LB {"done": true, "code": 0}\n']
        )

    def get(self, *_: str) -> dict[str, Any]:
        return {"status": {"containerStatuses": [{"name": "generator", "state": {"running": {}}}]}}


def test_a_stream_that_breaks_is_opened_again() -> None:
    """The load goes on meanwhile, and no second counts twice."""
    cluster, told = Broken(), Told()
    run = type("Run", (), {"cluster": cluster})
    pod.follow(run, "ns", "p", 10.0, told, None, lambda: told.end.get("done"))  # type: ignore[arg-type]
    assert cluster.asked == [None, 10]
    assert [line["second"] for line in told.lines if "second" in line] == [1, 2]
