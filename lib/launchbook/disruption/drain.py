"""What an eviction loop would do to each node, with every budget used up as it goes: pure.

`kubectl drain` evicts what runs on a node, and tries again what a budget refuses. A dry run of an eviction leaves
disruptionsAllowed as it is, so N of them all pass where one is allowed: the loop is followed here instead, by the rules
of the API server's eviction (pkg/registry/core/pod/storage/eviction.go) and the disruption controller's count
(pkg/controller/disruption). Nothing outside the loop is assumed to change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from launchbook.disruption.fit import Facts, refuge, unsure
from launchbook.selector import matches

Coverage = Mapping[str, Sequence[Facts]]


@dataclass(frozen=True)
class Step:
    """One eviction that is granted. healthy, left: the budget's healthy pods and disruptionsAllowed after it, None
    where no budget was asked; waits: how many rounds of replacements had to be Ready before it."""

    pod: str
    budget: str | None
    why: str
    healthy: int | None
    left: int | None
    waits: int
    replacement: str  # the node where it runs again, or why nowhere


@dataclass(frozen=True)
class Drain:
    """A drain of one node: what is evicted in order, what blocks it for good, and what `kubectl drain` says first.

    blocked: (pod, why); forced: pods that no controller owns, which it refuses to touch without --force; emptied: pods
    whose emptyDir is lost, refused without --delete-emptydir-data; left_out: mirror pods and those of DaemonSets;
    unsure: why a wait may last for ever; seconds: what the waits last, None where no pod of the kind tells.
    """

    node: str
    steps: tuple[Step, ...]
    blocked: tuple[tuple[str, str], ...]
    forced: tuple[str, ...]
    emptied: tuple[str, ...]
    left_out: tuple[str, ...]
    unsure: tuple[str, ...]
    seconds: float | None

    @property
    def waits(self) -> int:
        """How many rounds of replacements it waits for."""
        return max((step.waits for step in self.steps), default=0)


@dataclass
class _Ledger:
    """A budget's figures while the loop runs."""

    budget: Facts
    healthy: int
    lost: list[str] = field(default_factory=list)  # evicted pods that don't come back, each with why
    coming: list[Facts] = field(default_factory=list)  # evicted ready pods whose replacement starts elsewhere

    @property
    def desired(self) -> int:
        return int(self.budget["desired"])

    @property
    def left(self) -> int:
        return 0 if self.budget["failed"] else max(0, self.healthy - self.desired)


def drain(node: str, pods: Sequence[Facts], budgets: Sequence[Facts], nodes: Sequence[Facts]) -> Drain:
    """Follows a drain of `node` to its end, or to where it stands still. See disruption.placement() for what is taken."""
    return _Loop(node, pods, budgets, nodes, coverage(pods, budgets)).run()


def name_of(pod: Facts) -> str:
    """`namespace/name`."""
    return f"{pod['namespace']}/{pod['name']}"


def covering(pod: Facts, budgets: Sequence[Facts]) -> list[Facts]:
    """The budgets that select a pod."""
    return [b for b in budgets if b["namespace"] == pod["namespace"] and matches(b["selector"], pod["labels"])]


def coverage(pods: Sequence[Facts], budgets: Sequence[Facts]) -> Coverage:
    """`namespace/name` of each pod -> the budgets that select it."""
    return {name_of(pod): covering(pod, budgets) for pod in pods}


def bypasses(pod: Facts) -> str | None:
    """Why no budget is asked about a pod, or None where one is."""
    if pod["ending"]:
        return "terminating already"
    return {"Pending": "Pending", "Succeeded": "finished", "Failed": "finished"}.get(pod["phase"])


class _Loop:
    def __init__(
        self, node: str, pods: Sequence[Facts], budgets: Sequence[Facts], nodes: Sequence[Facts], cover: Coverage
    ) -> None:
        self.node, self.pods, self.nodes, self.cover = node, pods, nodes, cover
        self.ledgers = {b["name"]: _Ledger(b, 0) for b in budgets}
        for one in pods:
            for budget in self._of(one) if one["ready"] and not one["ending"] else ():
                self.ledgers[budget["name"]].healthy += 1
        self.placed = [p for p in pods if p["node"] and not p["ending"] and bypasses(p) != "finished"]
        self.steps: list[Step] = []
        self.unsure: list[str] = []
        self.seconds: float | None = 0.0
        self.waits = 0

    def run(self) -> Drain:
        here = sorted((p for p in self.pods if p["node"] == self.node), key=name_of)
        left_out = [p for p in here if p["mirror"] or (p["owner"] or [""])[0] == "DaemonSet"]
        waiting = [p for p in here if p not in left_out]
        alive = [p for p in waiting if bypasses(p) != "finished"]
        while True:
            granted = [p for p in waiting if self._evict(p)]
            waiting = [p for p in waiting if p not in granted]
            if not waiting or not (granted or self._replacements(waiting)):
                break
        return Drain(
            self.node, tuple(self.steps), tuple((name_of(p), self._why(p)) for p in waiting),
            tuple(name_of(p) for p in alive if not p["owner"]), tuple(name_of(p) for p in alive if p["emptydir"]),
            tuple(name_of(p) for p in left_out), tuple(self.unsure), self.seconds,
        )  # fmt: skip

    def _of(self, pod: Facts) -> Sequence[Facts]:
        return self.cover[name_of(pod)]

    def _evict(self, pod: Facts) -> bool:
        """Whether the API server grants the eviction now; the budget's figures are those after it."""
        mine = self._of(pod)
        if why := bypasses(pod):
            self._gone(pod, None, f"{why}: no budget is asked")
            return True
        if not mine:
            self._gone(pod, None, "no budget")
            return True
        if len(mine) > 1:
            return False
        ledger = self.ledgers[mine[0]["name"]]
        if not pod["ready"]:
            if mine[0]["policy"] == "AlwaysAllow":
                self._gone(pod, ledger, "not ready, and AlwaysAllow")
                return True
            if ledger.healthy >= ledger.desired > 0:
                self._gone(pod, ledger, "not ready, and enough others are")
                return True
        if ledger.left < 1:
            return False
        if pod["ready"]:
            ledger.healthy -= 1
        self._gone(pod, ledger, "within its budget")
        return True

    def _gone(self, pod: Facts, ledger: _Ledger | None, why: str) -> None:
        self.placed = [p for p in self.placed if p is not pod]
        where, nowhere = self._replacement(pod)
        if where:
            self.placed.append({**pod, "node": where})
        for one in self._of(pod) if pod["ready"] and not pod["ending"] else ():
            if where:
                self.ledgers[one["name"]].coming.append(pod)
            else:
                self.ledgers[one["name"]].lost.append(f"{name_of(pod)}: {nowhere}")
        asked = (ledger.budget["name"], ledger.healthy, ledger.left) if ledger else (None, None, None)
        self.steps.append(Step(name_of(pod), asked[0], why, asked[1], asked[2], self.waits, where or nowhere))

    def _replacement(self, pod: Facts) -> tuple[str | None, str]:
        if bypasses(pod) in ("finished", "terminating already"):
            return None, "it has ended" if bypasses(pod) == "finished" else "it was going already"
        if not pod["owner"]:
            return None, "nobody recreates it"
        return refuge(pod, self.node, self.nodes, self.placed)

    def _replacements(self, waiting: Sequence[Facts]) -> bool:
        """Lets the replacements on their way be Ready; whether there were any that a waiting pod's budget counts."""
        asked = {b["name"] for p in waiting for b in self._of(p)}
        coming = [(ledger, p) for name, ledger in self.ledgers.items() if name in asked for p in ledger.coming]
        if not coming:
            return False
        times = [p["seconds"] for _, p in coming]
        known = self.seconds is not None and all(t is not None for t in times)
        self.seconds = (self.seconds or 0.0) + max(times) if known else None
        for ledger, pod in coming:
            ledger.healthy += 1
            if why := unsure(pod):
                self.unsure.append(f"{name_of(pod)}: {why}")
        for name in asked:
            self.ledgers[name].coming.clear()
        self.waits += 1
        return True

    def _why(self, pod: Facts) -> str:
        """Why a pod that is left is never evicted."""
        mine = self._of(pod)
        if len(mine) > 1:
            return (
                f"it is in {len(mine)} budgets ({', '.join(b['name'] for b in mine)}), which an eviction refuses (500)"
            )
        ledger = self.ledgers[mine[0]["name"]]
        budget, name = ledger.budget, mine[0]["name"]
        if budget["failed"]:
            return f"budget {name} allows nothing, since it can't be computed: {budget['failed']}"
        if budget["desired"] >= budget["expected"]:
            return f"budget {name} needs all {budget['expected']} of its pods"
        if ledger.lost:
            return f"budget {name} needs {ledger.desired} healthy pods, and {ledger.lost[0]}"
        has = f"budget {name} needs {ledger.desired} healthy pods and has {ledger.healthy}"
        sick = ", ".join(self._sick(budget))
        if not sick:
            return f"{has} of the {budget['expected']} that should be there"
        stuck = "" if budget["policy"] == "AlwaysAllow" else ", which IfHealthyBudget keeps from being evicted too"
        return f"{has}; not ready: {sick}{stuck}"

    def _sick(self, budget: Facts) -> Iterator[str]:
        for pod in self.pods:
            if not pod["ready"] and not bypasses(pod) and budget in self._of(pod):
                yield name_of(pod) + (" (crash-looping)" if pod["crashing"] else "")


def drains(found: Mapping[str, Any]) -> list[Drain]:
    """A drain of every node on which a pod of the system runs, each from the same start. found: see disruption.placement()."""
    pods, budgets, nodes = found["pods"], found["budgets"], found["nodes"]
    used, cover = {p["node"] for p in pods if p["node"]}, coverage(pods, budgets)
    return [_Loop(node["name"], pods, budgets, nodes, cover).run() for node in nodes if node["name"] in used]
