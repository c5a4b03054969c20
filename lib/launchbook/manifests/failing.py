"""Why a pod will never become ready by waiting, and how long one that was restarted must be watched. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

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


def pod_failure(pod: Object) -> str | None:
    """Why this pod will not become ready by waiting, or None."""
    status, name = pod.get("status") or {}, pod["metadata"]["name"]
    for container in _statuses(pod):
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


def restarted(pod: Object, now: datetime) -> str | None:
    """A container, a sidecar too, that was restarted and has not yet run for longer than before: it may end again."""
    for container in _statuses(pod):
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


def _statuses(pod: Object) -> list[Object]:
    """Of every container, those that initialize it, sidecars among them, first."""
    status = pod.get("status") or {}
    return [one for field in ("initContainerStatuses", "containerStatuses") for one in status.get(field) or ()]


def _seconds(since: str, until: datetime) -> float:
    return (until - datetime.fromisoformat(since)).total_seconds()


def _done(container: Object) -> bool:
    """An init container that has ended well, whatever it took."""
    return ((container.get("state") or {}).get("terminated") or {}).get("exitCode") == 0


def _still_young(waiting: Object, container: Object) -> bool:
    """A crash loop counts from its second crash: one restart while others start is ordinary."""
    return bool(waiting["reason"] == "CrashLoopBackOff" and container.get("restartCount", 0) < _CRASHES)
