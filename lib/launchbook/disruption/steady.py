"""One request at a steady pace, each with a time limit: a program for a pod, of Python's standard library alone.

    python3 -c "$(cat steady.py)" '{"host": "198.18.16.9", "port": 80, "path": "/ready", "name": "api.shop",
                                    "interval": 0.05, "timeout": 2}'

Without a path a request is a TCP connection that stands. It prints a line of JSON for each that ended, with its number
`n`, `at` (seconds since the program began), `seconds` and `error` ("" where it was answered).
"""

from __future__ import annotations

import itertools
import json
import socket
import sys
import threading
import time
from typing import Any


class Prober:
    def __init__(self, order: dict[str, Any]) -> None:
        self.order = order
        self.began = time.monotonic()
        self.lock = threading.Lock()

    def run(self) -> None:
        """Sends for ever. A late one is sent at once, and the pace goes on from there."""
        due = self.began
        for number in itertools.count():
            threading.Thread(target=self.one, args=(number,), daemon=True).start()
            due = max(due + self.order["interval"], time.monotonic())
            time.sleep(max(0.0, due - time.monotonic()))

    def one(self, number: int) -> None:
        at = time.monotonic()
        try:
            error = self.ask(at + self.order["timeout"])
        except OSError as failure:
            error = str(failure) or type(failure).__name__
        told = {"n": number, "at": at - self.began, "seconds": time.monotonic() - at, "error": error}
        with self.lock:
            print(json.dumps(told), flush=True)

    def ask(self, deadline: float) -> str:
        """What went wrong with one request, or nothing. Raises OSError."""
        order = self.order
        with socket.create_connection((order["host"], order["port"]), timeout=order["timeout"]) as connection:
            if not order.get("path"):
                return ""
            head = f"GET {order['path']} HTTP/1.1\r\nHost: {order['name']}\r\nConnection: close\r\n\r\n"
            connection.sendall(head.encode())
            said = b""
            while b"\r\n" not in said:
                connection.settimeout(max(0.001, deadline - time.monotonic()))
                if not (part := connection.recv(4096)):
                    return "closed without an answer"
                said += part
        status = said.split(b" ", 2)[1:2]
        return "" if status and status[0][:1] in (b"2", b"3") else f"HTTP {said.splitlines()[0].decode('latin-1')[:80]}"


if __name__ == "__main__":
    Prober(json.loads(sys.argv[1])).run()
