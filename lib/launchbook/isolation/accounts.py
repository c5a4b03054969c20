"""The service account of a source: Calico, Cilium and Antrea have policies that select by it. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from launchbook.parameters import Source
from launchbook.selector import matches

Object = Mapping[str, Any]


def account_of(source: Source, pods: Iterable[Object]) -> str | None:
    """The account that every pod with a source's labels has; None where no pod has them, or pods differ.

    pods: of its namespace at least, none of a run's own.
    """
    found = {
        pod["spec"].get("serviceAccountName") or "default"
        for pod in pods
        if source.labels
        and pod["metadata"]["namespace"] == source.namespace
        and matches({"matchLabels": source.labels}, pod["metadata"].get("labels") or {})
    }
    return found.pop() if len(found) == 1 else None


def asks_for_accounts(policy: Object) -> bool:
    """Whether a policy of another kind may select by account, by whatever field or label of its own.

    Rules: https://docs.tigera.io/calico/latest/reference/resources/networkpolicy#serviceaccountmatch
    https://docs.cilium.io/en/stable/security/policy/kubernetes/#serviceaccounts
    """
    said = json.dumps([policy.get("spec"), policy.get("specs")]).lower()
    return "serviceaccount" in said or "pcsa." in said  # Calico's labels of accounts
