"""What is in the namespaces under launch beside the manifests: live objects in, checks with exact messages out."""

from __future__ import annotations

from typing import Any

import pytest

from launchbook.manifests import judge
from launchbook.manifests.foreign import KINDS
from launchbook.words import Status


def api_of(kind: str) -> str:
    return next((version for version, one in KINDS if one == kind), "example.com/v1")


def item(kind: str, name: str, spec: Any = None, owner: str | None = None, **meta: Any) -> dict[str, Any]:
    owners = [dict(zip(("kind", "name"), owner.split("/"), strict=True), controller=True)] if owner else []
    owners = [{"apiVersion": api_of(one["kind"]), **one} for one in owners]
    return {
        "apiVersion": api_of(kind),
        "kind": kind,
        "metadata": {"name": name, "namespace": "shop", "ownerReferences": owners, **meta},
        "spec": spec or {},
    }


def runs(kind: str, name: str, owner: str | None = None, **labels: str) -> dict[str, Any]:
    return item(kind, name, {"template": {"metadata": {"labels": labels}, "spec": {"containers": []}}}, owner)


def pod(name: str, ip: str, owner: str | None = None, **labels: str) -> dict[str, Any]:
    return {**item("Pod", name, {"containers": []}, owner, labels=labels), "status": {"podIPs": [{"ip": ip}]}}


def leads(name: str, *addresses: str, ready: bool = True) -> dict[str, Any]:
    labels = {"kubernetes.io/service-name": "web"}
    return {
        **item("EndpointSlice", name, labels=labels),
        "endpoints": [{"addresses": [a], "conditions": {"ready": ready}} for a in addresses],
    }


SERVICE = item("Service", "web", {"selector": {"app": "web"}})
BUDGET = item("PodDisruptionBudget", "web", {"selector": {"matchLabels": {"app": "web"}}})
POLICY = item(
    "NetworkPolicy",
    "store",
    {"podSelector": {}, "ingress": [{"from": [{"podSelector": {"matchLabels": {"role": "client"}}}]}]},
)
OPEN = item("NetworkPolicy", "all", {"podSelector": {}, "ingress": [{"from": [{"podSelector": {}}]}]})
WEB = runs("Deployment", "web", app="web")
RENDERED = [SERVICE, BUDGET, POLICY, OPEN, WEB, item("Store", "db")]
OURS = {
    "Service": [SERVICE], "PodDisruptionBudget": [BUDGET], "NetworkPolicy": [POLICY, OPEN], "Deployment": [WEB],
    "ReplicaSet": [{**runs("ReplicaSet", "web-1", app="web"), "metadata": item("", "web-1", owner="Deployment/web")["metadata"]}],
    "Pod": [pod("web-1-a", "10.0.0.1", "ReplicaSet/web-1", app="web")], "EndpointSlice": [leads("web-x", "10.0.0.1")],
}  # fmt: skip
FINE = ("Nothing else opens, takes or sends what is the system's.", "Whatever runs there is in the manifests.")


def judged(*more: dict[str, Any], known: tuple[str, ...] = ()) -> tuple[str, str]:
    """What A.foreign and A.unlisted say of the system with these beside it; a status that isn't theirs fails."""
    there = {kind: list(items) for kind, items in OURS.items()}
    for one in more:
        there.setdefault(one["kind"], []).append(one)
    first, second = judge.foreign(there, RENDERED, known)
    assert (first.id, second.id) == ("A.foreign", "A.unlisted")
    for check, fine in zip((first, second), FINE, strict=True):
        assert check.status == (Status.PASS if check.because.startswith(fine[:-1]) else Status.FAIL)
    return first.because, second.because


def test_the_system_alone() -> None:
    """Nor what its own controllers made."""
    assert judged() == FINE


@pytest.mark.parametrize(
    ("beside", "said"),
    [
        (item("NetworkPolicy", "backdoor", {"podSelector": {}, "ingress": [{}]}), "NetworkPolicy/shop/backdoor admits what the manifests don't: policies add up."),
        (runs("Deployment", "shadow", app="web", x="y"), "Deployment/shop/shadow has pods that Service/shop/web, PodDisruptionBudget/shop/web would take for the system's."),
        (pod("alone", "10.0.0.9", role="client"), "Pod/shop/alone has pods that NetworkPolicy/shop/store would take for the system's."),
        (item("CronJob", "nightly", {"jobTemplate": {"spec": {"template": {"metadata": {"labels": {"role": "client"}}, "spec": {}}}}}), "CronJob/shop/nightly has pods that NetworkPolicy/shop/store would take for the system's."),
        (pod("operated", "10.0.0.9", "Rollout/other", app="web"), "Pod/shop/operated has pods that Service/shop/web, PodDisruptionBudget/shop/web would take for the system's."),
        ({**pod("web-1-b", "10.0.0.2", "ReplicaSet/web-1", app="web"), "spec": {"ephemeralContainers": [{"name": "debug"}]}}, "Pod/shop/web-1-b runs debug, which somebody started in it."),
        (leads("web-extra", "10.0.0.1", "10.9.9.9"), "Service/shop/web sends requests to 10.9.9.9 in EndpointSlice web-extra, which is no pod that it selects."),
        ({**leads("web-extra", "10.9.9.9"), "metadata": {**leads("web-extra")["metadata"], "ownerReferences": [{"kind": "Service", "name": "web", "controller": True}]}}, "Service/shop/web sends requests to 10.9.9.9 in EndpointSlice web-extra, which is no pod that it selects."),
        (item("NetworkPolicy", "backdoor", {"podSelector": {}}, "Service/web"), "NetworkPolicy/shop/backdoor admits what the manifests don't: policies add up."),
        (runs("Deployment", "shadow", "Deployment/web", app="web"), "Deployment/shop/shadow has pods that Service/shop/web, PodDisruptionBudget/shop/web would take for the system's."),
        (pod("shadow", "10.0.0.9", "Deployment/web", app="web"), "Pod/shop/shadow has pods that Service/shop/web, PodDisruptionBudget/shop/web would take for the system's."),
    ],
)  # fmt: skip
def test_what_changes_what_the_manifests_say(beside: Any, said: str) -> None:
    """A policy beside theirs, pods in the system's labels, endpoints that are no pods of the Service."""
    assert judged(beside) == (said, FINE[1])


@pytest.mark.parametrize(
    ("beside", "said"),
    [
        (runs("Deployment", "tool", app="tool"), "Deployment/shop/tool is not in the manifests."),
        (item("CronJob", "nightly", {"jobTemplate": {"spec": {"template": {"spec": {}}}}}), "CronJob/shop/nightly is not in the manifests."),
        (item("Service", "side", {"selector": {"app": "tool"}}), "Service/shop/side is not in the manifests."),
        (item("PodDisruptionBudget", "side"), "PodDisruptionBudget/shop/side is not in the manifests."),
        (pod("operated", "10.0.0.9", "Rollout/other"), "Pod/shop/operated is not in the manifests."),
    ],
)  # fmt: skip
def test_what_is_merely_there(beside: Any, said: str) -> None:
    assert judged(beside) == (FINE[0], said)


@pytest.mark.parametrize(
    "beside",
    [
        leads("web-extra", "10.9.9.9", ready=False),
        pod("web-1-b", "10.0.0.2", "ReplicaSet/web-1", app="web"),
        item("Service", "web-canary", owner="Store/db"),
        item("NetworkPolicy", "db-peers", {"podSelector": {}}, owner="Store/db"),
        runs("StatefulSet", "db-0", owner="Store/db", app="web"),
    ],
)  # fmt: skip
def test_what_is_the_systems_own(beside: Any) -> None:
    """An endpoint that takes no requests, a replica, and what something rendered owns."""
    assert judged(beside) == FINE


def test_what_is_known_to_be_there_is_named() -> None:
    known = ("NetworkPolicy/shop/platform", "Deployment/shop/tool")
    said = judged(item("NetworkPolicy", "platform"), runs("Deployment", "tool", app="tool"), known=known)
    told = "; Deployment/shop/tool, NetworkPolicy/shop/platform is known."
    assert said == (FINE[0][:-1] + told, FINE[1][:-1] + told)


def test_what_cannot_be_read_is_not_judged() -> None:
    for present, rendered, because in (("forbidden", RENDERED, "forbidden"), (OURS, [], "The manifests don't render.")):
        assert [(c.status, c.because) for c in judge.foreign(present, rendered)] == [(Status.UNKNOWN, because)] * 2
