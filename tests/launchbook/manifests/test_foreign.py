"""What is in the namespaces under launch beside the manifests: live objects in, checks with exact messages out."""

from __future__ import annotations

from typing import Any

import pytest

from launchbook.manifests import judge
from launchbook.words import Status


def item(kind: str, name: str, spec: Any = None, owner: str | None = None, **meta: Any) -> dict[str, Any]:
    """owner: `Kind/name`, whose UID is `Kind/name` itself unless `Kind/name/UID` says another."""
    owned = [*owner.split("/"), owner][:3] if owner else []
    owners = [dict(zip(("kind", "name", "uid"), owned, strict=True), controller=True)] if owner else []
    return {
        "kind": kind,
        "metadata": {"name": name, "namespace": "shop", "ownerReferences": owners, "uid": f"{kind}/{name}", **meta},
        "spec": spec or {},
    }


def runs(kind: str, name: str, **labels: str) -> dict[str, Any]:
    template = {"metadata": {"labels": labels}, "spec": {"containers": []}}
    return item(kind, name, {"template": template, "selector": {"matchLabels": labels}}, labels=labels)


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
STORE = {**item("Store", "web"), "apiVersion": "stores.example.org/v1"}
RENDERED = [SERVICE, BUDGET, POLICY, OPEN, WEB, STORE]
OURS = {
    "Service": [SERVICE], "PodDisruptionBudget": [BUDGET], "NetworkPolicy": [POLICY, OPEN], "Deployment": [WEB],
    "ReplicaSet": [{**runs("ReplicaSet", "web-1", app="web"), "metadata": item("ReplicaSet", "web-1", owner="Deployment/web", labels={"app": "web"})["metadata"]}],
    "Store.stores.example.org/v1": [STORE],
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
        item("Service", "web-extra", owner="Store/web"),
        runs("StatefulSet", "web-store", app="tool") | {"metadata": item("StatefulSet", "web-store", owner="Store/web")["metadata"]},
    ],
)  # fmt: skip
def test_what_is_the_systems_own(beside: Any) -> None:
    """An endpoint that takes no requests, a replica, and what the operator of something rendered made for it."""
    assert judged(beside) == FINE


TAKEN = "has pods that Service/shop/web, PodDisruptionBudget/shop/web would take for the system's."


@pytest.mark.parametrize(
    ("beside", "said"),
    [
        (item("NetworkPolicy", "backdoor", {"podSelector": {}}, "Deployment/web"), "NetworkPolicy/shop/backdoor admits what the manifests don't: policies add up."),
        (item("NetworkPolicy", "backdoor", {"podSelector": {}}, "Store/web"), "NetworkPolicy/shop/backdoor admits what the manifests don't: policies add up."),
        (pod("fake", "10.0.0.9", "Deployment/web", app="web"), f"Pod/shop/fake {TAKEN}"),
        (pod("fake", "10.0.0.9", "ReplicaSet/web-1/another", app="web"), f"Pod/shop/fake {TAKEN}"),
        (pod("fake", "10.0.0.9", "ReplicaSet/gone", app="web"), f"Pod/shop/fake {TAKEN}"),
        (pod("fake", "10.0.0.9", "Service/web", app="web"), f"Pod/shop/fake {TAKEN}"),
        (pod("fake", "10.0.0.9", "ReplicaSet/web-1", role="client"), "Pod/shop/fake has pods that NetworkPolicy/shop/store would take for the system's."),
        (runs("ReplicaSet", "fake", app="web", x="y") | {"metadata": item("ReplicaSet", "fake", owner="StatefulSet/web")["metadata"]}, f"ReplicaSet/shop/fake {TAKEN}"),
        (runs("Job", "fake", app="web") | {"metadata": item("Job", "fake", owner="Deployment/web")["metadata"]}, f"Job/shop/fake {TAKEN}"),
    ],
)  # fmt: skip
def test_what_merely_names_an_owner(beside: Any, said: str) -> None:
    """Of a kind that makes no such object, of another UID, not there, or with a selector that it doesn't fit."""
    assert judged(beside) == (said, FINE[1])


def test_an_owner_that_is_no_controller_made_nothing() -> None:
    fake = pod("fake", "10.0.0.9", "ReplicaSet/web-1", app="web")
    fake["metadata"]["ownerReferences"][0]["controller"] = False
    assert judged(fake) == (f"Pod/shop/fake {TAKEN}", FINE[1])


def test_what_a_deployment_owns_but_never_makes_is_listed() -> None:
    side = item("Service", "side", {"selector": {"app": "tool"}}, "Deployment/web")
    assert judged(side) == (FINE[0], "Service/shop/side is not in the manifests.")


def test_a_policy_of_another_group_excuses_none() -> None:
    """Two kinds of two groups may share kind and name."""
    other = {**item("NetworkPolicy", "shared"), "apiVersion": "projectcalico.org/v3"}
    there = {**OURS, "NetworkPolicy": [*OURS["NetworkPolicy"], item("NetworkPolicy", "shared", {"podSelector": {}})]}
    first, _ = judge.foreign(there, [*RENDERED, other])
    assert (first.status, first.because) == (
        Status.FAIL, "NetworkPolicy/shop/shared admits what the manifests don't: policies add up.",
    )  # fmt: skip


def runs_in(name: str, *containers: tuple[str, str], revision: str = "2") -> dict[str, Any]:
    """A pod of the StatefulSet `set`."""
    own = pod(name, "10.0.0.9", "StatefulSet/set", app="set", **{"controller-revision-hash": revision})
    return own | {"spec": {"containers": [{"name": name, "image": image} for name, image in containers]}}


DIGEST = "@sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("template", "image", "said"),
    [
        ("reg/set:1", "reg/set:1", FINE[0]),
        ("reg/set:1", "mirror/path/set:1", FINE[0]),
        ("reg/set:1", f"reg/set{DIGEST}", FINE[0]),
        ("set", "docker.io/library/set:latest", FINE[0]),
        ("reg/set:1", "reg/set:2", "Pod/shop/set-0 runs reg/set:2 in set, where its template says reg/set:1."),
        ("reg/set:1", "reg/evil:1", "Pod/shop/set-0 runs reg/evil:1 in set, where its template says reg/set:1."),
        (f"set{DIGEST}", "set:1", f"Pod/shop/set-0 runs set:1 in set, where its template says set{DIGEST}."),
        (f"set{DIGEST}", f"set{DIGEST[:-1]}1", f"Pod/shop/set-0 runs set{DIGEST[:-1]}1 in set, where its template says set{DIGEST}."),
    ],
)  # fmt: skip
def test_a_pod_whose_image_somebody_changed(template: str, image: str, said: str) -> None:
    """Its controller leaves it so; one of an earlier revision is A.ready's affair, and webhooks may name a mirror."""
    made = runs("StatefulSet", "set", app="set")
    made["spec"]["template"]["spec"] = {"containers": [{"name": "set", "image": template}]}
    made["status"] = {"updateRevision": "2"}
    there = {**OURS, "StatefulSet": [made]}
    for revision, because in (("2", said), ("1", FINE[0])):
        pods = [*OURS["Pod"], runs_in("set-0", ("set", image), revision=revision)]
        assert judge.foreign({**there, "Pod": pods}, [*RENDERED, made])[0].because == because


def test_what_a_webhook_adds_to_pods_is_said() -> None:
    """A mesh's proxy is no failure, and no secret."""
    made = runs("StatefulSet", "set", app="set")
    made["spec"]["template"]["spec"] = {"containers": [{"name": "set", "image": "set:1"}]}
    pods = [runs_in(f"set-{n}", ("set", "set:1"), ("proxy", "mesh/proxy:1")) for n in (0, 1)]
    there = {**OURS, "StatefulSet": [made], "Pod": [*OURS["Pod"], *pods]}
    check, _ = judge.foreign(there, [*RENDERED, made])
    told = f"{FINE[0][:-1]}; proxy runs in 2 pods, though no template holds it."
    assert (check.status, check.because) == (Status.PASS, told)


def test_what_is_known_to_be_there_is_named() -> None:
    known = ("NetworkPolicy/shop/platform", "Deployment/shop/tool")
    said = judged(item("NetworkPolicy", "platform"), runs("Deployment", "tool", app="tool"), known=known)
    told = "; Deployment/shop/tool, NetworkPolicy/shop/platform is known."
    assert said == (FINE[0][:-1] + told, FINE[1][:-1] + told)


def test_what_cannot_be_read_is_not_judged() -> None:
    for present, rendered, because in (("forbidden", RENDERED, "forbidden"), (OURS, [], "The manifests don't render.")):
        assert [(c.status, c.because) for c in judge.foreign(present, rendered)] == [(Status.UNKNOWN, because)] * 2
