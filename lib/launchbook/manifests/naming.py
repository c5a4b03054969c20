"""How an object is named in checks, plans and parameters. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Object = Mapping[str, Any]


def name(item: Object) -> str:
    """`Kind/namespace/name`."""
    meta = item["metadata"]
    return "/".join(filter(None, (item["kind"], meta.get("namespace"), meta["name"])))


def place(item: Object) -> str:
    """The namespace that an object lives in or is; `Kind/name` of one that lives in none."""
    meta = item["metadata"]
    return str(meta["name"] if item["kind"] == "Namespace" else meta.get("namespace") or name(item))
