"""What people may see of an object, and how two of them differ. Pure.

A Secret's values, and those of `env` that look like one, are masked before anything is built from them: a diff, an
evidence file, a message.
"""

from __future__ import annotations

import difflib
from typing import Any

import yaml

from launchbook.disclosed import by_entries
from launchbook.workloads import LAST_APPLIED

Object = dict[str, Any]
_NOISE = ("managedFields", "resourceVersion", "uid", "generation", "creationTimestamp", "selfLink")
_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def masked(item: Object) -> Object:
    """An object that may be shown: a Secret's values are replaced by their length, annotations that repeat it go."""
    if item.get("kind") != "Secret":
        return item
    hidden = {
        key: {k: _length(v) for k, v in (item.get(key) or {}).items()}
        for key in ("data", "stringData")
        if item.get(key)
    }
    meta = {k: v for k, v in item["metadata"].items() if k != "annotations"}
    return {**item, **hidden, "metadata": meta}


def veiled(item: Object) -> Object:
    """masked(), and without the values of `env` that the audit of disclosed secrets would name, in whatever kind.

    What undo restores is masked() alone: it must write such a value back.
    """
    plain = masked(item)
    found: Object = _without_secrets(plain)
    if found == plain or LAST_APPLIED not in (found["metadata"].get("annotations") or {}):
        return found
    annotations = {key: text for key, text in found["metadata"]["annotations"].items() if key != LAST_APPLIED}
    return {**found, "metadata": {**found["metadata"], "annotations": annotations}}


def _without_secrets(part: Any) -> Any:
    if isinstance(part, list):
        return [_without_secrets(one) for one in part]
    if not isinstance(part, dict):
        return part
    return {
        key: [_entry(one) for one in value] if key == "env" and isinstance(value, list) else _without_secrets(value)
        for key, value in part.items()
    }


def _entry(entry: Any) -> Any:
    """An entry of `env`, its value masked where it holds a secret."""
    if not isinstance(entry, dict) or not {"name", "value"} <= set(entry) or not by_entries([entry]):
        return entry
    return {**entry, "value": _length(entry["value"])}


def _length(value: Any) -> str:
    return f"(masked, {len(str(value))} characters)"


def shown(item: Object | None) -> Object | None:
    """What was asked for: an object without its status and without what the API server keeps of it."""
    if item is None:
        return None
    meta = {k: v for k, v in item["metadata"].items() if k not in _NOISE}
    return {**{k: v for k, v in item.items() if k != "status"}, "metadata": meta}


def diff(live: Object | None, would: Object | None) -> str:
    """A unified diff of what people may see; what differs only in values that are masked says where."""
    if shown(live) == shown(would):
        return ""
    found = "".join(difflib.unified_diff(_lines(live), _lines(would), "live", "applied", n=2))
    return found or f"values differ: {', '.join(_changed_keys(live or {}, would or {}))}\n"


def _changed_keys(live: Object, would: Object) -> list[str]:
    old, new = (
        {f"{field}.{k}": v for field in ("data", "stringData") for k, v in (item.get(field) or {}).items()}
        for item in (live, would)
    )
    elsewhere = "annotations" if "Secret" in (live.get("kind"), would.get("kind")) else "env"
    return sorted(k for k in {*old, *new} if old.get(k) != new.get(k)) or [elsewhere]


def _lines(item: Object | None) -> list[str]:
    plain = shown(item)
    if plain is None:
        return []
    text: str = yaml.dump(veiled(plain), Dumper=_DUMPER, sort_keys=True)
    return text.splitlines(keepends=True)
