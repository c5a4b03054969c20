"""Applies what was planned, phase by phase, and keeps what undoing it needs."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pandas as pd

from launchbook.cluster import Cluster
from launchbook.counted import counted
from launchbook.errors import ClusterError
from launchbook.interact import Approval
from launchbook.manifests.answers import hidden
from launchbook.manifests.diff import shown
from launchbook.manifests.journal import Journal
from launchbook.manifests.judge import MAY_NOT
from launchbook.manifests.naming import name, place
from launchbook.manifests.observe import Rendered
from launchbook.manifests.order import phases, together
from launchbook.manifests.planning import Plan, Step, read, steps
from launchbook.ours import wears
from launchbook.run import Run

Object = dict[str, Any]
Row = dict[str, Any]
_COLUMNS = ("object", "action", "because")
_SETTLED = 30.0  # s, for a new namespace or kind to be usable


def approve(run: Run, plan: Plan) -> Approval:
    """The box in which a plan is approved that somebody reads in JupyterLab of a protected environment.

    Everywhere else `approved_plan` says which plan may be applied, or none is asked.
    """
    asked = run.interactive and run.parameters.cluster.protected
    return Approval(plan.digest, run.parameters.manifests.approved_plan, asked=asked)


def refusal(run: Run, rendered: Rendered, plan: Plan, approval: Approval | None = None) -> str | None:
    """Why nothing will be applied, or None. Nothing was changed then. approval: as approve() gives it."""
    given = run.parameters.manifests
    if rendered.problem:
        return "The manifests don't render."
    if breaking := [p for p in rendered.polluted if p.effect]:
        return f"{counted(len(breaking), 'selector is', 'selectors are')} polluted; applying them would change who reaches whom."
    outside = [n for n in rendered.objects if place(n) not in (*given.namespaces, *given.cluster_objects)]
    if outside:
        return f"{name(outside[0])} is outside the namespaces under launch."
    if marked := [name(item) for item in rendered.objects if wears(item)]:
        return f"{marked[0]} holds the label launchbook.io/run, by which it would be taken for the run's own."
    if unknown := [entry for entry in given.force if entry.split()[0] not in rendered.names]:
        near = difflib.get_close_matches(unknown[0].split()[0], rendered.names, n=1)
        return f"manifests.force names {unknown[0]!r}, which is not rendered{f'; did you mean {near[0]}?' if near else '.'}"
    if not run.allowed("apply"):
        return MAY_NOT
    if not (approval or approve(run, plan)).covers(plan.digest):
        return _unapproved(given.approved_plan, plan.digest)
    if blocking := [step for step in plan.steps if step.blocks]:
        return f"{counted(len(blocking), 'object')} can't be applied, the first is {blocking[0].object}: {blocking[0].because}"
    return None


def _unapproved(approved: str | None, digest: str) -> str:
    if approved:
        return (
            f"The plan that was approved is {approved}, this one is {digest}. Read this plan; to approve it, pass "
            "`approved_plan` with its digest. Nothing was changed."
        )
    return "The plan was not approved. Read it, tick the box below it, and run this cell again. Nothing was changed."


@dataclass(frozen=True)
class Applied:
    """frame: columns object, action, because; refusal: why nothing was applied, or None."""

    frame: pd.DataFrame
    refusal: str | None = None


def apply(run: Run, rendered: Rendered, plan: Plan, approval: Approval | None = None) -> Applied:
    """Does what the plan says.

    action: created, changed, forced, unchanged (not sent at all), refused, or not tried. Nothing is applied, and the
    frame is empty, where refusal() gives a reason or the cluster is no longer what was planned for. Where objects are
    refused, the others of their phase are applied and later phases are not begun: no pod starts without its policy.
    """
    why = refusal(run, rendered, plan, approval)
    if not why:
        run.require("apply")
        why = _moved(run.cluster, plan)
    if why:
        return Applied(pd.DataFrame(columns=list(_COLUMNS)), why)
    journal = Journal(run, plan)
    rows: dict[str, Row] = {}
    todo = {step.object: step for step in plan.steps}
    parts = phases(rendered.objects)
    for n, part in enumerate(parts):
        run.progress(
            f"applying {counted(len(part), 'object')}: {', '.join(sorted({o['kind'] for o in part}))}", n / len(parts)
        )
        done = together(lambda step: _applied(run.cluster, step), [todo[name(item)] for item in part])
        rows |= {row["object"]: row for row, _ in done}
        journal.write([(todo[row["object"]], now) for row, now in done if now is not None])
        if any(row["action"] == "refused" for row, _ in done):
            break
        _await_basics(run.cluster, [todo[name(item)] for item in part])
        late = _planned_late(run, todo, rows)
        todo |= {step.object: step for step in late}
        journal.expect(late)
        if any(step.blocks for step in late):
            rows |= {s.object: _row(s.object, "refused", s.because) for s in late if s.blocks}
            break
    found = [rows.get(o) or _row(o, "not tried", "What comes before it was refused.") for o in todo]
    frame = pd.DataFrame(found, columns=list(_COLUMNS))
    run.evidence("manifests/applied.json", frame.to_dict("records"))
    return Applied(frame)


def _moved(cluster: Cluster, plan: Plan) -> str | None:
    """What is sent does what was shown only where each object is what it was when it was planned; else why not."""
    acting = [step for step in plan.steps if step.action != "unchanged" and not step.awaits]
    there = read(cluster, [step.item for step in acting])
    for step in acting:
        now = there[step.object]
        if isinstance(now, ClusterError):
            return f"{step.object} can't be read: {now}"
        if shown(now) != shown(step.live):
            return f"{step.object} was changed since the plan was made. Make the plan again, and read it."
    return None


def _applied(cluster: Cluster, step: Step) -> tuple[Row, Object | None]:
    """A row, and the object as it is then, None where nothing was sent or it was refused."""
    if step.action == "unchanged":
        return _row(step.object, "unchanged", ""), None
    try:
        now = cluster.apply(step.item, force=step.action == "forced", tried=step.tried)
    except ClusterError as error:
        return _row(step.object, "refused", hidden(str(error), step.item)), None
    action = step.action if step.action in ("changed", "forced") else "created" if step.live is None else "changed"
    return _row(step.object, action, step.because if step.action == "forced" else ""), now


def _await_basics(cluster: Cluster, created: Sequence[Step]) -> None:
    """Until a new kind is served and a new namespace has the account that its pods run under.

    Where that can't be seen, what needs it says so when it is tried.
    """
    for step in created:
        kind, own = step.item["kind"], step.item["metadata"]["name"]
        with suppress(ClusterError):
            if step.live is None and kind == "CustomResourceDefinition":
                version = "apiextensions.k8s.io/v1"
                cluster.wait(kind, own, None, _established, api_version=version, timeout=_SETTLED)
            elif step.live is None and kind == "Namespace":
                cluster.wait("ServiceAccount", "default", own, lambda found: found is not None, timeout=_SETTLED)


def _established(definition: Object | None) -> bool:
    conditions = ((definition or {}).get("status") or {}).get("conditions") or ()
    return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)


def _planned_late(run: Run, todo: dict[str, Step], rows: dict[str, Row]) -> list[Step]:
    """What could not be tried before its namespace or kind was there, tried now, before anything else is applied."""
    waiting = [step.item for o, step in todo.items() if o not in rows and step.awaits]
    return steps(run.cluster, waiting, run.parameters.manifests.force)


def _row(object: str, action: str, because: str) -> Row:
    return {"object": object, "action": action, "because": because}
