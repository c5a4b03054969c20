"""How an object is named in checks, plans and parameters. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Object = Mapping[str, Any]


def name(item: Object) -> str:
    """`Kind/namespace/name`."""
    meta = item["metadata"]
    return "/".join(filter(None, (item["kind"], meta.get("namespace"), meta["name"])))


def api_group(item: Object) -> str:
    """The group of an object's API, or of an owner reference's; "" of Kubernetes' first one."""
    return str(item["apiVersion"]).rpartition("/")[0]


def is_marked(value: Any) -> bool:
    """Whether an object holds the label of runs anywhere: what carries it is taken for a run's own and not judged."""
    if isinstance(value, Mapping):
        return "launchbook.io/run" in value or any(map(is_marked, value.values()))
    return isinstance(value, (list, tuple)) and any(map(is_marked, value))


def is_of(item: Object, api_version: str) -> bool:
    """Whether an object is of this API's group: others have a NetworkPolicy, or a Service, of their own."""
    return api_group(item) == api_version.rpartition("/")[0]


def place(item: Object) -> str:
    """The namespace that an object lives in or is; `Kind/name` of one that lives in none."""
    meta = item["metadata"]
    return str(meta["name"] if item["kind"] == "Namespace" else meta.get("namespace") or name(item))


def built_in(api_version: str) -> bool:
    """Whether a group is Kubernetes' own; the others' objects may have operators."""
    group = api_version.rpartition("/")[0]
    return "." not in group or group.endswith(".k8s.io")
