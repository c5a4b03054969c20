"""The proof of a budget: one eviction allowed, the next at once refused by it, everything ready again, and requests
answered meanwhile."""

from __future__ import annotations

import time
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
    healthy: [seconds since the first eviction, pods ready] while it recovered; recovered: seconds, None if it did not;
    requests: what those sent meanwhile met, see requests.Requests.since(), None where none was sent: unasked says why;
    thresholds: what the scenario asks of http_req_failed, which bounds them.
    """
    bounds = list(run.parameters.load.thresholds.get("http_req_failed", ()))
    found: dict[str, Any] = {"problem": None, "thresholds": bounds, "proofs": []}
    names = run.parameters.disruption.evict
    if not names:
        found["problem"] = "The parameters name no budget to prove under `disruption.evict`."
    elif not run.allowed("evict"):
        found["problem"] = "This run may not evict (`allow: [evict]`, not read-only, and confirmed where protected)."
    else:
        run.require("evict")
        found["proofs"] = [_proof(run, name) for name in names]
    run.evidence("disruption/evictions.json", found)
    return found


def _proof(run: Run, name: str) -> dict[str, Any]:
    proof: dict[str, Any] = {
        "name": name, "problem": None, "allowed": None, "desired": None, "evictions": [], "refused": None,
        "healthy": [], "recovered": None, "requests": None, "unasked": "",
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
        ready = _ready(run, namespace, budget)
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


def _under_requests(run: Run, asked: Target, budget: Object, ready: list[str], proof: dict[str, Any]) -> None:
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


def _evict(run: Run, budget: Object, ready: list[str], proof: dict[str, Any]) -> None:
    namespace = budget["metadata"]["namespace"]
    began = time.monotonic()
    _try(run, namespace, ready, proof["allowed"], proof)
    _recover(run, namespace, budget, len(ready), began, proof)


def _try(run: Run, namespace: str, ready: list[str], allowed: int, proof: dict[str, Any]) -> None:
    run.progress(f"evicting one pod of {proof['name']}, then asking for the next", 0.3)
    for pod in ready[:allowed]:
        answer = run.cluster.evict(namespace, pod)
        proof["evictions"].append({"pod": pod, "status": answer.status, "message": answer.body.get("message", "")})
        if answer.status >= 400:
            return
    pod = ready[allowed]
    answer = run.cluster.evict(namespace, pod, dry_run=True)
    causes = (answer.body.get("details") or {}).get("causes") or ()
    proof["refused"] = {
        "pod": pod,
        "status": answer.status,
        "message": answer.body.get("message", ""),
        "causes": [{"reason": c.get("reason"), "message": c.get("message")} for c in causes],
    }


def _recover(run: Run, namespace: str, budget: Object, wanted: int, began: float, proof: dict[str, Any]) -> None:
    """Watches until as many pods are ready as before, and none of the evicted ones among them. began: monotonic, s."""
    run.progress(f"waiting until {proof['name']} is whole again", 0.7)
    if not any(one["status"] < 300 for one in proof["evictions"]):
        return
    dipped = False
    while (spent := time.monotonic() - began) <= run.parameters.disruption.ready_timeout:
        count = len(_ready(run, namespace, budget))
        proof["healthy"].append([round(spent, 2), count])
        dipped = dipped or count < wanted
        if dipped and count >= wanted:
            proof["recovered"] = round(spent, 2)
            return
        time.sleep(_POLL)


def _ready(run: Run, namespace: str, budget: Object) -> list[str]:
    selector = budget["spec"].get("selector")
    return [
        pod["metadata"]["name"]
        for pod in workload_pods(run, namespace)
        if matches(selector, pod["metadata"].get("labels") or {}) and is_ready(pod)
    ]
