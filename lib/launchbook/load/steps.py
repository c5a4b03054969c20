"""What the notebook asks of a load beside sending it: its target, its verdict, its documents."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pandas as pd

from launchbook.display import Html, escape, table
from launchbook.load import capacity, floor, judge, limits, own_script, soak, unasked
from launchbook.load.aim import target as _target
from launchbook.load.charts import Moments
from launchbook.load.climbing import plan, section
from launchbook.load.figures import TRENDS, Figure, trend
from launchbook.load.happened import happened
from launchbook.load.judge import Finding, Outcome, Plan, Reason
from launchbook.load.plan import planned
from launchbook.load.result import Result
from launchbook.load.searching import Searched, foretold, record
from launchbook.load.show import document, summary
from launchbook.load.tally import Tally
from launchbook.run import Run
from launchbook.thresholds import parse


@dataclass(frozen=True)
class Judged:
    """A result with everything that was made of it. tally: without the warm-up; whole: with it."""

    result: Result
    plan: Plan
    tally: Tally
    whole: Tally
    trends: dict[str, Figure]
    reasons: list[Reason]
    findings: list[Finding]
    outcome: Outcome
    slopes: list[soak.Slope]
    shortest: float  # s, from which a load is a soak
    floor: str = ""  # what of the latency may be the generator's own, as a sentence


def target(run: Run) -> dict[str, Any]:
    """See aim.target(); kept as evidence."""
    found = _target(run)
    run.evidence("load/target.json", found)
    return found


def evaluate(run: Run, result: Result) -> Judged:
    """The result judged by the environment's thresholds."""
    load = run.parameters.load
    asked = planned(load.scenario)
    thresholds = parse(load.thresholds)
    tally, whole = result.counted(load.scenario.warmup)
    found = judge.findings(tally, thresholds)
    pods = run.read("load/pods.parquet")
    reasons = [
        *judge.reasons(tally, asked, thresholds, found, result.sender), *limits.saw(whole, tally, found, pods),
        *unasked.errors(tally.count, tally.failed, thresholds), *unasked.names(tally),
    ]  # fmt: skip
    outcome = judge.outcome(tally.count, reasons, found)
    trends, slopes = trend(tally, TRENDS), soak.slopes(tally, pods, load.soak.shortest)
    says = floor.say(result.floor, trends["p(95)"].value if "p(95)" in trends else None)
    return Judged(
        result, asked, tally, whole, trends, reasons, found, outcome, slopes, load.soak.shortest, says
    )  # fmt: skip


def show_target(found: dict[str, Any]) -> Html:
    """What will be hit, from where."""
    rows = [("Service", found["service"]), ("URL", found["url"]), ("way", found["way"]), ("generator", found["where"]),
            ("ready endpoints", ", ".join(found["endpoints"])), ("problem", found["problem"] or "none")]  # fmt: skip
    return table(pd.DataFrame(rows, columns=["", "value"]), "The target of the load")


def show_plan(run: Run) -> Html:
    """How long load will be sent. Raises ParametersError where a search for the capacity can't be made as asked for."""
    given = run.parameters
    return plan(given.load, given.logs.idle_window, foretold(given.load))


def bound(searched: Searched | None) -> Any:
    """B.capacity."""
    return capacity.check(searched.answer if searched else None, searched.wanted if searched else 0.0)


def moments(run: Run, result: Result) -> Moments:
    """What the charts mark along the time: the warm-up, and what happened to the pods meanwhile."""
    warmup = run.parameters.load.scenario.warmup
    _, whole = result.counted(warmup)
    events = happened(run, whole.first, whole.last) if whole.count else None
    return Moments(warmup, events)


def drift(judged: Judged) -> Html:
    """Whether latency, errors or the pods' memory grow while the load lasts."""
    return table(soak.table(judged.slopes), "What grows while the load lasts", badges=())


def show_floor(judged: Judged) -> Html:
    """What of the latency may be the generator's own."""
    return Html(f"<p>{escape(judged.floor)}</p>", judged.floor)


def checks(judged: Judged) -> list[Any]:
    """B.validity, B.threshold and B.soak."""
    kinds: Counter[str] = Counter()
    for (kind, _), many in judged.tally.errors.items():
        kinds[kind] += many
    count, usage = judged.tally.count, judged.result.usage
    unread = usage.problem if usage else ""
    return [
        judge.validity(judged.outcome, judged.reasons, count, judged.result.problem),
        *judge.thresholds(judged.findings, judged.outcome, judged.plan, kinds, judged.reasons),
        *own_script.checks(judged.reasons, judged.outcome),
        *judge.unbounded([one.threshold for one in judged.findings]),
        judge.soak(judged.slopes, judged.outcome, judged.tally.seconds, judged.shortest, unread),
    ]


def write(run: Run, judged: Judged, target: dict[str, Any], searched: Searched | None = None) -> str | None:
    """Writes load-test-baseline.md and load-test-results.json; the document's path, None where nothing was measured."""
    about = {
        "engine": judged.result.engine, "version": judged.result.version, "where": target["where"],
        "way": target["way"], "url": target["url"], "outcome": judged.outcome,
        "reasons": [r.__dict__ for r in judged.reasons], "began": judged.result.began,
        "floor": dict(judged.result.floor or {}), "floor_says": judged.floor,
        "script": bool(run.parameters.load.scenario.script), "capacity": record(searched) if searched else None,
        "vus": judged.plan.vus, "think_time": judged.plan.think_time, "rate": judged.plan.rate,
    }  # fmt: skip
    text = document(
        judged.plan, about, judged.findings, judged.outcome, judged.reasons, judged.tally, judged.trends,
        judged.slopes,
    )  # fmt: skip
    run.document("load-test-baseline.md", text + section(searched))
    whole = summary(judged.tally, judged.findings, judged.trends, about)
    run.document("load-test-results.json", json.dumps(whole, indent=2))
    return "documents/load-test-baseline.md" if judged.tally.count else None
