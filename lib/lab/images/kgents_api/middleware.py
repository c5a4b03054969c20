"""What happens to each request besides its answer: a log line, and the faults that were asked for."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import nullcontext
from typing import Any

from kgents_api.log import log

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

FAULTY_PREFIX = "/v1/"
PROBES = ("/health", "/ready")


class Requests:
    """Log each request as one line, the kubelet's probes only when they fail."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status, request = time.perf_counter(), 500, uuid.uuid4().hex[:16]

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request.encode())]
            await send(message)

        try:
            await self._app(scope, receive, answer)
        finally:
            if scope["path"] not in PROBES or status >= 400:
                log(
                    "error" if status >= 500 else "info",
                    "request",
                    id=request,
                    method=scope["method"],
                    path=scope["path"],
                    status=status,
                    ms=round((time.perf_counter() - started) * 1000, 1),
                )


class Faults:
    """What may be wrong with requests below /v1/: they wait, queue for a worker, are kept in memory, or fail.

    error_rate: share that is answered with 500, exactly every 50th for 0.02; latency_ms: that each takes; workers: how
    many take it at a time (0: all), so that a pod answers workers / latency; leak_kib: memory that each leaves behind
    """

    def __init__(self, app: App, error_rate: float, latency_ms: float, workers: int = 0, leak_kib: float = 0) -> None:
        self._app, self._rate, self._latency, self._leak = app, error_rate, latency_ms, int(1024 * leak_kib)
        self._workers = asyncio.Semaphore(workers) if workers else nullcontext()
        self._kept: list[bytes] = []
        self._seen = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(FAULTY_PREFIX):
            await self._app(scope, receive, send)
            return
        self._seen += 1
        if self._leak:
            self._kept.append(b"x" * self._leak)
        if self._latency:
            async with self._workers:
                await asyncio.sleep(self._latency / 1000)
        if int(self._seen * self._rate) == int((self._seen - 1) * self._rate):
            await self._app(scope, receive, send)
            return
        body = json.dumps({"error": "planted by FAULT_ERROR_RATE"}).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 500, "headers": headers})
        await send({"type": "http.response.body", "body": body})
