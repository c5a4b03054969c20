"""When an object is ready, with its pods and events, and when waiting is in vain: kstatus and its known blind spots.

Pure: an object and its pods and events in, one State out. A state `failed` will not heal by waiting.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from launchbook.counted import counted
from launchbook.manifests.failing import pod_failure, pod_trouble, restarted
from launchbook.manifests.kinds import State, by_kind, cause
from launchbook.selector import matches

Object = Mapping[str, Any]
_STALE = 120.0  # s, after which an event no longer says how things are


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
    if (told := _conditions(status)) is not None:
        return told
    found = by_kind(item)
    # A crash loop is ready now and then, and a workload counts it then. A pod that has ended was replaced.
    ended = ("Failed", "Succeeded") if found.state == "ready" else ()
    alive = [pod for pod in pods if (pod.get("status") or {}).get("phase") not in ended]
    if hopeless := next((cause for pod in alive if (cause := pod_failure(pod, now))), None):
        return State("failed", f"{found.because}: {hopeless}")
    if found.state == "ready" and now and (young := next((y for pod in alive if (y := restarted(pod, now))), None)):
        return State("waiting", young)
    if found.state != "ready" and (refused := _refused(events, now)):
        return State("failed", f"{found.because}: {refused}")
    if found.state == "waiting" and (trouble := next((t for pod in alive if (t := pod_trouble(pod))), None)):
        return State("waiting", f"{found.because}: {trouble}")
    return found


def _conditions(status: Object) -> State | None:
    """What kstatus reads from an object of any kind: Reconciling and Stalled, or None where neither is True."""
    held = {c.get("type"): c for c in status.get("conditions") or () if c.get("status") == "True"}
    if stalled := held.get("Stalled"):
        return State("failed", f"it is stalled: {cause(stalled)}")
    if reconciling := held.get("Reconciling"):
        return State("waiting", f"it is being reconciled: {cause(reconciling)}")
    return None


def _refused(events: Sequence[Object], now: datetime | None) -> str | None:
    """A pod that was never created: quota, admission, a missing service account. What was long ago may be mended."""
    for event in events:
        if now and (at := _seen(event)) and (now - at).total_seconds() > _STALE:
            continue
        if event.get("type") == "Warning" and event.get("reason") in ("FailedCreate", "FailedUpdate"):
            return f"its pods are refused: {event.get('message', '')[:300]}"
    return None


def _seen(event: Object) -> datetime | None:
    """When an event was seen last."""
    series = (event.get("series") or {}).get("lastObservedTime")
    text = series or event.get("lastTimestamp") or event.get("eventTime")
    return datetime.fromisoformat(text) if text else None


def serving(service: Object, slices: Sequence[Object]) -> State:
    """Whether a Service with a selector has at least one ready endpoint for each of its ports.

    A slice leaves out a port whose name no container of its pods has; a Service that publishes pods that aren't ready
    calls them ready too, so `serving` is asked as well.
    """
    if not service["spec"].get("selector"):
        return State("ready", "it has no selector, its endpoints are somebody else's")
    ready = sum(1 for slice in slices for _ in _ready_endpoints(slice))
    if not ready:
        return State("waiting", "it has no ready endpoint")
    for port in service["spec"].get("ports") or ():
        if not any(_has(slice, port) and any(_ready_endpoints(slice)) for slice in slices):
            aim = port.get("targetPort", port["port"])
            told = f"{port['name']} ({port['port']})" if port.get("name") else str(port["port"])
            return State("waiting", f"no ready endpoint has its port {told}: no container has a port {aim}")
    return State("ready", counted(ready, "ready endpoint"))


def _has(slice: Object, port: Object) -> bool:
    return any(
        (found.get("name") or "", found.get("protocol", "TCP")) == (port.get("name") or "", port.get("protocol", "TCP"))
        and found.get("port")
        for found in slice.get("ports") or ()
    )


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
    said = ((endpoint, endpoint.get("conditions") or {}) for endpoint in slice.get("endpoints") or ())
    return (endpoint for endpoint, told in said if False not in (told.get("ready"), told.get("serving")))
