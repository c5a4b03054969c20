"""Who owns which field of an object: metadata.managedFields read. Pure.

A set of fields is the API server's `fieldsV1`: `f:NAME` for a field, `k:{…}` for a list's item by its keys, `v:…` for a
list's item by its value, `.` for the thing itself; `{}` where nothing below is told apart.
https://kubernetes.io/docs/reference/using-api/server-side-apply/
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from launchbook.manifests.defaults import filled_in
from launchbook.workloads import LAST_APPLIED

Object = Mapping[str, Any]
Fields = Mapping[str, Any]
Path = tuple[str, ...]
# They write beside everybody: a rollout's annotations, a claim's binding. None of them is somebody who changed his mind.
_CONTROLLERS = ("kube-controller-manager", "cloud-controller-manager", "kube-scheduler")


def applied_by(item: Object, manager: str) -> Fields:
    """The fields that a manager applied, {} where it applied none."""
    found: list[Fields] = [
        entry.get("fieldsV1") or {}
        for entry in _entries(item)
        if entry.get("manager") == manager and entry.get("operation") == "Apply" and not entry.get("subresource")
    ]
    return found[0] if found else {}


def in_force(item: Object, live: Object, manager: str) -> bool:
    """Whether a manager that applies `item` again would change nothing: it owns exactly these fields, and they hold this.

    A field that somebody else changed is no longer in its set, and one that it gave up would have to go. False also
    where it can't be told from the two alone, such as a quantity written otherwise: then the API server is asked.
    """
    versions = [entry.get("apiVersion") for entry in _entries(live) if entry.get("manager") == manager]
    fields = applied_by(live, manager)
    if not fields or set(versions) != {item["apiVersion"]}:
        return False
    meta = {k: v for k, v in item["metadata"].items() if k not in ("name", "namespace")}
    rest = {k: v for k, v in item.items() if k not in ("apiVersion", "kind", "metadata")}
    return _holds({**rest, "metadata": meta} if meta else rest, live, fields)


def extract(item: Object, fields: Fields) -> dict[str, Any]:
    """What an object holds at these fields, with what names it: a configuration that can be applied again."""
    meta = item["metadata"]
    found = _extract({k: v for k, v in item.items() if k != "status"}, fields) if fields else {}
    named = {"name": meta["name"], **({"namespace": meta["namespace"]} if meta.get("namespace") else {})}
    whole = {**found, "metadata": {**found.get("metadata", {}), **named}}
    return {"apiVersion": item["apiVersion"], "kind": item["kind"], **whole}


def union(one: Fields, other: Fields) -> dict[str, Any]:
    """The fields that stand in either of two sets."""
    if not one or not other:
        whole = dict(one or other)
        return whole if not whole or "." in whole else {".": {}, **whole}
    keys = dict.fromkeys((*one, *other))
    return {k: union(one[k], other[k]) if k in one and k in other else {**one, **other}[k] for k in keys}


def left_behind(live: Object, wanted: Object) -> list[str]:
    """The fields, as `spec.template.spec.nodeName`, that `kubectl apply` once set and `wanted` no longer holds.

    A client-side apply would remove them; a server-side one doesn't, since another manager owns them.
    """
    sets = [fields for entry in _entries(live) if _client_side(fields := entry.get("fieldsV1") or {}, entry)]
    paths = (path for fields in sets for path in _absent(_own(fields), live, wanted))
    steps = (
        [key[2:] if key[0] == "f" else f"[{key[2:]}]" for key in path] for path in paths if not by_itself(live, path)
    )
    return list(dict.fromkeys(".".join(path).replace(".[", "[") for path in steps))


def beyond(live: Object, wanted: Object, manager: str) -> Iterator[tuple[str, Path]]:
    """(who, path) of each field that somebody else than `manager` owns and `wanted` does not hold, the uppermost of each.

    A path is the keys of fieldsV1 that lead to it. What is written through a subresource (status, scale) is left out.
    """
    for entry in _entries(live):
        own = entry.get("manager") == manager and entry.get("operation") == "Apply"
        if not own and not entry.get("subresource"):
            for path in _absent(entry.get("fieldsV1") or {}, live, wanted):
                yield str(entry.get("manager", "?")), path


def changed_since(then: Sequence[Object], now: Sequence[Object]) -> list[str]:
    """Who has written to an object since: the managers whose entry is new or another one than it was.

    then, now: its managedFields. Its status, and what the cluster's own controllers write, don't count.
    """
    before = [_said(entry) for entry in then]
    others = [e for e in now if e.get("subresource") != "status" and e.get("manager") not in _CONTROLLERS]
    return list(dict.fromkeys(str(e.get("manager", "?")) for e in others if _said(e) not in before))


def without_controllers(item: Object) -> dict[str, Any]:
    """An object without what the cluster's own controllers write into it, such as a rollout's revision."""
    sets = [e.get("fieldsV1") or {} for e in _entries(item) if e.get("manager") in _CONTROLLERS]
    plain: dict[str, Any] = dict(item)
    for fields in sets:
        plain = _without(plain, fields)
    return plain


def _without(value: Any, fields: Fields) -> Any:
    if not isinstance(value, Mapping):
        return value
    kept = {k: _without(v, fields[f"f:{k}"]) if fields.get(f"f:{k}") else v for k, v in value.items()}
    return {k: v for k, v in kept.items() if fields.get(f"f:{k}") != {}}


def _entries(item: Object) -> Sequence[Object]:
    return item["metadata"].get("managedFields") or ()


def _said(entry: Object) -> tuple[Any, ...]:
    return tuple(entry.get(k) for k in ("manager", "operation", "subresource", "time", "fieldsV1"))


def _client_side(fields: Fields, entry: Object) -> bool:
    annotations = (fields.get("f:metadata") or {}).get("f:annotations") or {}
    return entry.get("operation") == "Update" and f"f:{LAST_APPLIED}" in annotations


def _own(fields: Fields) -> dict[str, Any]:
    """The fields without kubectl's own annotation, which is no part of what was applied."""
    meta = fields["f:metadata"]
    annotations = {k: v for k, v in meta["f:annotations"].items() if k not in (".", f"f:{LAST_APPLIED}")}
    rest = {k: v for k, v in meta.items() if k != "f:annotations"}
    return {**fields, "f:metadata": {**rest, "f:annotations": annotations} if annotations else rest}


def _extract(value: Any, fields: Fields) -> Any:
    if not fields:
        return value
    if isinstance(value, Mapping):
        below = ((key[2:], sub) for key, sub in fields.items() if key.startswith("f:"))
        return {name: _extract(value[name], sub) for name, sub in below if name in value}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_item(entry, *where) for entry in value if (where := _where(entry, fields))]
    return value


def _item(entry: Any, key: str, sub: Fields) -> Any:
    """An item with the keys that tell it from the others, which its own set may leave out."""
    return {**json.loads(key[2:]), **_extract(entry, sub)} if key.startswith("k:") else entry


def _where(entry: Any, fields: Fields) -> tuple[str, Fields] | None:
    return next(((key, sub) for key, sub in fields.items() if _is(entry, key)), None)


def _is(entry: Any, key: str) -> bool:
    if key.startswith("k:") and isinstance(entry, Mapping):
        # A key that has a default, such as a port's protocol, may be absent in what people write.
        return all(entry.get(k, _DEFAULTS.get(k)) == v for k, v in json.loads(key[2:]).items())
    return bool(key.startswith("v:") and json.loads(key[2:]) == entry)


_DEFAULTS = {"protocol": "TCP"}


def by_itself(live: Object, path: Path) -> bool:
    """Whether the API server fills in what an object holds at a path, which counts as written by who wrote the object."""
    above: Any = live
    for key in path[:-1]:
        above = at(above, key)
    names = [key[2:] for key in path if key.startswith("f:")]
    return path[-1].startswith("f:") and filled_in(names[-2] if len(names) > 1 else "", names[-1], above)


def _holds(wanted: Any, live: Any, fields: Fields) -> bool:
    """Whether `live` holds what is wanted at these fields, and nothing else is wanted."""
    below = {key: sub for key, sub in fields.items() if key != "."}
    if not below:
        return bool(_plain(wanted) == _plain(live))
    if isinstance(wanted, Mapping) and isinstance(live, Mapping):
        return {f"f:{k}" for k in wanted} == set(below) and all(
            k in live and _holds(v, live[k], below[f"f:{k}"]) for k, v in wanted.items()
        )
    if isinstance(wanted, list) and isinstance(live, list):
        # Item by item: among others' items, or in another order, only the API server knows where they would stand.
        keys = [(_where(one, below), _where(other, below)) for one, other in zip(wanted, live, strict=False)]
        told = [one[0] for one, other in keys if one and one == other]
        return len(wanted) == len(live) == len(below) == len(set(told)) and all(
            key.startswith("v:") or _holds(one, other, below[key])
            for key, one, other in zip(told, wanted, live, strict=True)
        )
    return False


def _plain(value: Any) -> Any:
    """A value that is owned as a whole, its lists' items without what the API server fills in."""
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items()}
    if not isinstance(value, list):
        return value
    entries = [_plain(entry) for entry in value]
    return [
        {k: v for k, v in entry.items() if _DEFAULTS.get(k) != v} if isinstance(entry, Mapping) else entry
        for entry in entries
    ]


def _absent(fields: Fields, live: Any, wanted: Any) -> Iterator[Path]:
    """The paths that `live` has and `wanted` does not, the uppermost of each branch."""
    for key, sub in fields.items():
        if key == ".":
            continue
        there, here = at(live, key), at(wanted, key)
        if there is None:
            continue
        if here is None:
            yield (key,)
        else:
            yield from ((key, *rest) for rest in _absent(sub, there, here))


def at(value: Any, key: str) -> Any:
    """What is there a step below, None where nothing is."""
    if key.startswith("f:"):
        return value.get(key[2:]) if isinstance(value, Mapping) else None
    return next((entry for entry in value if _is(entry, key)), None) if isinstance(value, (list, tuple)) else None
