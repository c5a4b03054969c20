"""In which order objects are applied, and how many at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

Object = Mapping[str, Any]
T = TypeVar("T")
R = TypeVar("R")
_WORKERS = 16  # requests at a time; the API server's default fairness lets one user have many more
# What others need comes first; policies stand before the pods that they protect, and pods come last.
PHASES: Sequence[tuple[str, ...]] = (
    ("Namespace", "CustomResourceDefinition"),
    (
        "StorageClass", "PriorityClass", "IngressClass", "RuntimeClass", "ResourceQuota", "LimitRange", "ServiceAccount",
        "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "ConfigMap", "Secret", "PersistentVolume",
        "PersistentVolumeClaim",
    ),
    ("NetworkPolicy", "PodDisruptionBudget", "Service"),
)  # fmt: skip


def rank(item: Object) -> int:
    """The number of an object's phase. Policies of other APIs are policies; a kind that isn't known comes last."""
    kind = "NetworkPolicy" if item["kind"].endswith("NetworkPolicy") else item["kind"]
    return next((n for n, kinds in enumerate(PHASES) if kind in kinds), len(PHASES))


def phases(objects: Iterable[Object]) -> list[list[Any]]:
    """The objects, a list a phase, phases that are empty left out."""
    found: dict[int, list[Object]] = {}
    for item in objects:
        found.setdefault(rank(item), []).append(item)
    return [found[n] for n in sorted(found)]


def together(work: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """What `work` gives for each item, in their order, several at a time. The first error is raised."""
    if len(items) < 2:
        return [work(item) for item in items]
    with ThreadPoolExecutor(min(_WORKERS, len(items)), "launchbook") as pool:
        return list(pool.map(work, items))
