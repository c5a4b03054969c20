"""Redis and NATS as the API sees them: each call answers within a bound or raises `Unavailable`."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from urllib.parse import urlsplit

import nats
from kgents_api.log import log
from nats.errors import Error as NatsError
from nats.errors import FlushTimeoutError
from redis.asyncio import Redis
from redis.exceptions import RedisError

AGENTS = {
    "planner": "Breaks a goal into tasks",
    "researcher": "Finds sources and quotes them",
    "writer": "Turns findings into text",
    "reviewer": "Looks for what is wrong",
    "archivist": "Keeps what was decided",
}


class Unavailable(Exception):
    """A store did not answer in time, or not as it should; `store` is redis or nats."""

    def __init__(self, store: str, cause: BaseException) -> None:
        self.store = store
        super().__init__(f"{store}: {str(cause) or type(cause).__name__}")


class Agents:
    """The agents, a Redis hash of name to JSON."""

    KEY = "agents"

    def __init__(self, url: str, timeout: float) -> None:
        options = {"socket_timeout": timeout, "socket_connect_timeout": timeout, "decode_responses": True}
        self._options = {"url": url, **options}
        self._redis = Redis.from_url(**self._options)

    async def all(self) -> list[dict[str, str]]:
        """Give every agent, sorted by name. An empty hash (a Redis that was restarted) is seeded first."""
        try:
            found = await self._redis.hgetall(self.KEY)
            if not found:
                found = {name: json.dumps({"name": name, "role": role}) for name, role in AGENTS.items()}
                await self._redis.hset(self.KEY, mapping=found)
                log("info", "seeded", agents=len(found))
        except (TimeoutError, RedisError, OSError) as error:
            raise Unavailable("redis", error) from error
        return [json.loads(found[name]) for name in sorted(found)]

    async def check(self) -> None:
        """Ping over a new connection: one that is open already may outlive the policy that admitted it."""
        fresh = Redis.from_url(**self._options)
        try:
            await fresh.ping()
        except (TimeoutError, RedisError, OSError) as error:
            raise Unavailable("redis", error) from error
        finally:
            await fresh.close()

    async def close(self) -> None:
        await self._redis.close()


class Messages:
    """Messages to agents, published on the NATS subject `agents.NAME.messages`."""

    def __init__(self, url: str, timeout: float) -> None:
        self._url, self._timeout = url, timeout
        self._client: nats.NATS | None = None
        self._connecting = asyncio.create_task(self._connect())
        self._closing: set[asyncio.Task[None]] = set()

    async def _connect(self) -> None:
        """Try until it works: the API may be up before NATS is."""
        while True:
            try:
                self._client = await nats.connect(
                    self._url,
                    name="kgents-api",
                    connect_timeout=self._timeout,
                    max_reconnect_attempts=-1,
                    reconnect_time_wait=1,
                    pending_size=0,  # without a connection a publication fails; it is not kept for later
                    error_cb=_problem,
                    disconnected_cb=_disconnected,
                    reconnected_cb=_reconnected,
                )
                log("info", "nats connected")
                return
            except (TimeoutError, NatsError, OSError) as error:
                log("warning", "nats unreachable", error=str(error) or type(error).__name__)
                await asyncio.sleep(1)

    async def publish(self, agent: str, message: dict[str, str]) -> str:
        """Publish and wait until the server has it; give the subject."""
        subject = f"agents.{agent}.messages"
        try:
            client = self._connected()
            await client.publish(subject, json.dumps(message).encode())
            try:
                await client.flush(timeout=self._timeout)
            except FlushTimeoutError:
                self._replace(client)
                raise
        except (TimeoutError, NatsError, OSError) as error:
            raise Unavailable("nats", error) from error
        return subject

    def _replace(self, client: nats.NATS) -> None:
        """Connect anew after a flush that was not answered.

        An answer that comes late ends nats-py's read loop, and without that loop `flush` returns at once as if all
        were well (nats-py 2.16): a message would be reported as accepted that no server ever saw.
        """
        if self._client is not client:
            return  # another request was here first
        self._client = None
        self._connecting = asyncio.create_task(self._connect())
        closing = asyncio.create_task(client.close())
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    async def check(self) -> None:
        """Read the server's greeting over a new connection (see `Agents.check`) and look at the one in use."""
        address = urlsplit(self._url)
        try:
            self._connected()
            opened = asyncio.open_connection(address.hostname, address.port or 4222)
            reader, writer = await asyncio.wait_for(opened, self._timeout)
            try:
                greeting = await asyncio.wait_for(reader.readline(), self._timeout)
            finally:
                writer.close()
            if not greeting.startswith(b"INFO "):
                raise NatsError(f"answered {greeting[:20]!r}, which is no NATS greeting")
        except (TimeoutError, NatsError, OSError) as error:
            raise Unavailable("nats", error) from error

    def _connected(self) -> nats.NATS:
        if not self._client or not self._client.is_connected:
            raise NatsError("not connected")
        return self._client

    async def close(self) -> None:
        """Stop connecting, hand over what is on its way, disconnect."""
        self._connecting.cancel()
        if self._client and self._client.is_connected:
            with suppress(NatsError, OSError, asyncio.TimeoutError):
                await asyncio.wait_for(self._client.drain(), self._timeout)


async def _problem(error: Exception) -> None:
    log("warning", "nats problem", error=str(error) or type(error).__name__)


async def _disconnected() -> None:
    log("warning", "nats disconnected")


async def _reconnected() -> None:
    log("info", "nats reconnected")
