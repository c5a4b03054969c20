"""Why a pod is not ready, whether waiting can mend it, and how long one that was restarted must be watched. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

Object = Mapping[str, Any]
# Reasons of a waiting container for which it does not start, with what to look at.
_TROUBLES = {
    "ErrImagePull": "the image can't be pulled",
    "ImagePullBackOff": "the image can't be pulled",
    "ErrImageNeverPull": "the image is not on the node and may not be pulled",
    "InvalidImageName": "the image's name is invalid",
    "CreateContainerConfigError": "its configuration is wrong",
    "CreateContainerError": "the container can't be created",
    "RunContainerError": "the container can't be started",
    "CrashLoopBackOff": "it crashes again and again",
}
# A registry that doesn't answer may answer the next time; one that says this was asked for what it hasn't or won't give.
_NO_SUCH_IMAGE = re.compile(
    r"not found|manifest unknown|denied|unauthorized|no match for platform|invalid reference", re.IGNORECASE
)
_PULLS = ("ErrImagePull", "ImagePullBackOff")
_MENDABLE = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError")
_PATIENCE = 30.0  # s from a pod's start, in which what it needs may still come: a Secret of an operator's, a registry
_PROBATION = 10.0  # s, that a restarted container must run at least before it counts as ready; six times that at most
_CRASHES = 3  # restarts after which a container that keeps ending has failed


def pod_failure(pod: Object, now: datetime | None = None) -> str | None:
    """Why this pod will not become ready by waiting, or None: then pod_trouble() may say what it waits for.

    now: the time, by which what may still mend itself is told from what does not.
    """
    status, name = pod.get("status") or {}, pod["metadata"]["name"]
    since = status.get("startTime")
    age = _seconds(since, now) if now and since else None
    for container, reason, message in _waiting(pod):
        pulled_later = reason in _PULLS and not _NO_SUCH_IMAGE.search(message) and (age is None or age < _PATIENCE)
        passing = pulled_later or (reason in _MENDABLE and age is not None and age < _PATIENCE)
        if not passing and not (reason == "CrashLoopBackOff" and container.get("restartCount", 0) < _CRASHES):
            return _told(name, container, reason, message)
    for container in _statuses(pod):
        ended = (container.get("lastState") or {}).get("terminated") or {}
        if container.get("restartCount", 0) >= _CRASHES and not container.get("ready") and not _done(container):
            return (
                f"pod {name}, container {container['name']}: ended {container['restartCount']} times, last with exit "
                f"code {ended.get('exitCode')} ({ended.get('reason')})"
            )
    if status.get("phase") == "Failed":
        return f"pod {name} failed: {status.get('reason') or status.get('message') or 'a container ended'}"
    return None


def pod_trouble(pod: Object) -> str | None:
    """What keeps a pod from being ready that may pass: no node yet, an image that is tried again, or None.

    An autoscaler needs minutes for a node, and a volume its time: neither is a failure before the whole time is over.
    """
    name = pod["metadata"]["name"]
    for container, reason, message in _waiting(pod):
        return _told(name, container, reason, message)
    for condition in (pod.get("status") or {}).get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return f"pod {name} can't be scheduled: {condition.get('message', condition.get('reason'))}"
    return None


def _waiting(pod: Object) -> Iterator[tuple[Object, str, str]]:
    """(container, reason, message) of each container that waits for one of the reasons above."""
    for container in _statuses(pod):
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") in _TROUBLES:
            yield container, waiting["reason"], str(waiting.get("message") or "")


def _told(pod: str, container: Object, reason: str, message: str) -> str:
    detail = message.split("\n")[0][:200]
    return (
        f"pod {pod}, container {container['name']}: {reason}, {_TROUBLES[reason]} ({container.get('image')})"
        f"{f': {detail}' if detail else ''}"
    )


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
