"""Requests at a steady pace: the program that sends them, what is made of its lines, what is asked and from where."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from launchbook.disruption import requests as sender
from launchbook.disruption import steady
from launchbook.disruption.requests import Requests, Target, target

PROGRAM = Path(steady.__file__).read_text()


class Server(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(int(self.path.strip("/")))
        self.send_header("x-host", self.headers["Host"])
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture
def server() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as one:
        threading.Thread(target=one.serve_forever, daemon=True).start()
        yield one.server_address[1]
        one.shutdown()


def lines(count: int, **order: Any) -> list[dict[str, Any]]:
    """The first lines that the program prints."""
    whole = {"host": "127.0.0.1", "path": None, "name": "api.shop", "interval": 0.01, "timeout": 1.0, **order}
    command = [sys.executable, "-c", PROGRAM, json.dumps(whole)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            return [json.loads(process.stdout.readline()) for _ in range(count)]
        finally:
            process.kill()


def _refused() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def test_answers_are_told_apart_from_refusals(server: int) -> None:
    """HTTP by its status, TCP by a connection that stands."""
    assert {line["error"] for line in lines(5, port=server, path="/200")} == {""}
    assert {line["error"] for line in lines(5, port=server, path="/302")} == {""}
    assert {line["error"] for line in lines(5, port=server, path="/503")} == {"HTTP HTTP/1.0 503 Service Unavailable"}
    assert {line["error"] for line in lines(5, port=server)} == {""}
    assert {line["error"] for line in lines(5, port=_refused())} == {"[Errno 111] Connection refused"}


def test_a_server_that_says_nothing_fails_within_the_time_limit() -> None:
    """And the pace goes on meanwhile: four begin before the first ends."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as mute:
        told = lines(4, port=mute.getsockname()[1], path="/")
    assert {line["error"] for line in told} == {"timed out"}
    assert min(line["seconds"] for line in told) >= 1.0
    assert max(line["at"] for line in told) < min(line["at"] + line["seconds"] for line in told)


TARGET = Target("p.a:80", "10.0.0.1", 80, "p.a", None, "a", {})


def heard(*told: tuple[float, float, str], monkeypatch: pytest.MonkeyPatch, offset: float = 100.0) -> Requests:
    """Requests of (at, seconds, error), each line arriving as it was said, by a clock `offset` s ahead."""
    found = Requests(TARGET)
    for number, (at, took, error) in enumerate(told):
        monkeypatch.setattr(sender.time, "monotonic", lambda at=at, took=took: offset + at + took)
        found.heard(json.dumps({"n": number, "at": at, "seconds": took, "error": error}).encode())
    return found


def test_what_was_met_since_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What began before is no part of it; the gap runs from the last answer before it."""
    found = heard(
        (0.0, 0.01, ""), (1.0, 0.01, ""), (1.1, 0.5, "timed out"), (1.2, 0.01, "refused"), (1.7, 0.02, ""), (1.8, 0.01, ""),
        monkeypatch=monkeypatch,
    )  # fmt: skip
    told = found.since(101.05)
    assert (told["to"], told["count"], told["failed"], told["gap"]) == ("p.a:80", 4, 2, 0.71)
    assert told["errors"] == ["timed out", "refused"]
    assert [round(at, 2) for at, _, _ in told["samples"]] == [0.05, 0.15, 0.65, 0.75]


def test_a_service_that_stays_silent_has_a_gap_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the last answer to the end of the last request."""
    found = heard((0.0, 0.01, ""), (1.0, 2.0, "timed out"), (3.0, 2.0, "timed out"), monkeypatch=monkeypatch)
    assert found.since(100.5)["gap"] == 4.99


def test_nothing_since_a_moment_has_no_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    """And no share of failures either: the judge says UNKNOWN."""
    told = heard((0.0, 0.01, ""), monkeypatch=monkeypatch).since(200.0)
    assert (told["count"], told["gap"]) == (0, None)


def test_the_line_that_came_fastest_sets_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that was held up on its way doesn't shift the others."""
    found = heard((0.0, 0.01, ""), monkeypatch=monkeypatch, offset=103.0)
    monkeypatch.setattr(sender.time, "monotonic", lambda: 101.01)
    found.heard(b'{"n": 1, "at": 1.0, "seconds": 0.01, "error": ""}')
    assert [round(at, 2) for at, _, _ in found.ended()] == [100.0, 101.0]


def test_a_torn_line_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python's own warning, or half a line."""
    found = heard((0.0, 0.01, ""), monkeypatch=monkeypatch)
    found.heard(b"Traceback")
    found.heard(b'{"n": 3}')
    assert len(found.ended()) == 1


def test_it_is_through_once_all_that_began_before_have_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that hangs is waited for: it may be the one that fails."""
    found = heard((0.0, 0.01, ""), (2.0, 0.01, ""), monkeypatch=monkeypatch)
    assert found.through(101.0)
    assert not found.through(102.5)
    monkeypatch.setattr(sender.time, "monotonic", lambda: 103.01)
    found.heard(b'{"n": 3, "at": 3.0, "seconds": 0.01, "error": ""}')
    assert not found.through(102.5)
    found.heard(b'{"n": 2, "at": 1.5, "seconds": 1.51, "error": "timed out"}')
    assert found.through(102.5)


def test_it_is_sound_after_ten_answers_in_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """One failure among the last ten isn't."""
    good = [(n * 0.05, 0.01, "") for n in range(10)]
    assert heard(*good, monkeypatch=monkeypatch).sound()
    assert not heard(*good[1:], monkeypatch=monkeypatch).sound()
    assert not heard(*good, (0.5, 0.01, "refused"), monkeypatch=monkeypatch).sound()


# ── what is asked, and from where ─────────────────────────────────────────────────────────────────────────────


def service(name: str, app: str, address: str = "10.0.0.9", **spec: Any) -> dict[str, Any]:
    whole = {"clusterIP": address, "selector": {"app": app}, "ports": [{"port": 80}], **spec}
    return {"kind": "Service", "metadata": {"name": name, "namespace": "shop"}, "spec": whole}


def edge(namespace: str = "front", service: str = "web", port: int = 80, expect: str = "open", **labels: str) -> Any:
    return SimpleNamespace(
        source=SimpleNamespace(namespace=namespace, labels=labels),
        destination=SimpleNamespace(namespace="shop", service=service, port=port),
        expect=expect,
        name=f"{namespace} -> shop/{service}:{port}",
    )


def run(services: list[Any], edges: tuple[Any, ...] = (), load: str = "shop/other", allowed: bool = True) -> Any:
    where = SimpleNamespace(service=load, port=80, probe_path="/ready")
    parameters = SimpleNamespace(
        load=SimpleNamespace(target=where, generator=SimpleNamespace(namespace="gen")),
        isolation=SimpleNamespace(edges=edges),
    )

    def listed(kind: str, namespace: str, **_: Any) -> Any:
        return services if (kind, namespace) == ("Service", "shop") else []

    return SimpleNamespace(allowed=lambda act: allowed, parameters=parameters, cluster=SimpleNamespace(list=listed))


BUDGET = {"metadata": {"namespace": "shop"}, "spec": {"selector": {"matchLabels": {"app": "web"}}}}
PODS = [{"metadata": {"name": "web-0", "labels": {"app": "web"}}}]
NO_WAY = (
    "no declared open edge leads to a Service of its pods by TCP; declare one under `isolation.edges`, or name its Service "
    "under `load.target`"
)


def test_the_target_of_the_load_is_asked_by_http() -> None:
    """At the Service's address, under its name, from the generator's namespace."""
    found = target(run([service("web", "web")], load="shop/web"), BUDGET, PODS)
    assert found == Target("http://web.shop/ready", "10.0.0.9", 80, "web.shop", "/ready", "gen", {})


def test_another_service_is_asked_by_tcp_in_the_labels_of_an_edge_that_may() -> None:
    """The first open edge that leads there."""
    edges = (edge(expect="closed"), edge(tier="front"), edge("later"))
    found = target(run([service("web", "web")], edges), BUDGET, PODS)
    assert found == Target("web.shop:80 (TCP, as front)", "10.0.0.9", 80, "web.shop", None, "front", {"tier": "front"})


@pytest.mark.parametrize(
    ("services", "edges", "allowed", "why"),
    [
        ([service("web", "web")], (edge(),), False, "this run may not load (`allow: [load]`)"),
        ([service("web", "other")], (edge(),), True, NO_WAY),
        ([service("web", "web", "None")], (edge(),), True, NO_WAY),
        ([service("web", "web")], (edge(expect="closed"),), True, NO_WAY),
        ([service("web", "web")], (edge(port=81),), True, NO_WAY),
        ([service("web", "web", ports=[{"port": 80, "protocol": "UDP"}])], (edge(),), True, NO_WAY),
        ([service("web", "web")], (edge("shop", app="web"),), True, NO_WAY),
        ([service("web", "web"), service("all", "web", publishNotReadyAddresses=True)], (edge("shop", app="web", x="y"),), True, NO_WAY),
    ],
)  # fmt: skip
def test_where_nothing_is_asked(services: Any, edges: Any, allowed: bool, why: str) -> None:
    """With why: never from a pod that the budget itself would count."""
    assert target(run(services, edges, allowed=allowed), BUDGET, PODS) == why
