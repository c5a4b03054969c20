"""Which labels would let some pod of a namespace through that is declared closed: whoever may create a pod sets them.

Pure. A probe pod, and what is computed for it, wears none of them, so it shows nothing of this. What passes needs one
rule that lets it in, and of its own namespace's policies one that lets it out, or none that governs it. So it is enough
to ask reach() of one pod for each such pair: one that both select, and for the last one that none of them selects.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from launchbook.home import home
from launchbook.isolation.reach import Answer, Pod, Side, World, allows, governing, meet, sides, within
from launchbook.isolation.spec import Object, peers, policy_types, rules
from launchbook.isolation.wearing import Requirements, escaping, requirements
from launchbook.selector import matches

Labels = Mapping[str, str]


@dataclass(frozen=True)
class Admission:
    """Labels with which a pod passes; allowed: None where it can't be told; because: the rule that decides."""

    labels: Labels
    allowed: bool | None
    because: str


def admissions(
    world: World, namespace: str, destination: Pod, protocol: str, port: int, declared: Sequence[Labels]
) -> list[Admission]:
    """Of each rule that admits pods of `namespace` by their labels, the smallest with which one passes; surest first.

    A pod without a label is not asked here. declared: the labels of those of this namespace that are declared open to the
    same; a pod that such a declaration means is left out.
    """
    into = governing(world.policies, "ingress", destination)
    out = [p for p in world.policies if home(p) == namespace and "Egress" in policy_types(p)]
    here = replace(world, policies=tuple({id(policy): policy for policy in (*into, *out)}.values()))
    found: dict[str, Admission] = {}
    for entrance in _entrances(here, into, namespace):
        told = [
            _told(here, Pod("(source)", namespace, labels), destination, protocol, port, governed=bool(out))
            for labels in _wearable(entrance, out, declared)
        ]
        passing = sorted((one for one in told if one.allowed is not False), key=lambda one: one.allowed is None)
        for one in passing[:1]:
            found.setdefault(one.because, one)
    return sorted(found.values(), key=lambda one: one.allowed is None)


def _entrances(world: World, into: Sequence[Object], namespace: str) -> list[Requirements]:
    """What each rule asks of the labels of a namespace's pods; nothing where no policy governs the destination.

    An ipBlock asks nothing of labels: reach() knows whom it may name.
    """
    if not into:
        return [()]
    found: dict[Requirements, None] = {}
    for policy in into:
        for _, rule in rules(policy, "ingress"):
            named = peers(rule, "ingress")
            if not named:
                found[()] = None
            for peer in named:
                if peer.get("ipBlock") is not None or within(world, home(policy), peer, namespace):
                    found[requirements(peer.get("podSelector"))] = None
    return list(found)


def _wearable(entrance: Requirements, out: Sequence[Object], declared: Sequence[Labels]) -> Iterator[Labels]:
    """Labels that an entrance asks for, each with another way out of the namespace."""
    selectors = [policy["spec"].get("podSelector") or {} for policy in out]
    ways = [(entrance, selectors)]
    ways += [((*entrance, *requirements(one)), []) for p, one in zip(out, selectors, strict=True) if rules(p, "egress")]
    for wanted, others in ways:
        if labels := escaping(wanted, [*others, *(_meant(one, wanted) for one in declared if one)]):
            yield labels


def _meant(labels: Labels, wanted: Requirements) -> Mapping[str, Any]:
    """A selector of the pods that a declared source means: those that policies can't tell from one with its labels."""
    asked = {key for key, _, _ in wanted}
    known = {key: value for key, value in labels.items() if key in asked}
    selected = matches({"matchExpressions": [_expression(*one) for one in wanted]}, labels)
    return {"matchLabels": known if known and selected else labels}


def _expression(key: str, operator: str, values: Sequence[str]) -> Mapping[str, Any]:
    return {"key": key, "operator": operator, "values": list(values)}


def _told(world: World, source: Pod, destination: Pod, protocol: str, port: int, *, governed: bool) -> Admission:
    """governed: whether policies of the source's namespace close the egress of some of its pods."""
    out, into = sides(world, source, destination, protocol)
    ports, unsure = meet(out, into)
    allowed = allows(Answer(ports, "", unsure), port)
    worn = ",".join(f"{key}={value}" for key, value in sorted(source.labels.items()))
    who = f"any pod of namespace {source.namespace} with the label{'s' * (len(source.labels) > 1)} {worn}"
    if allowed is None:
        because = f"whether {who} is admitted can't be told ({out.because}; {into.because})"
    else:
        by = f"by NetworkPolicy {_opening(into, port)}" if not into.free else f"since {into.free}"
        left = f"let out by NetworkPolicy {_opening(out, port)}" if not out.free else "no policy of its own keeps it in"
        because = f"{who} is admitted {by}{f', and {left}' if governed else ''}"
    return Admission(source.labels, allowed, because)


def _opening(side: Side, port: int) -> str:
    """The rules that open a port for certain."""
    return ", ".join(
        one.rule for one in side.openings if not one.doubt and any(low <= port <= high for low, high in one.ports)
    )
