"""Running a command in a container. The client's `stream` patches the ApiClient it is given, so each has its own."""

from __future__ import annotations

import json
import time
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
    client = ApiClient(configuration)
    deadline = time.monotonic() + timeout
    try:
        socket = stream(
            CoreV1Api(client).connect_get_namespaced_pod_exec,
            pod,
            namespace,
            command=command,
            **({"container": container} if container else {}),
            stdin=stdin is not None,
            stdout=True,
            stderr=True,
            tty=False,
            _preload_content=False,
            _request_timeout=min(timeout, 30.0),
        )
        try:
            return _talk(socket, where, timeout, deadline, stdin)
        finally:
            socket.close()
    except ApiException as error:
        raise _refusal(where, error) from None
    except (WebSocketException, OSError) as error:
        raise ClusterError(f"{where}: the connection broke: {error}") from None
    finally:
        client.close()


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
