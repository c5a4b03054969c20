"""One session for all attempts, driven on this machine: order, spacing, limits, and a session that ends.

A shell with a stand-in for nc, and Python with sockets of the loopback.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from importlib.resources import files
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
  held) turn=$(grep -c held "$LOG")
    [ $turn = 3 ] && exit 0
    while [ ! -e "$LOG.$turn" ]; do sleep 0.01; done
    echo 'nc: timed out' >&2; touch "$LOG.$turn.ended"; exit 1;;
  *) echo 'nc: what?' >&2; exit 3;;
esac
"""


class LocalSession:
    """What Cluster.session() gives, around a process of this machine."""

    def __init__(self, command: list[str], path: str, log: str = "") -> None:
        self.process = subprocess.Popen(
            command, env={"PATH": path, "LOG": log}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
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


Open = Callable[..., LocalSession]


@pytest.fixture
def opened() -> Iterator[Open]:
    """`opened(command, path, log)`: a LocalSession that ends with the test."""
    with ExitStack() as stack:

        def open_(*given: object) -> LocalSession:
            made = LocalSession(*given)  # type: ignore[arg-type]
            stack.callback(made.end)
            return made

        yield open_


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A line for each time that the stand-in for nc was started, which names the host."""
    found = tmp_path / "log"
    found.touch()
    return found


@pytest.fixture
def session(tmp_path: Path, opened: Open, log: Path) -> LocalSession:
    """The shell."""
    program = tmp_path / "nc"
    program.write_text(NC)
    program.chmod(0o755)
    return opened(["sh", "-c", connect._SHELL], f"{tmp_path}:{os.environ['PATH']}", str(log))


@pytest.fixture
def python(opened: Open) -> LocalSession:
    """As in an image that has Python."""
    program = files("launchbook.isolation").joinpath("connections.py").read_text()
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return opened(["sh", "-c", connect._START + connect._SHELL, program], path)


def test_each_attempt_has_its_outcome(session: LocalSession) -> None:
    """A success ends a target's attempts; a block is tried as often as it is asked for; the rest is no block."""
    hosts = ("open", "refused", "slow", "late", "odd")
    prober = Prober(session, 1)  # type: ignore[arg-type]
    found = prober.round([Target(host, host, 80, 3) for host in hosts])
    assert prober.kind == "sh"
    assert found["open"] == ["ALLOWED"]
    assert found["refused"] == ["REFUSED"] * 3
    assert found["slow"] == ["DROPPED"] * 3
    assert found["late"][-1] == "ALLOWED"
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
    prober, most = Prober(session, 1), 0  # type: ignore[arg-type]
    prober.parallel = 4
    start = prober.start

    def counting(asked: list[tuple[Target, int]]) -> None:
        nonlocal most
        start(asked)
        most = max(most, len(prober._running))

    monkeypatch.setattr(prober, "start", counting)
    found = prober.round([Target(f"t{n}", "refused", 80, 3) for n in range(10)])
    assert (most, {tuple(outcomes) for outcomes in found.values()}) == (4, {("REFUSED",) * 3})


def test_what_was_reached_is_not_waited_for(session: LocalSession, log: Path) -> None:
    """Nor does an attempt of the round before, which ends in this one, tell anything of it."""
    prober, target = Prober(session, 1), Target("t", "held", 80, 3)  # type: ignore[arg-type]
    assert prober.round([target]) == {"t": ["ALLOWED"]}
    for turn in (1, 2):
        Path(f"{log}.{turn}").touch()
    while not all(Path(f"{log}.{turn}.ended").exists() for turn in (1, 2)):
        time.sleep(0.01)
    Path(f"{log}.4").touch()
    assert prober.round([Target("t", "held", 80, 1)]) == {"t": ["DROPPED"]}
    assert prober._running == {}


@pytest.mark.parametrize("kind", ["session", "python"])
def test_a_session_that_ends_is_no_block(request: pytest.FixtureRequest, kind: str) -> None:
    """What was not tried to its end has no outcome at all."""
    ended = request.getfixturevalue(kind)
    prober = Prober(ended, 1)
    ended.end()
    with pytest.raises((ClusterError, BrokenPipeError)):
        prober.round([Target("t", "slow", 80, 3)])


def test_nothing_asked_is_nothing_found(session: LocalSession) -> None:
    """And takes no time."""
    assert Prober(session, 1).round([]) == {}  # type: ignore[arg-type]


def test_a_pod_that_greets_otherwise_is_refused(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it said is told."""
    monkeypatch.setattr(connect, "_GREETING", 0.3)
    session = opened(["sh", "-c", "echo ready; exec cat"], os.environ["PATH"])
    with pytest.raises(ClusterError, match=r"did not say within 0\.3 s whether it has python or sh, but: ' ready'"):
        Prober(session, 1)  # type: ignore[arg-type]


def test_without_python_a_shell_is_taken(opened: Open, tmp_path: Path) -> None:
    """A folder that holds nothing but `sh` is what the pod has."""
    (tmp_path / "sh").symlink_to(shutil.which("sh") or "/bin/sh")
    session = opened(["sh", "-c", connect._START + connect._SHELL, "exit 1"], str(tmp_path))
    assert Prober(session, 1).kind == "sh"  # type: ignore[arg-type]


def listening(stack: ExitStack, kind: int = socket.SOCK_STREAM, backlog: int = 16) -> socket.socket:
    """A socket of the loopback with a port of its own."""
    one = stack.enter_context(socket.socket(socket.AF_INET, kind))
    one.bind(("127.0.0.1", 0))
    if kind == socket.SOCK_STREAM:
        one.listen(backlog)
    return one


def full(stack: ExitStack) -> socket.socket:
    """A listener that has no room for another connection: the kernel drops what asks for one."""
    one = listening(stack, backlog=0)
    stack.enter_context(socket.create_connection(one.getsockname(), timeout=5))
    return one


def closed(kind: int = socket.SOCK_STREAM) -> int:
    """A port on which nobody listens."""
    with ExitStack() as stack:
        return int(listening(stack, kind).getsockname()[1])


def test_python_gives_each_attempt_the_outcome_that_nc_would(python: LocalSession) -> None:
    """By address and by name."""
    prober = Prober(python, 1)  # type: ignore[arg-type]
    with ExitStack() as stack:
        port = listening(stack).getsockname()[1]
        found = prober.round(
            [
                Target("open", "127.0.0.1", port, 3),
                Target("named", "localhost", port, 3),
                Target("refused", "127.0.0.1", closed(), 3),
                Target("dropped", "127.0.0.1", full(stack).getsockname()[1], 3),
                Target("nowhere", "bücher", port, 1),
                Target("odd", "127.0.0.1", 0, 1),
            ]
        )
    assert prober.kind == "python"
    odd = found.pop("odd")
    assert odd in (["PROBE_ERROR"], ["REFUSED"])
    assert found == {
        "open": ["ALLOWED"],
        "named": ["ALLOWED"],
        "refused": ["REFUSED"] * 3,
        "dropped": ["DROPPED"] * 3,
        "nowhere": ["DNS_FAIL"],
    }


def test_python_attempts_overlap(python: LocalSession) -> None:
    """A hundred that are dropped take as long as the slowest of them."""
    with ExitStack() as stack:
        port = full(stack).getsockname()[1]
        began = time.monotonic()
        found = Prober(python, 1).round([Target(f"t{n}", "127.0.0.1", port, 5) for n in range(20)])  # type: ignore[arg-type]
    assert {tuple(outcomes) for outcomes in found.values()} == {("DROPPED",) * 5}
    # A second an attempt, 0.8 s from the first to the last: a hundred seconds if they followed each other.
    assert time.monotonic() - began < 20


def test_python_asks_over_udp(python: LocalSession) -> None:
    """An answer, a port that nobody has, and silence."""
    with ExitStack() as stack:
        answering, silent = listening(stack, socket.SOCK_DGRAM), listening(stack, socket.SOCK_DGRAM)
        prober = Prober(python, 1)  # type: ignore[arg-type]
        prober.start([(Target("answered", "127.0.0.1", answering.getsockname()[1], 1, "UDP"), 1)])
        asked, source = answering.recvfrom(4096)
        answering.sendto(asked, source)
        [answered] = prober.ended(10)
        found = prober.round(
            [
                Target("refused", "127.0.0.1", closed(socket.SOCK_DGRAM), 1, "UDP"),
                Target("silent", "127.0.0.1", silent.getsockname()[1], 1, "UDP"),
            ]
        )
    assert b"\x0akubernetes\x07default" in asked
    assert (answered.outcome, found) == ("ALLOWED", {"refused": ["REFUSED"], "silent": ["DROPPED"]})


def test_python_ends_with_its_input(python: LocalSession) -> None:
    """Nothing of it stays in the pod."""
    Prober(python, 1)  # type: ignore[arg-type]
    assert python.process.stdin
    python.process.stdin.close()
    assert python.process.wait(timeout=20) == 0
