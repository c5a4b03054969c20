"""What a pod with Python asks of a resolver, and of a server over UDP."""

from __future__ import annotations

import queue
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from launchbook.isolation import connections
from launchbook.isolation.connect import outcome

UDP, TCP = "U", "T"


def resolver(monkeypatch: pytest.MonkeyPatch, resolve: Any) -> None:
    """`resolve()` in place of the one that is asked for names; addresses need none."""

    def found(name: bytes, port: int, *, type: int, flags: int = 0) -> Any:
        if flags & socket.AI_NUMERICHOST:
            raise socket.gaierror(socket.EAI_NONAME, "not an address")
        return resolve()

    monkeypatch.setattr(connections.socket, "getaddrinfo", found)


def attempt(host: str) -> str:
    """The outcome of one attempt by name, as it is read here."""
    told: queue.SimpleQueue[str] = queue.SimpleQueue()
    connections._attempt(TCP, 0.2, host, 80, "7|1", told)
    key, number, code, said = told.get().split("|", 3)
    assert (key, number) == ("7", "1")
    return outcome(code, said)


def test_a_resolver_that_is_silent_is_a_connection_that_is_not_made_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """As nc has it, whose time runs from the look-up on."""
    free = threading.Event()
    resolver(monkeypatch, lambda: free.wait() and [(socket.AF_INET, 1, 6, "", ("127.0.0.2", 80))])
    assert attempt("redis.shop.svc") == "DROPPED"
    free.set()


def test_a_name_that_is_not_known_is_no_block(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown() -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    resolver(monkeypatch, unknown)
    assert attempt("redis.shop.svc") == "DNS_FAIL"


def test_what_nobody_foresaw_is_no_block(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_route(*_: object) -> None:
        raise OSError(113, "No route to host")

    monkeypatch.setattr(connections, "connect", no_route)
    assert attempt("127.0.0.1") == "PROBE_ERROR"


def test_the_first_address_of_a_name_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(socket.AF_INET, 1, 6, "", (host, 80)) for host in ("127.0.0.2", "127.0.0.3")]
    resolver(monkeypatch, lambda: rows)
    until = time.monotonic() + 5
    assert connections.lookup("redis.shop.svc", 80, TCP, until) == (socket.AF_INET, ("127.0.0.2", 80))


def test_a_lost_question_is_asked_again() -> None:
    """The first is not answered, the second is."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def answer() -> None:
            server.recvfrom(4096)
            question, source = server.recvfrom(4096)
            server.sendto(question, source)

        thread = threading.Thread(target=answer)
        thread.start()
        connections.ask(socket.AF_INET, server.getsockname(), time.monotonic() + 2)
        thread.join()


@pytest.mark.parametrize(
    ("resolv", "name"),
    [
        ("nameserver 10.0.0.10\nsearch shop.svc lab.local svc.lab.local\n", b"\x0akubernetes\x07default\x03lab\x05local\x00"),
        ("search only.one\n", b"\x0akubernetes\x07default\x00"),
        ("nameserver 10.0.0.10\n", b"\x0akubernetes\x07default\x00"),
    ],
)  # fmt: skip
def test_the_question_is_of_the_clusters_own_domain(tmp_path: Path, resolv: str, name: bytes) -> None:
    """Its second search domain, as the kubelet writes it; a header of twelve bytes, then the name, type A, class IN."""
    (tmp_path / "resolv.conf").write_text(resolv)
    assert connections.question(str(tmp_path / "resolv.conf"))[2:] == (
        b"\x01\x00\x00\x01" + b"\x00" * 6 + name + b"\x00\x01\x00\x01"
    )
