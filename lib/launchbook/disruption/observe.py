"""Disruption budgets as the cluster holds them, with the pods that each selects."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from launchbook.errors import ClusterError
from launchbook.ours import of_a_run
from launchbook.run import Run
from launchbook.selector import matches

Object = dict[str, Any]
API = "policy/v1"
_SETTLED = 30.0  # s, until the run's own pods are gone and every budget has counted without them
_POLL = 0.5  # s


def budgets(run: Run) -> dict[str, Any]:
    """{"problem", "budgets": [{"name", "budget" (None where absent), "pods": [name], "shared": [pod also in another],
    "unsettled": why its status can't be gone by, or None, "bare": [pod that no controller owns], "crashing": [pod]}]}.

    The budgets are every one of the namespaces under launch, and those that `disruption.budgets` names. A probe pod in
    a source's labels counts in a budget, so each is read once the run's own pods are gone and the status says so.
    """
    found: dict[str, Any] = {"problem": None, "budgets": []}
    try:
        live, pods = settled(run, namespaces_of(run))
    except ClusterError as error:
        found["problem"] = f"The budgets could not be read: {error}"
        return found
    selected = {
        name: [p for p in pods[_home(name)] if _selects(item, p) and _of_the_system(p)] for name, item in live.items()
    }
    names = {name: [p["metadata"]["name"] for p in its] for name, its in selected.items()}
    for name in sorted({*live, *run.parameters.disruption.budgets}):
        mine = names.get(name, [])
        others = {
            pod
            for other, its in names.items()
            if other != name and _home(other) == _home(name)
            for pod in its
            if pod in mine
        }
        item = live.get(name)
        reason = unsettled(item, pods[_home(name)]) if item else None
        found["budgets"].append(
            {
                "name": name, "budget": item, "pods": mine, "shared": sorted(others), "unsettled": reason,
                "bare": [p["metadata"]["name"] for p in selected.get(name, ()) if not owner_of(p)],
                "crashing": [p["metadata"]["name"] for p in selected.get(name, ()) if is_crashing(p)],
            }
        )  # fmt: skip
    run.evidence("disruption/budgets.json", found)
    return found


def namespaces_of(run: Run) -> list[str]:
    """The namespaces whose budgets are read: those under launch, and those of `disruption.budgets`."""
    named = (name.partition("/")[0] for name in run.parameters.disruption.budgets)
    return sorted({*run.parameters.manifests.namespaces, *named})


def on_cluster(run: Run, namespaces: Sequence[str]) -> dict[str, Object]:
    """The budgets by name, as they are. Raises ClusterError."""
    return {
        _name(item): item
        for namespace in namespaces
        for item in run.cluster.list("PodDisruptionBudget", namespace, api_version=API)
    }


def settled(run: Run, namespaces: Sequence[str]) -> tuple[dict[str, Object], dict[str, list[Object]]]:
    """The budgets by name and the pods by namespace, as soon as no budget is unsettled(), or as they are in the end.

    Raises ClusterError.
    """
    deadline = time.monotonic() + _SETTLED
    while True:
        pods = {namespace: run.cluster.list("Pod", namespace) for namespace in namespaces}
        live = on_cluster(run, namespaces)
        if time.monotonic() > deadline or not any(unsettled(item, pods[_home(name)]) for name, item in live.items()):
            return live, pods
        run.progress("waiting until the budgets count the system's pods alone")
        time.sleep(_POLL)


def unsettled(budget: Mapping[str, Any], pods: Sequence[Mapping[str, Any]]) -> str | None:
    """Why a budget's status says nothing of the system's pods alone, or None where it does. pods: of its namespace.

    A whole number under minAvailable makes the controller count every pod that the selector fits; a percentage and
    maxUnavailable make it ask the pods' owners instead (https://kubernetes.io/docs/tasks/run-application/configure-pdb).
    """
    fitting = [pod for pod in pods if _selects(budget, pod)]
    if ours := [pod["metadata"]["name"] for pod in fitting if of_a_run(pod)]:
        return f"{', '.join(ours)} of a run still counts in it"
    counted = (budget.get("status") or {}).get("expectedPods", 0)
    # Whether it counts those that ended is the controller's own affair.
    counts = (len(fitting), sum(_of_the_system(pod) for pod in fitting))
    if isinstance(budget["spec"].get("minAvailable"), int) and counted not in counts:
        return f"its status counts {counted} pods, but its selector fits {len(fitting)}"
    return None


def workload_pods(run: Run, namespace: str) -> list[Object]:
    """The pods of a namespace that aren't the run's own, ended ones left out."""
    return [pod for pod in run.cluster.list("Pod", namespace) if _of_the_system(pod)]


def is_ready(pod: Object) -> bool:
    """Ready, and not on its way out."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return not pod["metadata"].get("deletionTimestamp") and any(
        c["type"] == "Ready" and c["status"] == "True" for c in conditions
    )


def owner_of(pod: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The controller that recreates a pod, or None where there is none."""
    return next((o for o in pod["metadata"].get("ownerReferences") or () if o.get("controller")), None)


def is_crashing(pod: Mapping[str, Any]) -> bool:
    """Whether a container of it waits to be started again after a crash."""
    status = pod.get("status") or {}
    states = [*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())]
    return any(((s.get("state") or {}).get("waiting") or {}).get("reason") == "CrashLoopBackOff" for s in states)


def _of_the_system(pod: Mapping[str, Any]) -> bool:
    ended = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
    return not of_a_run(pod) and not ended


def _selects(budget: Mapping[str, Any], pod: Mapping[str, Any]) -> bool:
    return matches(budget["spec"].get("selector"), pod["metadata"].get("labels") or {})


def _name(item: Object) -> str:
    return f"{item['metadata']['namespace']}/{item['metadata']['name']}"


def _home(name: str) -> str:
    return name.partition("/")[0]
