"""Which kinds the API server has, and where each lives."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from launchbook.errors import ClusterError, NotFound, UnknownKind
from launchbook.transport import Transport

# A segment of a path that stays one: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#path-segment-names
_SEGMENT = re.compile(r"(?!\.{1,2}$)[^/%?#\\\s]+")


@dataclass(frozen=True)
class Resource:
    """Where a kind lives in the API: `pods`, namespaced, below /api/v1."""

    plural: str
    namespaced: bool
    base: str


class Discovery:
    """The kinds of one server; each group's are read once, and again for a kind that isn't among them."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._resources: dict[str, dict[str, Resource]] = {}

    def resource(self, api_version: str, kind: str) -> Resource:
        """Where a kind lives. Raises UnknownKind, ClusterError."""
        if kind not in self._resources.get(api_version, {}):
            base = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
            try:
                listed = self._transport.call("GET", base)["resources"]
            except NotFound:
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

    def path_of(self, obj: Mapping[str, Any]) -> str:
        """Where an object lives. Raises UnknownKind, ClusterError."""
        meta = obj["metadata"]
        return self.path(obj["apiVersion"], obj["kind"], meta.get("namespace"), meta["name"])

    def path(self, api_version: str, kind: str, namespace: str | None, name: str = "") -> str:
        """Where a kind's objects live, or one of them. Raises UnknownKind, ClusterError."""
        for part in (namespace, name):
            if part and not _SEGMENT.fullmatch(part):
                raise ClusterError(
                    f"{part!r} is no name of an object: it would lead to another one. It was not asked for."
                )
        resource = self.resource(api_version, kind)
        scope = f"/namespaces/{namespace}" if namespace and resource.namespaced else ""
        return f"{resource.base}{scope}/{resource.plural}" + (f"/{name}" if name else "")

    def listable(self) -> tuple[tuple[str, str], ...]:
        """(apiVersion, kind) of everything that lives in a namespace and can be listed, in each group's own version.

        Raises ClusterError where a group doesn't answer.
        """
        groups = self._transport.call("GET", "/apis")["groups"]
        bases = {group["preferredVersion"]["groupVersion"]: "apis" for group in groups}
        found = []
        for version, root in {"v1": "api", **bases}.items():
            try:
                listed = self._transport.call("GET", f"/{root}/{version}")["resources"]
            except NotFound:
                continue  # it was taken away at this moment
            kept = (r for r in listed if r["namespaced"] and "list" in r["verbs"] and "/" not in r["name"])
            found += [(version, r["kind"]) for r in kept]
        return tuple(found)
