"""What people may see of an object, and how two of them differ. Pure.

A Secret's values are masked before anything is built from it: a diff, an evidence file, a message.
"""

from __future__ import annotations

import difflib
from typing import Any

import yaml

Object = dict[str, Any]
_NOISE = ("managedFields", "resourceVersion", "uid", "generation", "creationTimestamp", "selfLink")
_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def masked(item: Object) -> Object:
    """An object that may be shown: a Secret's values are replaced by their length, annotations that repeat it go."""
    if item.get("kind") != "Secret":
        return item
    hidden = {
        key: {k: f"(masked, {len(str(v))} characters)" for k, v in (item.get(key) or {}).items()}
        for key in ("data", "stringData")
        if item.get(key)
    }
    meta = {k: v for k, v in item["metadata"].items() if k != "annotations"}
    return {**item, **hidden, "metadata": meta}


def shown(item: Object | None) -> Object | None:
    """What was asked for: an object without its status and without what the API server keeps of it."""
    if item is None:
        return None
    meta = {k: v for k, v in item["metadata"].items() if k not in _NOISE}
    return {**{k: v for k, v in item.items() if k != "status"}, "metadata": meta}


def diff(live: Object | None, would: Object | None) -> str:
    """A unified diff of what people may see; a Secret that differs only in its values says which keys."""
    if shown(live) == shown(would):
        return ""
    found = "".join(difflib.unified_diff(_lines(live), _lines(would), "live", "applied", n=2))
    return found or f"values differ: {', '.join(_changed_keys(live or {}, would or {}))}\n"


def _changed_keys(live: Object, would: Object) -> list[str]:
    old, new = (
        {f"{field}.{k}": v for field in ("data", "stringData") for k, v in (item.get(field) or {}).items()}
        for item in (live, would)
    )
    return sorted(k for k in {*old, *new} if old.get(k) != new.get(k)) or ["annotations"]


def _lines(item: Object | None) -> list[str]:
    plain = shown(item)
    if plain is None:
        return []
    text: str = yaml.dump(masked(plain), Dumper=_DUMPER, sort_keys=True)
    return text.splitlines(keepends=True)
