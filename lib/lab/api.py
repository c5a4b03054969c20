"""The lab's own way to its API server: a few objects applied and read, with the admin's certificate."""

from __future__ import annotations

import http.client
import json
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab.errors import LabError
from lab.pki import Pair

TIMEOUT = 10.0  # s, one request
POLL = 0.05  # s
_PATHS = {
    "ServiceAccount": "/api/v1/namespaces/{namespace}/serviceaccounts",
    "ConfigMap": "/api/v1/namespaces/{namespace}/configmaps",
    "Service": "/api/v1/namespaces/{namespace}/services",
    "Deployment": "/apis/apps/v1/namespaces/{namespace}/deployments",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "CustomResourceDefinition": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "ClusterInformation": "/apis/crd.projectcalico.org/v1/clusterinformations",
}


class Api:
    def __init__(self, address: str, port: int, authority: Path, pair: Pair) -> None:
        self._address, self._port = address, port
        self._context = ssl.create_default_context(cafile=str(authority))
        self._context.load_cert_chain(pair.certificate, pair.key)
        self._connection: http.client.HTTPSConnection | None = None

    def get(self, path: str) -> Any:
        """Give the answer's JSON (text for a path that has none). Raises `OSError` or `LabError` unless it is 2xx."""
        status, body = self._request("GET", path)
        if not 200 <= status < 300:
            raise LabError(f"the API server answered {status} to {path}: {body[:300].decode(errors='replace')}")
        return json.loads(body) if body[:1] in b"{[" else body.decode()

    def ready(self) -> bool:
        try:
            return self._request("GET", "/readyz")[0] == 200
        except OSError:
            return False

    def apply(self, obj: dict[str, Any], *, timeout: float = 20.0) -> None:
        """Server-side apply; a kind that the server doesn't know yet is waited for."""
        metadata = obj["metadata"]
        path = _PATHS[obj["kind"]].format(namespace=metadata.get("namespace"))
        path = f"{path}/{metadata['name']}?fieldManager=lab&force=true"
        deadline = time.monotonic() + timeout
        while True:
            status, body = self._request("PATCH", path, json.dumps(obj), "application/apply-patch+yaml")
            if status < 300:
                return
            if status not in (404, 503) or time.monotonic() > deadline:
                said = body[:300].decode(errors="replace")
                raise LabError(f"{obj['kind']} {metadata['name']} can't be applied ({status}): {said}")
            time.sleep(POLL)

    def _request(self, method: str, path: str, body: str | None = None, kind: str = "") -> tuple[int, bytes]:
        if self._connection is None:
            self._connection = http.client.HTTPSConnection(
                self._address, self._port, context=self._context, timeout=TIMEOUT
            )
        try:
            headers = {"Content-Type": kind} if kind else {}
            self._connection.request(method, path, body, headers)
            answer = self._connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            self._connection = None
            if isinstance(error, OSError):
                raise
            raise ConnectionError(str(error)) from error


def wait(what: str, until: Callable[[], bool], timeout: float, check: Callable[[], None] = lambda: None) -> None:
    """Poll a condition, described by `what`; `check` may raise why it will never hold.

    Raises `LabError` after `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    checked = time.monotonic()
    while not until():
        now = time.monotonic()
        if now > deadline:
            check()
            raise LabError(f"waited {timeout:.0f} s in vain for {what}")
        if now - checked > 0.5:
            check()
            checked = now
        time.sleep(POLL)
