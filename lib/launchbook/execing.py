"""Running a command in a container: once for its output, or as a session to which lines go as others come back.

The client's `stream` patches the ApiClient it is given, so each has its own.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import yaml
from kubernetes.client import ApiClient, Configuration, CoreV1Api
from kubernetes.client.exceptions import ApiException
from kubernetes.stream import stream
from kubernetes.stream.ws_client import ERROR_CHANNEL
from websocket import WebSocketException  # type: ignore[import-untyped,unused-ignore]

from launchbook.errors import ClusterError, MissingRight


@dataclass(frozen=True)
class ExecResult:
    """What a command wrote, as text, and its exit code."""

    stdout: str
    stderr: str
    code: int


def execute(
    configuration: Configuration,
    namespace: str,
    pod: str,
    command: list[str],
    *,
    container: str | None,
    timeout: float,
    stdin: str | None,
) -> ExecResult:
    """See Cluster.exec()."""
    where = f"exec in {namespace}/{pod}"
    deadline = time.monotonic() + timeout
    with _opened(configuration, namespace, pod, command, container, stdin is not None, timeout) as socket:
        return _talk(socket, where, timeout, deadline, stdin)


class Session:
    """A command that runs on in a container. Made by Cluster.session(); used by one thread at a time."""

    def __init__(self, socket: Any, where: str) -> None:
        self._socket = socket
        self._where = where
        self._rest = ""

    def write(self, text: str) -> None:
        """Sends text to the command's standard input. Raises ClusterError where the session broke."""
        with _broken(self._where):
            self._socket.write_stdin(text)

    def lines(self, timeout: float) -> list[str]:
        """The whole lines that came, after a wait of at most `timeout` seconds for the first of them.

        Raises ClusterError where the command ended or the connection broke.
        """
        with _broken(self._where):
            self._socket.update(timeout=max(0.0, timeout))
            text = self._rest + (self._socket.read_stdout(timeout=0) if self._socket.peek_stdout() else "")
            *found, self._rest = text.split("\n")
            if not found and not self._socket.is_open():
                said = self._socket.read_stderr(timeout=0) + self._socket.read_channel(ERROR_CHANNEL)
                raise ClusterError(
                    f"{self._where}: the command ended: {' '.join(said.split())[:300] or 'no reason given'}"
                )
            return found


@contextmanager
def session(
    configuration: Configuration, namespace: str, pod: str, command: list[str], *, timeout: float
) -> Iterator[Session]:
    """See Cluster.session()."""
    with _opened(configuration, namespace, pod, command, None, True, timeout) as socket:
        yield Session(socket, f"session in {namespace}/{pod}")


@contextmanager
def _opened(
    configuration: Configuration,
    namespace: str,
    pod: str,
    command: list[str],
    container: str | None,
    stdin: bool,
    timeout: float,
) -> Iterator[Any]:
    where = f"exec in {namespace}/{pod}"
    client = ApiClient(configuration)
    try:
        with _broken(where):
            socket = stream(
                CoreV1Api(client).connect_get_namespaced_pod_exec,
                pod,
                namespace,
                command=command,
                **({"container": container} if container else {}),
                stdin=stdin,
                stdout=True,
                stderr=True,
                tty=False,
                _preload_content=False,
                _request_timeout=min(timeout, 30.0),
            )
        try:
            with _broken(where):
                yield socket
        finally:
            socket.close()
    finally:
        client.close()


@contextmanager
def _broken(where: str) -> Iterator[None]:
    try:
        yield
    except ApiException as error:
        raise _refusal(where, error) from None
    except (WebSocketException, OSError) as error:
        raise ClusterError(f"{where}: the connection broke: {error}") from None


def _talk(socket: Any, where: str, timeout: float, deadline: float, stdin: str | None) -> ExecResult:
    if stdin:
        socket.write_stdin(stdin)
    out: list[str] = []
    err: list[str] = []
    while socket.is_open():
        left = deadline - time.monotonic()
        if left <= 0:
            raise ClusterError(f"{where}: did not end within {timeout:g} s; it said: {''.join(out)[-200:]!r}")
        socket.update(timeout=min(left, 1.0))
        out.append(socket.read_stdout(timeout=0) if socket.peek_stdout() else "")
        err.append(socket.read_stderr(timeout=0) if socket.peek_stderr() else "")
    out.append(socket.read_stdout(timeout=0) if socket.peek_stdout() else "")
    err.append(socket.read_stderr(timeout=0) if socket.peek_stderr() else "")
    return ExecResult("".join(out), "".join(err), _code(socket.read_channel(ERROR_CHANNEL), where))


def _code(status: str, where: str) -> int:
    if not status:
        raise ClusterError(f"{where}: the connection ended without an exit code")
    told = yaml.safe_load(status)
    if told.get("status") == "Success":
        return 0
    for cause in told.get("details", {}).get("causes", ()):
        if cause.get("reason") == "ExitCode":
            return int(cause["message"])
    raise ClusterError(f"{where}: {told.get('message', status)}")


def _refusal(where: str, error: ApiException) -> ClusterError:
    # A refused upgrade arrives as status 0 with the HTTP answer in the reason.
    text = f"{error.reason or ''} {error.body or ''}"
    try:
        message = json.loads(error.body or "")["message"]
    except (ValueError, KeyError, TypeError):
        message = " ".join(text.split())[:300]
    kind = MissingRight if "403" in text or error.status == 403 else ClusterError
    return kind(f"{where}: {message}")
