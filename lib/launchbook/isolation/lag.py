"""How long after a policy arrives is an edge closed? Each is tried again and again while the change is made.

No API tells when a policy is enforced. Where the policies stood already, or nothing stood that they could close, there
is nothing to measure, and that is what is said.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, TypeVar

import pandas as pd

from launchbook.errors import ClusterError
from launchbook.isolation.changes import LOOK, Changes
from launchbook.isolation.connect import ALLOWED, Target
from launchbook.isolation.layers import layer
from launchbook.isolation.observe import compute
from launchbook.isolation.polling import await_blocks
from launchbook.isolation.probers import Key, Probers, key_of, reached_control
from launchbook.isolation.reach import Pod
from launchbook.isolation.targets import Behinds, every_destination, pod_of, targets
from launchbook.parameters import Edge
from launchbook.run import Run

UNCHANGED = "not applied in this run"
T = TypeVar("T")


def during(run: Run, plan: pd.DataFrame, act: Callable[[], T]) -> tuple[T, dict[str, Any]]:
    """What `act` gives, and {"problem", "policies", "edges": {edge: {"before", "state", "lag", "because"}}} of what it closed.

    plan: columns object, action; where it changes no NetworkPolicy, nothing is watched. policies: those that were
    created, changed or deleted meanwhile. Of each edge that is declared closed, before: open, closed or absent (nothing
    stood there); state: closed by this run, late (still open at the deadline), lost (closed, but it can't be told when),
    or none (there was nothing to close); lag: seconds from the first policy that governs it to the first of the
    confirmed blocks, to 0.3 s, of the slowest of its pods; None where because says why.
    """
    edges = [edge for edge in run.parameters.isolation.edges if edge.expect == "closed"]
    found: dict[str, Any] = {"problem": None, "policies": [], "edges": {}}
    with ExitStack() as stack:
        watch = None
        if not _changes(plan):
            found["edges"] = {edge.name: _row("unknown", None, UNCHANGED) for edge in edges}
        elif refusal := run.refusal("probe"):
            found["problem"] = refusal
        else:
            try:
                watch = stack.enter_context(_Watch(run, edges))
            except ClusterError as error:
                found["problem"] = f"The edges could not be watched: {error}"
        given = act()
        if watch is not None:
            try:
                found |= watch.told()
            except ClusterError as error:
                found["problem"] = f"Watching the edges broke off: {error}"
    run.evidence("isolation/lag.json", found)
    return given, found


def _changes(plan: pd.DataFrame) -> bool:
    policies = plan["object"].astype(str).str.contains("NetworkPolicy")
    return bool((policies & (plan["action"] != "unchanged")).any())


def _row(before: str, lag: float | None, because: str, state: str = "none") -> dict[str, Any]:
    return {"before": before, "state": state, "lag": lag, "because": because}


class _Watch:
    """Tries every edge that stands open, and looks at the policies, from `with` until told() or its end."""

    def __init__(self, run: Run, edges: list[Edge]) -> None:
        self.run = run
        self.edges = edges
        self.asked: dict[str, Behinds] = {}
        self.open: dict[Key, list[Target]] = {}
        self.before: dict[str, str] = {}
        self.since: dict[str, float] = {}
        self.until = float("inf")
        self.changes = Changes(run.cluster)
        self.there: set[str] = set()
        self.sound: set[Key] = set()
        self._threads: list[threading.Thread] = []
        self._errors: list[str] = []
        self._stack = ExitStack()

    def __enter__(self) -> _Watch:
        found = every_destination(self.run, {edge.destination for edge in self.edges})
        self.asked = {edge.name: found[edge.destination] for edge in self.edges}
        try:
            self._look_before()
        except BaseException:
            self._stack.close()
            raise
        self.changes.start()
        self._threads = [threading.Thread(target=self._poll, args=(key,), daemon=True) for key in self.open]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *ended: object) -> None:
        self._end()
        self._stack.close()

    def _end(self) -> None:
        self.until = 0.0
        self.changes.stop()
        for thread in self._threads:
            thread.join()

    def told(self) -> dict[str, Any]:
        """Waits until each edge that the policies close now is closed, or isolation.enforcement_deadline is over."""
        self.changes.stop()
        computed = compute(self.run)
        closed = {
            edge.name
            for edge in self.edges
            if self._governing(edge) and layer(computed[computed["edge"] == edge.name]) == "closed"
        }
        deadline = time.monotonic() + self.run.parameters.isolation.enforcement_deadline
        self.until = deadline if closed & set(self.before) else 0.0
        awaited = {t.id for targets in self.open.values() for t in targets if t.id.partition("#")[0] in closed}
        while not awaited <= set(self.since) and time.monotonic() < deadline and not self._errors:
            time.sleep(LOOK)
        self._end()
        if self.changes.problem:
            self._errors.append(self.changes.problem)
        self._look_after()
        return {
            "problem": f"Watching the edges broke off: {'; '.join(self._errors)}" if self._errors else None,
            "policies": sorted(self.changes.when),
            "edges": {edge.name: self._edge(edge, edge.name in closed) for edge in self.edges},
        }

    def _governing(self, edge: Edge) -> list[str]:
        source = Pod("(source)", edge.source.namespace, edge.source.labels)
        return self.changes.governing(source, [pod_of(one.item) for one in self.asked[edge.name][1]])

    def _edge(self, edge: Edge, closed: bool) -> dict[str, Any]:
        before, governing = self.before[edge.name], self._governing(edge)
        if before == "absent":
            return _row(before, None, "nothing stood before that could have been reached")
        if not governing:
            return _row(before, None, UNCHANGED)
        if before != "open":
            closed_before = "it was closed before the policies changed"
            return _row(before, None, closed_before if before == "closed" else "what it was before could not be told")
        if not closed:
            return _row(before, None, "The policies do not close it.")
        key = key_of(edge.source)
        if key not in self.sound:
            return _row(before, None, "The probe pod did not reach its control afterwards.", "lost")
        here = [t for t in self.open[key] if t.id.partition("#")[0] == edge.name]
        if any(target.host not in self.there for target in here):
            return _row(before, None, "A pod that it reached is gone, so its silence says nothing.", "lost")
        mine = [target.id for target in here]
        applied = min(self.changes.when[name] for name in governing)
        if late := [one for one in mine if one not in self.since]:
            seconds = self.run.parameters.isolation.enforcement_deadline
            why = f"Still open {seconds:g} s after {governing[0]} ({len(late)} of {len(mine)} pods)."
            return _row(before, None, why, "late")
        lag = max(self.since[one] for one in mine) - applied
        if lag < -LOOK * 2:
            return _row(before, None, "It fell silent before a policy changed.")
        return _row(before, round(max(0.0, lag), 2), f"From {', '.join(governing)} on.", "closed")

    def _look_before(self) -> None:
        """Starts the probers of the edges that stand, and finds which of them are open."""
        standing = [edge for edge in self.edges if self.asked[edge.name][1] and self._there(edge.source.namespace)]
        self.before = {edge.name: "absent" for edge in self.edges}
        if not standing:
            return
        self.probers = self._stack.enter_context(Probers(self.run, [edge.source for edge in standing]))
        wanted: dict[Key, list[Target]] = {}
        for edge in standing:
            pods = [t for t in targets(edge.name, edge.destination, *self.asked[edge.name]) if t["kind"] == "pod"]
            tcp = [Target(t["id"], t["host"], t["port"], 1) for t in pods if t["protocol"] == "TCP"]
            wanted.setdefault(key_of(edge.source), []).extend(tcp)
        seen = self.probers.ask(wanted)
        for edge in standing:
            key = key_of(edge.source)
            mine = [t for t in wanted[key] if t.id.partition("#")[0] == edge.name]
            reached = [t for t in mine if ALLOWED in seen.get(key, {}).get(t.id, ())]
            self.before[edge.name] = (
                "open" if reached else "closed" if mine and key in seen and seen[key] else "unknown"
            )
            if reached:
                self.open.setdefault(key, []).extend(reached)

    def _look_after(self) -> None:
        """Silence counts only of a pod that is still there, to a probe pod that still reaches its control."""
        found = every_destination(self.run, {edge.destination for edge in self.edges})
        self.there = {a["ip"] for _, pods in found.values() for one in pods for a in one.item["status"]["podIPs"]}
        if self.open:
            seen = self.probers.ask(dict.fromkeys(self.open, self.probers.controls()))
            self.sound = {key for key, one in seen.items() if reached_control(one)}

    def _there(self, namespace: str) -> bool:
        found = self.run.cluster.get("Namespace", namespace)
        return found is not None and not found["metadata"].get("deletionTimestamp")

    def _poll(self, key: Key) -> None:
        confirmations = self.run.parameters.isolation.confirmations
        try:
            prober = self.probers.shell(key)
            await_blocks(prober, self.open[key], confirmations, lambda: self.until, self.since)
        except ClusterError as error:
            self._errors.append(str(error))
