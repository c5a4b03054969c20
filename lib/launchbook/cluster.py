"""The only door to the Kubernetes API: identity, rights, reading, applying, exec, eviction and the Lease.

Objects are plain dicts, as `kubectl get -o json` shows them. Every call ends within a time, and an error names what
was asked for. A Cluster may be used from several threads.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NoReturn

import tenacity
import urllib3
import yaml
from kubernetes import config
from kubernetes.client import ApiClient, Configuration
from kubernetes.config.config_exception import ConfigException

import launchbook.watching as watching
from launchbook.errors import BadCredentials, ClusterError, ConflictError, MissingRight, Unavailable
from launchbook.execing import ExecResult, Session, execute, session
from launchbook.leasing import lease
from launchbook.parameters import Cluster as ClusterParameters

MANAGER = "launchbook"
Objects = list[dict[str, Any]]
Command = list[str]
_TIMEOUT = (5.0, 30.0)  # s, to connect and to wait for an answer
_PAGE = 500
_CONNECTIONS = 32  # kept open at a time: as many as a plan asks at once, and some
# What may be done twice is asked again, at growing distances with jitter, so that a server that is hard pressed recovers.
_again = tenacity.retry(
    retry=tenacity.retry_if_exception_type(Unavailable),
    wait=tenacity.wait_exponential_jitter(multiplier=0.2, max=5.0, jitter=0.2),
    stop=tenacity.stop_after_attempt(5) | tenacity.stop_after_delay(15.0),  # s
    reraise=True,
)


@dataclass(frozen=True)
class Identity:
    """Which cluster this is and who we are on it. uid: of the kube-system namespace."""

    context: str
    server: str
    uid: str
    version: str
    user: str
    groups: tuple[str, ...]


@dataclass(frozen=True)
class Response:
    """An HTTP status and the object that came with it."""

    status: int
    body: dict[str, Any]


@dataclass(frozen=True)
class Resource:
    """Where a kind lives in the API: `pods`, namespaced, below /api/v1."""

    plural: str
    namespaced: bool
    base: str


class Cluster:
    """One connected cluster. Made by Cluster.connect()."""

    def __init__(self, configuration: Configuration, context: str) -> None:
        self._configuration = configuration
        self._context = context
        self._client = ApiClient(configuration)
        self._resources: dict[str, dict[str, Resource]] = {}

    @classmethod
    def connect(cls, parameters: ClusterParameters) -> Cluster:
        """The cluster of the named context; its UID is compared where the parameters hold one.

        Raises ClusterError where the kubeconfig or the context is missing, the server doesn't answer or refuses us,
        or the cluster is another one. Nothing was touched then.
        """
        path = str(parameters.kubeconfig) if parameters.kubeconfig else None
        if parameters.kubeconfig and not parameters.kubeconfig.exists():
            raise ClusterError(
                f"there is no kubeconfig {path}. Name yours under `cluster.kubeconfig`; the lab's is written by "
                "`make lab`. Nothing was touched."
            )
        configuration = Configuration()
        try:
            config.load_kube_config(
                path, context=parameters.context, client_configuration=configuration, persist_config=False
            )
        except (ConfigException, yaml.YAMLError, OSError) as error:
            raise ClusterError(
                f"context {parameters.context!r} can't be used from {path or 'your kubeconfig'}: {str(error).rstrip('.')}. "
                "Name one that `kubectl config get-contexts` shows. Nothing was touched."
            ) from None
        configuration.connection_pool_maxsize = _CONNECTIONS
        configuration.retries = urllib3.Retry(total=2, connect=2, read=0, redirect=0, backoff_factor=0.2)
        cluster = cls(configuration, parameters.context)
        uid = cluster.identity.uid
        if parameters.uid and parameters.uid != uid:
            raise ClusterError(
                f"context {parameters.context!r} is cluster {uid}, but the parameters name {parameters.uid} "
                "(the UID of the kube-system namespace). Nothing was touched."
            )
        return cluster

    @cached_property
    def identity(self) -> Identity:
        """Read once, at connect()."""
        namespace = self.get("Namespace", "kube-system")
        if namespace is None:
            raise ClusterError(f"{self._configuration.host} has no namespace kube-system; is it a Kubernetes API?")
        who = self._who()
        return Identity(
            context=self._context,
            server=self._configuration.host,
            uid=namespace["metadata"]["uid"],
            version=self.raw("/version")["gitVersion"],
            user=who.get("username", ""),
            groups=tuple(who.get("groups", ())),
        )

    def can(
        self,
        verb: str,
        resource: str,
        *,
        group: str = "",
        namespace: str | None = None,
        subresource: str = "",
        name: str = "",
    ) -> bool:
        """Whether we have that right, as the API server itself answers (SelfSubjectAccessReview)."""
        asked = {"verb": verb, "resource": resource, "group": group, "subresource": subresource, "name": name}
        if namespace:
            asked["namespace"] = namespace
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": asked},
        }
        answer = self._call("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body=review)
        return bool(answer["status"].get("allowed"))

    def require(self, verb: str, resource: str, **where: Any) -> None:
        """Raises MissingRight, which names verb, resource and namespace, unless we have that right."""
        if self.can(verb, resource, **where):
            return
        full = "/".join(filter(None, (resource, where.get("subresource"))))
        group = f".{where['group']}" if where.get("group") else ""
        place = f"namespace {where['namespace']}" if where.get("namespace") else "the whole cluster"
        raise MissingRight(
            f"{self.identity.user} may not {verb} {full}{group} in {place}. Let the cluster's admin apply "
            "parameters/launchbook-role.yaml, or grant it. Nothing was changed."
        )

    @_again
    def get(
        self, kind: str, name: str, namespace: str | None = None, *, api_version: str = "v1"
    ) -> dict[str, Any] | None:
        """The object, or None where there is none. Raises ClusterError, MissingRight."""
        try:
            found: dict[str, Any] = self._call("GET", self._path(api_version, kind, namespace, name))
        except _NotFound:
            return None
        return found

    @_again
    def list(
        self,
        kind: str,
        namespace: str | None = None,
        *,
        api_version: str = "v1",
        labels: Mapping[str, str] | str | None = None,
        fields: str | None = None,
        managed_fields: bool = False,
    ) -> Objects:
        """Every object of a kind, in one namespace or in all, page by page, each with its kind and apiVersion.

        labels: what must match, as a mapping or a selector's text. A kind that the cluster doesn't know has none.
        managed_fields: whether they are kept, which most who ask don't need. Raises ClusterError, MissingRight.
        """
        try:
            items, _ = self.list_at(
                kind, namespace, api_version=api_version, labels=labels, fields=fields, managed_fields=managed_fields
            )
        except UnknownKind:
            return []
        return items

    def list_at(
        self,
        kind: str,
        namespace: str | None,
        *,
        api_version: str,
        labels: Mapping[str, str] | str | None = None,
        fields: str | None = None,
        managed_fields: bool = False,
    ) -> tuple[Objects, str]:
        """list(), and the resourceVersion from which a watch goes on. Raises UnknownKind too."""
        query: dict[str, Any] = {"limit": _PAGE}
        if labels:
            query["labelSelector"] = labels if isinstance(labels, str) else _selector(labels)
        if fields:
            query["fieldSelector"] = fields
        path = self._path(api_version, kind, namespace)
        items: Objects = []
        while True:
            page = self._call("GET", path, query=query)
            for item in page["items"]:
                if not managed_fields:
                    item["metadata"].pop("managedFields", None)
                items.append({"apiVersion": api_version, "kind": kind, **item})
            if not page["metadata"].get("continue"):
                return items, page["metadata"].get("resourceVersion", "")
            query["continue"] = page["metadata"]["continue"]

    @_again
    def apply(self, obj: Mapping[str, Any], *, dry_run: bool = False, force: bool = False) -> dict[str, Any]:
        """Server-side apply as the field manager `launchbook`, unknown fields refused. Returns the object.

        Raises ConflictError, which names owner and field, MissingRight, or ClusterError with the server's reason.
        """
        query: dict[str, Any] = {"fieldManager": MANAGER, "fieldValidation": "Strict", "force": force}
        if dry_run:
            query["dryRun"] = "All"
        applied: dict[str, Any] = self._call(
            "PATCH", self._path_of(obj), query=query, body=obj, content_type="application/apply-patch+yaml"
        )
        return applied

    def create(self, obj: Mapping[str, Any], *, dry_run: bool = False) -> dict[str, Any]:
        """Creates an object and returns it. Raises ClusterError with the server's reason, such as a quota."""
        meta = obj["metadata"]
        path = self._path(obj["apiVersion"], obj["kind"], meta.get("namespace"))
        query = {"fieldManager": MANAGER, "fieldValidation": "Strict", **({"dryRun": "All"} if dry_run else {})}
        created: dict[str, Any] = self._call("POST", path, query=query, body=obj)
        return created

    def delete(
        self,
        kind: str,
        name: str,
        namespace: str | None = None,
        *,
        api_version: str = "v1",
        grace: int | None = None,
        uid: str | None = None,
        dependents_first: bool = False,
    ) -> bool:
        """Deletes an object, with its dependents after it; False where there was none.

        grace: seconds; uid: the one that is meant; dependents_first: it is there until they are gone. Raises
        ConflictError where another one has that name.
        """
        body: dict[str, Any] = {"propagationPolicy": "Foreground" if dependents_first else "Background"}
        if grace is not None:
            body["gracePeriodSeconds"] = grace
        if uid is not None:
            body["preconditions"] = {"uid": uid}
        try:
            self._call("DELETE", self._path(api_version, kind, namespace, name), body=body)
        except _NotFound:
            return False
        return True

    def wait(
        self,
        kind: str,
        name: str,
        namespace: str | None,
        until: Callable[[dict[str, Any] | None], bool],
        *,
        api_version: str = "v1",
        timeout: float,
    ) -> dict[str, Any] | None:
        """Watches one object until `until(object, or None where there is none)` holds; returns that object.

        timeout: seconds. Raises WaitTimeout, which holds the last object seen.
        """
        return watching.wait(self, kind, name, namespace, until, api_version=api_version, timeout=timeout)

    def exec(
        self,
        namespace: str,
        pod: str,
        command: Command,
        *,
        container: str | None = None,
        timeout: float = 30.0,
        stdin: str | None = None,
    ) -> ExecResult:
        """Runs a command in a container and returns its stdout, stderr and exit code.

        timeout: seconds for the whole. Raises ClusterError where it could not be run or did not end in time.
        """
        return execute(self._configuration, namespace, pod, command, container=container, timeout=timeout, stdin=stdin)

    def session(
        self, namespace: str, pod: str, command: Command, *, timeout: float = 30.0
    ) -> AbstractContextManager[Session]:
        """A command that runs on in a pod's container while lines go in and come out; closed at the end of `with`.

        timeout: seconds, for the connection to be made. Raises ClusterError where it could not be.
        """
        return session(self._configuration, namespace, pod, command, timeout=timeout)

    def log(
        self,
        namespace: str,
        pod: str,
        container: str | None = None,
        *,
        since_seconds: int | None = None,
        timestamps: bool = False,
        previous: bool = False,
    ) -> str:
        """A container's log as text. Raises ClusterError, MissingRight."""
        response = self._open_log(
            namespace, pod, container, since_seconds=since_seconds, timestamps=timestamps, previous=previous
        )
        text: str = response.data.decode("utf-8", "replace")
        return text

    def follow(
        self,
        namespace: str,
        pod: str,
        container: str | None = None,
        *,
        since_seconds: int | None = None,
        timestamps: bool = False,
    ) -> LogStream:
        """A container's log as it grows: an iterator over chunks of bytes, ended by close() or with the container."""
        return LogStream(
            self._open_log(namespace, pod, container, since_seconds=since_seconds, timestamps=timestamps, follow=True)
        )

    def evict(self, namespace: str, pod: str, *, dry_run: bool = False) -> Response:
        """Asks for an eviction and returns the answer whatever it is: 201 allowed, 429 refused by a budget."""
        body: dict[str, Any] = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": pod, "namespace": namespace},
        }
        if dry_run:
            body["deleteOptions"] = {"dryRun": ["All"]}
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/eviction"
        response = self._send("POST", path, body=body, query={"dryRun": "All"} if dry_run else {})
        return Response(response.status, json.loads(response.data or b"{}"))

    def raw(self, path: str) -> Any:
        """GET of any path of the API, `/api/v1/nodes/n/proxy/configz`, parsed. Raises ClusterError, MissingRight."""
        return self._call("GET", path)

    def lease(self, namespace: str, name: str, holder: str, seconds: int) -> AbstractContextManager[None]:
        """Holds a Lease, renewed until the end. Raises ClusterError where somebody else holds it."""
        return lease(self, namespace, name, holder, seconds)

    def replace(self, obj: Mapping[str, Any]) -> dict[str, Any]:
        """Replaces an object of the same resourceVersion. Raises ConflictError where it has changed since."""
        replaced: dict[str, Any] = self._call("PUT", self._path_of(obj), body=obj)
        return replaced

    def stream_watch(self, path_query: Mapping[str, Any], kind: str, namespace: str | None, api_version: str) -> Any:
        """The raw answer of a watch: an urllib3 response that yields lines of JSON."""
        path = self._path(api_version, kind, namespace)
        response = self._send("GET", path, query={**path_query, "watch": "true"}, stream=True)
        if response.status >= 400:
            _refuse("GET", path, response.status, response.data)
        return response

    def _who(self) -> dict[str, Any]:
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        try:
            answer = self._call("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", body=review)
        except ClusterError:
            return {}
        user: dict[str, Any] = answer["status"]["userInfo"]
        return user

    def _open_log(self, namespace: str, pod: str, container: str | None, *, follow: bool = False, **query: Any) -> Any:
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log"
        asked = {"container": container, "follow": follow or None, "sinceSeconds": query.get("since_seconds")}
        asked |= {"timestamps": query.get("timestamps") or None, "previous": query.get("previous") or None}
        response = self._send("GET", path, query={k: v for k, v in asked.items() if v is not None}, stream=follow)
        if response.status >= 400:
            _refuse("GET", path, response.status, response.data)
        return response

    def resource(self, api_version: str, kind: str) -> tuple[str, bool]:
        """(plural name, whether it lives in a namespace) of a kind. Raises UnknownKind, ClusterError."""
        found = self._resource(api_version, kind)
        return found.plural, found.namespaced

    def listable(self) -> tuple[tuple[str, str], ...]:
        """(apiVersion, kind) of everything that lives in a namespace and can be listed, in each group's own version.

        Raises ClusterError where a group doesn't answer.
        """
        groups = self._call("GET", "/apis")["groups"]
        bases = {group["preferredVersion"]["groupVersion"]: "apis" for group in groups}
        found = []
        for version, root in {"v1": "api", **bases}.items():
            try:
                listed = self._call("GET", f"/{root}/{version}")["resources"]
            except _NotFound:
                continue  # it was taken away at this moment
            kept = (r for r in listed if r["namespaced"] and "list" in r["verbs"] and "/" not in r["name"])
            found += [(version, r["kind"]) for r in kept]
        return tuple(found)

    def _path_of(self, obj: Mapping[str, Any]) -> str:
        meta = obj["metadata"]
        return self._path(obj["apiVersion"], obj["kind"], meta.get("namespace"), meta["name"])

    def _path(self, api_version: str, kind: str, namespace: str | None, name: str = "") -> str:
        resource = self._resource(api_version, kind)
        scope = f"/namespaces/{namespace}" if namespace and resource.namespaced else ""
        return f"{resource.base}{scope}/{resource.plural}" + (f"/{name}" if name else "")

    def _resource(self, api_version: str, kind: str) -> Resource:
        if kind not in self._resources.get(api_version, {}):
            base = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
            try:
                listed = self._call("GET", base)["resources"]
            except _NotFound:
                listed = []
            self._resources[api_version] = {
                r["kind"]: Resource(r["name"], r["namespaced"], base) for r in listed if "/" not in r["name"]
            }
        try:
            return self._resources[api_version][kind]
        except KeyError:
            raise UnknownKind(
                f"the cluster knows no {kind} of {api_version}; is its CustomResourceDefinition installed?",
                status=404,
            ) from None

    def _call(self, method: str, path: str, **request: Any) -> Any:
        response = self._send(method, path, **request)
        if response.status >= 400:
            _refuse(method, path, response.status, response.data)
        try:
            return json.loads(response.data)
        except ValueError:
            raise ClusterError(f"{method} {path}: the answer is not JSON: {response.data[:100]!r}") from None

    def _send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
        stream: bool = False,
    ) -> Any:
        headers = {"Accept": "application/json", "Content-Type": content_type}
        self._client.update_params_for_auth(headers, [], ["BearerToken"], path, method, body)
        fields = {k: str(v).lower() if isinstance(v, bool) else str(v) for k, v in (query or {}).items()}
        try:
            return self._client.rest_client.pool_manager.request(
                method,
                self._configuration.host + path + ("?" + _encode(fields) if fields else ""),
                body=None if body is None else json.dumps(body).encode(),
                headers=headers,
                preload_content=not stream,
                timeout=urllib3.Timeout(connect=_TIMEOUT[0], read=None if stream else _TIMEOUT[1]),
            )
        except urllib3.exceptions.HTTPError as error:
            reason = getattr(error, "reason", None) or error
            raise Unavailable(f"{method} {self._configuration.host}{path}: no answer: {reason}") from None


class UnknownKind(ClusterError):
    """The cluster serves no such kind."""


class _NotFound(ClusterError):
    """404 for an object or a group."""


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
        raise _NotFound(f"{method} {path}: {message}", **told)
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


def _selector(labels: Mapping[str, str]) -> str:
    return ",".join(f"{k}={v}" for k, v in sorted(labels.items()))


def _encode(fields: Mapping[str, str]) -> str:
    from urllib.parse import urlencode

    return urlencode(fields)
