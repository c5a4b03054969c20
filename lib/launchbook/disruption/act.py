"""The proof of a budget: one eviction allowed, the next at once refused by it, everything ready again, and requests
answered meanwhile."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from launchbook.counted import counted
from launchbook.disruption.observe import is_ready, on_cluster, settled, unsettled, workload_pods
from launchbook.disruption.requests import Target, finish, sending, target
from launchbook.errors import ClusterError
from launchbook.run import Run
from launchbook.selector import matches
from launchbook.strict_yaml import nearest

Object = dict[str, Any]
_POLL = 0.25  # s
_MOST = 2  # evictions for one proof: a budget that allows more is not worn down to its end


def evict(run: Run) -> dict[str, Any]:
    """{"problem", "thresholds", "proofs": [{"name", "problem", "allowed", "evictions": [...], "refused": {...}, "healthy":
    [...], "requests": {...}, ...}]}.

    For each budget under `disruption.evict`. A refused eviction is tried as a dry run: were it allowed, nothing is lost.
    healthy: [seconds since the first eviction, pods ready] while it recovered; recovered: seconds until as many are ready
    as before, None if they did not become so; gone: seconds until no evicted pod is left, None if one stayed;
    requests: what those sent meanwhile met, see requests.Requests.since(), None where none was sent: unasked says why;
    thresholds: what the scenario asks of http_req_failed, which bounds them; judged by a default where it asks nothing.
    """
    bounds = list(run.parameters.load.thresholds.get("http_req_failed", ()))
    found: dict[str, Any] = {"problem": None, "thresholds": bounds, "proofs": []}
    names = run.parameters.disruption.evict
    if not names:
        found["problem"] = "The parameters name no budget to prove under `disruption.evict`."
    elif refusal := run.refusal("evict"):
        found["problem"] = refusal
    else:
        run.require("evict")
        found["proofs"] = [_proof(run, name) for name in names]
    run.evidence("disruption/evictions.json", found)
    return found


def _proof(run: Run, name: str) -> dict[str, Any]:
    proof: dict[str, Any] = {
        "name": name, "problem": None, "allowed": None, "desired": None, "evictions": [], "refused": None,
        "healthy": [], "recovered": None, "gone": None, "requests": None, "unasked": "",
    }  # fmt: skip
    namespace = name.partition("/")[0]
    try:
        live, pods = settled(run, [namespace])
        budget = live.get(name)
        if budget is None:
            known = on_cluster(run, run.parameters.manifests.namespaces)
            proof["problem"] = f"The budget is not on the cluster{nearest(name, known) or '.'}"
            return proof
        if reason := unsettled(budget, pods[namespace]):
            proof["problem"] = f"Nothing was evicted, since its figures can't be gone by: {reason}."
            return proof
        ready = _ready(budget, workload_pods(run, namespace))
        proof["allowed"] = allowed = budget["status"].get("disruptionsAllowed", 0)
        proof["desired"] = budget["status"].get("desiredHealthy", 0)
        if not 1 <= allowed <= _MOST or len(ready) <= allowed:
            proof["problem"] = (
                f"It allows {counted(allowed, 'disruption')} with {counted(len(ready), 'pod')} ready; a proof needs one or two, "
                "and a pod more."
            )
            return proof
        asked = target(run, budget, [p for p in pods[namespace] if p["metadata"]["name"] in ready])
        if isinstance(asked, Target):
            _under_requests(run, asked, budget, ready, proof)
        else:
            proof["unasked"] = asked
            _evict(run, budget, ready, proof)
    except ClusterError as error:
        proof["problem"] = str(error)
    return proof


def _under_requests(run: Run, asked: Target, budget: Object, ready: dict[str, str], proof: dict[str, Any]) -> None:
    """Evicts only once the requests are answered: a Service that is down already is left alone."""
    run.progress(f"sending requests to {asked.to}", 0.1)
    with sending(run, asked) as requests:
        if requests.problem:
            proof["problem"] = (
                f"Nothing was evicted, since requests to {asked.to} can't be measured: {requests.problem}."
            )
            return
        began = time.monotonic()
        _evict(run, budget, ready, proof)
        finish(run, requests)
        proof["requests"] = requests.since(began)


def _evict(run: Run, budget: Object, ready: dict[str, str], proof: dict[str, Any]) -> None:
    namespace = budget["metadata"]["namespace"]
    began = time.monotonic()
    _try(run, namespace, ready, proof["allowed"], proof)
    _recover(run, namespace, budget, ready, began, proof)


def _try(run: Run, namespace: str, ready: dict[str, str], allowed: int, proof: dict[str, Any]) -> None:
    run.progress(f"evicting one pod of {proof['name']}, then asking for the next", 0.3)
    names = list(ready)
    for pod in names[:allowed]:
        answer = run.cluster.evict(namespace, pod)
        proof["evictions"].append({"pod": pod, "status": answer.status, "message": answer.body.get("message", "")})
        if answer.status >= 400:
            return
    pod = names[allowed]
    answer = run.cluster.evict(namespace, pod, dry_run=True)
    causes = (answer.body.get("details") or {}).get("causes") or ()
    proof["refused"] = {
        "pod": pod,
        "status": answer.status,
        "message": answer.body.get("message", ""),
        "causes": [{"reason": c.get("reason"), "message": c.get("message")} for c in causes],
    }


def _recover(
    run: Run, namespace: str, budget: Object, before: dict[str, str], began: float, proof: dict[str, Any]
) -> None:
    """Watches until as many pods are ready as before and the evicted ones are gone. before: name -> uid; began: monotonic, s.

    The requests go on until then too: a pod that ends slowly may be sent clients after its replacement is ready.
    """
    run.progress(f"waiting until {proof['name']} is whole again", 0.7)
    evicted = {before[one["pod"]] for one in proof["evictions"] if one["status"] < 300}
    if not evicted:
        return
    while (spent := time.monotonic() - began) <= run.parameters.disruption.ready_timeout:
        pods = workload_pods(run, namespace)
        ready = _ready(budget, pods)
        if proof["recovered"] is None:
            proof["healthy"].append([round(spent, 2), len(ready)])
            if len(ready) >= len(before) and not evicted.intersection(ready.values()):
                proof["recovered"] = round(spent, 2)
        if evicted.isdisjoint(pod["metadata"]["uid"] for pod in pods):
            proof["gone"] = round(spent, 2) if proof["gone"] is None else proof["gone"]
        if None not in (proof["recovered"], proof["gone"]):
            return
        time.sleep(_POLL)


def _ready(budget: Object, pods: Iterable[Object]) -> dict[str, str]:
    """Name -> uid of those of a budget's pods that are ready."""
    selector = budget["spec"].get("selector")
    return {
        pod["metadata"]["name"]: pod["metadata"]["uid"]
        for pod in pods
        if matches(selector, pod["metadata"].get("labels") or {}) and is_ready(pod)
    }
