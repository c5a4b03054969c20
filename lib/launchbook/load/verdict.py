"""`launchbook load-verdict`: anybody's load results judged offline, with no cluster and no run."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from launchbook.errors import ParametersError
from launchbook.load import doubts, judge, soak
from launchbook.load.figures import TRENDS, Figure, trend
from launchbook.load.plan import planned
from launchbook.load.readers import read
from launchbook.load.reading import Foreign, Reading
from launchbook.load.terms import Finding, Plan, Reason
from launchbook.parameters import Load, Scenario
from launchbook.thresholds import METRICS, Threshold, parse
from launchbook.words import Status

_CODES = {"PASS": 0, "FAIL": 1, "INVALID": 4, "NO DATA": 4}


def command(files: Sequence[Path], scenario: Path | None) -> tuple[str, int]:
    """JSON `{"outcome", "reasons": [{"id", "message"}], "notes", "metrics"}` and its exit code: 0 PASS, 1 FAIL, 4 otherwise.

    metrics: metric -> values (aggregate -> figure), intervals (aggregate -> [low, high] at 95 %, where samples give
    them) and thresholds (expression -> whether it holds). notes: as reasons, but they change nothing.
    scenario: a YAML with `thresholds:` (or a whole environment, with them under `load:`); without one the results'
    own thresholds count, else the defaults. Where it holds a whole `scenario:`, the results are held against that plan
    too, but for its warm-up, which they may or may not contain. Raises ParametersError for a scenario that can't be used.
    """
    given, plan = (None, None) if scenario is None else _scenario(scenario)
    try:
        reading = Reading.merged([read(path) for path in files])
    except Foreign as error:
        return _say("INVALID", [Reason("unreadable", str(error))], {})
    if reading.count == 0:
        return _say("NO DATA", [Reason("no-requests", "The results hold no HTTP request."), *reading.problems], {})
    thresholds = given if given is not None else parse(reading.thresholds or Load.model_fields["thresholds"].default)
    found = [_finding(t, f) for t, f in zip(thresholds, reading.judged_by(thresholds), strict=True)]
    reasons = [*reading.problems, *_doubts(reading, plan, thresholds, found)]
    for one in found:
        if one.figure is None:
            absent = f"{one.threshold.name}: the results don't hold {one.threshold.aggregate}."
            reasons.append(Reason("figure-missing", absent))
        elif one.status is Status.FAIL:
            value = f"{one.threshold.aggregate} is {one.figure.value:.4g}."
            reasons.append(Reason("threshold", f"{one.threshold.name} does not hold: {value}", "FAIL"))
    reasons += [] if given is not None else reading.crossed
    kinds = {reason.makes for reason in reasons}
    outcome = "INVALID" if "INVALID" in kinds else "FAIL" if "FAIL" in kinds else "PASS"
    return _say(outcome, reasons, _metrics(reading, found))


def _finding(threshold: Threshold, figure: Figure | None) -> Finding:
    if figure is None or not math.isfinite(figure.value):
        return Finding(threshold, None, Status.UNKNOWN)
    return Finding(threshold, figure, Status.PASS if threshold.holds(figure.value) else Status.FAIL)


def _doubts(
    reading: Reading, plan: Plan | None, thresholds: Sequence[Threshold], found: Sequence[Finding]
) -> list[Reason]:
    if reading.tally is None:
        share = reading.figures.get("http_req_failed", {}).get("rate", 0.0)
        return [
            *doubts.too_few(reading.count, thresholds), *doubts.no_success(reading.count, share * reading.count, thresholds),
        ]  # fmt: skip
    tally, about = reading.tally, reading.about
    known = plan or (about.plan if about else None)
    return [
        *judge.reasons(tally, known, thresholds, found, about.sender if about else None),
        *(Reason("grows", f"{s.name} grows by {s.because}", "NOTE") for s in soak.slopes(tally) if s.trend == "grows"),
        *_left_out(reading),
    ]  # fmt: skip


def _left_out(reading: Reading) -> list[Reason]:
    if reading.about is None or not reading.about.warmup:
        return []
    said = f"The run's warm-up, its first {reading.about.warmup:g} s, is left out, as it is in the run's own figures."
    return [Reason("warm-up", said, "NOTE")]


def _metrics(reading: Reading, found: Sequence[Finding]) -> dict[str, Any]:
    metrics: dict[str, Any] = {}
    for one in found:
        shown = metrics.setdefault(one.threshold.metric, {"values": {}, "thresholds": {}})
        if one.figure is None:
            continue
        _add(shown, one.threshold.aggregate, one.figure)
        shown["thresholds"][one.threshold.expression] = one.status is Status.PASS
    if reading.tally is not None and reading.tally.count:
        shown = metrics.setdefault("http_req_duration", {"values": {}, "thresholds": {}})
        for name, figure in trend(reading.tally, _carried(reading.tally.count)).items():
            _add(shown, name, figure)
    metrics.setdefault("http_reqs", {"values": {}})["values"]["count"] = reading.count
    return metrics


def _carried(count: int) -> list[str]:
    """The trends that so many samples carry."""
    return [name for name in TRENDS if not doubts.too_few(count, [Threshold("http_req_duration", "", name, "<", 0)])]


def _add(shown: dict[str, Any], name: str, figure: Figure) -> None:
    shown["values"][name] = figure.value
    if figure.low is not None:
        shown.setdefault("intervals", {})[name] = [figure.low, figure.high]


def _say(outcome: str, reasons: Sequence[Reason], metrics: dict[str, Any]) -> tuple[str, int]:
    def told(notes: bool) -> list[dict[str, str]]:
        return [{"id": r.id, "message": r.message} for r in reasons if (r.makes == "NOTE") is notes]

    answer = {"outcome": outcome, "reasons": told(False), "notes": told(True), "metrics": metrics}
    return json.dumps(answer, indent=2), _CODES[outcome]


def _scenario(path: Path) -> tuple[list[Threshold], Plan | None]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ParametersError(f"{path}: can't be read: {error}") from None
    found = (content or {}).get("load", content) if isinstance(content, dict) else None
    if not isinstance(found, dict) or not isinstance(found.get("thresholds"), dict):
        example = '{"http_req_duration": ["p(95)<500"]}'
        raise ParametersError(f"{path}: holds no `thresholds:` such as {example}; known metrics: {', '.join(METRICS)}.")
    given = {m: [t] if isinstance(t, str) else t for m, t in found["thresholds"].items()}
    for metric, texts in given.items():
        if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
            raise ParametersError(f"{path}: thresholds of {metric} are a list of texts, such as ['p(95)<500'].")
    if not given:
        raise ParametersError(f"{path}: `thresholds:` is empty, so there is nothing to judge by.")
    if "scenario" not in found:
        return parse(given), None
    try:
        return parse(given), planned(Scenario.model_validate(found["scenario"]))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ParametersError(f"{path}: scenario.{place}: {first['msg']}.") from None
