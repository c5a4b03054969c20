"""Does the network plugin enforce policies at all, and on every node? Asked in a namespace of the run's own."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import Any, TypeVar

from launchbook.errors import ClusterError
from launchbook.isolation.connect import ALLOWED, Prober, Target, prober
from launchbook.isolation.held import hold
from launchbook.isolation.polling import await_blocks
from launchbook.isolation.scratch import ECHO, PORT, listener, open_namespace, prober_pod, scratch
from launchbook.pods import await_running, drop_namespace
from launchbook.run import Run

_POLICY, _API = "canary-deny", "networking.k8s.io/v1"
_START = 60.0  # s, for a canary's pods to run
_OPEN_ATTEMPTS = 10  # a route to a new pod takes a moment
_FEW = 3  # listeners that a prober is to lose when it may not send
Object = dict[str, Any]
Rows = dict[str, dict[str, Any]]  # by node
Witnesses = Mapping[str, list[str]]  # node -> the nodes whose probers reached its listener
Reached = Mapping[str, Mapping[str, str]]  # prober -> node -> address of its listener
T = TypeVar("T")


def nodes_in_scope(run: Run) -> list[str]:
    """The nodes on which pods of the namespaces under launch run."""
    pods = [p for namespace in run.parameters.manifests.namespaces for p in run.cluster.list("Pod", namespace)]
    return sorted({p["spec"]["nodeName"] for p in pods if p["spec"].get("nodeName") and not _ended(p)})


def _ended(item: Object) -> bool:
    return (item.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def enforcement(run: Run) -> dict[str, Any]:
    """Open, then denied, on every node: {"problem": str | None, "nodes": [{"node", "open", "blocked", "lag", "held",
    "sends", "sends_lag", "because"}]}.

    open, blocked: whether the listener answered before, and was silent after, the policy (None: could not be tried);
    lag: seconds from applying the policy to the first of the confirmed blocks; held: whether bytes still passed over a
    connection that stood before the policy; sends, sends_lag: whether the node's prober still reached a listener under a
    policy that denies it to send (None: could not be tried), and seconds until it did not. Everything it made is gone
    when it returns.
    """
    found: dict[str, Any] = {"problem": None, "nodes": []}
    if refusal := run.refusal("probe"):
        found["problem"] = refusal
        return found
    run.require("probe")
    namespace = scratch(run)
    run.at_exit(lambda: drop_namespace(run.cluster, namespace))
    try:
        nodes = nodes_in_scope(run)
        if not nodes:
            found["problem"] = "No pod of the namespaces under launch runs on any node, so no node is in scope."
            return found
        open_namespace(run, namespace)
        found["nodes"] = _canaries(run, namespace, nodes)
    except ClusterError as error:
        found["problem"] = f"The canary could not be tried: {error}"
    finally:
        with suppress(ClusterError):  # tried again at the run's end, and A.cleanup tells what is left
            drop_namespace(run.cluster, namespace)
        run.evidence("isolation/canary.json", found)
    return found


def _canaries(run: Run, namespace: str, nodes: list[str]) -> list[dict[str, Any]]:
    run.progress("starting a listener and a prober on every node", 0.1)
    unknown = dict.fromkeys(("open", "blocked", "lag", "held", "sends", "sends_lag"))
    rows: Rows = {node: {"node": node, **unknown, "because": ""} for node in nodes}
    addresses, probers = _started(run, namespace, rows)
    with ExitStack() as stack:
        shells = _shells(run, namespace, probers, rows, stack)
        # A prober on a broken node reaches nobody: each listener is held against the probers that did reach it.
        before = _rounds(shells, dict.fromkeys(shells, addresses))
        witnesses = {node: [p for p in shells if ALLOWED in before[p][node]] for node in addresses}
        for node, seen_by in witnesses.items():
            rows[node]["open"] = bool(seen_by)
            if not seen_by:
                said = dict.fromkeys(outcome for p in shells for outcome in before[p][node])
                because = f"Its listener never answered before the policy: {', '.join(said) or 'not probed'}."
                rows[node]["because"] = because
        reached = {node: address for node, address in addresses.items() if witnesses[node]}
        held = {
            node: stack.enter_context(hold(run.cluster, namespace, probers[witnesses[node][0]], address, ECHO))
            for node, address in reached.items()
        }
        run.progress("denying everybody, and waiting until every listener falls silent", 0.6)
        run.cluster.create(_policy(run, namespace, "listener", "Ingress"))
        _await_block(run, shells, reached, witnesses, rows)
        for node, one in held.items():
            if one is not None and rows[node]["blocked"]:
                with suppress(ClusterError):  # the session broke, not the connection: nothing is known
                    rows[node]["held"] = one.survives()
        again = _still_alive(run, namespace, shells, reached, witnesses, rows)
        _sending(run, namespace, shells, again, rows)
    return list(rows.values())


def _started(run: Run, namespace: str, rows: Rows) -> tuple[dict[str, str], dict[str, str]]:
    """Node -> its listener's address, and node -> its prober, of those that run."""
    for n, node in enumerate(rows):
        run.cluster.create(listener(run, f"canary-{n}", namespace, {"launchbook.io/canary": "listener"}, node))
        run.cluster.create(prober_pod(run, f"canary-prober-{n}", namespace, {"launchbook.io/canary": "prober"}, node))
    addresses, probers = {}, {}
    for n, node in enumerate(rows):
        try:
            addresses[node] = await_running(run.cluster, namespace, f"canary-{n}", _START)["status"]["podIP"]
            await_running(run.cluster, namespace, f"canary-prober-{n}", _START)
            probers[node] = f"canary-prober-{n}"
        except ClusterError as error:
            rows[node]["because"] = str(error)
    return addresses, probers


def _shells(run: Run, namespace: str, probers: Mapping[str, str], rows: Rows, stack: ExitStack) -> dict[str, Prober]:
    found = {}
    for node, pod in probers.items():
        try:
            timeout = run.parameters.isolation.probe_timeout
            found[node] = stack.enter_context(prober(run.cluster, namespace, pod, timeout))
        except ClusterError as error:
            rows[node]["because"] = str(error)
    return found


def _await_block(
    run: Run, shells: Mapping[str, Prober], addresses: Mapping[str, str], witnesses: Witnesses, rows: Rows
) -> None:
    """Polls until every witness of a node was blocked `confirmations` times in a row, or the deadline is over."""
    asked = {p: {n: a for n, a in addresses.items() if p in witnesses[n]} for p in shells}
    since, began = _silences(run, shells, asked)
    for node in addresses:
        seen = [since[p].get(node) for p in witnesses[node]]
        times = [one for one in seen if one is not None]
        if len(times) == len(seen):
            because = "Open, denied, and open again without the policy."
            rows[node] |= {"blocked": True, "lag": round(max(times) - began, 2), "because": because}
        else:
            deadline = run.parameters.isolation.enforcement_deadline
            because = f"It still answered {deadline:g} s after a policy denied everybody."
            rows[node] |= {"blocked": False, "because": because}


def _still_alive(
    run: Run,
    namespace: str,
    shells: Mapping[str, Prober],
    addresses: Mapping[str, str],
    witnesses: Witnesses,
    rows: Rows,
) -> dict[str, dict[str, str]]:
    """Without the policy each listener must answer again: one that died meanwhile was silent for another reason.

    Prober -> node -> address of the listeners that answer it.
    """
    run.cluster.delete("NetworkPolicy", _POLICY, namespace, api_version=_API)
    asked = {p: {n: a for n, a in addresses.items() if p in witnesses[n]} for p in shells}
    seen = _rounds(shells, asked)
    for node in addresses:
        if rows[node]["blocked"] and not all(ALLOWED in seen[p][node] for p in witnesses[node]):
            because = "It fell silent, but did not answer again once the policy was gone, so it may have been down."
            rows[node] |= {"blocked": None, "held": None, "because": because}
    return {p: {n: a for n, a in those.items() if ALLOWED in seen[p][n]} for p, those in asked.items()}


def _sending(run: Run, namespace: str, shells: Mapping[str, Prober], reached: Reached, rows: Rows) -> None:
    """The other direction: each node's prober reaches listeners, may send to nobody, and reaches them again."""
    few = {p: dict(list(those.items())[:_FEW]) for p, those in reached.items() if those}
    run.progress("denying every prober to send, and waiting until it reaches nobody", 0.8)
    run.cluster.create(_policy(run, namespace, "prober", "Egress"))
    since, began = _silences(run, {p: shells[p] for p in few}, few)
    run.cluster.delete("NetworkPolicy", _POLICY, namespace, api_version=_API)
    again = _rounds({p: shells[p] for p in few}, few)
    for node, row in rows.items():
        if node not in few:
            row["because"] = (
                f"{row['because']} Its prober reached no listener, so nothing is known of what it may send."
            )
        elif len(since[node]) < len(few[node]):
            row["sends"] = True
            row["because"] = (
                f"{row['because']} Its prober still reached a listener {run.parameters.isolation.enforcement_deadline:g} s "
                "after a policy denied it to send."
            )
        elif all(ALLOWED in outcomes for outcomes in again[node].values()):
            row |= {"sends": False, "sends_lag": round(max(since[node].values()) - began, 2)}
        else:
            row["because"] = (
                f"{row['because']} Its prober reached nobody once the policy was gone again, so it may be down."
            )


def _silences(run: Run, shells: Mapping[str, Prober], asked: Reached) -> tuple[dict[str, dict[str, float]], float]:
    """Prober -> node -> when its block began, of those that were blocked `confirmations` times in a row in time.

    The second is when the asking began, in seconds of the same clock.
    """
    isolation = run.parameters.isolation
    began = time.monotonic()
    until = began + isolation.enforcement_deadline

    def poll(name: str) -> dict[str, float]:
        targets = [Target(node, address, PORT, 1) for node, address in asked[name].items()]
        found: dict[str, float] = {}
        await_blocks(shells[name], targets, isolation.confirmations, lambda: until, found)
        return found

    return _each(shells, poll), began


def _rounds(shells: Mapping[str, Prober], asked: Reached) -> dict[str, dict[str, list[str]]]:
    """Prober -> node -> the outcome of each attempt at the listeners that it is to ask; all probers at once."""
    return _each(shells, lambda p: shells[p].round([Target(n, a, PORT, _OPEN_ATTEMPTS) for n, a in asked[p].items()]))


def _each(shells: Mapping[str, Prober], do: Callable[[str], T]) -> dict[str, T]:
    with ThreadPoolExecutor(max_workers=8) as pool:
        return dict(zip(shells, pool.map(do, shells), strict=True))


def _policy(run: Run, namespace: str, whom: str, direction: str) -> Object:
    """A policy that allows the pods of one part nothing in one direction."""
    return {
        "apiVersion": _API,
        "kind": "NetworkPolicy",
        "metadata": {"name": _POLICY, "namespace": namespace, "labels": dict(run.label)},
        "spec": {
            "podSelector": {"matchLabels": {"launchbook.io/canary": whom}},
            "policyTypes": [direction],
            direction.lower(): [],
        },
    }
