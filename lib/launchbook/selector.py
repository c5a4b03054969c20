"""What a label selector selects, as Kubernetes has it (metav1.LabelSelector). Shared by every judge that asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def matches(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """Whether `labels` fulfil every requirement of `selector`.

    None selects nothing; an empty selector selects everything. `NotIn` and `DoesNotExist` are fulfilled by a key that
    is absent. Raises ValueError for an operator that Kubernetes doesn't know.
    """
    if selector is None:
        return False
    wanted = selector.get("matchLabels") or {}
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        _fulfils(requirement, labels) for requirement in selector.get("matchExpressions") or ()
    )


def _fulfils(requirement: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, operator, values = requirement["key"], requirement["operator"], requirement.get("values") or ()
    if operator == "In":
        return key in labels and labels[key] in values
    if operator == "NotIn":
        return labels.get(key) not in values
    if operator == "Exists":
        return key in labels
    if operator == "DoesNotExist":
        return key not in labels
    raise ValueError(f"a label selector has no operator {operator!r}; one of In, NotIn, Exists, DoesNotExist")
