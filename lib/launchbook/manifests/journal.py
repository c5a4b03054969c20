"""What undoing an apply needs, written down before anything is sent: evidence/manifests/undo.json.

Secrets' values are never written: a Secret that was changed can't be restored from here, and undo says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from launchbook.manifests.diff import masked

if TYPE_CHECKING:
    from launchbook.manifests.planning import Plan, Step
    from launchbook.run import Run

Object = dict[str, Any]
FILE = "manifests/undo.json"


class Journal:
    """{"cluster": UID, "steps": {`Kind/ns/name`: {apiVersion, kind, namespace, name, action, before, after}}}.

    action: created, changed or forced; before: the object before this run's first change of it; after: its uid and
    managedFields once it was applied, None where the run ended before it knew.
    """

    def __init__(self, run: Run, plan: Plan) -> None:
        self._run = run
        kept = run.read(FILE) or {"steps": {}}
        # A cell that is run again changes what this run itself has left: what was there before it stays the same.
        self._steps: dict[str, Any] = {o: step for o, step in kept["steps"].items() if step["after"]}
        self._cluster = plan.cluster
        self._add(plan.steps)
        self._keep()

    def expect(self, steps: Sequence[Step]) -> None:
        """These will be applied."""
        if self._add(steps):
            self._keep()

    def write(self, done: Sequence[tuple[Step, Object]]) -> None:
        """These were applied, and are so now."""
        if not done:
            return
        for step, now in done:
            meta = now["metadata"]
            entry = self._steps.setdefault(step.object, _entry(step))
            entry["after"] = {"uid": meta["uid"], "managedFields": meta.get("managedFields") or []}
        self._keep()

    def _add(self, steps: Sequence[Step]) -> int:
        """How many of them change something and were not expected before."""
        acting = [s for s in steps if s.action in ("created", "changed", "forced") or _unshown(s)]
        new = {step.object: _entry(step) for step in acting if step.object not in self._steps}
        self._steps |= new
        return len(new)

    def _keep(self) -> None:
        self._run.evidence(FILE, {"cluster": self._cluster, "steps": self._steps})


def _unshown(step: Step) -> bool:
    """Whether it is applied without a dry run."""
    return step.action == "not shown" and not step.awaits


def _entry(step: Step) -> dict[str, Any]:
    meta = step.item["metadata"]
    action = "created" if step.live is None else "forced" if step.action == "forced" else "changed"
    return {
        "apiVersion": step.item["apiVersion"], "kind": step.item["kind"], "namespace": meta.get("namespace"),
        "name": meta["name"], "action": action, "because": step.because,
        "before": None if step.live is None else masked(step.live), "after": None,
    }  # fmt: skip
