"""When an object is ready, by kind, and why a pod will never be: the rules of kstatus and its known blind spots.

Pure: an object and its pods and events in, one State out. A state `failed` will not heal by waiting.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from launchbook.selector import matches

Object = Mapping[str, Any]
# Reasons of a waiting container that no waiting mends, with what to look at.
_HOPELESS = {
    "ErrImagePull": "the image can't be pulled",
    "ImagePullBackOff": "the image can't be pulled",
    "ErrImageNeverPull": "the image is not on the node and may not be pulled",
    "InvalidImageName": "the image's name is invalid",
    "CreateContainerConfigError": "its configuration is wrong",
    "CreateContainerError": "the container can't be created",
    "RunContainerError": "the container can't be started",
    "CrashLoopBackOff": "it crashes again and again",
}
_PROBATION = 10.0  # s, that a restarted container must run at least before it counts as ready; six times that at most
_CRASHES = 3  # restarts after which a container that keeps ending has failed


@dataclass(frozen=True)
class State:
    """`ready`, `waiting`, `failed` or `unread` (it could not be looked at), and because of what."""

    state: Literal["ready", "waiting", "failed", "unread"]
    because: str


def state_of(
    item: Object, pods: Sequence[Object] = (), events: Sequence[Object] = (), now: datetime | None = None
) -> State:
    """What an applied object's live counterpart says.

    pods: those the object owns; events: those about it; now: the time, for how long a restarted container has run.
    Kinds without a status are ready once they exist.
    """
    status, meta = item.get("status") or {}, item["metadata"]
    if meta.get("deletionTimestamp"):
        return State("failed", "it is being deleted")
    if status.get("observedGeneration", meta.get("generation")) != meta.get("generation"):
        return State("waiting", "its controller has not seen this generation yet")
    judge = _BY_KIND.get(item["kind"])
    if judge is None:
        return State("ready", "it exists")
    found = judge(item)
    # A crash loop is ready now and then, and a workload counts it then. A pod that has ended was replaced.
    ended = ("Failed", "Succeeded") if found.state == "ready" else ()
    alive = [pod for pod in pods if (pod.get("status") or {}).get("phase") not in ended]
    if hopeless := next((cause for pod in alive if (cause := pod_failure(pod))), None):
        return State("failed", f"{found.because}: {hopeless}")
    if found.state == "ready" and now and (young := next((y for pod in alive if (y := _restarted(pod, now))), None)):
        return State("waiting", young)
    if found.state != "ready" and (refused := _refused(events)):
        return State("failed", f"{found.because}: {refused}")
    return found


def pod_failure(pod: Object) -> str | None:
    """Why this pod will not become ready by waiting, or None."""
    status, name = pod.get("status") or {}, pod["metadata"]["name"]
    for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") in _HOPELESS and not _still_young(waiting, container):
            detail = (waiting.get("message") or "").split("\n")[0][:200]
            return (
                f"pod {name}, container {container['name']}: {waiting['reason']}, {_HOPELESS[waiting['reason']]}"
                f" ({container.get('image')}){f': {detail}' if detail else ''}"
            )
        ended = (container.get("lastState") or {}).get("terminated") or {}
        if container.get("restartCount", 0) >= _CRASHES and not container.get("ready") and not _done(container):
            return (
                f"pod {name}, container {container['name']}: ended {container['restartCount']} times, last with exit "
                f"code {ended.get('exitCode')} ({ended.get('reason')})"
            )
    for condition in status.get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return f"pod {name} can't be scheduled: {condition.get('message', condition.get('reason'))}"
    if status.get("phase") == "Failed":
        return f"pod {name} failed: {status.get('reason') or status.get('message') or 'a container ended'}"
    return None


def _restarted(pod: Object, now: datetime) -> str | None:
    """A container that was restarted and has not yet run for longer than it did before: it may end again."""
    for container in (pod.get("status") or {}).get("containerStatuses") or ():
        running = (container.get("state") or {}).get("running")
        before = (container.get("lastState") or {}).get("terminated") or {}
        if not running or not container.get("restartCount") or not before.get("startedAt"):
            continue
        ran = _seconds(before["startedAt"], datetime.fromisoformat(before["finishedAt"]))
        runs, wanted = _seconds(running["startedAt"], now), min(max(_PROBATION, ran), 6 * _PROBATION)
        if runs <= wanted:
            return (
                f"pod {pod['metadata']['name']}, container {container['name']}: restarted {container['restartCount']} times,"
                f" last after exit code {before.get('exitCode')}; it runs for {runs:.0f} s and ran for {ran:.0f} s before"
            )
    return None


def _seconds(since: str, until: datetime) -> float:
    return (until - datetime.fromisoformat(since)).total_seconds()


def _done(container: Object) -> bool:
    """An init container that has ended well, whatever it took."""
    return ((container.get("state") or {}).get("terminated") or {}).get("exitCode") == 0


def _still_young(waiting: Object, container: Object) -> bool:
    """A crash loop counts from its second crash: one restart while others start is ordinary."""
    return bool(waiting["reason"] == "CrashLoopBackOff" and container.get("restartCount", 0) < _CRASHES)


def _refused(events: Sequence[Object]) -> str | None:
    """A pod that was never created: quota, admission, a missing service account."""
    for event in events:
        if event.get("type") == "Warning" and event.get("reason") in ("FailedCreate", "FailedUpdate"):
            return f"its pods are refused: {event.get('message', '')[:300]}"
    return None


def _deployment(item: Object) -> State:
    wanted, status = item["spec"].get("replicas", 1), item.get("status") or {}
    for condition in status.get("conditions") or ():
        if condition["type"] == "Progressing" and condition.get("reason") == "ProgressDeadlineExceeded":
            return State("failed", condition.get("message", "its progress deadline is over"))
    counts = [status.get(name, 0) for name in ("updatedReplicas", "availableReplicas", "readyReplicas")]
    old = status.get("replicas", 0) - status.get("updatedReplicas", 0)
    if old > 0:
        return State("waiting", f"{old} pods of an older revision are still there")
    return _of(min(counts), wanted)


def _stateful_set(item: Object) -> State:
    wanted, status = item["spec"].get("replicas", 1), item.get("status") or {}
    if status.get("currentRevision") != status.get("updateRevision"):
        return State("waiting", f"{status.get('updatedReplicas', 0)} of {wanted} pods have the newest revision")
    return _of(min(status.get("readyReplicas", 0), status.get("availableReplicas", 0)), wanted)


def _replica_set(item: Object) -> State:
    status = item.get("status") or {}
    return _of(min(status.get("readyReplicas", 0), status.get("availableReplicas", 0)), item["spec"].get("replicas", 1))


def _daemon_set(item: Object) -> State:
    status = item.get("status") or {}
    wanted = status.get("desiredNumberScheduled", 0)
    if wanted == 0:
        return State("waiting", "it is scheduled on no node")
    return _of(min(status.get("numberReady", 0), status.get("updatedNumberScheduled", 0)), wanted)


def _job(item: Object) -> State:
    for condition in (item.get("status") or {}).get("conditions") or ():
        if condition["status"] == "True" and condition["type"] == "Failed":
            return State("failed", condition.get("message", "it failed"))
        if condition["status"] == "True" and condition["type"] == "Complete":
            return State("ready", "it is complete")
    return State("waiting", "it runs")


def _pod(item: Object) -> State:
    if cause := pod_failure(item):
        return State("failed", cause)
    conditions = {c["type"]: c["status"] for c in (item.get("status") or {}).get("conditions") or ()}
    return State("ready", "it is ready") if conditions.get("Ready") == "True" else State("waiting", "it is not ready")


def _claim(item: Object) -> State:
    phase = (item.get("status") or {}).get("phase")
    return State("ready" if phase == "Bound" else "waiting", f"it is {phase}")


def _service(item: Object) -> State:
    if item["spec"].get("type") == "LoadBalancer":
        given = ((item.get("status") or {}).get("loadBalancer") or {}).get("ingress")
        return State("ready", "it has an address") if given else State("waiting", "it has no load balancer address")
    return State("ready", "it exists")


def _budget(item: Object) -> State:
    status = item.get("status") or {}
    if "observedGeneration" not in status:
        return State("waiting", "the disruption controller has not seen it yet")
    if status.get("expectedPods", 0) == 0:
        return State("waiting", "it selects no pod")
    return State("ready", f"it covers {status['expectedPods']} pods")


def _namespace(item: Object) -> State:
    phase = (item.get("status") or {}).get("phase")
    return State("ready", "it is Active") if phase == "Active" else State("failed", f"it is {phase}")


def _definition(item: Object) -> State:
    conditions = {c["type"]: c["status"] for c in (item.get("status") or {}).get("conditions") or ()}
    if conditions.get("NamesAccepted") == "False":
        return State("failed", "its names collide with another definition")
    return State("ready" if conditions.get("Established") == "True" else "waiting", "it is not established yet")


def _of(have: int, wanted: int) -> State:
    if wanted == 0:
        return State("failed", "0 replicas are asked for: nothing runs")
    return State("ready" if have >= wanted else "waiting", f"{have} of {wanted} pods are ready")


_BY_KIND = {
    "Deployment": _deployment, "StatefulSet": _stateful_set, "DaemonSet": _daemon_set, "Job": _job, "Pod": _pod,
    "PersistentVolumeClaim": _claim, "Service": _service, "PodDisruptionBudget": _budget, "Namespace": _namespace,
    "CustomResourceDefinition": _definition, "ReplicaSet": _replica_set, "ReplicationController": _replica_set,
}  # fmt: skip


def serving(service: Object, slices: Sequence[Object]) -> State:
    """Whether a Service with a selector has at least one ready endpoint."""
    if not service["spec"].get("selector"):
        return State("ready", "it has no selector, its endpoints are somebody else's")
    ready = sum(1 for slice in slices for _ in _ready_endpoints(slice))
    return State("ready", f"{ready} ready endpoints") if ready else State("waiting", "it has no ready endpoint")


def covering(budget: Object, budgets: Sequence[Object], pods: Sequence[Object]) -> State:
    """Whether a budget shares no pod with another: the API server evicts no pod that is in two.

    budgets: every one of its namespace, itself too; pods: of its namespace.
    """
    own = budget["metadata"]["name"]
    mine = [pod for pod in pods if matches(budget["spec"].get("selector"), pod["metadata"].get("labels") or {})]
    for other in budgets:
        if other["metadata"]["name"] == own:
            continue
        selector = other["spec"].get("selector")
        if both := [p["metadata"]["name"] for p in mine if matches(selector, p["metadata"].get("labels") or {})]:
            name = other["metadata"]["name"]
            return State("failed", f"{both[0]} is in the budget {name} too: no pod in two budgets can be evicted")
    return State("ready", f"it covers {(budget.get('status') or {}).get('expectedPods', len(mine))} pods")


def _ready_endpoints(slice: Object) -> Iterator[Object]:
    return (e for e in slice.get("endpoints") or () if (e.get("conditions") or {}).get("ready") is not False)
