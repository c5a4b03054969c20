"""Waiting for an object: list, then watch, and list again whenever the watch can't go on."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import urllib3

from launchbook.errors import ClusterError, WaitTimeout

if TYPE_CHECKING:
    from launchbook.cluster import Cluster

Object = dict[str, Any]
_PAUSE = 0.5  # s, between a watch that broke off and the next list


def wait(
    cluster: Cluster,
    kind: str,
    name: str,
    namespace: str | None,
    until: Callable[[Object | None], bool],
    *,
    api_version: str,
    timeout: float,
) -> Object | None:
    """The object once `until` holds for it; see Cluster.wait()."""
    deadline = time.monotonic() + timeout
    last: Object | None = None
    while True:
        found, version = cluster.list_at(kind, namespace, api_version=api_version, fields=f"metadata.name={name}")
        last = found[0] if found else None
        if until(last):
            return last
        for last in _watch(cluster, kind, name, namespace, api_version, version, deadline):
            if until(last):
                return last
        left = deadline - time.monotonic()
        if left <= 0:
            where = f"{namespace}/{name}" if namespace else name
            raise WaitTimeout(f"{kind} {where} was not as awaited within {timeout:g} s", last)
        time.sleep(min(_PAUSE, left))  # a watch that breaks at once must not become a flood of lists


def _watch(
    cluster: Cluster, kind: str, name: str, namespace: str | None, api_version: str, version: str, deadline: float
) -> Any:
    """The object after each event, None once it is deleted; ends when the watch does or at the deadline."""
    left = deadline - time.monotonic()
    if left <= 0:
        return
    query = {
        "fieldSelector": f"metadata.name={name}",
        "resourceVersion": version,
        "timeoutSeconds": max(1, int(left + 0.999)),
    }
    try:
        response = cluster.stream_watch(query, kind, namespace, api_version)
    except ClusterError:
        return  # 410, or a server that is away: list again
    timer = threading.Timer(left, shut, (response,))
    timer.daemon = True
    timer.start()
    try:
        for line in _lines(response):
            event = json.loads(line)
            if event["type"] == "ERROR":
                return
            if event["type"] != "BOOKMARK":
                yield None if event["type"] == "DELETED" else event["object"]
    except (urllib3.exceptions.HTTPError, OSError, ValueError, AttributeError):
        return
    finally:
        timer.cancel()
        shut(response)


def _lines(response: Any) -> Any:
    rest = b""
    while chunk := response.read1(65536):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line for line in lines if line)


def shut(response: Any) -> None:
    """Ends a streamed answer at once, also while another thread reads from it."""
    connection: Any = getattr(response, "connection", None) or getattr(response, "_connection", None)
    with suppress(OSError, AttributeError):
        connection.sock.shutdown(socket.SHUT_RDWR)
    with suppress(Exception):
        response.close()
