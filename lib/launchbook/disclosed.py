"""Where an object tells a secret in plain text to whoever may read it: pure; see plaintext for what counts as one."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable, Iterator

from launchbook import plaintext
from launchbook.workloads import LAST_APPLIED, Object, pod_metadata


def by_container(container: Object) -> list[str]:
    """The places of its env, command and args, and of what the kubelet sends to it or runs in it."""
    found = by_entries(container.get("env") or ())
    found += plaintext.in_arguments([*(container.get("command") or ()), *(container.get("args") or ())])
    return found + [f"{field} {place}" for field, action in _actions(container) for place in _by_action(action)]


def by_entries(env: Iterable[Object]) -> list[str]:
    """The names of the entries of an `env` that hold a secret; a value that is no text is read as if it were."""
    return plaintext.in_mapping({entry["name"]: str(entry.get("value") or "") for entry in env})


def by_workload(item: Object, *, copied: bool) -> list[str]:
    """The labels and annotations, its own and its pods'. copied: also where kubectl's copy alone has one."""
    found = _noted(item["metadata"])
    if item["kind"] != "Pod":
        found += [f"its pods' {place}" for place in _noted(pod_metadata(item))]
    return found or (_in_copy(item["metadata"]) if copied else [])


def by_object(item: Object) -> list[str]:
    """The places of its data (a ConfigMap's), labels and annotations."""
    data = dict(item.get("data") or {})
    data |= {key: b64decode(text).decode(errors="replace") for key, text in (item.get("binaryData") or {}).items()}
    return plaintext.in_mapping(data) + _noted(item["metadata"]) or _in_copy(item["metadata"])


def _actions(container: Object) -> Iterator[tuple[str, Object]]:
    """What the kubelet does to a container: its probes, its lifecycle's hooks."""
    hooks = container.get("lifecycle") or {}
    for field in ("startupProbe", "readinessProbe", "livenessProbe", "postStart", "preStop"):
        if action := container.get(field) or hooks.get(field):
            yield field, action


def _by_action(action: Object) -> list[str]:
    headers = (action.get("httpGet") or {}).get("httpHeaders") or ()
    found = plaintext.in_mapping({header["name"]: header.get("value") or "" for header in headers})
    return found + plaintext.in_arguments((action.get("exec") or {}).get("command") or ())


def _noted(metadata: Object) -> list[str]:
    annotations = {key: text for key, text in (metadata.get("annotations") or {}).items() if key != LAST_APPLIED}
    named = {"label": metadata.get("labels") or {}, "annotation": annotations}
    return [f"{field} {place}" for field, entries in named.items() for place in plaintext.in_labels(entries)]


def _in_copy(metadata: Object) -> list[str]:
    """A secret in what kubectl applied once. Asked only where it is nowhere else, or it would be said twice."""
    copy = (metadata.get("annotations") or {}).get(LAST_APPLIED, "")
    return [f"annotation {place}" for place in plaintext.in_labels({LAST_APPLIED: copy})]
