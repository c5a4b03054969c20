"""Does the network plugin enforce policies at all, and on every node? Asked in a namespace of the run's own."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from launchbook.errors import ClusterError
from launchbook.isolation.connect import ALLOWED, DROPPED, REFUSED, Target, connect
from launchbook.pods import await_running, drop_namespace, ensure_namespace, pod
from launchbook.run import Run

PORT = 8080
_POLICY = "canary-deny"
_START = 60.0  # s, for a canary's pods to run
_OPEN_ATTEMPTS = 10  # a route to a new pod takes a moment
Object = dict[str, Any]


def scratch(run: Run) -> str:
    """The run's own namespace for canary and controls."""
    return f"{run.parameters.isolation.scratch_namespace}-{run.id[-12:].lower().replace('_', '-').strip('-')}"


def listener(run: Run, name: str, labels: dict[str, str], node: str | None = None) -> Object:
    """A pod in the scratch namespace that accepts connections on PORT."""
    command = ["nc", "-ll", "-p", str(PORT), "-e", "/bin/true"]
    container = {"name": "listener", "image": run.parameters.isolation.probe_image, "command": command}
    return pod(name, scratch(run), {**run.label, **labels}, container, node=node)


def prober(run: Run, name: str, namespace: str, labels: dict[str, str], node: str | None = None) -> Object:
    """A pod that waits to be told what to connect to, and is never Ready; see guise.captured() for who takes it in."""
    container = {
        "name": "probe", "image": run.parameters.isolation.probe_image, "command": ["sleep", "3600"],
        "readinessProbe": {"exec": {"command": ["/bin/false"]}, "periodSeconds": 60},
    }  # fmt: skip
    return pod(name, namespace, {**labels, **run.label}, container, node=node)


def nodes_in_scope(run: Run) -> list[str]:
    """The nodes on which pods of the namespaces under launch run."""
    pods = [p for namespace in run.parameters.manifests.namespaces for p in run.cluster.list("Pod", namespace)]
    return sorted({p["spec"]["nodeName"] for p in pods if p["spec"].get("nodeName") and not _ended(p)})


def _ended(item: Object) -> bool:
    return (item.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def enforcement(run: Run) -> dict[str, Any]:
    """Open, then denied, on every node: {"problem": str | None, "nodes": [{"node", "open", "blocked", "lag", "because"}]}.

    open, blocked: whether the listener answered before, and was silent after, the policy (None: could not be tried);
    lag: seconds from applying the policy to the last of the confirmed blocks. Everything it made is gone when it returns.
    """
    found: dict[str, Any] = {"problem": None, "nodes": []}
    if not run.allowed("probe"):
        found["problem"] = "This run may not probe (`allow: [probe]`, not read-only, and confirmed where protected)."
        return found
    run.require("probe")
    namespace = scratch(run)
    run.at_exit(lambda: drop_namespace(run.cluster, namespace))
    try:
        nodes = nodes_in_scope(run)
        if not nodes:
            found["problem"] = "No pod of the namespaces under launch runs on any node, so no node is in scope."
            return found
        ensure_namespace(run.cluster, namespace, run.label)
        found["nodes"] = _canaries(run, namespace, nodes)
    except ClusterError as error:
        found["problem"] = f"The canary could not be tried: {error}"
    finally:
        drop_namespace(run.cluster, namespace)
        run.evidence("isolation/canary.json", found)
    return found


def _canaries(run: Run, namespace: str, nodes: list[str]) -> list[dict[str, Any]]:
    run.progress("starting a listener and a prober on every node", 0.1)
    for n, node in enumerate(nodes):
        run.cluster.create(listener(run, f"canary-{n}", {"launchbook.io/canary": "listener"}, node))
        run.cluster.create(prober(run, f"canary-prober-{n}", namespace, {"launchbook.io/canary": "prober"}, node))
    rows: dict[str, dict[str, Any]] = {
        node: {"node": node, "open": None, "blocked": None, "lag": None, "because": ""} for node in nodes
    }
    addresses, probers = {}, []
    for n, node in enumerate(nodes):
        try:
            addresses[node] = await_running(run.cluster, namespace, f"canary-{n}", _START)["status"]["podIP"]
            await_running(run.cluster, namespace, f"canary-prober-{n}", _START)
            probers.append(f"canary-prober-{n}")
        except ClusterError as error:
            rows[node]["because"] = str(error)
    # A prober on a broken node reaches nobody: each listener is held against the probers that did reach it.
    before = _round(run, namespace, probers, addresses, _OPEN_ATTEMPTS)
    witnesses = {node: [p for p in probers if ALLOWED in before[p][node]] for node in addresses}
    for node, seen_by in witnesses.items():
        rows[node]["open"] = bool(seen_by)
        if not seen_by:
            said = dict.fromkeys(outcome for p in probers for outcome in before[p][node])
            rows[node]["because"] = f"Its listener never answered before the policy: {', '.join(said) or 'not probed'}."
    reached = {node: address for node, address in addresses.items() if witnesses[node]}
    run.progress("denying everybody, and waiting until every listener falls silent", 0.6)
    run.cluster.create(_deny(run, namespace))
    _await_block(run, namespace, reached, witnesses, rows)
    _still_alive(run, namespace, reached, witnesses, rows)
    return list(rows.values())


def _await_block(
    run: Run,
    namespace: str,
    addresses: dict[str, str],
    witnesses: dict[str, list[str]],
    rows: dict[str, dict[str, Any]],
) -> None:
    """Polls until every node blocked `confirmations` times in a row, or the deadline is over."""
    isolation = run.parameters.isolation
    began = time.monotonic()
    left = dict(addresses)
    while left:
        seen = _round(
            run, namespace, sorted({p for node in left for p in witnesses[node]}), left, isolation.confirmations
        )
        for node in list(left):
            outcomes = [seen[p][node] for p in witnesses[node]]
            if all(len(o) >= isolation.confirmations and set(o) <= {DROPPED, REFUSED} for o in outcomes):
                lag = round(time.monotonic() - began, 2)
                rows[node] |= {
                    "blocked": True,
                    "lag": lag,
                    "because": "Open, denied, and open again without the policy.",
                }
                del left[node]
        if time.monotonic() - began > isolation.enforcement_deadline:
            break
    for node in left:
        rows[node] |= {
            "blocked": False,
            "because": f"It still answered {isolation.enforcement_deadline:g} s after a policy denied everybody.",
        }


def _still_alive(
    run: Run,
    namespace: str,
    addresses: dict[str, str],
    witnesses: dict[str, list[str]],
    rows: dict[str, dict[str, Any]],
) -> None:
    """Without the policy each listener must answer again: one that died meanwhile was silent for another reason."""
    blocked = {node: address for node, address in addresses.items() if rows[node]["blocked"]}
    if not blocked:
        return
    run.cluster.delete("NetworkPolicy", _POLICY, namespace, api_version="networking.k8s.io/v1")
    seen = _round(run, namespace, sorted({p for node in blocked for p in witnesses[node]}), blocked, _OPEN_ATTEMPTS)
    for node in blocked:
        if not all(ALLOWED in seen[p][node] for p in witnesses[node]):
            because = "It fell silent, but did not answer again once the policy was gone, so it may have been down."
            rows[node] |= {"blocked": None, "because": because}


def _round(
    run: Run, namespace: str, probers: list[str], addresses: dict[str, str], attempts: int
) -> dict[str, dict[str, list[str]]]:
    """Prober -> node -> the outcome of each attempt at its listener; all probers at once."""
    targets = [Target(node, address, PORT, attempts) for node, address in addresses.items()]
    timeout = run.parameters.isolation.probe_timeout
    with ThreadPoolExecutor(max_workers=8) as pool:
        asked = {p: pool.submit(connect, run.cluster, namespace, p, targets, timeout) for p in probers}
        return {p: future.result() for p, future in asked.items()}


def _deny(run: Run, namespace: str) -> Object:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": _POLICY, "namespace": namespace, "labels": dict(run.label)},
        "spec": {
            "podSelector": {"matchLabels": {"launchbook.io/canary": "listener"}},
            "policyTypes": ["Ingress"],
            "ingress": [],
        },
    }
