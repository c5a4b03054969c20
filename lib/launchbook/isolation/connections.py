"""Connection attempts from inside a pod whose image has Python: a thread for each, where a shell needs two processes.

    python3 -c "$(cat connections.py)"

A program of the standard library alone, on Python 3.10 or newer. It is asked what the shell of connect.py is asked, a line
each: `T SECONDS KEY NUMBER HOST PORT` for a connection, `U …` for a question over UDP. It tells the same too,
`KEY|NUMBER|CODE|SAID` as each attempt ends, in the words of busybox' nc, so that one reading serves both; and `python`
first. As with nc, the seconds hold for the look-up of a name and the connection together.
"""

from __future__ import annotations

import os
import queue
import socket
import sys
import threading
import time

TYPE_CHECKING = False
if TYPE_CHECKING:  # spares each pod the loading of `typing`
    from typing import Any

_GATHER = 0.02  # s, for which answers wait for others: each message passes four programs on its way
_AGAIN = 0.5  # of the time, after which a question is asked again: one lost datagram is no silence


def main() -> None:
    """Answers on standard output until standard input ends."""
    told: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_tell, args=(told,), daemon=True).start()
    told.put("python")
    for line in sys.stdin:
        kind, seconds, key, number, host, port = line.split()
        given = (kind, float(seconds), host, int(port), f"{key}|{number}", told)
        threading.Thread(target=_attempt, args=given, daemon=True).start()


def _tell(told: queue.SimpleQueue[str]) -> None:
    while True:
        lines = [told.get()]
        time.sleep(_GATHER)
        while not told.empty():
            lines.append(told.get())
        os.write(1, "".join(f"{line}\n" for line in lines).encode())


def _attempt(kind: str, seconds: float, host: str, port: int, name: str, told: queue.SimpleQueue[str]) -> None:
    until = time.monotonic() + seconds
    try:
        code, said = 0, ""
        (ask if kind == "U" else connect)(*lookup(host, port, kind, until), until)
    except TimeoutError:
        code, said = 1, "timed out"
    except ConnectionRefusedError:
        code, said = 1, "Connection refused"
    except (socket.gaierror, UnicodeError) as error:
        code, said = 1, f"bad address: {error}"
    except Exception as error:
        code, said = 1, f"{type(error).__name__}: {error}".replace("\n", " ")
    told.put(f"{name}|{code}|{said}")


def lookup(host: str, port: int, kind: str, until: float) -> tuple[int, Any]:
    """The family and the first address of a host. Raises OSError."""
    of = socket.SOCK_DGRAM if kind == "U" else socket.SOCK_STREAM
    name = host.encode("ascii")  # for text, Python loads its tables of international names
    try:
        return _first(socket.getaddrinfo(name, port, type=of, flags=socket.AI_NUMERICHOST))
    except socket.gaierror:
        pass
    found: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def resolve() -> None:
        try:
            found.put(_first(socket.getaddrinfo(name, port, type=of)))
        except OSError as error:
            found.put(error)

    # A resolver takes its own time, and can't be told to stop.
    threading.Thread(target=resolve, daemon=True).start()
    try:
        got = found.get(timeout=max(0.0, until - time.monotonic()))
    except queue.Empty:
        raise TimeoutError from None
    if isinstance(got, Exception):
        raise got
    return got  # type: ignore[no-any-return]


def _first(found: list[Any]) -> tuple[int, Any]:
    return found[0][0], found[0][4]


def connect(family: int, address: Any, until: float) -> None:
    """Raises OSError where no connection stands in time."""
    with socket.socket(family, socket.SOCK_STREAM) as one:
        one.settimeout(max(0.001, until - time.monotonic()))
        one.connect(address)


def ask(family: int, address: Any, until: float) -> None:
    """A DNS question, to which any answer will do. Raises OSError where none comes in time."""
    with socket.socket(family, socket.SOCK_DGRAM) as one:
        one.connect(address)
        wait = (until - time.monotonic()) * _AGAIN
        for _ in range(2):
            one.send(question())
            one.settimeout(max(0.001, min(wait, until - time.monotonic())))
            try:
                one.recv(4096)
                return
            except TimeoutError:
                continue
        raise TimeoutError


def question(resolver: str = "/etc/resolv.conf") -> bytes:
    """For the address of the cluster's own API, which its DNS answers itself, in whatever domain it has (RFC 1035, 4.1)."""
    from pathlib import Path  # takes as long to load as all the rest, and few pods ask over UDP

    searched = [line.split() for line in Path(resolver).read_text().splitlines() if line.startswith("search ")]
    domain = searched[-1][2] if searched and len(searched[-1]) > 2 else ""
    labels = ["kubernetes", "default", *filter(None, domain.split("."))]
    name = b"".join(bytes([len(label)]) + label.encode() for label in labels)
    return os.urandom(2) + b"\x01\x00\x00\x01" + b"\x00" * 6 + name + b"\x00\x00\x01\x00\x01"


if __name__ == "__main__":
    main()
