"""An engine on this machine, through the ingress: started with an environment of its own, watched, and ended."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import urllib3

from launchbook.errors import ClusterError
from launchbook.load.engine import Engine, source
from launchbook.load.k6 import K6
from launchbook.load.kept import Kept
from launchbook.load.live import Live
from launchbook.load.pod import SLACK
from launchbook.load.result import Result
from launchbook.load.told import Told
from launchbook.parameters import EnvironmentHeader
from launchbook.run import Run

_GRACE = 15.0  # s, from the first signal until a generator is killed: k6 writes its summary meanwhile
_ROOM = 64 << 20  # bytes that stay free on the disk: the run's own records need them


def send(run: Run, engine: Engine, whole: float, result: Result) -> None:
    """Fills `result`. whole: seconds that the scenario takes.

    Raises ClusterError where a header's variable isn't set, the target doesn't answer or the program refuses the
    scenario (nothing was sent then), BadSamples where it left nothing to read. The process has ended when this returns.
    """
    secrets = _secrets(engine)
    _answers(engine, result)
    result.kept = Kept(run.files.evidence / result.folder, engine.outputs)
    with tempfile.TemporaryDirectory(prefix="launchbook-load-") as folder:
        for name, text in engine.files(str(result.kept.folder)).items():
            Path(folder, name).write_text(text, encoding="utf-8")
        with _null(folder) as url:
            environment = {
                "PATH": os.environ.get("PATH", os.defpath), **engine.environment(str(result.kept.folder)),
                "HOME": folder, "NULL": url, **secrets,
            }  # fmt: skip
            _inspect(engine, folder, environment)
            _send(run, engine, folder, environment, whole, result)
        result.take(engine)


def _secrets(engine: Engine) -> dict[str, str]:
    """The generator's variables with what the references of the scenario's headers lead to in this process."""
    found = {}
    for variable, reference in engine.references().items():
        assert isinstance(reference, EnvironmentHeader)
        value = os.environ.get(reference.env)
        if not value:
            raise ClusterError(
                f"The environment variable {reference.env}, which a header needs, is not set: no load was sent."
            )
        found[variable] = value
    return found


@contextmanager
def _null(folder: str) -> Iterator[str]:
    """The null target's URL, in a process of its own."""
    program = Path(folder, "null.py")
    program.write_text(source("null.py"), encoding="utf-8")
    process = subprocess.Popen([sys.executable, program, "0"], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.communicate()


def _answers(engine: Engine, result: Result) -> None:
    """Asks the target once a second, five times. A redirect is no answer: it leads elsewhere."""
    url, said = engine.url + engine.load.target.probe_path, ""
    with urllib3.PoolManager(retries=False, timeout=5.0) as pool:
        for _ in range(5):
            try:
                status = pool.request("GET", url, redirect=False, preload_content=False).status
                if 200 <= status < 300:
                    result.answered = True
                    return
                said = f"status {status}"
            except urllib3.exceptions.HTTPError as error:
                said = str(error)
            time.sleep(1)
    result.answered = False
    raise ClusterError(f"The target did not answer at {url} ({said}): no load was sent.")


def _inspect(engine: Engine, folder: str, environment: dict[str, str]) -> None:
    if not isinstance(engine, K6):
        return
    done = subprocess.run(
        engine.inspect(folder), cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    if done.returncode:
        raise ClusterError(f"k6 refuses the scenario: {(done.stderr or done.stdout).strip()[-300:]} No load was sent.")


def _send(run: Run, engine: Engine, folder: str, environment: dict[str, str], whole: float, result: Result) -> None:
    assert result.kept is not None
    log, told = Path(folder, "log"), Told()
    live = Live(run, engine, whole, result.usage)
    _floor(engine, folder, environment, told)
    result.began, started = run.now().isoformat(), time.monotonic()
    with log.open("wb") as errors:
        process = subprocess.Popen(
            engine.command(folder, str(result.kept.folder)), cwd=folder, env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=errors,
        )  # fmt: skip
        run.at_exit(lambda: _end(process))
        try:
            listener = threading.Thread(target=_listen, args=(process, told), daemon=True)
            listener.start()
            why = _watch(engine, process, told, live, whole, result.kept.folder)
        finally:
            _end(process)
        listener.join(timeout=5)
    live.close()
    result.hear(engine, told, started)
    lost = engine.lost(told.lines)
    with suppress(OSError):  # a full disk: that it is missing is said where it is read
        for name, text in engine.logged(log).items():
            (result.kept.folder / name).write_text(text, encoding="utf-8")
    ended = engine.ended(process.returncode)
    result.complete = ended and not why and not lost
    if not result.complete:
        said = _without(log.read_text(encoding="utf-8", errors="replace"), environment, engine).strip()[-300:]
        why = why or (lost if ended else engine.meaning(process.returncode))
        result.fail(why, f"It said: {said}" if said else "")


def _floor(engine: Engine, folder: str, environment: dict[str, str], told: Told) -> None:
    """The floor of an engine that measures it in a process of its own; one that can't be had is not known, no more."""
    if command := engine.floor(folder):
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                env=environment,
                capture_output=True,
                stdin=subprocess.DEVNULL,
                timeout=30,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return
        for line in done.stdout.splitlines():
            told.hear(line)


def _without(said: str, environment: dict[str, str], engine: Engine) -> str:
    for variable in engine.references():
        said = said.replace(environment[variable], "***")
    return said


def _listen(process: subprocess.Popen[bytes], told: Told) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        told.hear(line.rstrip(b"\n"))


def _watch(engine: Engine, process: subprocess.Popen[bytes], told: Told, live: Live, whole: float, folder: Path) -> str:
    """Waits for the end; why it was not waited for, else "". Looks once a second at an engine that doesn't tell."""
    deadline = time.monotonic() + whole + SLACK
    watched = psutil.Process(process.pid)
    while process.poll() is None:
        if isinstance(engine, K6):
            try:
                used = watched.cpu_times()
                told.hear(b'LB {"clock": %f, "ticks": %f, "hertz": 1}' % (time.monotonic(), used.user + used.system))
            except psutil.Error:
                break
        live.update(told)
        if told.trouble:
            return f"The generator stopped: {told.trouble}."
        if (room := shutil.disk_usage(folder).free) < _ROOM:
            return f"Only {room >> 20} MiB are left on the disk, so the load was stopped; what was measured is kept."
        if time.monotonic() > deadline:
            return "The generator did not come to its end in time."
        time.sleep(1)
    return f"The generator stopped: {told.trouble}." if told.trouble else ""


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends the generator, gently first: a second signal would cost k6 its summary."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGINT)
    try:
        process.wait(timeout=_GRACE)
    except subprocess.TimeoutExpired:
        for child in psutil.Process(process.pid).children(recursive=True):
            child.kill()
        process.kill()
        process.wait()
