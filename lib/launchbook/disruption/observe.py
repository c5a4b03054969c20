"""Disruption budgets as the cluster holds them, with the pods that each selects."""

from __future__ import annotations

from typing import Any

from launchbook.errors import ClusterError
from launchbook.run import RUN_LABEL, Run
from launchbook.selector import matches

Object = dict[str, Any]
API = "policy/v1"


def budgets(run: Run) -> dict[str, Any]:
    """{"problem", "budgets": [{"name", "budget" (None where absent), "pods": [name], "shared": [pod also in another]}]}.

    The budgets are those that `disruption.budgets` names, else every one of the namespaces under launch.
    """
    found: dict[str, Any] = {"problem": None, "budgets": []}
    try:
        live = {
            _name(item): item
            for namespace in run.parameters.manifests.namespaces
            for item in run.cluster.list("PodDisruptionBudget", namespace, api_version=API)
        }
        pods = {ns: workload_pods(run, ns) for ns in {name.split("/")[0] for name in live}}
    except ClusterError as error:
        found["problem"] = f"The budgets could not be read: {error}"
        return found
    selected = {
        name: [
            p["metadata"]["name"]
            for p in pods[name.split("/")[0]]
            if matches(item["spec"].get("selector"), p["metadata"].get("labels") or {})
        ]
        for name, item in live.items()
    }
    for name in run.parameters.disruption.budgets or sorted(live):
        mine = selected.get(name, [])
        others = {
            pod
            for other, its in selected.items()
            if other != name and _beside(other, name)
            for pod in its
            if pod in mine
        }
        found["budgets"].append({"name": name, "budget": live.get(name), "pods": mine, "shared": sorted(others)})
    run.evidence("disruption/budgets.json", found)
    return found


def workload_pods(run: Run, namespace: str) -> list[Object]:
    """The pods of a namespace that aren't the run's own, ended ones left out."""
    return [
        pod
        for pod in run.cluster.list("Pod", namespace)
        if RUN_LABEL not in (pod["metadata"].get("labels") or {})
        and (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")
    ]


def is_ready(pod: Object) -> bool:
    """Ready, and not on its way out."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return not pod["metadata"].get("deletionTimestamp") and any(
        c["type"] == "Ready" and c["status"] == "True" for c in conditions
    )


def _name(item: Object) -> str:
    return f"{item['metadata']['namespace']}/{item['metadata']['name']}"


def _beside(one: str, other: str) -> bool:
    return one.split("/")[0] == other.split("/")[0]
