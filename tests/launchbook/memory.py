"""A cluster in memory: objects that are created, replaced, listed and deleted as the API server does it."""

from __future__ import annotations

import itertools
from copy import deepcopy
from typing import Any

from launchbook.errors import ConflictError

Object = dict[str, Any]
Key = tuple[str, str | None, str]


class Memory:
    """What leasing and sweeping need of a Cluster. `objects` by (kind, namespace, name)."""

    def __init__(self) -> None:
        self.objects: dict[Key, Object] = {}
        self._versions = map(str, itertools.count(1))

    def get(self, kind: str, name: str, namespace: str | None = None, **_: Any) -> Object | None:
        return deepcopy(self.objects.get((kind, namespace, name)))

    def list(self, kind: str, namespace: str | None = None, *, labels: Any = None, **_: Any) -> list[Object]:
        wanted = {labels: None} if isinstance(labels, str) else labels or {}
        return [
            deepcopy(item)
            for (of, space, _), item in self.objects.items()
            if of == kind and namespace in (None, space)
            if all(
                label in (own := item["metadata"].get("labels") or {}) and value in (None, own[label])
                for label, value in wanted.items()
            )
        ]

    def create(self, obj: Object) -> None:
        if self._key(obj) in self.objects:
            raise ConflictError("it exists")
        version = next(self._versions)
        meta = {**obj["metadata"], "resourceVersion": version, "uid": version}
        self.objects[self._key(obj)] = {**deepcopy(obj), "metadata": meta}

    def replace(self, obj: Object) -> None:
        known = self.objects[self._key(obj)]["metadata"]["resourceVersion"]
        if obj["metadata"]["resourceVersion"] != known:
            raise ConflictError("it has changed")
        meta = {**obj["metadata"], "resourceVersion": next(self._versions)}
        self.objects[self._key(obj)] = {**deepcopy(obj), "metadata": meta}

    def delete(self, kind: str, name: str, namespace: str | None = None, *, uid: str | None = None, **_: Any) -> bool:
        found = self.objects.get((kind, namespace, name))
        if found is None:
            return False
        if uid not in (None, found["metadata"]["uid"]):
            raise ConflictError("it is another one")
        del self.objects[kind, namespace, name]
        return True

    @staticmethod
    def _key(obj: Object) -> Key:
        meta = obj["metadata"]
        return obj["kind"], meta.get("namespace"), meta["name"]
