"""The API group of an object: kinds of two groups may share a name and mean something else. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Object = Mapping[str, Any]


def group_of(item: Object) -> str:
    """`apps` of apps/v1; "" of Kubernetes' first group."""
    return str(item.get("apiVersion", "")).rpartition("/")[0]


def built_in(item: Object) -> bool:
    """Whether its group is Kubernetes' own; the others' objects may have operators."""
    group = group_of(item)
    return "." not in group or group.endswith(".k8s.io")


def is_policy(item: Object) -> bool:
    """Whether it is a NetworkPolicy of Kubernetes' own: other groups have kinds of that name."""
    return bool(item["kind"] == "NetworkPolicy" and group_of(item) == "networking.k8s.io")
