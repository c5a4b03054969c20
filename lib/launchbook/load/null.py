"""A target that does nothing, on loopback beside the generator: what is measured against it is the generator's own.

`python3 null.py PORT [KEEP]` prints the port it listens on (0: any) and answers every request with an empty 200 until it
is ended, or for KEEP seconds: in a pod it also keeps the samples' volume there when the generator has died.
"""

from __future__ import annotations

import asyncio
import sys

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n{}"
_BREAK = b"\r\n\r\n"


class Null(asyncio.Protocol):
    """Answers each request once its head and as much body as Content-Length says are there."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._seen = b""

    def data_received(self, data: bytes) -> None:
        self._seen += data
        while _BREAK in self._seen:
            head, rest = self._seen.split(_BREAK, 1)
            length = _length(head)
            if len(rest) < length:
                return
            self._seen = rest[length:]
            self._transport.write(_ANSWER)


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.split(b":")[1])
    return 0


async def _serve(port: int, keep: float) -> None:
    server = await asyncio.get_running_loop().create_server(Null, "127.0.0.1", port)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.sleep(keep)
    server.close()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 1e9))
