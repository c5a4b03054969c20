"""Who would take a prober for one of its own, by table."""

from __future__ import annotations

from typing import Any

import pytest

from launchbook.guise import captured
from launchbook.isolation.beyond import beyond, told

LABELS = {"app": "x", "launchbook.io/run": "r"}


def item(kind: str, selector: Any, **spec: Any) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": "n"}, "spec": {"selector": selector, **spec}}


ADOPTS = "{} n would adopt a pod with these labels"
PUBLISHES = "Service n publishes pods that aren't ready, so its clients would connect to the probe pod"


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (item("Service", {"app": "x"}), None),
        (item("Service", {"app": "x"}, publishNotReadyAddresses=True), PUBLISHES),
        (item("Service", {"app": "y"}, publishNotReadyAddresses=True), None),
        (item("Service", None, publishNotReadyAddresses=True), None),
        (item("DaemonSet", {"matchLabels": {"app": "x"}}), ADOPTS.format("DaemonSet")),
        (item("ReplicaSet", {"matchLabels": {"app": "x", "pod-template-hash": "1"}}), None),
        (item("ReplicaSet", {"matchExpressions": [{"key": "app", "operator": "Exists"}]}), ADOPTS.format("ReplicaSet")),
        (item("ReplicationController", {"app": "x"}), ADOPTS.format("ReplicationController")),
    ],
)
def test_a_prober_in_a_sources_labels(found: Any, why: str | None) -> None:
    """It must neither be published to the system's clients nor displace one of the system's pods."""
    assert captured(LABELS, [item("Service", {"app": "z"}), found]) == why


class Api:
    """Answers as a cluster with these kinds of policies: (group, version, kind) -> how many."""

    def __init__(self, *kinds: tuple[str, str, str, int]) -> None:
        self.kinds = kinds

    def raw(self, path: str) -> Any:
        versions: dict[str, list[dict[str, str]]] = {}
        for group, version, _, _ in self.kinds:
            versions.setdefault(group, []).append({"groupVersion": f"{group}/{version}"})
        return {"groups": [{"name": group, "versions": found} for group, found in versions.items()]}

    def list(self, kind: str, *, api_version: str) -> list[Any]:
        from launchbook.errors import MissingRight

        count = next((n for g, v, k, n in self.kinds if (f"{g}/{v}", k) == (api_version, kind)), 0)
        if count < 0:
            raise MissingRight("no right")
        return [{}] * count


ADMIN, CALICO = "policy.networking.k8s.io", "crd.projectcalico.org"


@pytest.mark.parametrize(
    ("kinds", "clause"),
    [
        ([("apps", "v1", "Deployment", 3)], ""),
        ([(CALICO, "v1", "GlobalNetworkPolicy", 0), (CALICO, "v1", "NetworkPolicy", 0)], ""),
        (
            [(ADMIN, "v1alpha2", "ClusterNetworkPolicy", 0), (ADMIN, "v1alpha1", "AdminNetworkPolicy", 2)],
            "there are other policies too, which are not computed (AdminNetworkPolicy.policy.networking.k8s.io: 2)",
        ),
        (
            [("cilium.io", "v2", "CiliumNetworkPolicy", 1), (CALICO, "v1", "NetworkPolicy", -1)],
            "there are other policies too, which are not computed (CiliumNetworkPolicy.cilium.io: 1) and other policies "
            "could not be read (NetworkPolicy.crd.projectcalico.org: no right)",
        ),
    ],
)
def test_policies_of_other_kinds(kinds: Any, clause: str) -> None:
    """Any version that serves one counts, and what may not be read may be there."""
    cluster: Any = Api(*kinds)
    assert told(beyond(cluster)) == clause
