"""How much a run was asked: a verdict says no more than the questions behind it. Pure."""

from __future__ import annotations

from collections import Counter

from launchbook.audits import AUDITS
from launchbook.checklist import Checklist
from launchbook.counted import counted
from launchbook.parameters import Environment, Scenario

_KINDS = {
    "check": "by a check of tracks A to C",
    "audit": "by an audit",
    "statement": "by a statement",
    "pending": "pending",
}


def asked(given: Environment, checklist: Checklist, *, read_only: bool = False) -> list[tuple[str, str]]:
    """(subject, what was asked) in the words that a verdict's reader needs."""
    edges = Counter(edge.expect for edge in given.isolation.edges)
    thresholds = (f"{metric} {text}" for metric, texts in given.load.thresholds.items() for text in texts)
    return [
        ("may change", "nothing, it is read-only" if read_only else ", ".join(given.allow) or "nothing"),
        ("isolation", f"{counted(len(given.isolation.edges), 'edge')}: {edges['open']} open, {edges['closed']} closed"),
        ("evictions", ", ".join(given.disruption.evict) or "no budget is proved"),
        ("load", f"{given.load.target.service}: {_load(given.load.scenario)}"),
        ("thresholds", ", ".join(thresholds)),
        ("logs", f"readable for {given.logs.detection_and_response:g} s"),
        ("checklist", _checklist(checklist)),
        ("waivers", ", ".join(f"{w.check} {w.subject} until {w.expires}" for w in given.waivers) or "none"),
        ("beside the manifests", ", ".join(given.manifests.known) or "nothing else may be there"),
    ]


def _load(scenario: Scenario) -> str:
    spent = f"{scenario.seconds:g} s, {scenario.warmup:g} s of it warm-up"
    if scenario.script:
        return f"k6's script {scenario.script.name}, {spent}"
    if scenario.stages:
        return f"{counted(len(scenario.stages), 'stage')} up to {max(stage.target for stage in scenario.stages):g}, {spent}"
    if scenario.rate:
        return f"{scenario.rate:g} requests/s, {spent}"
    return f"{counted(scenario.vus, 'VU')} with {scenario.think_time:g} s think time, {spent}"


def _checklist(checklist: Checklist) -> str:
    items = list(checklist)
    kinds = Counter(item.kind for item in items)
    told = ", ".join(f"{kinds[kind]} {how}" for kind, how in _KINDS.items() if kinds[kind])
    left_out = sorted(set(AUDITS) - {item.audit for item in items})
    without = f"; of {len(AUDITS)} audits not asked: {', '.join(left_out)}" if left_out else ""
    return f"{counted(len(items), 'item')}: {told}{without}"
