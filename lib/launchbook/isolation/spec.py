"""The parts of a NetworkPolicy, with the API's own defaults for what is missing.

Pure. Rule: https://kubernetes.io/docs/reference/kubernetes-api/policy-resources/network-policy-v1/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

from launchbook.home import home

Object = Mapping[str, Any]
Direction = Literal["ingress", "egress"]
DIRECTIONS: tuple[Direction, Direction] = ("ingress", "egress")
# API group -> the kinds in it that open or close connections between pods. Staged and global-set kinds do neither.
OTHER_KINDS: Mapping[str, tuple[str, ...]] = {
    "policy.networking.k8s.io": ("AdminNetworkPolicy", "BaselineAdminNetworkPolicy", "ClusterNetworkPolicy"),
    "crd.projectcalico.org": ("GlobalNetworkPolicy", "NetworkPolicy"),
    "projectcalico.org": ("GlobalNetworkPolicy", "NetworkPolicy"),
    "cilium.io": ("CiliumClusterwideNetworkPolicy", "CiliumNetworkPolicy"),
    "crd.antrea.io": ("ClusterNetworkPolicy", "NetworkPolicy"),
}


def policy_types(policy: Object) -> tuple[str, ...]:
    """The directions a policy governs: Ingress, and Egress where it has egress rules, unless it says itself."""
    spec = policy["spec"]
    return tuple(spec.get("policyTypes") or (("Ingress", "Egress") if spec.get("egress") else ("Ingress",)))


def policy_name(policy: Object) -> str:
    """`namespace/name`."""
    return f"{home(policy)}/{policy['metadata']['name']}"


def rules(policy: Object, direction: Direction) -> list[tuple[str, Object]]:
    """The rules of a direction, each with its name: `namespace/name ingress[0]`. An empty one allows everything."""
    return [
        (f"{policy_name(policy)} {direction}[{number}]", rule or {})
        for number, rule in enumerate(policy["spec"].get(direction) or ())
    ]


def peers(rule: Object, direction: Direction) -> Sequence[Object]:
    """The peers that a rule lists; none where it names everybody."""
    return rule.get("from" if direction == "ingress" else "to") or ()


def every_peer(policies: Iterable[Object]) -> Iterator[tuple[Object, str, Object]]:
    """(policy, `ingress[0].from[1]`, peer) of each peer that some rule of some policy lists."""
    for policy in policies:
        for direction, word in (("ingress", "from"), ("egress", "to")):
            for number, rule in enumerate(policy["spec"].get(direction) or ()):
                for position, peer in enumerate((rule or {}).get(word) or ()):
                    yield policy, f"{direction}[{number}].{word}[{position}]", peer
