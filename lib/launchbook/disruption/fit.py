"""Whether a pod's replacement finds another node, as far as that can be told from nodes and the pods on them.

Pure. What the scheduler filters by (https://kubernetes.io/docs/concepts/scheduling-eviction/): cordons, taints,
nodeSelector, required node affinity, required anti-affinity and hard topology spread. CPU and memory are not weighed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from typing import Any

from launchbook.selector import matches

Facts = Mapping[str, Any]
Rule = Callable[[Facts], str]  # why a node won't do, or nothing
_CORDON = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}


def refuge(pod: Facts, leaving: str, nodes: Sequence[Facts], placed: Sequence[Facts]) -> tuple[str | None, str]:
    """(another node on which the pod's replacement can run, ""), or (None, why there is none).

    pod and nodes as disruption.placement() gives them; placed: every other pod that runs, each with its node. Of several
    nodes the one with the fewest of the same owner's pods is given.
    """
    rules = [*_crowds(pod, nodes, placed), *_skews(pod, leaving, nodes, placed)]
    reasons = {
        node["name"]: _unfit(pod, node) or next((why for rule in rules if (why := rule(node))), "")
        for node in nodes
        if node["name"] != leaving
    }
    free = [name for name, why in reasons.items() if not why]
    if free:
        peers = Counter(p["node"] for p in placed if p["owner"] == pod["owner"])
        return min(free, key=lambda name: (peers[name], name)), ""
    if not reasons:
        return None, "there is no other node"
    told = dict.fromkeys(reasons.values())
    return None, "; ".join(f"{', '.join(n for n, w in reasons.items() if w == why)} {why}" for why in told)


def unsure(pod: Facts) -> str | None:
    """Why refuge() can't be relied on for this pod, or None where it can."""
    if pod["claims"]:
        return f"the volume of its claim {pod['claims'][0]} may be bound to a node or a zone"
    affinity = pod["spec"].get("affinity") or {}
    if (affinity.get("podAffinity") or {}).get("requiredDuringSchedulingIgnoredDuringExecution"):
        return "its required pod affinity is not computed"
    for term in _anti(pod):
        if unknown := [k for k in ("namespaces", "namespaceSelector", "mismatchLabelKeys") if term.get(k) is not None]:
            return f"{unknown[0]} of its pod anti-affinity is not computed"
    if any(spread.get("minDomains") for spread in _spreads(pod)):
        return "minDomains of its topology spread is not computed"
    return None


def _unfit(pod: Facts, node: Facts) -> str:
    return _tainted(pod["spec"], node) or _wants(pod["spec"], node)


def _tainted(spec: Mapping[str, Any], node: Facts) -> str:
    for taint in [*node["taints"], *([_CORDON] if node["unschedulable"] else [])]:
        hard = taint["effect"] in ("NoSchedule", "NoExecute")
        if hard and not any(_tolerates(toleration, taint) for toleration in spec.get("tolerations") or ()):
            return "is cordoned" if taint["key"] == _CORDON["key"] else f"has the taint {_taint(taint)}"
    return ""


def _wants(spec: Mapping[str, Any], node: Facts) -> str:
    labels = node["labels"]
    for key, value in (spec.get("nodeSelector") or {}).items():
        if labels.get(key) != value:
            return f"lacks the label {key}={value}"
    required = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    )
    if required and not any(_term(term, node) for term in required.get("nodeSelectorTerms") or ()):
        return "is outside its required node affinity"
    return ""


def _term(term: Mapping[str, Any], node: Facts) -> bool:
    """Whether a term holds for a node. An empty one matches none."""
    expressions, fields = term.get("matchExpressions") or (), term.get("matchFields") or ()
    if not expressions and not fields:
        return False
    named = {"metadata.name": node["name"]}
    return all(_holds(e, node["labels"]) for e in expressions) and all(_holds(f, named) for f in fields)


def _holds(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    operator, value = expression["operator"], labels.get(expression["key"])
    if operator in ("Gt", "Lt"):
        limit = (expression.get("values") or [""])[0]
        if value is None or not value.lstrip("-").isdigit() or not limit.lstrip("-").isdigit():
            return False
        return int(value) > int(limit) if operator == "Gt" else int(value) < int(limit)
    return matches({"matchExpressions": [expression]}, labels)


def _tolerates(toleration: Mapping[str, Any], taint: Mapping[str, Any]) -> bool:
    if toleration.get("effect") and toleration["effect"] != taint["effect"]:
        return False
    if toleration.get("key") and toleration["key"] != taint["key"]:
        return False
    if toleration.get("operator", "Equal") == "Exists":
        return True
    return bool(toleration.get("key")) and (toleration.get("value") or "") == (taint.get("value") or "")


def _taint(taint: Mapping[str, Any]) -> str:
    value = f"={taint['value']}" if taint.get("value") else ""
    return f"{taint['key']}{value}:{taint['effect']}"


def _crowds(pod: Facts, nodes: Sequence[Facts], placed: Sequence[Facts]) -> Iterator[Rule]:
    """Its required anti-affinity: the domains of a node that hold a pod to keep away from."""
    homes = {node["name"]: node["labels"] for node in nodes}
    for term in _anti(pod):
        key = term["topologyKey"]
        taken = {homes[p["node"]].get(key) for p in placed if p["node"] in homes and _peer(term, pod, p)} - {None}

        def rule(node: Facts, key: str = key, taken: Set[Any] = taken) -> str:
            return "has a pod that its anti-affinity keeps away from" if node["labels"].get(key) in taken else ""

        yield rule


def _skews(pod: Facts, leaving: str, nodes: Sequence[Facts], placed: Sequence[Facts]) -> Iterator[Rule]:
    """Its hard topology spread: whether one more pod in a node's domain is too many.

    The node that is drained counts as an empty domain, unless nodeTaintsPolicy is Honor:
    https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints
    """
    for spread in _spreads(pod):
        key, most = spread["topologyKey"], spread.get("maxSkew", 1)
        chosen = spread.get("nodeAffinityPolicy", "Honor") == "Honor"
        counting = [n for n in nodes if key in n["labels"] and not (chosen and _wants(pod["spec"], n))]
        if spread.get("nodeTaintsPolicy") == "Honor":
            counting = [n for n in counting if n["name"] != leaving and not _tainted(pod["spec"], n)]
        where = {n["name"]: n["labels"][key] for n in counting}
        counts = Counter(dict.fromkeys(where.values(), 0))
        counts.update(where[p["node"]] for p in placed if p["node"] in where and _peer(spread, pod, p))
        least = min(counts.values(), default=0)

        def rule(node: Facts, key: str = key, full: int = least + most, counts: Mapping[str, int] = counts) -> str:
            if key not in node["labels"]:
                return f"lacks the label {key} of its topology spread"
            return "would break its topology spread" if counts[node["labels"][key]] >= full else ""

        yield rule


def _peer(rule: Mapping[str, Any], pod: Facts, other: Facts) -> bool:
    same = {key: pod["labels"][key] for key in rule.get("matchLabelKeys") or () if key in pod["labels"]}
    return (
        other["namespace"] == pod["namespace"]
        and matches(rule.get("labelSelector"), other["labels"])
        and all(other["labels"].get(key) == value for key, value in same.items())
    )


def _anti(pod: Facts) -> Sequence[Mapping[str, Any]]:
    affinity = (pod["spec"].get("affinity") or {}).get("podAntiAffinity") or {}
    return affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or ()


def _spreads(pod: Facts) -> list[Mapping[str, Any]]:
    hard = "DoNotSchedule"
    return [s for s in pod["spec"].get("topologySpreadConstraints") or () if s.get("whenUnsatisfiable", hard) == hard]
