"""The load engine beside its peers: Locust on two cores beside one plain process, a run under the runbook beside the same
engine alone, and samples written beside samples thrown away, in a run whose VUs think and in one that sends all it can, which
takes both cores whole. Everything goes to a null target on loopback.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from bench.row import Row, middle
from launchbook.folder import RunFolder
from launchbook.load import here
from launchbook.load.locust import Locust
from launchbook.load.result import Result
from launchbook.parameters import Load

SATURATED = 1.4  # times the rate of one plain process, on two cores
RATE, P95 = 0.02, 0.10  # by which a run under the runbook may differ from the engine alone
WRITING = 0.03  # of the rate, that writing samples may cost
VUS, THINK = 50, 0.1  # of a run as most are, s
PAIRS = 5
SECONDS = 6
T = TypeVar("T")
_NULL = Path(here.__file__).with_name("null.py")
_LISTENER = "@events.request.add_listener\ndef _seen("
PLAIN = """
from locust import FastHttpUser, constant, task
class User(FastHttpUser):
    wait_time = constant(0)
    @task
    def ask(self):
        self.client.get("/")
"""


class _Run:
    """What here.send() needs of a run."""

    def __init__(self, folder: Path) -> None:
        self.files = RunFolder(folder)
        self.label: dict[str, str] = {}

    def now(self) -> datetime:
        return datetime.now(UTC)

    def progress(self, *_: Any) -> None:
        """Nobody reads it."""

    def at_exit(self, _: Any) -> None:
        """here.send() ends its own process."""


@contextmanager
def _target(*command: str) -> Iterator[str]:
    with subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE) as server:
        assert server.stdout
        try:
            yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.kill()


async def _slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError, asyncio.IncompleteReadError):
        while True:
            await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(0.02)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
    writer.close()


async def _serve() -> None:
    server = await asyncio.start_server(_slow, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.sleep(1e9)


def _engine(url: str, *, vus: int, think_time: float, processes: int) -> Locust:
    scenario = {
        "requests": [{"name": "null", "path": "/"}], "vus": vus, "think_time": think_time, "duration": SECONDS, "warmup": 1,
    }  # fmt: skip
    generator = {"where": "here", "processes": processes}
    load = {"target": {"service": "none/none"}, "scenario": scenario, "generator": generator}
    return Locust(Load.model_validate(load), url, python=sys.executable)


def _settled(samples: pd.DataFrame) -> tuple[float, float]:
    """(requests/s, p95 in ms) of the part between a second after the start and a second before the end."""
    since = samples["start"] - samples["start"].min()
    kept = samples[(since >= 1) & (since < SECONDS)]
    return len(kept) / (SECONDS - 1), float(kept["ms"].quantile(0.95))


def _under_the_runbook(engine: Locust) -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as folder:
        result = Result("locust")
        here.send(_Run(Path(folder)), engine, SECONDS + 1.0, result)  # type: ignore[arg-type]
        if not result.complete:
            raise SystemExit(f"bench: {result.problem}")
        assert result.samples is not None
        return _settled(result.samples.whole())


def _alone(engine: Locust) -> tuple[float, float]:
    """The same command line with nobody who watches."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in engine.files(folder).items():
            Path(folder, name).write_text(text)
        environment = {"PATH": os.environ["PATH"], **engine.environment(folder)}
        subprocess.run(engine.command(folder, folder), cwd=folder, env=environment, check=True, capture_output=True)
        return _settled(engine.left(Path(folder)).whole())


def _counted(engine: Locust, text: str) -> float:
    """Requests/s that Locust itself counted under a locustfile of this text, after its own start."""
    with tempfile.TemporaryDirectory() as folder:
        for name, own in engine.files(folder).items():
            Path(folder, name).write_text(own)
        Path(folder, "generator.py").write_text(text)
        environment = {"PATH": os.environ["PATH"], **engine.environment(folder)}
        command = [*engine.command(folder, folder), "--csv", f"{folder}/own", "-H", engine.url]
        subprocess.run(command, cwd=folder, env=environment, check=False, capture_output=True)
        stats = pd.read_csv(Path(folder, "own_stats.csv"))
        return float(stats.loc[stats["Name"] == "Aggregated", "Requests/s"].iloc[0])


def _pairs(ours: Callable[[], T], theirs: Callable[[], T]) -> list[tuple[T, T]]:
    """(ours, theirs), one right after the other; which goes first alternates, so that a drift of the machine cancels."""
    found = []
    for n in range(PAIRS):
        second = theirs() if n % 2 else None
        first = ours()
        found.append((first, theirs() if second is None else second))
    return found


def rows() -> list[Row]:
    """The median of pairs, one run right after the other."""
    with _target(str(_NULL), "0") as url:
        one, two = (_engine(url, vus=64, think_time=0, processes=n) for n in (1, 2))
        text = one.files("")["generator.py"]
        silent = text.replace(_LISTENER, "def _seen(")
        assert text != silent
        saturated = [(_counted(two, text), _counted(one, PLAIN)) for _ in range(3)]
        written, most = (
            _pairs(partial(_counted, engine, text), partial(_counted, engine, silent))
            for engine in (_engine(url, vus=VUS, think_time=THINK, processes=1), one)
        )
    # Against a target that does nothing, the p95 would be the scheduler's alone.
    with _target("-m", "bench.load_engine", "serve") as url:
        steady = _engine(url, vus=20, think_time=0.05, processes=1)
        pairs = _pairs(partial(_under_the_runbook, steady), partial(_alone, steady))
    rate, p95 = ([(ours[n], alone[n]) for ours, alone in pairs] for n in (0, 1))
    alone, thrown = "the same engine alone", "samples thrown away"
    return [
        _row("Locust engine saturated on two cores", saturated, "/s", "one plain Locust process", SATURATED, at_least=True),
        _row("rate of a run under the runbook", rate, "/s", alone, 1 - RATE, at_least=True),
        _row("p95 of a run under the runbook", p95, "ms", alone, 1 + P95),
        _row(f"rate of {VUS} VUs with samples written", written, "/s", thrown, 1 - WRITING, at_least=True),
        _row("most that one process sends, with samples written", most, "/s", thrown, 1 - WRITING, at_least=True),
    ]  # fmt: skip


def _row(
    work: str, pairs: list[tuple[float, float]], unit: str, peer: str, limit: float, *, at_least: bool = False
) -> Row:
    measured, against = middle(pairs)
    return Row(work, measured, against, unit, peer, limit, at_least)


if __name__ == "__main__" and sys.argv[1:] == ["serve"]:
    asyncio.run(_serve())
