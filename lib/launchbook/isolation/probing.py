"""What probe pods meet: one for each source, told what to connect to, beside controls that show that it can."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from launchbook.errors import ClusterError
from launchbook.isolation.connect import ALLOWED, STAGGER, Target
from launchbook.isolation.probers import PATIENCE, Key, Probers, key_of, reached_control
from launchbook.isolation.targets import every_destination, targets
from launchbook.parameters import Edge
from launchbook.run import Run

_WITNESSES = 2  # sources that are asked whether a pod answers, before and after the blocks
Outcomes = Mapping[Key, Mapping[str, list[str]]]
Pair = tuple[Key, dict[str, Any]]  # a source, and a target that it is declared to reach


def probe(run: Run) -> dict[str, Any]:
    """What probe pods meet: {"problem", "pace", "edges": {edge: {"problem", "failed", "confirmations", "targets",
    "control", "udp_control"}}}.

    problem: why the edge's probe pod was not started; failed: why it could not be asked, "" where it could.
    A target is as targets() has it, with "outcomes" (none where its protocol is SCTP) and "answers" (whether somebody
    reached that pod before and after; None for a Service). control, udp_control: what this source's pod reached
    elsewhere before, meanwhile and after, by TCP and, where an edge of it is asked by UDP, by UDP.
    pace: {"cells" (edges asked), "attempts", "seconds"}, from the first attempt to the last.
    """
    found: dict[str, Any] = {"problem": None, "pace": None, "edges": {}}
    if refusal := run.refusal("probe"):
        found["problem"] = refusal
        return found
    run.require("probe")
    edges = run.parameters.isolation.edges
    try:
        asked = every_destination(run, {edge.destination for edge in edges})
        met = {edge.name: targets(edge.name, edge.destination, *asked[edge.destination]) for edge in edges}
        with Probers(run, [edge.source for edge in edges]) as probers:
            found |= _Rounds(run, probers, met).all()
    except ClusterError as error:
        found["problem"] = f"Probing broke off: {error}"
    finally:
        run.evidence("isolation/observed.json", found)
    return found


class _Rounds:
    """Three rounds: somebody reaches each pod; every edge is asked; the same somebody reaches each pod again.

    What is open is asked while what is blocked runs into its timeout. All sources are asked at once.
    """

    def __init__(self, run: Run, probers: Probers, met: Mapping[str, list[dict[str, Any]]]) -> None:
        self.run = run
        self.probers = probers
        self.met = met
        self.limits = run.parameters.isolation
        self.tries = max(self.limits.confirmations, 3)
        self.attempts = 0
        self.pods: dict[str, list[Pair]] = {}
        for edge in self.limits.edges:
            if edge.expect == "open":
                for target in _askable(met[edge.name]):
                    if target["kind"] == "pod":
                        self.pods.setdefault(target["at"], []).append((key_of(edge.source), target))

    def all(self) -> dict[str, Any]:
        began = time.monotonic()
        before, witnesses = self._find_witnesses()
        meanwhile = self._ask("probing every edge", self._every_edge())
        after = self._ask("probing once more what answered", self._chosen(witnesses.values()))
        took = round(time.monotonic() - began, 3)
        again = self._answered(after)
        answers = {at for at in witnesses if at in again}
        rounds = (before, meanwhile, after)
        edges = {edge.name: self._told(edge, rounds, answers) for edge in self.limits.edges}
        asked = sum(1 for seen in edges.values() if any(t["outcomes"] for t in seen["targets"]))
        return {"pace": {"cells": asked, "attempts": self.attempts, "seconds": took}, "edges": edges}

    def _find_witnesses(self) -> tuple[Outcomes, dict[str, list[Pair]]]:
        """host:port/protocol of each pod -> who reached it: a few are asked, and all others where none of them did."""
        few = {at: _few(n, pairs) for n, (at, pairs) in enumerate(self.pods.items())}
        before = self._ask("probing who is reached before", self._chosen(few.values()))
        found = self._answered(before)
        rest = [[pair for pair in pairs if pair not in few[at]] for at, pairs in self.pods.items() if at not in found]
        if any(rest):
            found |= self._answered(self._ask("probing who is reached before", self._chosen(rest)))
        return before, {at: _few(0, pairs) for at, pairs in found.items()}

    def _every_edge(self) -> dict[Key, list[Target]]:
        """What ought to be blocked first: while it runs into its timeout, there is time for all the rest.

        The rest waits until those attempts have begun, for which a shell with many of them needs longer than STAGGER.
        """
        wanted: dict[Key, list[Target]] = {}
        after = 2 * STAGGER * self.tries if any(edge.expect == "closed" for edge in self.limits.edges) else 0.0
        for edge in self.limits.edges:
            for target in _askable(self.met[edge.name]):
                if edge.expect == "open":
                    chosen = _target(target, self.tries, PATIENCE, after)
                else:
                    # A name leads to the addresses that are tried as often as a block must be confirmed.
                    chosen = _target(target, 1 if target["kind"] == "name" else self.tries, STAGGER)
                wanted.setdefault(key_of(edge.source), []).append(chosen)
        return wanted

    def _chosen(self, groups: Iterable[list[Pair]]) -> dict[Key, list[Target]]:
        wanted: dict[Key, list[Target]] = {}
        for key, target in (pair for group in groups for pair in group):
            wanted.setdefault(key, []).append(_target(target, self.tries, PATIENCE))
        return wanted

    def _answered(self, seen: Outcomes) -> dict[str, list[Pair]]:
        """host:port/protocol of each pod that was reached in a round -> by whom."""
        found: dict[str, list[Pair]] = {}
        for at, pairs in self.pods.items():
            for key, target in pairs:
                if ALLOWED in seen.get(key, {}).get(target["id"], ()):
                    found.setdefault(at, []).append((key, target))
        return found

    def _ask(self, words: str, wanted: Mapping[Key, list[Target]]) -> Outcomes:
        """One round, the controls of each source first."""
        self.run.progress(words, 0.5)
        by_udp = self._by_udp()
        asked = {key: [*self.probers.controls(udp=key in by_udp), *wanted.get(key, ())] for key in self.probers.sources}
        seen = self.probers.ask(asked)
        self.attempts += sum(len(outcomes) for one in seen.values() for outcomes in one.values())
        return seen

    def _by_udp(self) -> set[Key]:
        return {
            key_of(edge.source)
            for edge in self.limits.edges
            if any(target["protocol"] == "UDP" for target in self.met[edge.name])
        }

    def _told(self, edge: Edge, rounds: tuple[Outcomes, ...], answers: set[str]) -> dict[str, Any]:
        key = key_of(edge.source)
        mine = [seen.get(key, {}) for seen in rounds]
        return {
            "problem": self.probers.broken.get(key),
            "failed": "; ".join(dict.fromkeys(self.probers.failed.get(key, ()))),
            "confirmations": self.limits.confirmations,
            "targets": [
                {
                    **target,
                    "outcomes": mine[1].get(target["id"], []),
                    "answers": None if target["kind"] != "pod" else target["at"] in answers,
                }
                for target in self.met[edge.name]
            ],
            "control": [reached_control(seen) for seen in mine],
            "udp_control": [reached_control(seen, "UDP") for seen in mine],
        }


def _askable(met: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [target for target in met if target["protocol"] in ("TCP", "UDP")]


def _target(target: Mapping[str, Any], attempts: int, every: float, after: float = 0.0) -> Target:
    return Target(target["id"], target["host"], target["port"], attempts, target["protocol"], every, after)


def _few(turn: int, pairs: list[Pair]) -> list[Pair]:
    """Some of those who may reach a pod; turn: by which the work is shared out among them."""
    return [pairs[(turn + n) % len(pairs)] for n in range(min(_WITNESSES, len(pairs)))]
