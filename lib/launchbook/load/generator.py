"""What Locust runs, in a pod or on this machine: this file itself, with scenario.json beside it.

Imports nothing of launchbook but what stands beside it. Of each process that sends load, its writer says once a second on
standard output how it is (JSON: worker, second, requests, failed, users, cpu, lag, hist) and keeps every request in
samples-<worker>.csv.gz in OUT, flushed each second: who ends it loses the last second. A master says how it is, too.
Where RENEWED names a file, it ends once nobody touches that for RENEW_WITHIN seconds.
Before anything else the latency floor is measured against the null target at NULL, where one is named.
"""

from __future__ import annotations

import gc
import itertools
import json
import marshal
import os
import random
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import arrivals  # type: ignore[import-not-found,unused-ignore]
import bodies  # type: ignore[import-not-found,unused-ignore]
import gevent
import locust
from gevent.event import Event
from locust import LoadTestShape, constant, events
from locust.contrib.fasthttp import FastHttpSession, FastHttpUser
from locust.event import EventHook
from locust.runners import MasterRunner, WorkerRunner

HERE = Path(__file__).parent
SCENARIO: dict[str, Any] = json.loads((HERE / "scenario.json").read_text())
OUT = Path(os.environ.get("OUT", "/tmp"))
_TICK = 0.05  # s, between two looks at the clock: what is late by more was kept waiting by a busy generator
_FLOOR = 1.0  # s, for which the null target is asked
_FLOOR_USERS = 100  # the most that ask it
_DISK = 74  # exit code where samples can't be written, as the writer's
_ABANDONED = 75  # exit code where nobody waits for this load any more

_rows: list[Any] = []  # start, ms, name, status, whether it failed and why as a text `1,status 500`, and the next one's
_add = _rows.extend
_lags: list[float] = []
_trouble: list[int] = []  # exit codes
_secrets: list[str] = []
_over = Event()
_numbers = itertools.count()  # of the users that this process has started
_place: dict[str, Any] = {"worker": 0, "begin": 0.0}  # of this process among all; when its load began


def _say(**told: Any) -> None:
    print("LB " + json.dumps(told), flush=True)


def _header(name: str, value: Any) -> str:
    """A header's value: as the scenario has it, or from the environment, where a reference put it."""
    if isinstance(value, str):
        return value
    found = os.environ.get(value["variable"], "").strip()
    if not found or not found.isprintable() or not found.isascii():
        sys.exit(f"what header {name} refers to is empty, or holds characters that no header may have")
    _secrets.append(found)
    return str(value["prefix"] + found)


class User(FastHttpUser):
    """One virtual user: it picks requests by weight, and waits its think time after each, or for its next arrival."""

    host = SCENARIO["host"]
    connection_timeout = SCENARIO["request_timeout"]
    network_timeout = SCENARIO["request_timeout"]
    max_redirects = 0
    insecure = False  # a certificate that k6 would refuse is refused here, too
    wait_time = (
        (lambda user: user.arrivals.pause(time.monotonic())) if SCENARIO["rate"] else constant(SCENARIO["think_time"])
    )

    def on_start(self) -> None:
        if SCENARIO["rate"]:
            place = next(_numbers) * SCENARIO["processes"] + _place["worker"]
            self.arrivals = arrivals.Arrivals(place, SCENARIO["vus"], SCENARIO["rate"], _place["begin"])
            gevent.sleep(self.arrivals.pause(time.monotonic()))


def _request(one: dict[str, Any]) -> Any:
    body = one["body"]
    sent = {"json": body} if isinstance(body, (dict, list)) else {"data": body}
    # As k6 has it: no compression unless asked for, and no cookie from one iteration to the next.
    name = one["name"].replace(",", " ")
    headers = {"Accept-Encoding": "identity", **{n: _header(n, v) for n, v in one["headers"].items()}}

    def send(user: User) -> None:
        user.client.cookiejar.clear()
        with user.client.request(
            one["method"], one["path"], name=name, headers=headers, catch_response=True,
            allow_redirects=False, **sent,
        ) as response:  # fmt: skip
            if response.status_code in one["expect_status"]:
                lack = bodies.lacks(one["expect_body"], response.content or b"") if one["expect_body"] else ""
                response.failure(lack) if lack else response.success()
            elif response.status_code:
                response.failure(f"status {response.status_code}")

    return send


# Locust picks from a list; weights are kept to the hundredth of the heaviest.
_heaviest = max(one["weight"] for one in SCENARIO["requests"])
User.tasks = [
    send for one in SCENARIO["requests"] for send in [_request(one)] * max(1, round(100 * one["weight"] / _heaviest))
]


def _users(target: float) -> int:
    """How many users a stage needs: with a rate, each of them sends rate / vus requests/s."""
    wanted = target * SCENARIO["vus"] / SCENARIO["rate"] if SCENARIO["rate"] else target
    return min(SCENARIO["vus"], max(1, round(wanted))) if SCENARIO["rate"] else max(1, round(wanted))


if SCENARIO["stages"]:

    class Shape(LoadTestShape):
        """k6's stages: from the users before to `target` within `duration`; with a rate, `target` is requests/s."""

        def tick(self) -> tuple[int, float] | None:
            passed, start = self.get_run_time(), 0.0
            for stage in SCENARIO["stages"]:
                if passed < stage["duration"]:
                    share = passed / stage["duration"]
                    return _users(start + (stage["target"] - start) * share), SCENARIO["vus"]
                passed -= stage["duration"]
                start = stage["target"]
            return None


@events.request.add_listener
def _seen(
    start_time: float, response_time: float, name: str, response: Any, exception: Any,
    request_type: str = "", response_length: int = 0, context: Any = None, url: str = "", **_: Any,
) -> None:  # fmt: skip
    # Every microsecond here is taken from the rate: what can be done later is the writer's. All that Locust gives is
    # named, since a dict for what is not would cost as much as the rest. One flat list: tuples that stay are work for
    # the garbage collector.
    _add((start_time, response_time, name, response.status_code, f"1,{_kind(exception)}" if exception else "0,"))


def _kind(exception: Any) -> str:
    text = (
        f"{type(exception).__name__}: {exception}"
        if type(exception).__name__ != "CatchResponseError"
        else str(exception)
    )
    for secret in _secrets:
        text = text.replace(secret, "***")
    return text.replace(",", " ").replace("\n", " ")[:80]


def _floor() -> None:
    """The generator's own latency: this very client against a target that does nothing, before any load."""
    url = os.environ.get("NULL")
    if not url:
        return
    users = max(1, min(SCENARIO["vus"] // SCENARIO["processes"], _FLOOR_USERS))
    pause = SCENARIO["vus"] / SCENARIO["rate"] if SCENARIO["rate"] else SCENARIO["think_time"]
    if not _listens(url):
        return
    took: list[float] = []
    deadline = time.monotonic() + _FLOOR

    def ask() -> None:
        session = FastHttpSession(url, EventHook(), None, network_timeout=2.0, connection_timeout=2.0)
        gevent.sleep(random.random() * min(pause, _FLOOR / 2))
        session.get("/")  # the first of a user has a connection to open
        while time.monotonic() < deadline:
            gevent.sleep(pause)
            began = time.perf_counter()
            if session.get("/").status_code == 200:
                took.append(1000 * (time.perf_counter() - began))
        session.client.clientpool.close()

    gevent.joinall([gevent.spawn(ask) for _ in range(users)], timeout=_FLOOR + 2)
    shares = {"med": 0.5, "p(95)": 0.95, "p(99)": 0.99}
    if took:
        took.sort()
        _say(
            floor={name: round(took[int(share * (len(took) - 1))], 3) for name, share in shares.items()}
            | {"count": len(took)}
        )


def _listens(url: str) -> bool:
    """Whether the null target is there, which starts beside this program: within five seconds."""
    host, _, port = url.rpartition("/")[2].partition(":")
    for _ in range(50):
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
            return True
        except OSError:
            gevent.sleep(0.1)
    return False


_floor()


def _watch_the_clock() -> None:
    """How late a greenlet wakes: the generator's own latency, which every figure contains."""
    while True:
        due = time.monotonic() + _TICK
        gevent.sleep(_TICK)
        _lags.append(time.monotonic() - due)


def _watch_the_run(runner: Any) -> None:
    """Ends the load where nobody has touched RENEWED for RENEW_WITHIN seconds: the run that ordered it was killed."""
    if not os.environ.get("RENEWED"):
        return
    file = Path(os.environ["RENEWED"])
    within, seen, at = float(os.environ["RENEW_WITHIN"]), 0.0, time.monotonic()
    while time.monotonic() - at <= within:
        gevent.sleep(min(5.0, within / 4))
        touched = file.stat().st_mtime if file.exists() else 0.0
        if touched != seen:
            seen, at = touched, time.monotonic()
    print(f"Nobody has asked for this load for {within:g} s: it ends.", flush=True)
    _trouble.append(_ABANDONED)
    runner.quit()


def _report(runner: Any, worker: int | None) -> None:
    """Once a second: how this process is, and what it sent, to its writer. worker: None for a master."""
    if worker is None:
        for told, _ in _batches({"worker": "master"}):
            told.pop("passed")
            _say(**told)
        return
    command = [sys.executable, HERE / "writer.py", OUT / f"samples-{worker}.csv.gz", str(worker)]
    writer = subprocess.Popen(command, stdin=subprocess.PIPE)
    assert writer.stdin is not None
    try:
        for told, rows in _batches({"worker": worker}):
            if told:
                told["users"] = runner.user_count
            writer.stdin.write(marshal.dumps((told, rows)))
            writer.stdin.flush()
        writer.stdin.write(marshal.dumps(None))
        writer.stdin.close()
    except OSError:
        pass  # the writer has ended, and said why
    if writer.wait() != 0 and not _over.is_set():
        # Without this the rows would stay in memory, and the run would look whole.
        _trouble.append(_DISK)
        gevent.spawn(runner.quit)


def _batches(who: dict[str, Any]) -> Iterator[tuple[dict[str, Any], list[Any]]]:
    """(what to tell, rows) of each second; nothing to tell where it was a short one, at the end."""
    busy, over = _cpu(), False
    while not over:
        began = time.time()
        over = _over.wait(timeout=1.0)  # users that are being stopped still finish their requests
        rows, _rows[:] = list(_rows), []
        lags, _lags[:] = list(_lags), []
        cpu, busy = _cpu() - busy, _cpu()
        passed = time.time() - began
        told = {
            **who, "second": round(began, 3), "cpu": round(cpu / passed, 4), "lag": round(max(lags, default=0.0), 4),
            "passed": passed,
        }  # fmt: skip
        if passed > 0.5 or "master" not in who.values():
            yield told if passed > 0.5 else {}, rows


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


_reporter: list[Any] = []


@events.init.add_listener
def _forget(environment: Any, **_: Any) -> None:
    # Locust's own history of percentiles would grow as long as a soak lasts; here every request is kept on disk.
    for stats in (environment.stats, environment.stats.total):
        stats.use_response_times_cache = False


@events.test_start.add_listener
def _begin(environment: Any, **_: Any) -> None:
    runner = environment.runner
    # What is loaded by now stays: a full collection over it would stop every user for some 50 ms.
    gc.collect()
    gc.freeze()
    gevent.spawn(_watch_the_clock)
    gevent.spawn(_watch_the_run, runner)
    worker = None if isinstance(runner, MasterRunner) else getattr(runner, "worker_index", 0)
    _place.update(worker=worker or 0, begin=time.monotonic())
    _reporter.append(gevent.spawn(_report, runner, worker))


@events.quitting.add_listener
def _end(environment: Any, **_: Any) -> None:
    """Writes what is left; the process that leads says that all of it is over."""
    environment.process_exit_code = code = _trouble[0] if _trouble else 0
    _over.set()
    gevent.joinall(_reporter, timeout=10)
    if not isinstance(environment.runner, WorkerRunner):
        version = f"{locust.__version__} on Python {sys.version.split()[0]}"
        _say(version=version, done=True, code=code)
