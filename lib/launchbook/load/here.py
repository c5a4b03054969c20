"""An engine on this machine, through the ingress: started with an environment of its own, watched, and ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import urllib3

from launchbook.errors import ClusterError
from launchbook.load.engine import Engine
from launchbook.load.k6 import K6
from launchbook.load.pod import SLACK
from launchbook.load.result import Result, tell
from launchbook.load.samples import BadSamples
from launchbook.run import Run

_GRACE = 15.0  # s, from the first signal until a generator is killed: k6 writes its summary meanwhile


def send(run: Run, engine: Engine, whole: float, result: Result) -> None:
    """Fills `result`. whole: seconds that the scenario takes.

    Raises ClusterError where the target doesn't answer or the program refuses the scenario (nothing was sent then),
    BadSamples where it left nothing to read. The process has ended when this returns.
    """
    _answers(engine, result)
    with tempfile.TemporaryDirectory(prefix="launchbook-load-") as folder:
        for name, text in engine.files(folder).items():
            Path(folder, name).write_text(text, encoding="utf-8")
        _inspect(engine, folder)
        _send(run, engine, folder, whole, result)
        result.samples, result.reasons = engine.read(_collected(engine, folder))


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


def _inspect(engine: Engine, folder: str) -> None:
    if not isinstance(engine, K6):
        return
    done = subprocess.run(
        engine.inspect(folder), cwd=folder, env=_environment(engine, folder), capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    if done.returncode:
        raise ClusterError(f"k6 refuses the scenario: {(done.stderr or done.stdout).strip()[-300:]} No load was sent.")


def _environment(engine: Engine, folder: str) -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), **engine.environment(folder)}


def _send(run: Run, engine: Engine, folder: str, whole: float, result: Result) -> None:
    log = Path(folder, "log")
    result.began, first = run.now().isoformat(), time.monotonic()
    told: list[dict[str, Any]] = []
    with log.open("wb") as errors:
        process = subprocess.Popen(
            engine.command(folder, folder), cwd=folder, env=_environment(engine, folder), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=errors,
        )  # fmt: skip
        run.at_exit(lambda: _end(process))
        try:
            listener = threading.Thread(target=_listen, args=(process, told), daemon=True)
            listener.start()
            late = _watch(run, engine, process, told, whole)
        finally:
            _end(process)
        listener.join(timeout=5)
    end = {k: v for line in told for k, v in line.items() if k in ("done", "version")}
    result.window = (first, time.monotonic())
    result.health, result.version = engine.health(told), str(end.get("version", result.version))
    result.complete = process.returncode == 0 and not late
    if not result.complete:
        said = log.read_text(encoding="utf-8", errors="replace").strip()[-300:]
        why = "The generator did not come to its end in time." if late else engine.meaning(process.returncode)
        result.problem = f"{why} It said: {said}" if said else why


def _listen(process: subprocess.Popen[bytes], told: list[dict[str, Any]]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(b"LB "):
            told.append(json.loads(line[3:]))


def _watch(
    run: Run, engine: Engine, process: subprocess.Popen[bytes], told: list[dict[str, Any]], whole: float
) -> bool:
    """Waits for the end; whether it came too late. Looks once a second at the CPU of an engine that doesn't tell."""
    deadline = time.monotonic() + whole + SLACK
    watched = psutil.Process(process.pid)
    while process.poll() is None:
        if isinstance(engine, K6):
            try:
                used = watched.cpu_times()
                told.append({"clock": time.monotonic(), "ticks": used.user + used.system, "hertz": 1})
            except psutil.Error:
                break
        tell(run, engine, told, whole)
        if time.monotonic() > deadline:
            return True
        time.sleep(1)
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends the generator, gently first: a second signal would cost k6 its summary."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGINT)
    try:
        process.wait(timeout=_GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _collected(engine: Engine, folder: str) -> dict[str, bytes]:
    found = {name: Path(folder, name).read_bytes() for name in engine.outputs if Path(folder, name).exists()}
    if engine.outputs[0] not in found:
        raise BadSamples("the generator left no samples")
    return found
