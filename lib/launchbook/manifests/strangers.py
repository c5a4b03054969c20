"""Which of the pods that run belong to other manifests than those rendered. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from launchbook.manifests.naming import name
from launchbook.workloads import controller_of

Object = Mapping[str, Any]


def strangers(live: Sequence[Object], rendered: Sequence[Object]) -> dict[str, Object]:
    """`Pod/namespace/name` -> {"namespace", "labels"} of each live pod that no rendered workload makes and hasn't ended.

    Those of rendered workloads are replaced by what is rendered, whatever labels they carry now.
    """
    makers = {name(item) for item in rendered}
    return {
        name({"kind": "Pod", **pod}): {
            "namespace": pod["metadata"]["namespace"],
            "labels": pod["metadata"].get("labels") or {},
        }
        for pod in live
        if makers.isdisjoint(_makers(pod)) and (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")
    }


def _makers(pod: Object) -> set[str]:
    """`Kind/namespace/name` of whatever may have made a pod, by the names that controllers give."""
    meta = pod["metadata"]
    found, owner = {("Pod", meta["name"])}, controller_of(pod)
    if owner:
        found.add((owner["kind"], owner["name"]))
        template = (meta.get("labels") or {}).get("pod-template-hash")
        if owner["kind"] == "ReplicaSet" and template:
            found.add(("Deployment", owner["name"].removesuffix(f"-{template}")))
        if owner["kind"] == "Job":
            found.add(("CronJob", owner["name"].rpartition("-")[0]))
    return {f"{kind}/{meta['namespace']}/{one}" for kind, one in found}
