"""HTTP to the API server: one connection pool, our credentials, and what an answer that refuses says."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn
from urllib.parse import urlencode

import urllib3
from kubernetes.client import ApiClient, Configuration

import launchbook.watching as watching
from launchbook.errors import BadCredentials, ClusterError, ConflictError, MissingRight, NotFound, Unavailable

_TIMEOUT = (5.0, 30.0)  # s, to connect and to wait for an answer


class Transport:
    """Sends requests below the server's address. May be used from several threads."""

    def __init__(self, configuration: Configuration) -> None:
        self._host = configuration.host
        self._client = ApiClient(configuration)

    def call(self, method: str, path: str, **request: Any) -> Any:
        """The parsed answer; `request` as send() takes it. Raises ClusterError, or the one of its kinds that fits."""
        response = self.checked(method, path, **request)
        try:
            return json.loads(response.data)
        except ValueError:
            raise ClusterError(f"{method} {path}: the answer is not JSON: {response.data[:100]!r}") from None

    def checked(self, method: str, path: str, **request: Any) -> Any:
        """send(), where a status of 400 or more raises what call() does."""
        response = self.send(method, path, **request)
        if response.status >= 400:
            _refuse(method, path, response.status, response.data)
        return response

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
        stream: bool = False,
    ) -> Any:
        """The urllib3 response, whatever its status. Raises Unavailable where there is none."""
        headers = {"Accept": "application/json", "Content-Type": content_type}
        self._client.update_params_for_auth(headers, [], ["BearerToken"], path, method, body)
        fields = {k: str(v).lower() if isinstance(v, bool) else str(v) for k, v in (query or {}).items()}
        try:
            return self._client.rest_client.pool_manager.request(
                method,
                self._host + path + ("?" + urlencode(fields) if fields else ""),
                body=None if body is None else json.dumps(body).encode(),
                headers=headers,
                preload_content=not stream,
                timeout=urllib3.Timeout(connect=_TIMEOUT[0], read=None if stream else _TIMEOUT[1]),
            )
        except urllib3.exceptions.HTTPError as error:
            reason = getattr(error, "reason", None) or error
            raise Unavailable(f"{method} {self._host}{path}: no answer: {reason}") from None


class LogStream:
    """An open log. Iterate over it in one thread; close() from any other ends the iteration."""

    def __init__(self, response: Any) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        try:
            while chunk := self._response.read1(65536):
                yield chunk
        except (urllib3.exceptions.HTTPError, OSError, ValueError, AttributeError):
            return  # closed from outside, or the connection ended

    def close(self) -> None:
        """Ends the stream; a reader that waits for bytes wakes up."""
        watching.shut(self._response)


def _refuse(method: str, path: str, status: int, data: bytes) -> NoReturn:
    try:
        body = json.loads(data)
    except ValueError:
        body = {}
    message = str(body.get("message") or data[:200].decode("utf-8", "replace")) if isinstance(body, dict) else ""
    causes = (body.get("details") or {}).get("causes") or () if isinstance(body, dict) else ()
    told: dict[str, Any] = {"status": status, "causes": causes}
    if status == 404:
        raise NotFound(f"{method} {path}: {message}", **told)
    if (status == 403 and "is forbidden: User" in message) or (status == 403 and "cannot" in message):
        whole = f"{message}. Let the cluster's admin apply parameters/launchbook-role.yaml, or grant it."
        raise MissingRight(whole, **told)
    if status == 401:
        raise BadCredentials(f"{method} {path}: the cluster refuses our credentials (401); renew them.", **told)
    if status == 409:
        fields = [f"{c.get('field', '?')} ({c.get('message', '')})" for c in causes]
        raise ConflictError(f"{message}" + (f": {'; '.join(fields)}" if fields else ""), **told)
    kind = Unavailable if status == 429 or status >= 500 else ClusterError
    raise kind(f"{method} {path}: HTTP {status}: {message}", **told)
