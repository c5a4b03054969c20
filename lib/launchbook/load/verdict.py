"""`launchbook load-verdict`: anybody's load results judged offline, with no cluster and no run."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from launchbook.errors import ParametersError
from launchbook.load.readers import read
from launchbook.load.reading import Foreign, Reading
from launchbook.parameters import Load
from launchbook.thresholds import METRICS, Threshold, parse

_CODES = {"PASS": 0, "FAIL": 1, "INVALID": 4, "NO DATA": 4}
_TAIL = 5


def command(files: Sequence[Path], scenario: Path | None) -> tuple[str, int]:
    """JSON `{"outcome", "reasons": [{"id", "message"}], "metrics"}` and its exit code: 0 PASS, 1 FAIL, 4 otherwise.

    scenario: a YAML with `thresholds:` (or a whole environment, with them under `load:`); without one the results'
    own thresholds count, else the defaults. Raises ParametersError for a scenario that can't be used.
    """
    given = None if scenario is None else _thresholds(scenario)
    try:
        reading = Reading.merged([read(path) for path in files])
    except Foreign as error:
        return _say("INVALID", [("unreadable", str(error))], {})
    if reading.count == 0:
        return _say("NO DATA", [("no-requests", "The results hold no HTTP request."), *reading.problems], {})
    thresholds = given if given is not None else parse(reading.thresholds or Load.model_fields["thresholds"].default)
    reasons = [*reading.problems, *_too_few(reading.count, thresholds), *_no_success(reading, thresholds)]
    metrics: dict[str, Any] = {}
    failed: list[tuple[str, str]] = [] if given is not None else list(reading.crossed)
    for one in thresholds:
        value = reading.figure(one)
        shown = metrics.setdefault(one.metric, {"values": {}, "thresholds": {}})
        if value is None or not math.isfinite(value):
            reasons.append(("figure-missing", f"{one.name}: the results don't hold {one.aggregate}."))
            continue
        shown["values"][one.aggregate] = value
        shown["thresholds"][one.expression] = one.holds(value)
        if not one.holds(value):
            failed.append(("threshold", f"{one.name} does not hold: {one.aggregate} is {value:.4g}."))
    metrics.setdefault("http_reqs", {"values": {}})["values"]["count"] = reading.count
    if reasons:
        return _say("INVALID", [*reasons, *failed], metrics)
    return _say("FAIL" if failed else "PASS", failed, metrics)


def _say(outcome: str, reasons: Sequence[tuple[str, str]], metrics: dict[str, Any]) -> tuple[str, int]:
    told = [{"id": id, "message": message} for id, message in reasons]
    return json.dumps({"outcome": outcome, "reasons": told, "metrics": metrics}, indent=2), _CODES[outcome]


def _too_few(count: int, thresholds: Sequence[Threshold]) -> list[tuple[str, str]]:
    asked = [float(t.aggregate[2:-1]) for t in thresholds if t.aggregate.startswith("p(")]
    needed = max((round(_TAIL / (1 - p / 100)) for p in asked if p < 100), default=1)
    if count >= needed:
        return []
    return [("too-few-samples", f"{count} samples; {needed} are needed for p({max(asked):g}).")]


def _no_success(reading: Reading, thresholds: Sequence[Threshold]) -> list[tuple[str, str]]:
    asked = any(one.metric == "http_req_failed" for one in thresholds)
    share = reading.figures.get("http_req_failed", {}).get("rate")
    if reading.durations is not None and reading.failed is not None:
        share = reading.failed / reading.count
    if asked or share is None or share < 1:
        return []
    return [("no-success", "No request succeeded, so rate and latency say nothing of the target.")]


def _thresholds(scenario: Path) -> list[Threshold]:
    try:
        content = yaml.safe_load(scenario.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ParametersError(f"{scenario}: can't be read: {error}") from None
    found = (content or {}).get("load", content) if isinstance(content, dict) else None
    if not isinstance(found, dict) or not isinstance(found.get("thresholds"), dict):
        example = '{"http_req_duration": ["p(95)<500"]}'
        raise ParametersError(
            f"{scenario}: holds no `thresholds:` such as {example}; known metrics: {', '.join(METRICS)}."
        )
    given = {m: [t] if isinstance(t, str) else t for m, t in found["thresholds"].items()}
    for metric, texts in given.items():
        if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
            raise ParametersError(f"{scenario}: thresholds of {metric} are a list of texts, such as ['p(95)<500'].")
    if not given:
        raise ParametersError(f"{scenario}: `thresholds:` is empty, so there is nothing to judge by.")
    return parse(given)
