"""Plan, apply, wait: the change is shown by the API server's own dry run first, then made, then awaited."""

from __future__ import annotations

import difflib
import time
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import yaml

from launchbook.errors import ClusterError, ConflictError
from launchbook.manifests.judge import name
from launchbook.manifests.observe import Rendered, masked
from launchbook.manifests.ready import State, serving, state_of
from launchbook.run import Run

Object = dict[str, Any]
_POLL = 0.5  # s, between two looks at what is not ready yet
# The states of these tell whether the system runs; the rest exists once it is applied.
_AWAITED = (
    "Deployment", "StatefulSet", "DaemonSet", "Job", "Pod", "PersistentVolumeClaim", "Service", "PodDisruptionBudget",
    "Namespace", "CustomResourceDefinition",
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
        return "This run may not apply (`allow: [apply]`, not read-only, and confirmed where protected)."
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

    Ends as soon as all are ready, or nothing that still waits can become ready, or manifests.ready_timeout is over.
    """
    began = time.monotonic()
    deadline = began + run.parameters.manifests.ready_timeout
    awaited = [item for item in rendered.objects if item["kind"] in _AWAITED]
    done: dict[str, tuple[State, float]] = {}
    while True:
        for item in awaited:
            key = name(item)
            if key not in done or done[key][0].state != "ready":
                done[key] = (_state(run, item), time.monotonic() - began)
        waiting = [key for key, (state, _) in done.items() if state.state == "waiting"]
        failed = [key for key, (state, _) in done.items() if state.state == "failed"]
        run.progress(f"{len(done) - len(waiting) - len(failed)} of {len(done)} objects ready", None)
        # A failed pod drags others down with it: what waits then is given a few seconds, not the whole time.
        if not waiting or time.monotonic() > deadline or (failed and time.monotonic() > began + 10):
            break
        time.sleep(_POLL)
    rows = [
        {"object": key, "state": state.state, "because": state.because, "seconds": seconds}
        for key, (state, seconds) in done.items()
    ]
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
    before, after = _lines(live), _lines(would)
    return "".join(difflib.unified_diff(before, after, "live", "applied", n=2)) if before != after else ""


def _lines(item: Object | None) -> list[str]:
    if item is None:
        return []
    shown = masked({k: v for k, v in item.items() if k != "status"})
    meta = {k: v for k, v in shown["metadata"].items() if k not in _NOISE}
    return yaml.safe_dump({**shown, "metadata": meta}, sort_keys=True).splitlines(keepends=True)


def _state(run: Run, item: Object) -> State:
    try:
        live = _live(run, item)
        if live is None:
            return State("failed", "it is not on the cluster")
        if item["kind"] == "Service":
            return _service_state(run, live)
        workload = item["kind"] in ("Deployment", "StatefulSet", "DaemonSet", "Job")
        return state_of(live, _pods_of(run, live) if workload else (), _events_of(run, live) if workload else ())
    except ClusterError as error:
        return State("waiting", f"it could not be read: {error}")


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
    labels: Mapping[str, str] = (live["spec"].get("selector") or {}).get("matchLabels") or {}
    found = run.cluster.list("Pod", live["metadata"]["namespace"], labels=labels)
    return [pod for pod in found if not pod["metadata"].get("deletionTimestamp")]


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
