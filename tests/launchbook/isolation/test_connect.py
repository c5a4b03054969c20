"""One shell for all attempts, driven on this machine with a stand-in for nc: order, spacing, limits, and a shell that ends."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from launchbook.errors import ClusterError
from launchbook.isolation import connect
from launchbook.isolation.connect import Prober, Target

NC = """#!/bin/sh
echo "$3" >> "$LOG"
case "$3" in
  open) exit 0;;
  late) [ "$(grep -c late "$LOG")" -ge 3 ] && exit 0; sleep 0.2; echo 'nc: timed out' >&2; exit 1;;
  refused) echo "nc: can't connect to remote host (10.0.0.1): Connection refused" >&2; exit 1;;
  slow) sleep 0.6; echo 'nc: timed out' >&2; exit 1;;
  *) echo 'nc: what?' >&2; exit 3;;
esac
"""


class LocalSession:
    """What Cluster.session() gives, around a shell of this machine."""

    def __init__(self, folder: Path) -> None:
        program = folder / "nc"
        program.write_text(NC)
        program.chmod(0o755)
        self.log = folder / "log"
        self.log.touch()
        environment = {"PATH": f"{folder}:{os.environ['PATH']}", "LOG": str(self.log)}
        self.process = subprocess.Popen(
            ["sh", "-c", connect._SHELL], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        self.rest = ""

    def end(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def write(self, text: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def lines(self, timeout: float) -> list[str]:
        assert self.process.stdout
        ready, _, _ = select.select([self.process.stdout], [], [], max(0.0, timeout))
        data = os.read(self.process.stdout.fileno(), 65536) if ready else b""
        if ready and not data:
            raise ClusterError("session in a/b: the command ended: no reason given")
        *found, self.rest = (self.rest + data.decode()).split("\n")
        return found


@pytest.fixture
def session(tmp_path: Path) -> Iterator[LocalSession]:
    made = LocalSession(tmp_path)
    yield made
    made.end()


def test_each_attempt_has_its_outcome(session: LocalSession) -> None:
    """A success ends a target's attempts; a block is tried as often as it is asked for; the rest is no block."""
    hosts = ("open", "refused", "slow", "late", "odd")
    found = Prober(session, 1).round([Target(host, host, 80, 3) for host in hosts])  # type: ignore[arg-type]
    assert found["open"] == ["ALLOWED"]
    assert found["refused"] == ["REFUSED"] * 3
    assert found["slow"] == ["DROPPED"] * 3
    assert (found["late"][0], found["late"][-1]) == ("DROPPED", "ALLOWED")
    assert found["odd"] == ["PROBE_ERROR"] * 3


def test_attempts_overlap(session: LocalSession) -> None:
    """Five blocked attempts at each of twenty targets take little more than one, not five times as long."""
    began = time.monotonic()
    found = Prober(session, 1).round([Target(f"t{n}", "slow", 80, 5) for n in range(20)])  # type: ignore[arg-type]
    assert {tuple(outcomes) for outcomes in found.values()} == {("DROPPED",) * 5}
    # 0.6 s an attempt, 0.8 s from the first to the last: sixty seconds if they followed each other.
    assert time.monotonic() - began < 10


def test_no_more_than_the_pod_can_carry(session: LocalSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts wait for their turn where there are too many."""
    monkeypatch.setattr(connect, "PARALLEL", 4)
    prober, most = Prober(session, 1), 0  # type: ignore[arg-type]
    start = prober.start

    def counting(asked: list[tuple[Target, int]]) -> None:
        nonlocal most
        start(asked)
        most = max(most, len(prober._running))

    monkeypatch.setattr(prober, "start", counting)
    found = prober.round([Target(f"t{n}", "refused", 80, 3) for n in range(10)])
    assert (most, {tuple(outcomes) for outcomes in found.values()}) == (4, {("REFUSED",) * 3})


def test_a_shell_that_ends_is_no_block(session: LocalSession) -> None:
    """What was not tried to its end has no outcome at all."""
    prober = Prober(session, 1)  # type: ignore[arg-type]
    session.end()
    with pytest.raises((ClusterError, BrokenPipeError)):
        prober.round([Target("t", "slow", 80, 3)])


def test_nothing_asked_is_nothing_found(session: LocalSession) -> None:
    """And takes no time."""
    assert Prober(session, 1).round([]) == {}  # type: ignore[arg-type]
