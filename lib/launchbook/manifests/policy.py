"""What a NetworkPolicy means, so that two can be compared, and whom its peers name. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from launchbook.home import home
from launchbook.selector import matches

Object = Mapping[str, Any]
_NAME = "kubernetes.io/metadata.name"


def meaning(policy: Object) -> dict[str, Any]:
    """A policy's fields with the API server's defaults.

    policyTypes: Ingress always, Egress where there are egress rules, unless the policy says it.
    https://kubernetes.io/docs/reference/kubernetes-api/policy-resources/network-policy-v1/
    """
    spec = policy["spec"]
    types = spec.get("policyTypes") or ["Ingress", *(["Egress"] if spec.get("egress") else [])]
    rules = {field: _plain(spec.get(field) or []) for field in ("ingress", "egress")}
    return {"podSelector": _plain(spec.get("podSelector") or {}), "policyTypes": sorted(types), **rules}


def nobody(policy: Object, rendered: Sequence[Object], pods: Sequence[Object]) -> list[str]:
    """The peers, as `ingress[0].from[0]`, that select no pod, neither a live one nor one that a manifest describes.

    Only peers that stay in one namespace of those rendered are asked: elsewhere not every pod is seen.
    """
    whole = [(home(p), p["metadata"].get("labels") or {}) for p in pods] + list(_described(rendered))
    seen = {o["metadata"]["name"] if o["kind"] == "Namespace" else home(o) for o in rendered}
    return [
        where
        for where, peer in _peers(policy)
        if (namespace := _within(policy, peer)) in seen
        and not any(namespace == there and matches(peer["podSelector"], labels) for there, labels in whole)
    ]


def peers_at_home(policy: Object) -> Iterator[tuple[str, Object]]:
    """Namespace and podSelector of each peer that stays in one namespace."""
    for _, peer in _peers(policy):
        if namespace := _within(policy, peer):
            yield namespace, peer["podSelector"]


def _within(policy: Object, peer: Object) -> str | None:
    """The one namespace that a peer reaches into, or None where it may be several."""
    if peer.get("namespaceSelector") is None:
        return home(policy)
    named: str | None = (peer["namespaceSelector"].get("matchLabels") or {}).get(_NAME)
    return named


def _peers(policy: Object) -> Iterator[tuple[str, Object]]:
    for direction, side in (("ingress", "from"), ("egress", "to")):
        for r, rule in enumerate(policy["spec"].get(direction) or ()):
            for p, peer in enumerate((rule or {}).get(side) or ()):
                if peer.get("podSelector") is not None:
                    yield f"{direction}[{r}].{side}[{p}]", peer


def _described(rendered: Sequence[Object]) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Namespace and labels of the pods that rendered workloads make: a CronJob's are rarely there."""
    for item in rendered:
        spec = item.get("spec") or {}
        spec = (spec.get("jobTemplate") or {}).get("spec") or spec
        if isinstance(template := spec.get("template"), Mapping):
            yield home(item), (template.get("metadata") or {}).get("labels") or {}


def _plain(value: Any) -> Any:
    """A value as the API server keeps it: TCP filled in, lists and mappings that say nothing left out.

    An empty selector stays: it selects everything, where an absent one has no say.
    """
    if isinstance(value, Mapping):
        plain = {k: _plain(v) for k, v in value.items()}
        plain = {k: v for k, v in plain.items() if v not in ([], None) and (k, v) != ("matchLabels", {})}
        if "port" in plain or "endPort" in plain:
            plain.setdefault("protocol", "TCP")
        return plain
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return value
