"""A target that does nothing, on loopback beside the generator: what is measured against it is the generator's own.

`python3 null.py PORT [KEEP]` prints the port it listens on (0: any) and answers every request with an empty 200 until it
is ended, or for KEEP seconds: in a pod it also keeps the samples' volume there when the generator has died.
"""

from __future__ import annotations

import selectors
import socket
import sys
import time

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n{}"
_BREAK = b"\r\n\r\n"


class Null:
    """One connection: each request is answered once its head and as much body as Content-Length says are there."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._seen = b""

    def read(self) -> bool:
        """False once the other side is gone."""
        try:
            data = self._connection.recv(65536)
            if not data:
                return False
            if not self._seen and data.startswith(b"GET ") and data.find(_BREAK) == len(data) - 4:
                self._connection.send(_ANSWER)  # one whole request without a body: nearly every one
                return True
            self._seen += data
            while _BREAK in self._seen:
                head, rest = self._seen.split(_BREAK, 1)
                length = _length(head)
                if len(rest) < length:
                    break
                self._seen = rest[length:]
                self._connection.sendall(_ANSWER)
        except OSError:
            return False
        return True


def _length(head: bytes) -> int:
    place = head.lower().find(b"\r\ncontent-length:")
    return 0 if place < 0 else int(head[place + 17 :].split(b"\r\n")[0])


def serve(port: int, keep: float) -> None:
    """One thread, one loop: nothing is cheaper here, and the generator shares its cores with it."""
    with selectors.DefaultSelector() as ready, socket.create_server(("127.0.0.1", port), backlog=1024) as listener:
        ready.register(listener, selectors.EVENT_READ)
        print(listener.getsockname()[1], flush=True)
        deadline = time.monotonic() + keep
        while time.monotonic() < deadline:
            for key, _ in ready.select(timeout=min(60.0, deadline - time.monotonic())):
                if key.data is None:
                    connection, _ = listener.accept()
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    ready.register(connection, selectors.EVENT_READ, Null(connection))
                elif not key.data.read():
                    ready.unregister(key.fileobj)
                    key.fileobj.close()  # type: ignore[union-attr]


if __name__ == "__main__":
    serve(int(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 1e9)
