"""Plan, apply, wait: the change is shown by the API server's own dry run first, then made, then awaited."""

from __future__ import annotations

import difflib
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import yaml

from launchbook.errors import ClusterError, ConflictError
from launchbook.manifests.judge import MAY_NOT, name
from launchbook.manifests.observe import Rendered, masked
from launchbook.manifests.ready import State, serving, state_of
from launchbook.run import Run
from launchbook.selector import matches

Object = dict[str, Any]
_DRAGGED = 10.0  # s
_POLL = 0.5  # s, between two looks at what is not ready yet
# The states of these tell whether the system runs; the rest exists once it is applied.
_WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job")
_AWAITED = (
    *_WORKLOADS, "Pod", "PersistentVolumeClaim", "Service", "PodDisruptionBudget", "Namespace",
    "CustomResourceDefinition",
)  # fmt: skip
_NOISE = ("managedFields", "resourceVersion", "uid", "generation", "creationTimestamp", "selfLink")


def plan(run: Run, rendered: Rendered) -> pd.DataFrame:
    """What applying would do: columns object, action, because, diff.

    action: created, changed, unchanged, refused (the API server would not take it), not shown (no dry run possible).
    Nothing is changed. A run that may not apply has no right to ask either; its rows say so.
    """
    rows = [_planned(run, item) for item in rendered.objects]
    frame = pd.DataFrame(rows, columns=["object", "action", "because", "diff"])
    run.evidence("manifests/plan.json", frame.to_dict("records"))
    return frame


def refusal(run: Run, rendered: Rendered) -> str | None:
    """Why nothing will be applied, or None: not rendered, a polluted selector, or not allowed."""
    if rendered.problem:
        return "The manifests don't render."
    if breaking := [p for p in rendered.polluted if p.effect]:
        return f"{len(breaking)} selectors are polluted; applying them would change who reaches whom."
    outside = [n for n in rendered.objects if _namespace(n) not in run.parameters.manifests.namespaces]
    if outside:
        return f"{name(outside[0])} is outside the namespaces under launch."
    if not run.allowed("apply"):
        return MAY_NOT
    return None


def apply(run: Run, rendered: Rendered) -> pd.DataFrame:
    """Applies every object in order: columns object, action (created, changed, unchanged, refused), because.

    Nothing is applied, and the frame is empty, where refusal() gives a reason. An object that is refused doesn't stop
    the others; one whose field somebody else owns is refused and names the owner.
    """
    columns = ["object", "action", "because"]
    if refusal(run, rendered):
        return pd.DataFrame(columns=columns)
    run.require("apply")
    rows = []
    for n, item in enumerate(rendered.objects, 1):
        run.progress(f"applying {name(item)}", n / len(rendered.objects))
        rows.append(_applied(run, item))
    frame = pd.DataFrame(rows, columns=columns)
    run.evidence("manifests/applied.json", frame.to_dict("records"))
    return frame


def wait(run: Run, rendered: Rendered) -> pd.DataFrame:
    """Waits until every object is ready: columns object, state, because, seconds.

    Ends as soon as all are ready at the same time, or nothing that still waits can become ready, or
    manifests.ready_timeout is over. What is returned is one last look at every object.
    """
    began = time.monotonic()
    deadline = began + run.parameters.manifests.ready_timeout
    awaited = [item for item in rendered.objects if item["kind"] in _AWAITED]
    settled: dict[str, float] = {}
    while True:
        states = {name(item): _state(run, item) for item in awaited if name(item) not in settled}
        passed = time.monotonic() - began
        settled |= {key: passed for key, state in states.items() if state.state == "ready"}
        failed = any(state.state == "failed" for state in states.values())
        run.progress(f"{len(settled)} of {len(awaited)} objects ready", None)
        # A failed pod drags others down with it: what waits then is given a few seconds, not the whole time.
        if len(settled) == len(awaited) or passed > deadline - began or (failed and passed > _DRAGGED):
            last = {name(item): _state(run, item) for item in awaited}
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
    frame = pd.DataFrame(rows, columns=["object", "state", "because", "seconds"])
    run.evidence("manifests/ready.json", frame.to_dict("records"))
    return frame


def _planned(run: Run, item: Object) -> dict[str, str]:
    try:
        live = _live(run, item)
        would = run.cluster.apply(item, dry_run=True)
    except ClusterError as error:
        action = "refused" if isinstance(error, ConflictError) else "not shown"
        return {"object": name(item), "action": action, "because": str(error), "diff": ""}
    diff = _diff(live, would)
    action = "created" if live is None else "changed" if diff else "unchanged"
    return {"object": name(item), "action": action, "because": "", "diff": diff}


def _applied(run: Run, item: Object) -> dict[str, str]:
    try:
        live = _live(run, item)
        now = run.cluster.apply(item)
    except ClusterError as error:
        return {"object": name(item), "action": "refused", "because": str(error)}
    same = live is not None and live["metadata"]["resourceVersion"] == now["metadata"]["resourceVersion"]
    return {
        "object": name(item),
        "action": "created" if live is None else "unchanged" if same else "changed",
        "because": "",
    }


def _live(run: Run, item: Object) -> Object | None:
    meta = item["metadata"]
    return run.cluster.get(item["kind"], meta["name"], meta.get("namespace"), api_version=item["apiVersion"])


def _diff(live: Object | None, would: Object) -> str:
    """A unified diff of what people may see; a Secret that differs only in its values says which keys."""
    if _shown(live) == _shown(would):
        return ""
    before, after = _lines(live), _lines(would)
    found = "".join(difflib.unified_diff(before, after, "live", "applied", n=2))
    return found or f"values differ: {', '.join(_changed_keys(live or {}, would))}\n"


def _changed_keys(live: Object, would: Object) -> list[str]:
    old, new = (
        {f"{field}.{k}": v for field in ("data", "stringData") for k, v in (item.get(field) or {}).items()}
        for item in (live, would)
    )
    return sorted(k for k in {*old, *new} if old.get(k) != new.get(k)) or ["annotations"]


def _shown(item: Object | None) -> Object | None:
    if item is None:
        return None
    meta = {k: v for k, v in item["metadata"].items() if k not in _NOISE}
    return {**{k: v for k, v in item.items() if k != "status"}, "metadata": meta}


def _lines(item: Object | None) -> list[str]:
    shown = _shown(item)
    return [] if shown is None else yaml.safe_dump(masked(shown), sort_keys=True).splitlines(keepends=True)


def _state(run: Run, item: Object) -> State:
    try:
        live = _live(run, item)
        if live is None:
            return State("failed", "it is not on the cluster")
        if item["kind"] == "Service":
            return _service_state(run, live)
        if item["kind"] not in _WORKLOADS:
            return state_of(live)
        return state_of(live, _pods_of(run, live), _events_of(run, live), datetime.now(UTC))
    except ClusterError as error:
        return State("unread", f"it could not be read: {error}")


def _service_state(run: Run, live: Object) -> State:
    found = state_of(live)
    if found.state != "ready":
        return found
    slices = run.cluster.list(
        "EndpointSlice",
        live["metadata"]["namespace"],
        api_version="discovery.k8s.io/v1",
        labels={"kubernetes.io/service-name": live["metadata"]["name"]},
    )
    return serving(live, slices)


def _pods_of(run: Run, live: Object) -> Sequence[Object]:
    given = live["spec"].get("selector") or {}
    selector = {"matchLabels": given} if live["kind"] == "ReplicationController" else given
    found = run.cluster.list("Pod", live["metadata"]["namespace"])
    return [
        pod
        for pod in found
        if not pod["metadata"].get("deletionTimestamp") and matches(selector, pod["metadata"].get("labels") or {})
    ]


def _events_of(run: Run, live: Object) -> Sequence[Object]:
    """Events of a workload and, for a Deployment, of its ReplicaSets: those are refused their pods."""
    found = run.cluster.list("Event", live["metadata"]["namespace"], fields="type=Warning")
    own = live["metadata"]["name"]
    return [
        e
        for e in found
        if e["involvedObject"].get("name", "") == own or e["involvedObject"].get("name", "").startswith(f"{own}-")
    ]


def _namespace(item: Object) -> str:
    meta = item["metadata"]
    return str(meta["name"] if item["kind"] == "Namespace" else meta.get("namespace", ""))
