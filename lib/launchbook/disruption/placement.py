"""What a drain is simulated from: where the system's pods run, on what nodes, under which budgets, workloads and scalers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from launchbook.disruption.observe import is_crashing, is_ready, namespaces_of, owner_of, settled, unsettled
from launchbook.errors import ClusterError
from launchbook.ours import of_a_run
from launchbook.run import Run
from launchbook.workloads import workloads

Object = dict[str, Any]
_KINDS = {
    "Deployment": "apps/v1", "StatefulSet": "apps/v1", "ReplicaSet": "apps/v1", "ReplicationController": "v1",
    "HorizontalPodAutoscaler": "autoscaling/v1",
}  # fmt: skip
_SCHEDULING = ("nodeSelector", "affinity", "tolerations", "topologySpreadConstraints")


def placement(run: Run) -> dict[str, Any]:
    """{"problem", "unread": {kind: why}, "nodes", "pods", "budgets", "workloads", "autoscalers"}: lists of

    nodes {"name", "labels", "taints", "unschedulable"} · pods {"namespace", "name", "node", "labels", "owner": [kind,
    name] or None, "phase", "ready", "ending", "mirror", "emptydir", "claims", "crashing", "seconds" (from its creation to
    Ready, None where it isn't), "spec" (what the scheduler goes by)} · budgets {"namespace", "name", "selector", "spec",
    "desired", "expected", "policy", "failed", "unsettled"} · workloads {"namespace", "kind", "name", "replicas", "labels",
    "replicasets"} · autoscalers {"name", "target": [namespace, kind, name], "min"}.

    Reads the namespaces under launch, those of `disruption.budgets`, and the nodes. A pod of the run's own is left out.
    """
    found: dict[str, Any] = {
        "problem": None, "unread": {}, "nodes": [], "pods": [], "budgets": [], "workloads": [], "autoscalers": [],
    }  # fmt: skip
    namespaces = namespaces_of(run)
    try:
        found["nodes"] = [_node(item) for item in run.cluster.list("Node")]
        live, pods = settled(run, namespaces)
        found["pods"] = [_pod(p) for items in pods.values() for p in items if not of_a_run(p)]
        found["budgets"] = [_budget(item, pods[item["metadata"]["namespace"]]) for _, item in sorted(live.items())]
    except ClusterError as error:
        found["problem"] = f"What a drain would do could not be read: {error}"
    else:
        read = {kind: _read(run, kind, namespaces, found["unread"]) for kind in _KINDS}
        found["workloads"] = _workloads(read)
        found["autoscalers"] = [_scaler(item) for item in read["HorizontalPodAutoscaler"]]
    run.evidence("disruption/placement.json", found)
    return found


def _read(run: Run, kind: str, namespaces: list[str], unread: dict[str, str]) -> list[Object]:
    try:
        return [i for namespace in namespaces for i in run.cluster.list(kind, namespace, api_version=_KINDS[kind])]
    except ClusterError as error:
        unread[kind] = str(error)
        return []


def _node(item: Mapping[str, Any]) -> Object:
    meta, spec = item["metadata"], item.get("spec") or {}
    taints = [{k: t[k] for k in ("key", "value", "effect") if k in t} for t in spec.get("taints") or ()]
    return {
        "name": meta["name"], "labels": meta.get("labels") or {}, "taints": taints,
        "unschedulable": bool(spec.get("unschedulable")),
    }  # fmt: skip


def _pod(item: Object) -> Object:
    meta, spec, status = item["metadata"], item["spec"], item.get("status") or {}
    owner = owner_of(item)
    volumes = spec.get("volumes") or ()
    claims = [v["persistentVolumeClaim"]["claimName"] for v in volumes if v.get("persistentVolumeClaim")]
    return {
        "namespace": meta["namespace"], "name": meta["name"], "node": spec.get("nodeName"),
        "labels": meta.get("labels") or {}, "owner": [owner["kind"], owner["name"]] if owner else None,
        "phase": status.get("phase", ""), "ready": is_ready(item), "ending": bool(meta.get("deletionTimestamp")),
        "mirror": "kubernetes.io/config.mirror" in (meta.get("annotations") or {}),
        "emptydir": any(v.get("emptyDir") is not None for v in volumes),
        "claims": claims + [v["name"] for v in volumes if v.get("ephemeral")],
        "crashing": is_crashing(item), "seconds": _seconds(item) if is_ready(item) else None,
        "spec": {key: spec[key] for key in _SCHEDULING if spec.get(key)},
    }  # fmt: skip


def _seconds(item: Object) -> float | None:
    """From a pod's creation to its readiness; longer than it took where it was not ready in between."""
    ready = next(c for c in item["status"]["conditions"] if c["type"] == "Ready")
    born, since = item["metadata"].get("creationTimestamp"), ready.get("lastTransitionTime")
    if not born or not since:
        return None
    return (datetime.fromisoformat(since) - datetime.fromisoformat(born)).total_seconds()


def _budget(item: Object, pods: list[Object]) -> Object:
    meta, spec, status = item["metadata"], item["spec"], item.get("status") or {}
    stale = status.get("observedGeneration") != meta.get("generation")
    failed = (c for c in status.get("conditions") or () if c.get("reason") == "SyncFailed")
    return {
        "namespace": meta["namespace"], "name": f"{meta['namespace']}/{meta['name']}", "selector": spec.get("selector"),
        "spec": {k: spec[k] for k in ("minAvailable", "maxUnavailable") if spec.get(k) is not None},
        "desired": status.get("desiredHealthy", 0), "expected": status.get("expectedPods", 0),
        "policy": spec.get("unhealthyPodEvictionPolicy", "IfHealthyBudget"),
        "failed": next((c.get("message", "") for c in failed), None),
        "unsettled": "the disruption controller has not seen its generation yet" if stale else unsettled(item, pods),
    }  # fmt: skip


def _workloads(read: Mapping[str, list[Object]]) -> list[Object]:
    kinds = [kind for kind in _KINDS if kind != "HorizontalPodAutoscaler"]
    return [
        {
            "namespace": item["metadata"]["namespace"], "kind": item["kind"], "name": item["metadata"]["name"],
            "replicas": item["spec"].get("replicas", 1),
            "labels": item["spec"]["template"]["metadata"].get("labels") or {},
            "replicasets": [r["metadata"]["name"] for r in read["ReplicaSet"] if _owned(r, item)],
        }
        for item in workloads(read, kinds)
    ]  # fmt: skip


def _owned(item: Object, owner: Mapping[str, Any]) -> bool:
    wanted = (owner["kind"], owner["metadata"]["name"], owner["metadata"]["namespace"])
    owners = item["metadata"].get("ownerReferences") or ()
    return any((o["kind"], o["name"], item["metadata"]["namespace"]) == wanted for o in owners if o.get("controller"))


def _scaler(item: Object) -> Object:
    namespace, target = item["metadata"]["namespace"], item["spec"]["scaleTargetRef"]
    least = item["spec"].get("minReplicas")
    return {
        "name": f"{namespace}/{item['metadata']['name']}", "target": [namespace, target["kind"], target["name"]],
        "min": 1 if least is None else least,
    }  # fmt: skip
