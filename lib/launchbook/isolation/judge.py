"""Isolation judged: enforcement by node, each edge by what is declared, computed and observed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from launchbook.isolation import coverage
from launchbook.isolation.reach import Pod
from launchbook.words import Check, Status

_BLOCKED = {"DROPPED", "REFUSED"}
_SHOWN = 5  # findings that a sentence lists


def enforcement(canary: Mapping[str, Any]) -> list[Check]:
    """A.enforcement. canary: see isolation.enforcement()."""
    expected = "open, then denied"
    evidence = ("evidence/isolation/canary.json",)
    if canary["problem"] or not canary["nodes"]:
        because = canary["problem"] or "No node was tried."
        return [Check("A.enforcement", "(canary)", Status.UNKNOWN, "not tried", expected, because, evidence)]
    return [_node(row, expected, evidence) for row in canary["nodes"]]


def _node(row: Mapping[str, Any], expected: str, evidence: tuple[str, ...]) -> Check:
    if row["open"] and row["blocked"]:
        status, measured = Status.PASS, f"denied {row['lag']:.1f} s after the policy"
    elif row["open"] and row["blocked"] is False:
        status, measured = Status.FAIL, "open, and open under a policy that denies everybody"
    elif row["open"] is False:
        # A node whose policy agent never ran may drop everything for a new pod: no block there means anything.
        status, measured = Status.FAIL, "never open"
    else:
        status, measured = Status.UNKNOWN, "not tried"
    return Check("A.enforcement", f"node/{row['node']}", status, measured, expected, row["because"], evidence)


def edges(
    declared: Sequence[Any], computed: pd.DataFrame, observed: Mapping[str, Any], canary: Mapping[str, Any]
) -> list[Check]:
    """A.isolation, a check for each declared edge.

    declared: parameters.Edge (name, expect); computed, observed, canary: as compute(), probe() and enforcement() give
    them. What was seen open is open whatever the canary says; a block means something only where the canary passed on
    every node; and what hangs on a pod's address is UNKNOWN, since the pod that takes its place has another.
    """
    evidence = ("evidence/isolation/observed.json", "evidence/isolation/computed.parquet")
    if not declared:
        because = "The parameters declare no edge under `isolation.edges`, so nothing was asked."
        return [Check("A.isolation", "(edges)", Status.UNKNOWN, "no edge", "declared edges", because)]
    enforced = bool(canary["nodes"]) and all(c.status is Status.PASS for c in enforcement(canary))
    return [_edge(edge, computed, observed, enforced, evidence) for edge in declared]


def _edge(
    edge: Any, computed: pd.DataFrame, observed: Mapping[str, Any], enforced: bool, evidence: tuple[str, ...]
) -> Check:
    rows = computed[computed["edge"] == edge.name]
    policies, rule = layer(rows), "; ".join(dict.fromkeys(rows["because"]))
    reality, why = reality_of(edge, observed)

    def say(status: Status, because: str) -> Check:
        measured = f"policies: {policies or 'unknown'}, probes: {reality or 'inconclusive'}"
        return Check("A.isolation", edge.name, status, measured, edge.expect, because, evidence)

    if reality is None:
        return say(Status.UNKNOWN, why)
    why = _sentence(why)
    if reality != edge.expect:
        if policies is None:
            return say(Status.FAIL, f"{why} What the policies say can't be told ({rule}).")
        if policies == reality:
            return say(Status.FAIL, f"{why} The policies say the same ({rule}): mend them, or the declaration.")
        return say(Status.FAIL, f"{why} The policies say {policies}: they are not what the network does.")
    if edge.expect == "closed" and not enforced:
        return say(
            Status.UNKNOWN, "It is closed, but the network plugin was not seen to enforce policies on every node."
        )
    if "address" in set(rows["unsure"]):
        return say(
            Status.UNKNOWN,
            f"{why} But another pod has another address, and may be let in or kept out ({rule}): "
            "name pods by their labels.",
        )
    if "others" in set(rows["unsure"]):
        return say(Status.PASS, f"{why} Probes alone say so: what the policies say can't be told ({rule}).")
    if policies is not None and policies != edge.expect:
        return say(Status.UNKNOWN, f"{why} But the policies say {policies} ({rule}), so something else decides.")
    return say(Status.PASS, why)


def landscape(found: Mapping[str, Any]) -> list[Check]:
    """A.coverage, a check for each thing that policies may leave out. found: see isolation.landscape()."""
    evidence = ("evidence/isolation/landscape.json",)
    if why := found["problem"] or ("" if found["pods"] else "The namespaces under launch have no pod to cover."):
        return [Check("A.coverage", "policies", Status.UNKNOWN, "not read", "nothing left out", why)]
    policies, namespaces = found["policies"], found["namespaces"]
    pods = [_pod(item) for item in found["pods"]]
    dns = [(_pod(item), protocol, number) for item, protocol, number in found["dns"]]

    def say(subject: str, expected: str, lines: Sequence[str], fine: str, bad: Status = Status.FAIL) -> Check:
        shown = "; ".join(lines[:_SHOWN]) + (f"; and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else "")
        because = f"{shown[:1].upper()}{shown[1:]}." if lines else fine
        measured = f"{len(lines)} found of {len(policies)} policies and {len(pods)} pods"
        return Check("A.coverage", subject, bad if lines else Status.PASS, measured, expected, because, evidence)

    host = [f"pod {pod.name} uses its node's network, which no policy governs" for pod in pods if pod.host_network]
    others = [f"{one}, which is not computed" for one in found["beyond"]["present"]]
    others += [f"can't read {one}" for one in found["beyond"]["unread"]]
    nameless, unresolved = coverage.nameless(policies, namespaces, pods, dns), Status.FAIL
    if not dns and coverage.cuts_egress(policies, pods):
        nameless = [
            "policies close egress, and whether to DNS too can't be told: there is no Service kube-system/kube-dns"
        ]
        unresolved = Status.UNKNOWN
    return [
        say("pods", "each covered by a policy", coverage.uncovered(policies, pods), "A policy covers each pod."),
        say("selectors", "each names something", coverage.idle(policies, namespaces, pods), "Each names something."),
        say("ports", "each declared by a pod", coverage.unexposed(policies, pods), "Each port is declared by a pod."),
        say("rules", "none said twice", coverage.doubled(policies, namespaces, pods), "No rule repeats others."),
        say("dns", "open to each pod", nameless, "No policy cuts a pod off from DNS.", unresolved),
        say("host network", "no pod on it", host, "No pod uses its node's network."),
        say("other policies", "none", others, "NetworkPolicies are the only kind of policy.", Status.UNKNOWN),
    ]  # fmt: skip


def _pod(item: Mapping[str, Any]) -> Pod:
    ports = tuple((name, protocol, number) for name, protocol, number in item["ports"])
    return Pod(item["name"], item["namespace"], item["labels"], ports, item["host_network"])


def layer(rows: pd.DataFrame) -> str | None:
    """`open`, `closed` or `mixed` for an edge's rows of `computed`; None where nothing can be said."""
    if rows.empty or rows["allowed"].isna().any():
        return None
    if rows["allowed"].all():
        return "open"
    return "mixed" if rows["allowed"].any() else "closed"


def reality_of(edge: Any, observed: Mapping[str, Any]) -> tuple[str | None, str]:
    """`open`, `closed` or `mixed` as probes saw an edge, with why; None where they can't tell.

    A connection that stood is open whatever else failed. Everything else needs a sound probe pod, and every protocol
    of the Service's port asked.
    """
    seen = observed["edges"].get(edge.name)
    if seen is None:
        return None, observed["problem"] or "It was not probed."
    reality, why = outcome(seen)
    if edge.expect == "open" and reality is None and (failed := unreached(seen)):
        reality, why = "closed", failed
    broken = _broken(seen)
    if reality is not None and broken and edge.expect == "open":
        return None, broken
    if reality == edge.expect and (caveat := broken or _unasked(seen)):
        return None, caveat
    return reality, why


def outcome(seen: Mapping[str, Any]) -> tuple[str | None, str]:
    """What the TCP probes of an edge met: see reality_of(). A skipped probe is never a pass."""
    targets = _tcp(seen)
    if seen["problem"]:
        return None, f"The probe pod could not be started: {seen['problem']}"
    if not any(target["kind"] == "pod" for target in seen["targets"]):
        return None, "The Service is absent, has no such port or has no pod, so nothing could be probed."
    reached = [t for t in targets if "ALLOWED" in t["outcomes"]]
    if not reached and (why := _broken(seen) or ("" if targets else _unasked(seen))):
        return None, why
    blocked = [t for t in targets if len(t["outcomes"]) >= seen["confirmations"] and set(t["outcomes"]) <= _BLOCKED]
    if unclear := [t for t in targets if t not in reached and t not in blocked]:
        told = "; ".join(f"{t['target']} ({t['kind']}): {', '.join(t['outcomes']) or 'not probed'}" for t in unclear)
        if not reached:
            return None, f"Neither open nor blocked: {told}."
        return "mixed", f"Reached {_names(reached)}, but not {told}."
    if reached and blocked:
        return "mixed", f"Reached {_names(reached)}, blocked from {_names(blocked)}."
    if reached:
        return "open", f"Reached {_names(reached)}."
    if unanswered := [t for t in targets if t["answers"] is False]:
        return None, (
            f"Blocked, but nobody reached {_names(unanswered)} before and after, so it may be down: "
            "declare an edge that is open to it."
        )
    attempts = min(len(t["outcomes"]) for t in blocked)
    return "closed", f"Blocked from {_names(blocked)}, {attempts} times each, with the controls open before and after."


def unreached(seen: Mapping[str, Any]) -> str | None:
    """Why an edge that must be open isn't, whatever the reason: every target was tried in vain from a sound probe pod."""
    targets = _tcp(seen)
    tried = all(t["outcomes"] and "ALLOWED" not in t["outcomes"] for t in targets)
    if seen["problem"] or not targets or not tried or _broken(seen):
        return None
    told = "; ".join(f"{_names([t])} {t['outcomes'][-1]}" for t in targets)
    return f"Not reached: {told}."


def _broken(seen: Mapping[str, Any]) -> str:
    """Why what the probe pod did not reach says nothing; "" where it does."""
    if seen["failed"]:
        return f"The probe pod could not be asked: {_sentence(seen['failed'])}"
    if not all(seen["control"]):
        return "The probe pod did not reach its control before and after, so its own network may be broken."
    return ""


def _unasked(seen: Mapping[str, Any]) -> str:
    """Which protocols of the Service's port nobody probed, and why; "" where there are none."""
    protocols = sorted({t["protocol"] for t in seen["targets"]} - {"TCP"})
    if not protocols:
        return ""
    return (
        f"The Service's port is {' and '.join(protocols)}, which probes do not speak: without a handshake, silence "
        "and a block look alike. Declare only what TCP can show, and prove this edge by other means."
    )


def _tcp(seen: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [target for target in seen["targets"] if target["protocol"] == "TCP"]


def _names(targets: Sequence[Mapping[str, Any]]) -> str:
    words = {"pod": "", "service": "the Service's address", "name": "the Service's name"}
    pods = [t["target"] for t in targets if t["kind"] == "pod"]
    return ", ".join(dict.fromkeys([*pods, *(words[t["kind"]] for t in targets if t["kind"] != "pod")]))


def _sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text}."
