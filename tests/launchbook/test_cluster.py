"""What may be asked twice is asked again where the API server is hard pressed; what it refuses is not."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import tenacity
from kubernetes.client import Configuration

from launchbook.cluster import Cluster
from launchbook.errors import BadCredentials, ClusterError, Unavailable

NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}}
KINDS = {"resources": [{"name": "namespaces", "kind": "Namespace", "namespaced": False, "verbs": []}]}


class Server(ThreadingHTTPServer):
    """Answers PATCH and GET of the namespace with `answers`, one after another; 0 closes the connection."""

    answers: list[int]
    asked: int = 0


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        if self.path == "/api/v1":
            self._say(200, KINDS)
        else:
            self._next()

    def do_PATCH(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._next()

    def _next(self) -> None:
        self.server.asked += 1
        status = self.server.answers.pop(0) if self.server.answers else 200
        if status == 0:
            self.connection.close()
        else:
            self._say(status, NAMESPACE if status == 200 else {"message": "no"})

    def _say(self, status: int, body: Any) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for asked in (Cluster.apply, Cluster.get, Cluster.list):
        monkeypatch.setattr(asked.retry, "wait", tenacity.wait_none())  # type: ignore[attr-defined]
    with Server(("127.0.0.1", 0), Handler) as given:
        threading.Thread(target=given.serve_forever, daemon=True).start()
        yield given
        given.shutdown()


def cluster(server: Server) -> Cluster:
    configuration = Configuration()
    configuration.host = f"http://127.0.0.1:{server.server_port}"
    configuration.retries = False
    return Cluster(configuration, "here")


@pytest.mark.parametrize("name", ["../../namespaces/kube-system", "..", ".", "a/b", "a?dryRun=All", "a%2fb", "a b"])
def test_no_name_leads_to_another_object(server: Server, name: str) -> None:
    """Names come from manifests and journals, and are a segment of a path."""
    with pytest.raises(ClusterError, match=r"is no name of an object: it would lead to another one"):
        cluster(server).get("Namespace", name)
    assert server.asked == 0


@pytest.mark.parametrize("answers", [[429], [503, 429], [500, 502, 503, 504], [0], [0, 429, 0]])
def test_it_is_asked_again(server: Server, answers: list[int]) -> None:
    """A server-side apply done twice is one done once."""
    server.answers = list(answers)
    assert cluster(server).apply(NAMESPACE) == NAMESPACE
    assert server.asked == len(answers) + 1


def test_not_for_ever(server: Server) -> None:
    """The last answer is told."""
    server.answers = [503] * 9
    with pytest.raises(Unavailable, match="HTTP 503: no"):
        cluster(server).apply(NAMESPACE)
    assert server.asked == 5


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, ClusterError), (401, BadCredentials), (403, ClusterError), (409, ClusterError), (422, ClusterError)],
)
def test_what_is_refused_is_not_asked_again(server: Server, status: int, error: type[Exception]) -> None:
    """It would be refused again."""
    server.answers = [status, status]
    with pytest.raises(error) as refused:
        cluster(server).apply(NAMESPACE)
    assert (server.asked, refused.value.status) == (1, status)  # type: ignore[attr-defined]
