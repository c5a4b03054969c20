"""What is in the namespaces under launch and not in the manifests. Pure.

Policies only ever admit more, and labels decide whom a Service, a policy or a budget means: what somebody else put
beside the system can undo what the manifests say without touching one of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from launchbook.endpoints import astray, strangers
from launchbook.groups import built_in, group_of
from launchbook.manifests.insides import swapped
from launchbook.manifests.naming import name
from launchbook.manifests.policy import peers_at_home
from launchbook.selector import matches
from launchbook.workloads import WORKLOADS, controller_of, pod_metadata, workloads

Object = Mapping[str, Any]
Present = Mapping[str, Sequence[Object]]  # kind -> the live objects of the namespaces under launch
KINDS = (
    ("v1", "Pod"), ("v1", "ReplicationController"), ("v1", "Service"), ("apps/v1", "Deployment"), ("apps/v1", "StatefulSet"),
    ("apps/v1", "DaemonSet"), ("apps/v1", "ReplicaSet"), ("batch/v1", "CronJob"), ("batch/v1", "Job"),
    ("networking.k8s.io/v1", "NetworkPolicy"), ("policy/v1", "PodDisruptionBudget"), ("discovery.k8s.io/v1", "EndpointSlice"),
)  # fmt: skip


@dataclass(frozen=True)
class Foreign:
    """object: `Kind/namespace/name`; effect: what it does to what the manifests say, as a sentence, or ""."""

    object: str
    effect: str


def foreign(present: Present, rendered: Sequence[Object]) -> list[Foreign]:
    """What is there and was not rendered, but for what a controller that is there made.

    Anybody can write an owner into what he makes: none excuses a policy, and EndpointSlices are told by where they lead.
    present: also the rendered objects of kinds that aren't Kubernetes' own, whose operators make objects for them.
    """
    names = {_known_as(item) for item in rendered}
    customs = [item for those in present.values() for item in those if not built_in(item)]
    operators = {item["metadata"]["uid"] for item in customs if _known_as(item) in names}
    items = [*workloads(present, WORKLOADS), *(one for kind in _OTHERS for one in present.get(kind) or ())]
    found = [Foreign(name(item), _effect(item, rendered)) for item in items if not _ours(item, names, operators)]
    found += [
        Foreign(name(pod), f"runs {', '.join(one['name'] for one in beside)}, which somebody started in it")
        for pod in present.get("Pod") or ()
        if (beside := pod["spec"].get("ephemeralContainers"))
    ]
    found += [Foreign(name({**pod, "kind": "Pod"}), effect) for pod, effect in swapped(present)]
    return found + [
        Foreign(f"Service/{service['metadata']['namespace']}/{service['metadata']['name']}", effect)
        for service in present.get("Service") or ()
        if (effect := _astray(service, present))
    ]


_OTHERS = ("Service", "PodDisruptionBudget", "NetworkPolicy")


def _known_as(item: Object) -> tuple[str, str]:
    """Group and name: kinds of two groups may share a name."""
    return group_of(item), name(item)


def _ours(item: Object, rendered: set[tuple[str, str]], operators: set[str]) -> bool:
    owner = controller_of(item)
    operated = owner is not None and owner.get("uid") in operators and item["kind"] != "NetworkPolicy"
    return operated or _known_as(item) in rendered


def _effect(item: Object, rendered: Sequence[Object]) -> str:
    kind = item["kind"]
    if kind == "NetworkPolicy":
        return "admits what the manifests don't: policies add up"
    if kind not in WORKLOADS:
        return ""
    labels = pod_metadata(item).get("labels") or {}
    taken = list(takers(item["metadata"]["namespace"], labels, rendered))
    return f"has pods that {', '.join(taken)} would take for the system's" if taken else ""


def takers(namespace: str, labels: Mapping[str, str], rendered: Sequence[Object]) -> Iterator[str]:
    """What rendered objects mean pods with these labels: Services, budgets and peers of policies."""
    for item in rendered:
        if item["metadata"].get("namespace") != namespace and item["kind"] != "NetworkPolicy":
            continue
        spec = item.get("spec") or {}
        selectors: list[Any] = []
        if item["kind"] == "Service" and spec.get("selector"):
            selectors = [{"matchLabels": spec["selector"]}]
        elif item["kind"] == "PodDisruptionBudget":
            selectors = [spec.get("selector")]
        elif item["kind"] == "NetworkPolicy":
            selectors = [peer for home, peer in peers_at_home(item) if home == namespace]
        # An empty selector means whoever comes, so nobody is mistaken for anybody.
        if any(selector and matches(selector, labels) for selector in selectors):
            yield name(item)


def _astray(service: Object, present: Present) -> str:
    namespace = service["metadata"]["namespace"]
    pods = [pod for pod in present.get("Pod") or () if pod["metadata"]["namespace"] == namespace]
    lost = strangers(service, present.get("EndpointSlice") or (), pods)
    return f"sends {astray(lost)}" if lost else ""
