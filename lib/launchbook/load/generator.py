"""What Locust runs, in a pod or on this machine: this file itself, with scenario.json beside it.

Imports nothing of launchbook. One line a second on standard output (JSON: second, requests, failed, users, cpu, lag)
and one gzipped CSV of every request at SAMPLES; it stays for HOLD seconds after the end, so that a pod's file can be
fetched.
"""

from __future__ import annotations

import gzip
import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

import gevent
import locust
from locust import LoadTestShape, constant, constant_throughput, events
from locust.contrib.fasthttp import FastHttpUser

HERE = Path(__file__).parent
SCENARIO: dict[str, Any] = json.loads((HERE / "scenario.json").read_text())
SAMPLES = Path(os.environ.get("SAMPLES", "/tmp/samples.csv.gz"))
HOLD = float(os.environ.get("HOLD", "0"))
_TICK = 0.05  # s, between two looks at the clock: what is late by more was kept waiting by a busy generator

_rows: list[str] = []
_lags: list[float] = []


class User(FastHttpUser):
    """One virtual user: it picks requests by weight and waits its think time after each."""

    host = SCENARIO["host"]
    connection_timeout = SCENARIO["request_timeout"]
    network_timeout = SCENARIO["request_timeout"]
    max_redirects = 0
    wait_time = (
        constant_throughput(SCENARIO["rate"] / SCENARIO["vus"])
        if SCENARIO["rate"]
        else constant(SCENARIO["think_time"])
    )


def _request(one: dict[str, Any]) -> Any:
    def send(user: User) -> None:
        body = one["body"]
        sent = {"json": body} if isinstance(body, (dict, list)) else {"data": body}
        with user.client.request(
            one["method"], one["path"], name=one["name"], headers=one["headers"], catch_response=True,
            allow_redirects=False, **sent,
        ) as response:  # fmt: skip
            if response.status_code in one["expect_status"]:
                response.success()
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
    request_type: str,
    name: str,
    response_time: float,
    exception: Any,
    start_time: float,
    response: Any = None,
    **_: Any,
) -> None:
    status = getattr(response, "status_code", 0) or 0
    error = "" if exception is None else _kind(exception)
    _rows.append(f"{start_time:.3f},{response_time:.3f},{name.replace(',', ' ')},{status},{int(bool(error))},{error}")


def _kind(exception: Any) -> str:
    text = (
        f"{type(exception).__name__}: {exception}"
        if type(exception).__name__ != "CatchResponseError"
        else str(exception)
    )
    return text.replace(",", " ").replace("\n", " ")[:80]


def _watch_the_clock() -> None:
    """How late a greenlet wakes: the generator's own latency, which every figure contains."""
    while True:
        due = time.monotonic() + _TICK
        gevent.sleep(_TICK)
        _lags.append(time.monotonic() - due)


def _report(runner: Any) -> None:
    """Writes what the last second gave, to the file and to standard output."""
    with gzip.open(SAMPLES, "wt", compresslevel=1) as file:
        file.write("start,ms,name,status,failed,error\n")
        busy, failed = _cpu(), 0
        while True:
            began = time.time()
            gevent.sleep(1.0)
            rows, _rows[:] = list(_rows), []
            lags, _lags[:] = list(_lags), []
            file.write("".join(f"{row}\n" for row in rows))
            cpu, busy = _cpu() - busy, _cpu()
            failed = sum(row.split(",")[4] == "1" for row in rows)
            told = {
                "second": round(began, 3), "requests": len(rows), "failed": failed, "users": runner.user_count,
                "cpu": round(cpu / (time.time() - began), 4), "lag": round(max(lags, default=0.0), 4),
            }  # fmt: skip
            print("LB " + json.dumps(told), flush=True)
            if runner.state in ("stopped", "cleanup", "stopping"):
                file.write("".join(f"{row}\n" for row in _rows))
                return


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


_reporter: list[Any] = []


@events.test_start.add_listener
def _begin(environment: Any, **_: Any) -> None:
    gevent.spawn(_watch_the_clock)
    _reporter.append(gevent.spawn(_report, environment.runner))


@events.quitting.add_listener
def _end(environment: Any, **_: Any) -> None:
    """Says that it is whole, and keeps the pod until its samples were fetched."""
    environment.process_exit_code = 0
    gevent.joinall(_reporter, timeout=10)
    version = f"{locust.__version__} on Python {sys.version.split()[0]}"
    print("LB " + json.dumps({"version": version, "done": True, "code": 0}), flush=True)
    gevent.sleep(HOLD)
