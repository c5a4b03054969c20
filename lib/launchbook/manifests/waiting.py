"""Waits until what was applied is ready, and looks at everything once more at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from launchbook.cluster import Cluster
from launchbook.errors import ClusterError
from launchbook.groups import built_in
from launchbook.manifests.kinds import State
from launchbook.manifests.naming import name
from launchbook.manifests.observe import Rendered
from launchbook.manifests.order import together
from launchbook.manifests.ready import covering, serving, state_of
from launchbook.run import Run
from launchbook.selector import matches

Object = dict[str, Any]
_DRAGGED = 10.0  # s
_TOLD = 200  # characters of what is waited for
_POLL = 0.5  # s, between two looks at what is not ready yet
# Whether these are ready is a matter of their pods too.
_WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job")
# What these are is told by no status: they exist once they are applied.
_STATELESS = (
    "ConfigMap", "Secret", "ServiceAccount", "LimitRange", "ResourceQuota", "PodTemplate", "Role", "RoleBinding", "ClusterRole",
    "ClusterRoleBinding", "StorageClass", "PriorityClass", "IngressClass", "RuntimeClass", "NetworkPolicy", "CronJob",
    "Ingress", "Endpoints", "EndpointSlice", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration", "Lease",
)  # fmt: skip


def wait(run: Run, rendered: Rendered) -> pd.DataFrame:
    """Waits until every object is ready: columns object, state, because, seconds. See awaited()."""
    timeout = run.parameters.manifests.ready_timeout
    frame = awaited(run.cluster, rendered.objects, timeout, lambda text: run.progress(text, None))
    run.evidence("manifests/ready.json", frame.to_dict("records"))
    return frame


def awaited(cluster: Cluster, objects: Sequence[Object], timeout: float, tell: Callable[[str], Any]) -> pd.DataFrame:
    """Columns object, state (ready, waiting, failed, unread), because, seconds; timeout: seconds.

    Ends as soon as all are ready at the same time, or nothing that still waits can become ready, or the time is over.
    What is returned is one last look at every object.
    """
    began = time.monotonic()
    deadline = began + timeout
    todo = [item for item in objects if _has_state(item)]
    settled: dict[str, float] = {}
    while True:
        states = _states(cluster, [item for item in todo if name(item) not in settled])
        passed = time.monotonic() - began
        settled |= {key: passed for key, state in states.items() if state.state == "ready"}
        failed = any(state.state == "failed" for state in states.values())
        first = next((f"; {key}: {state.because}" for key, state in states.items() if state.state != "ready"), "")
        tell(f"{len(settled)} of {len(todo)} objects ready{first[:_TOLD]}")
        # A failed pod drags others down with it: what waits then is given a few seconds, not the whole time.
        if len(settled) == len(todo) or passed > timeout or (failed and passed > _DRAGGED):
            last = _states(cluster, todo)
            lost = [key for key, state in last.items() if key in settled and state.state in ("waiting", "unread")]
            if not lost or time.monotonic() > deadline or failed:
                break
            for key in lost:
                del settled[key]
        time.sleep(_POLL)
    ended = time.monotonic() - began
    rows = [
        {
            "object": key, "state": state.state, "because": state.because,
            "seconds": settled.get(key, ended) if state.state == "ready" else ended,
        }
        for key, state in last.items()
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["object", "state", "because", "seconds"])


def _has_state(item: Object) -> bool:
    """Whatever may have conditions: another group's NetworkPolicy, a Gateway, a custom resource."""
    return item["kind"] not in _STATELESS or not built_in(item)


def _states(cluster: Cluster, objects: Sequence[Object]) -> dict[str, State]:
    return dict(zip(map(name, objects), together(lambda item: _state(cluster, item), objects), strict=True))


def _state(cluster: Cluster, item: Object) -> State:
    meta = item["metadata"]
    try:
        live = cluster.get(item["kind"], meta["name"], meta.get("namespace"), api_version=item["apiVersion"])
        if live is None:
            return State("failed", "it is not on the cluster")
        if item["kind"] == "Service":
            return _service_state(cluster, live)
        if item["kind"] == "PodDisruptionBudget":
            return _budget_state(cluster, live)
        if item["kind"] == "Pod":
            return state_of(live, [live], (), datetime.now(UTC))
        if item["kind"] not in _WORKLOADS:
            return state_of(live)
        return state_of(live, _pods_of(cluster, live), _events_of(cluster, live), datetime.now(UTC))
    except ClusterError as error:
        return State("unread", f"it could not be read: {error}")


def _service_state(cluster: Cluster, live: Object) -> State:
    found = state_of(live)
    if found.state != "ready":
        return found
    slices = cluster.list(
        "EndpointSlice",
        live["metadata"]["namespace"],
        api_version="discovery.k8s.io/v1",
        labels={"kubernetes.io/service-name": live["metadata"]["name"]},
    )
    return serving(live, slices)


def _budget_state(cluster: Cluster, live: Object) -> State:
    found = state_of(live)
    if found.state != "ready":
        return found
    namespace = live["metadata"]["namespace"]
    budgets = cluster.list("PodDisruptionBudget", namespace, api_version="policy/v1")
    return covering(live, budgets, cluster.list("Pod", namespace)) if len(budgets) > 1 else found


def _pods_of(cluster: Cluster, live: Object) -> Sequence[Object]:
    given = live["spec"].get("selector") or {}
    selector = {"matchLabels": given} if live["kind"] == "ReplicationController" else given
    found = cluster.list("Pod", live["metadata"]["namespace"])
    return [
        pod
        for pod in found
        if not pod["metadata"].get("deletionTimestamp") and matches(selector, pod["metadata"].get("labels") or {})
    ]


def _events_of(cluster: Cluster, live: Object) -> Sequence[Object]:
    """Events of a workload and, for a Deployment, of its ReplicaSets: those are refused their pods."""
    found = cluster.list("Event", live["metadata"]["namespace"], fields="type=Warning")
    own = live["metadata"]["name"]
    return [
        e
        for e in found
        if e["involvedObject"].get("name", "") == own or e["involvedObject"].get("name", "").startswith(f"{own}-")
    ]
