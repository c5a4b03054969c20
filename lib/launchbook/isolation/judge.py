"""Isolation judged: enforcement by node, each edge by what is declared, computed and observed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from launchbook.counted import listed
from launchbook.isolation import coverage
from launchbook.isolation.layers import by_labels, fault, layer
from launchbook.isolation.mistaken import mistaken
from launchbook.isolation.reach import Pod
from launchbook.isolation.reality import NOT_REACHED, reality_of, sentence
from launchbook.isolation.undeclared import undeclared as undeclared
from launchbook.words import Check, Status

_HELD = {True: "survived", False: "cut", None: "not seen"}


def ends(declared: Sequence[Any], there: Mapping[str, Any]) -> Check:
    """A.edges: each declared edge begins and ends at what is there. there: see isolation.ends()."""
    expected, evidence = "each end rendered or on the cluster", ("evidence/isolation/ends.json",)

    def say(status: Status, lines: Sequence[str], because: str = "") -> Check:
        measured = f"{len(lines)} unknown of {len(declared)} edges"
        return Check("A.edges", "edges", status, measured, expected, because or listed(lines), evidence)

    if not declared:
        return say(Status.UNKNOWN, (), "The parameters declare no edge under `isolation.edges`.")
    if there["problem"]:
        return say(Status.UNKNOWN, (), there["problem"])
    found = list(mistaken(declared, there))
    if sure := [line for line, certain in found if certain]:
        return say(Status.FAIL, sure)
    if found:
        return say(Status.UNKNOWN, [line for line, _ in found])
    return say(Status.PASS, (), "Each is there, or will be once the manifests are applied.")


def enforcement(canary: Mapping[str, Any]) -> list[Check]:
    """A.enforcement. canary: see isolation.enforcement()."""
    expected = "open, then denied"
    evidence = ("evidence/isolation/canary.json",)
    if canary["problem"] or not canary["nodes"]:
        because = canary["problem"] or "No node was tried."
        return [Check("A.enforcement", "(canary)", Status.UNKNOWN, "not tried", expected, because, evidence)]
    return [_node(row, expected, evidence) for row in canary["nodes"]]


def _node(row: Mapping[str, Any], expected: str, evidence: tuple[str, ...]) -> Check:
    if row["open"] and row["blocked"] and row["sends"]:
        status, measured = Status.FAIL, "denied, but not to send: open under a policy that lets a pod reach nobody"
    elif row["open"] and row["blocked"] and row["sends"] is False:
        status, measured = Status.PASS, f"denied {row['lag']:.1f} s after the policy, to send {row['sends_lag']:.1f} s"
    elif row["open"] and row["blocked"]:
        status, measured = Status.UNKNOWN, "denied, to send not tried"
    elif row["open"] and row["blocked"] is False:
        status, measured = Status.FAIL, "open, and open under a policy that denies everybody"
    elif row["open"] is False:
        # A node whose policy agent never ran may drop everything for a new pod: no block there means anything.
        status, measured = Status.FAIL, "never open"
    else:
        status, measured = Status.UNKNOWN, "not tried"
    return Check("A.enforcement", f"node/{row['node']}", status, measured, expected, row["because"], evidence)


def held(canary: Mapping[str, Any]) -> list[Check]:
    """A.held: whether a new policy ends the connections that stand. canary: see isolation.enforcement().

    Information: either is a network plugin's right, so it fails nowhere, and is UNKNOWN where it was not seen.
    """
    expected, evidence = "seen on every node", ("evidence/isolation/canary.json",)
    if canary["problem"] or not canary["nodes"]:
        because = canary["problem"] or "No node was tried."
        return [Check("A.held", "connections", Status.UNKNOWN, "not tried", expected, because, evidence)]
    told = {row["node"]: row.get("held") for row in canary["nodes"]}
    measured = ", ".join(f"{node}: {_HELD[one]}" for node, one in told.items())
    if unseen := [node for node, one in told.items() if one is None]:
        because = f"No connection could be held across the policy on {', '.join(unseen)}."
        return [Check("A.held", "connections", Status.UNKNOWN, measured, expected, because, evidence)]
    if any(told.values()):
        because = (
            "Bytes still passed both ways over a connection that stood before a policy denied everybody: after a change "
            "that closes an edge, restart the pods at one end of it (NATS clients hold theirs for days)."
        )
    else:
        because = "A connection that stood before a policy denied everybody was cut by it."
    return [Check("A.held", "connections", Status.PASS, measured, expected, because, evidence)]


def lags(found: Mapping[str, Any]) -> list[Check]:
    """A.lag: each edge that the run's own policies closed was closed in time. found: see isolation.during()."""
    expected, evidence = "closed within isolation.enforcement_deadline", ("evidence/isolation/lag.json",)

    def say(status: Status, measured: str, because: str) -> list[Check]:
        return [Check("A.lag", "edges", status, measured, expected, because, evidence)]

    if found["problem"]:
        return say(Status.UNKNOWN, "not watched", found["problem"])
    rows = found["edges"]
    late, lost = (
        [f"{name}: {row['because']}" for name, row in rows.items() if row["state"] == state]
        for state in ("late", "lost")
    )
    if late:
        return say(Status.FAIL, f"{len(late)} of {len(rows)} edges still open", " ".join(late))
    if lost:
        return say(Status.UNKNOWN, f"{len(lost)} of {len(rows)} edges not measured", " ".join(lost))
    measured = {name: row["lag"] for name, row in rows.items() if row["state"] == "closed"}
    if not measured:
        told = dict.fromkeys(row["because"] for row in rows.values())
        return say(
            Status.NA, "no edge closed by this run", f"No lag to measure: {'; '.join(told) or 'no edge is closed'}."
        )
    slowest = max(measured, key=lambda name: measured[name])
    words = f"{measured[slowest]:.1f} s at most, {len(measured)} of {len(rows)} edges closed by this run"
    return say(Status.PASS, words, f"The slowest was {slowest}.")


def edges(
    declared: Sequence[Any], computed: pd.DataFrame, observed: Mapping[str, Any], canary: Mapping[str, Any]
) -> list[Check]:
    """A.isolation, a check for each declared edge.

    declared: parameters.Edge (name, expect); computed, observed, canary: as compute(), probe() and enforcement() give
    them. What was seen open is open whatever the canary says; a block means something only where the canary passed on
    every node; and what hangs on a pod's address is UNKNOWN, since the pod that takes its place has another. Closed from
    a namespace means from every pod that may be created there, whatever labels it wears, but those declared open.
    """
    evidence = ("evidence/isolation/observed.json", "evidence/isolation/computed.parquet")
    if not declared:
        because = "The parameters declare no edge under `isolation.edges`, so nothing was asked."
        return [Check("A.isolation", "(edges)", Status.UNKNOWN, "no edge", "declared edges", because)]
    enforced = bool(canary["nodes"]) and all(c.status is Status.PASS for c in enforcement(canary))
    return [_edge(edge, computed, observed, enforced, evidence) for edge in declared]


def unasked(declared: Sequence[Any], namespaces: Sequence[str]) -> list[Check]:
    """A.isolation for each namespace under launch that no declared edge into it says to be closed. See edges()."""
    asked = {edge.destination.namespace for edge in declared if edge.expect == "closed"}
    because = "No edge into it is declared closed, so whether it keeps anybody out was not asked."
    return [
        Check("A.isolation", f"namespace/{one}", Status.UNKNOWN, "not asked", "a closed edge into it", because)
        for one in namespaces
        if one not in asked
    ]


def _edge(
    edge: Any, computed: pd.DataFrame, observed: Mapping[str, Any], enforced: bool, evidence: tuple[str, ...]
) -> Check:
    rows = computed[computed["edge"] == edge.name]
    policies, rule = layer(rows), "; ".join(dict.fromkeys(rows["because"])) or "nothing was computed for it"
    reality, why = reality_of(edge, observed)
    why = sentence(why)

    labelled, labels = by_labels(rows)

    def say(status: Status, because: str = "") -> Check:
        said = "open to a label" if labelled else policies or "unknown"
        measured = f"policies: {said}, probes: {reality or 'inconclusive'}"
        return Check("A.isolation", edge.name, status, measured, edge.expect, f"{why} {because}".strip(), evidence)

    if reality is None:
        contrary = policies is not None and policies != edge.expect
        told = f"The policies say {policies} ({rule}), which is not what is declared." if contrary else labels
        return say(Status.UNKNOWN, told)
    if reality != edge.expect:
        proved = reality == "closed" and not why.startswith(NOT_REACHED)
        return say(Status.FAIL, fault(edge.expect, policies, reality, rule, proved=proved))
    if labels:
        return say(Status.FAIL if labelled else Status.UNKNOWN, labels)
    if edge.expect == "closed" and not enforced:
        return say(Status.UNKNOWN, "But the network plugin was not seen to enforce policies on every node.")
    if "node" in set(rows["unsure"]):
        return say(
            Status.UNKNOWN,
            "But a pod on its node's network is let in or kept out as the network plugin has it, and never kept from the "
            f"pods of its own node ({rule}): no probe from another pod shows it.",
        )
    if "address" in set(rows["unsure"]):
        return say(
            Status.UNKNOWN,
            f"But another pod has another address, and may be let in or kept out ({rule}): name pods by their labels.",
        )
    if "unread" in set(rows["unsure"]):
        return say(Status.UNKNOWN, f"But whether other policies decide here can't be told ({rule}).")
    if "accounts" in set(rows["unsure"]) and edge.expect == "closed":
        return say(
            Status.UNKNOWN,
            f"But the probe pod had the namespace's default account, and a pod with another may be let in ({rule}): name "
            "the source by the labels of a workload, whose account the probe pod then has.",
        )
    if {"others", "accounts"} & set(rows["unsure"]):
        return say(Status.PASS, f"Probes alone say so: what the policies say can't be told ({rule}).")
    if policies is None:
        return say(Status.UNKNOWN, f"But what the policies say can't be told ({rule}).")
    if policies == edge.expect:
        return say(Status.PASS)
    if reality == "open":
        accident = "so the enforcement is wrong, and the policy or the expectation is too"
    else:
        accident = "so something beside them blocks, and the policy is wrong or the expectation is"
    return say(Status.UNKNOWN, f"As declared, but not by the policies: they say {policies} ({rule}), {accident}.")


def landscape(found: Mapping[str, Any]) -> list[Check]:
    """A.coverage, a check for each thing that policies may leave out. found: see isolation.landscape()."""
    evidence = ("evidence/isolation/landscape.json",)
    if why := found["problem"] or ("" if found["pods"] else "The namespaces under launch have no pod to cover."):
        return [Check("A.coverage", "policies", Status.UNKNOWN, "not read", "nothing left out", why)]
    policies, namespaces = found["policies"], found["namespaces"]
    pods = [_pod(item) for item in found["pods"]]
    dns = [(_pod(item), protocol, number) for item, protocol, number in found["dns"]]

    def say(subject: str, expected: str, lines: Sequence[str], fine: str, bad: Status = Status.FAIL) -> Check:
        because = listed(lines) if lines else fine
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
        say("directions", "each rule's in its policyTypes", coverage.ignored(policies), "No rule is ignored."),
        say("rules", "none said twice", coverage.doubled(policies, namespaces, pods), "No rule repeats others."),
        say("dns", "open to each pod", nameless, "No policy cuts a pod off from DNS.", unresolved),
        say("host network", "no pod on it", host, "No pod uses its node's network."),
        say("other policies", "none", others, "NetworkPolicies are the only kind of policy.", Status.UNKNOWN),
    ]  # fmt: skip


def _pod(item: Mapping[str, Any]) -> Pod:
    ports = tuple((name, protocol, number) for name, protocol, number in item["ports"])
    return Pod(item["name"], item["namespace"], item["labels"], ports, item["host_network"])
