"""The only door to the Kubernetes API: identity, rights, reading, applying, exec and eviction.

Objects are plain dicts, as `kubectl get -o json` shows them. Every call ends within a time, and an error names what
was asked for. A Cluster may be used from several threads.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import tenacity
import urllib3
import yaml
from kubernetes import config
from kubernetes.client import Configuration
from kubernetes.config.config_exception import ConfigException

import launchbook.watching as watching
from launchbook.discovery import Discovery, Resource
from launchbook.errors import ClusterError, MissingRight, NotFound, Unavailable, UnknownKind
from launchbook.execing import ExecResult, Session, execute, session
from launchbook.parameters import Cluster as ClusterParameters
from launchbook.transport import LogStream, Transport

MANAGER = "launchbook"
Objects = list[dict[str, Any]]
Command = list[str]
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

    def recorded(self) -> dict[str, str]:
        """What a run's records say of it."""
        return {
            "context": self.context, "server": self.server, "uid": self.uid, "version": self.version, "user": self.user,
        }  # fmt: skip


@dataclass(frozen=True)
class Response:
    """An HTTP status and the object that came with it."""

    status: int
    body: dict[str, Any]


class Cluster:
    """One connected cluster. Made by Cluster.connect()."""

    def __init__(self, configuration: Configuration, context: str) -> None:
        self._configuration = configuration
        self._context = context
        self._transport = Transport(configuration)
        self._discovery = Discovery(self._transport)

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
        answer = self._transport.call("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body=review)
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
            found: dict[str, Any] = self._transport.call(
                "GET", self._discovery.path(api_version, kind, namespace, name)
            )
        except NotFound:
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
        path = self._discovery.path(api_version, kind, namespace)
        items: Objects = []
        while True:
            page = self._transport.call("GET", path, query=query)
            for item in page["items"]:
                if not managed_fields:
                    item["metadata"].pop("managedFields", None)
                items.append({"apiVersion": api_version, "kind": kind, **item})
            if not page["metadata"].get("continue"):
                return items, page["metadata"].get("resourceVersion", "")
            query["continue"] = page["metadata"]["continue"]

    @_again
    def apply(
        self, obj: Mapping[str, Any], *, dry_run: bool = False, force: bool = False, tried: bool = False
    ) -> dict[str, Any]:
        """Server-side apply as the field manager `launchbook`, unknown fields refused. Returns the object.

        tried: the server took the same object in a dry run just now; it then reads it once in place of twice.

        Raises ConflictError, which names owner and field, MissingRight, or ClusterError with the server's reason.
        """
        validation = "Ignore" if tried else "Strict"
        query: dict[str, Any] = {"fieldManager": MANAGER, "fieldValidation": validation, "force": force}
        if dry_run:
            query["dryRun"] = "All"
        applied: dict[str, Any] = self._transport.call(
            "PATCH", self._discovery.path_of(obj), query=query, body=obj, content_type="application/apply-patch+yaml"
        )
        return applied

    def create(self, obj: Mapping[str, Any], *, dry_run: bool = False) -> dict[str, Any]:
        """Creates an object and returns it. Raises ClusterError with the server's reason, such as a quota."""
        meta = obj["metadata"]
        path = self._discovery.path(obj["apiVersion"], obj["kind"], meta.get("namespace"))
        query = {"fieldManager": MANAGER, "fieldValidation": "Strict", **({"dryRun": "All"} if dry_run else {})}
        created: dict[str, Any] = self._transport.call("POST", path, query=query, body=obj)
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
            self._transport.call("DELETE", self._discovery.path(api_version, kind, namespace, name), body=body)
        except NotFound:
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
        response = self._transport.send("POST", path, body=body, query={"dryRun": "All"} if dry_run else {})
        return Response(response.status, json.loads(response.data or b"{}"))

    def raw(self, path: str) -> Any:
        """GET of any path of the API, `/api/v1/nodes/n/proxy/configz`, parsed. Raises ClusterError, MissingRight."""
        return self._transport.call("GET", path)

    def replace(self, obj: Mapping[str, Any]) -> dict[str, Any]:
        """Replaces an object of the same resourceVersion. Raises ConflictError where it has changed since."""
        replaced: dict[str, Any] = self._transport.call("PUT", self._discovery.path_of(obj), body=obj)
        return replaced

    def stream_watch(self, path_query: Mapping[str, Any], kind: str, namespace: str | None, api_version: str) -> Any:
        """The raw answer of a watch: an urllib3 response that yields lines of JSON."""
        path = self._discovery.path(api_version, kind, namespace)
        return self._transport.checked("GET", path, query={**path_query, "watch": "true"}, stream=True)

    def _who(self) -> dict[str, Any]:
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        try:
            answer = self._transport.call("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", body=review)
        except ClusterError:
            return {}
        user: dict[str, Any] = answer["status"]["userInfo"]
        return user

    def _open_log(self, namespace: str, pod: str, container: str | None, *, follow: bool = False, **query: Any) -> Any:
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log"
        asked = {"container": container, "follow": follow or None, "sinceSeconds": query.get("since_seconds")}
        asked |= {"timestamps": query.get("timestamps") or None, "previous": query.get("previous") or None}
        query = {k: v for k, v in asked.items() if v is not None}
        return self._transport.checked("GET", path, query=query, stream=follow)

    def resource(self, api_version: str, kind: str) -> Resource:
        """Where a kind lives. Raises UnknownKind, ClusterError."""
        return self._discovery.resource(api_version, kind)

    def listable(self) -> tuple[tuple[str, str], ...]:
        """(apiVersion, kind) of everything that lives in a namespace and can be listed, in each group's own version.

        Raises ClusterError where a group doesn't answer.
        """
        return self._discovery.listable()


def _selector(labels: Mapping[str, str]) -> str:
    return ",".join(f"{k}={v}" for k, v in sorted(labels.items()))
