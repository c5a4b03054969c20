"""`launchbook load-verdict`: anybody's load results judged offline, with no cluster and no run."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from launchbook import bounds
from launchbook.errors import ParametersError
from launchbook.load import course, doubts, judge, pauses, soak, totals, unasked
from launchbook.load.figures import TRENDS, Figure, trend
from launchbook.load.plan import planned
from launchbook.load.readers import read
from launchbook.load.reading import Foreign, Reading
from launchbook.load.terms import Finding, Plan, Reason, shown
from launchbook.parameters import Load, Scenario
from launchbook.thresholds import METRICS, Threshold, parse
from launchbook.words import Status

_CODES = {"PASS": 0, "FAIL": 1, "INVALID": 4, "NO DATA": 4}


def command(files: Sequence[Path], scenario: Path | None) -> tuple[str, int]:
    """JSON `{"outcome", "reasons": [{"id", "message"}], "notes", "metrics"}` and its exit code: 0 PASS, 1 FAIL, 4 otherwise.

    metrics: metric -> values (aggregate -> figure), intervals (aggregate -> [low, high] at 95 %, where samples give
    them) and thresholds (expression -> whether it holds). notes: as reasons, but they change nothing.
    scenario: a YAML with `thresholds:` (or a whole environment, with them under `load:`, or left to the defaults);
    without one the results' own thresholds count, else the defaults, and which is said. Where it holds a whole
    `scenario:`, the results are held against that plan too, but for its warm-up, which they may or may not contain.
    Raises ParametersError for a scenario or a file that can't be used.
    """
    given, plan = (None, None) if scenario is None else _scenario(scenario)
    for path in files:
        _usable(path)
    try:
        reading = Reading.merged([read(path) for path in files])
    except Foreign as error:
        return _say("INVALID", [Reason("unreadable", str(error))], {})
    if reading.count == 0:
        return _say("NO DATA", [Reason("no-requests", "The results hold no HTTP request."), *reading.problems], {})
    thresholds, chosen = _asked(reading, given)
    found = [_finding(t, f) for t, f in zip(thresholds, reading.judged_by(thresholds), strict=True)]
    reasons = [*reading.problems, *chosen, *_empty(thresholds), *_doubts(reading, plan, found)]
    for one in found:
        if one.figure is None:
            absent = f"{one.threshold.name}: the results don't hold {one.threshold.aggregate}."
            reasons.append(Reason("figure-missing", absent))
        elif one.status is Status.FAIL:
            value = f"{one.threshold.aggregate} is {shown(one.threshold, one.figure.value)}."
            reasons.append(Reason("threshold", f"{one.threshold.name} does not hold: {value}", "FAIL"))
    if not {reason.makes for reason in reasons} & {"INVALID", "FAIL"}:
        # Elsewhere it is bad enough already.
        reasons += unasked.errors(reading.count, _failed(reading), thresholds)
        reasons += unasked.none_held(*reading.held)
    kinds = {reason.makes for reason in reasons}
    outcome = "INVALID" if "INVALID" in kinds else "FAIL" if "FAIL" in kinds else "PASS"
    if outcome == "PASS" and reading.tally is None:
        reasons.append(totals.unseen(reading.figures, course=reading.course is not None))
    return _say(outcome, reasons, _metrics(reading, found))


def _failed(reading: Reading) -> float:
    if reading.tally is not None:
        return reading.tally.failed
    return reading.count * reading.figures.get("http_req_failed", {}).get("rate", 0.0)


def _usable(path: Path) -> None:
    """Raises ParametersError for what can't be a result: it is the command that is wrong then, and no load."""
    if path.is_dir():
        raise ParametersError(f"{path}: is a folder; name the result files in it, such as {path / 'summary.json'}.")
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        why = error.strerror or str(error)
        raise ParametersError(f"{path}: can't be read ({why}); name a result file, such as summary.json.") from None


def _asked(reading: Reading, given: Sequence[Threshold] | None) -> tuple[list[Threshold], list[Reason]]:
    """The thresholds to judge by, and what is to be said of that choice: yours, else the results' own, else defaults."""
    own = reading.own
    if given is not None:
        others = [one.name for one in own if one not in given] + [one.about for one in reading.crossed]
        others += ["some that can't be judged here"] if reading.unjudged else []
        if not others:
            return list(given), []
        kept = f"The thresholds of --scenario are judged, not the results' own: {'; '.join(others)}."
        broken = [Reason(one.id, one.message, "NOTE") for one in reading.crossed]
        return list(given), [Reason("thresholds-replaced", kept, "NOTE"), *broken]
    if reading.asked:
        return own, [*reading.unjudged, *reading.crossed]
    defaults = parse(Load.model_fields["thresholds"].default)
    said = (
        f"Neither the results nor --scenario say what to judge by, so the defaults are judged: "
        f"{'; '.join(one.name for one in defaults)}."
    )
    return defaults, [Reason("thresholds-default", said, "NOTE"), *reading.crossed]


def _empty(thresholds: Sequence[Threshold]) -> list[Reason]:
    """Those that ask for nothing: they are somebody else's, so it is said and they are not refused."""
    hollow = [f"{one.name} {why}." for one in thresholds if (why := bounds.empty(one))]
    return [Reason("threshold-empty", " ".join(hollow), "NOTE")] if hollow else []


def _finding(threshold: Threshold, figure: Figure | None) -> Finding:
    if figure is None or not math.isfinite(figure.value):
        return Finding(threshold, None, Status.UNKNOWN)
    return Finding(threshold, figure, Status.PASS if threshold.holds(figure.value) else Status.FAIL)


def _doubts(reading: Reading, plan: Plan | None, found: Sequence[Finding]) -> list[Reason]:
    of_requests = [one for one in found if one.threshold.metric not in reading.series]
    if reading.tally is None:
        judged = [one for one in of_requests if one.threshold.metric in METRICS]
        said = totals.reasons(reading.figures, reading.count, reading.seconds, plan, judged)
        said += totals.rounded(judged, reading.rounding) if reading.rounding else []
        return said + (course.reasons(reading.course, plan, judged) if reading.course else [])
    tally, about = reading.tally, reading.about
    known = plan or (about.plan if about else None)
    of_series = [one.threshold for one in found if one.threshold.metric in reading.series]
    return [
        *judge.reasons(tally, known, [f.threshold for f in of_requests], of_requests, about.sender if about else None),
        *(() if known else pauses.doubts(tally, of_requests, reading.vus)),
        *doubts.timeless(tally.count, tally.failed, tally.high),
        *(() if reading.refused else doubts.errors_untold(reading.tells)),
        *unasked.statuses(reading.refused, tally.count, reading.tells),
        *unasked.names(tally),
        *_checks(reading),
        *(reason for one in of_series for reason in reading.series[one.metric].doubts(one)),
        *(Reason("grows", f"{s.name} grows by {s.because}", "NOTE") for s in soak.slopes(tally) if s.trend == "grows"),
        *_left_out(reading),
    ]  # fmt: skip


def _checks(reading: Reading) -> list[Reason]:
    checks = reading.series.get("checks")
    return doubts.checks_broken(checks.count, checks.above) if checks and "checks" not in reading.thresholds else []


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
    if isinstance(found, dict) and "scenario" in found and found.get("thresholds") is None:
        # An environment that leaves its thresholds out is judged by the same defaults in a run.
        found = {**found, "thresholds": {m: list(t) for m, t in Load.model_fields["thresholds"].default.items()}}
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
