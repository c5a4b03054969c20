"""Load: the audited Service hit by a scenario, judged for what the figures are worth and what they say."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pandas as pd

from launchbook.display import Html, table
from launchbook.load import judge
from launchbook.load.act import execute
from launchbook.load.judge import Finding, Outcome, Plan, Reason
from launchbook.load.plan import planned
from launchbook.load.result import Result
from launchbook.load.samples import measured, span
from launchbook.load.show import distribution, document, errors, latency, results, summary, throughput
from launchbook.load.target import target as _target
from launchbook.run import Run
from launchbook.thresholds import parse

__all__ = [
    "Judged", "Result", "checks", "distribution", "document", "errors", "evaluate", "execute", "judge", "latency",
    "results", "show_target", "target", "throughput", "write",
]  # fmt: skip


@dataclass(frozen=True)
class Judged:
    """A result with everything that was made of it. samples: without the warm-up."""

    result: Result
    plan: Plan
    samples: pd.DataFrame
    seconds: float
    reasons: list[Reason]
    findings: list[Finding]
    outcome: Outcome


def target(run: Run) -> dict[str, Any]:
    """See target.target(); kept as evidence."""
    found = _target(run)
    run.evidence("load/target.json", found)
    return found


def evaluate(run: Run, result: Result) -> Judged:
    """The result judged by the environment's thresholds."""
    load = run.parameters.load
    plan = planned(load.scenario)
    samples = measured(result.samples, load.scenario.warmup)
    seconds, thresholds = span(samples), parse(load.thresholds)
    reasons = judge.invalid(
        samples, result.health, plan, thresholds, cores=result.cores, complete=result.complete, seconds=seconds,
        problem=result.problem,
    )  # fmt: skip
    reasons += result.reasons
    found = judge.findings(samples, thresholds, seconds)
    return Judged(result, plan, samples, seconds, reasons, found, judge.outcome(len(samples), reasons, found))


def show_target(found: dict[str, Any]) -> Html:
    """What will be hit, from where."""
    rows = [("Service", found["service"]), ("URL", found["url"]), ("way", found["way"]), ("generator", found["where"]),
            ("ready endpoints", ", ".join(found["endpoints"])), ("problem", found["problem"] or "none")]  # fmt: skip
    return table(pd.DataFrame(rows, columns=["", "value"]), "The target of the load")


def checks(judged: Judged) -> list[Any]:
    """B.validity and B.threshold."""
    failed = judged.samples[judged.samples["failed"]]
    errors_by_kind = {str(kind): int(n) for kind, n in failed["error"].value_counts().items()}
    return [
        judge.validity(judged.outcome, judged.reasons, len(judged.samples), judged.result.problem),
        *judge.thresholds(judged.findings, judged.outcome, judged.plan, errors_by_kind),
    ]


def write(run: Run, judged: Judged, target: dict[str, Any]) -> str | None:
    """Writes load-test-baseline.md and load-test-results.json; the document's path, None where nothing was measured."""
    about = {
        "engine": judged.result.engine, "version": judged.result.version, "where": target["where"],
        "way": target["way"], "url": target["url"], "outcome": judged.outcome,
        "reasons": [r.__dict__ for r in judged.reasons], "began": judged.result.began,
        "vus": judged.plan.vus, "think_time": judged.plan.think_time, "rate": judged.plan.rate,
    }  # fmt: skip
    text = document(judged.plan, about, judged.findings, judged.outcome, judged.reasons, judged.samples)
    run.document("load-test-baseline.md", text)
    whole = summary(judged.samples, judged.findings, judged.seconds, about)
    run.document("load-test-results.json", json.dumps(whole, indent=2))
    return "documents/load-test-baseline.md" if len(judged.samples) else None
