"""The faults that the sample API can be asked for."""

from __future__ import annotations

import asyncio
import importlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab.images.recipes import API


@pytest.fixture
def middleware(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    assert API.sources is not None
    monkeypatch.syspath_prepend(str(Path(API.sources).parent))
    return importlib.import_module("kgents_api.middleware")


async def fine(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"{}"})


def statuses(app: Any, path: str, count: int) -> list[int]:
    """The status of each of `count` requests, one after the other."""
    found: list[int] = []

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            found.append(message["status"])

    async def run() -> None:
        for _ in range(count):
            await app({"type": "http", "path": path, "method": "GET"}, None, send)

    asyncio.run(run())
    return found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 300), st.integers(0, 100))
def test_exactly_the_share_that_was_asked_for_fails(middleware: ModuleType, count: int, percent: int) -> None:
    answers = statuses(middleware.Faults(fine, percent / 100, 0), "/v1/agents", count)
    assert answers.count(500) == int(count * (percent / 100))
    assert set(answers) <= {200, 500}


def test_every_fiftieth_request_fails_at_two_per_cent(middleware: ModuleType) -> None:
    answers = statuses(middleware.Faults(fine, 0.02, 0), "/v1/agents", 200)
    assert [number for number, status in enumerate(answers, 1) if status == 500] == [50, 100, 150, 200]


def test_probes_are_spared(middleware: ModuleType) -> None:
    assert set(statuses(middleware.Faults(fine, 1.0, 0), "/health", 10)) == {200}


def test_a_request_is_one_json_line_and_a_probe_none(
    middleware: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    app = middleware.Requests(middleware.Faults(fine, 1.0, 0))
    statuses(app, "/v1/agents", 1)
    statuses(app, "/ready", 1)
    (line,) = capsys.readouterr().out.splitlines()
    said = json.loads(line)
    assert (said["level"], said["event"], said["path"], said["status"]) == ("error", "request", "/v1/agents", 500)
    assert set(said) == {"time", "level", "event", "id", "method", "path", "status", "ms"}


def test_an_answer_carries_the_id_that_is_in_the_log(
    middleware: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    headers: list[Any] = []

    async def send(message: dict[str, Any]) -> None:
        headers.extend(message.get("headers", []))

    asyncio.run(middleware.Requests(fine)({"type": "http", "path": "/v1/agents", "method": "GET"}, None, send))
    assert headers == [(b"x-request-id", json.loads(capsys.readouterr().out)["id"].encode())]


@pytest.mark.parametrize(("workers", "most"), [(0, 5), (2, 2)])
def test_so_many_wait_at_a_time(
    middleware: ModuleType, monkeypatch: pytest.MonkeyPatch, workers: int, most: int
) -> None:
    """Of five requests at once; all are answered."""
    at_once: list[int] = []
    waiting = 0

    async def sleep(seconds: float, real: Any = asyncio.sleep) -> None:
        nonlocal waiting
        waiting += 1
        at_once.append(waiting)
        await real(0)
        waiting -= 1

    monkeypatch.setattr(middleware.asyncio, "sleep", sleep)
    found: list[int] = []

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            found.append(message["status"])

    async def run() -> None:
        app = middleware.Faults(fine, 0, 40, workers=workers)
        await asyncio.gather(
            *(app({"type": "http", "path": "/v1/agents", "method": "GET"}, None, send) for _ in range(5))
        )

    asyncio.run(run())
    assert max(at_once) == most
    assert found == [200] * 5


def test_each_request_leaves_so_much_behind(middleware: ModuleType) -> None:
    """None of a probe."""
    app = middleware.Faults(fine, 0, 0, leak_kib=6)
    statuses(app, "/v1/agents", 3)
    statuses(app, "/health", 3)
    assert [len(one) for one in app._kept] == [6144] * 3
