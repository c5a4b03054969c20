"""Results without samples: k6's end-of-test summary."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from launchbook.load import contradictions, doubts, totals
from launchbook.load.reading import Foreign, Reading
from launchbook.load.terms import Reason
from launchbook.thresholds import METRICS, unclear, understood

_MAKES = ("INVALID", "FAIL")


def k6_summary(path: Path, whole: Mapping[str, Any]) -> Reading:
    """handleSummary's shape (values, thresholds ok) or --summary-export's (flat, where true means broken)."""
    metrics = whole["metrics"]
    if not isinstance(metrics, dict):
        raise Foreign(f"{path}: `metrics` is no mapping, so this is no k6 summary.")
    reading = Reading()
    for name in (*METRICS, *totals.READ):
        metric = metrics.get(name)
        if not isinstance(metric, dict):
            continue
        shown = _figures(_values(path, name, metric))
        if name == "http_req_failed" and "rate" not in shown and "value" in shown:
            shown["rate"] = shown["value"]
        reading.figures[name] = shown
        reading.problems += sane(path, name, shown)
    _own_thresholds(path, metrics, reading)
    told, sent, numbers = _seconds(whole), reading.figures.get("http_reqs", {}), _numbers(path, metrics)
    reading.problems += contradictions.of_k6(path.name, numbers, told)
    reading.checks = _checks(numbers.get("checks", {}))
    count = sent.get("count", 0.0)
    # k6 divides by the time of the whole test.
    reading.seconds = told or (count / sent["rate"] if sent.get("rate", 0.0) > 0 else None)
    reading.count = int(count) if math.isfinite(count) else 0
    dropped = metrics.get("dropped_iterations")
    lost = _values(path, "dropped_iterations", dropped).get("count", 0) if isinstance(dropped, dict) else 0
    if not isinstance(lost, (int, float)):
        raise Foreign(f"{path}: the count of dropped_iterations is no number, so this is no k6 summary.")
    reading.problems += doubts.dropped(lost)
    _own_words(whole.get("launchbook"), reading)
    return reading


def _own_words(about: object, reading: Reading) -> None:
    """What a run of this runbook said of its own result, in load-test-results.json: it saw more than these figures tell."""
    if not isinstance(about, dict):
        return
    for one in about.get("reasons") or ():
        if isinstance(one, dict) and one.get("makes") in _MAKES:
            to = reading.problems if one["makes"] == "INVALID" else reading.crossed
            to.append(Reason(str(one.get("id")), str(one.get("message")), one["makes"], str(one.get("about"))))
    outcome = about.get("outcome")
    if outcome not in ("PASS", "FAIL") and not reading.problems:
        reading.problems.append(Reason("unbelieved", f"The run itself calls its result {outcome or 'nothing'}."))


def _checks(values: Mapping[str, float]) -> tuple[int, int]:
    passes, fails = values.get("passes", 0.0), values.get("fails", 0.0)
    return (int(passes + fails), int(passes)) if math.isfinite(passes + fails) else (0, 0)


def _numbers(path: Path, metrics: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """metric -> aggregate -> figure, of every metric."""
    return {
        str(name): _figures(_values(path, name, metric)) for name, metric in metrics.items() if isinstance(metric, dict)
    }


def _figures(values: Mapping[str, Any]) -> dict[str, float]:
    found = {k.replace(" ", ""): float(v) for k, v in values.items() if _number(v)}
    if "rate" in found or "passes" not in found:
        return found
    # --summary-export calls the share of a rate its value; else it follows from what was counted.
    seen = found["passes"] + found.get("fails", 0.0)
    share = found.get("value", found["passes"] / seen if seen else math.nan)
    return found if math.isnan(share) else {**found, "rate": share}


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _seconds(whole: Mapping[str, Any]) -> float | None:
    """How long the test ran, where the summary tells: handleSummary's data in ms, the newer one in s."""
    for part, key, by in (("state", "testRunDurationMs", 1000), ("config", "duration", 1)):
        told = whole[part].get(key) if isinstance(whole.get(part), dict) else None
        if isinstance(told, (int, float)) and told > 0:
            return float(told) / by
    return None


def k6_report(path: Path, whole: Mapping[str, Any]) -> Reading:
    """`--new-machine-readable-summary`, schema 1.0.0: metrics are a list below `results`, and there are no thresholds.

    https://github.com/grafana/k6-summary
    """
    listed = whole["results"].get("metrics")
    if not isinstance(listed, list) or not all(isinstance(one, dict) and "name" in one for one in listed):
        raise Foreign(f"{path}: `results.metrics` is no list of metrics with names, so this is no k6 summary.")
    reading = k6_summary(path, {**whole, "metrics": {str(one["name"]): one for one in listed}})
    if whole["results"].get("passed") is False:
        broken = "k6 says that the test did not pass, and not which threshold broke."
        reading.crossed.append(Reason("threshold", broken, "FAIL"))
    return reading


def _values(path: Path, name: str, metric: Mapping[str, Any]) -> Mapping[str, Any]:
    values = metric.get("values", {k: v for k, v in metric.items() if k != "thresholds"})
    if not isinstance(values, dict):
        raise Foreign(f"{path}: the values of {name} are no mapping, so this is no k6 summary.")
    return values


def _own_thresholds(path: Path, metrics: Mapping[str, Any], reading: Reading) -> None:
    """What can be judged here goes to `thresholds`; of the rest (checks, a metric with tags) k6's own word is taken."""
    for name, metric in metrics.items():
        given = metric.get("thresholds") if isinstance(metric, dict) else None
        if not given:
            continue
        if not isinstance(given, dict):
            raise Foreign(f"{path}: the thresholds of {name} are no mapping, so this is no k6 summary.")
        reading.asked = True
        kind = metric.get("type") if isinstance(metric.get("type"), str) else None
        values = _figures(_values(path, name, metric))
        for expression, said in given.items():
            threshold = understood(name, expression, kind)
            if threshold is None:
                why = f"A threshold of the results isn't understood, so it can't be judged: {unclear(name, expression, kind)}"
                reading.unjudged.append(Reason("threshold-unclear", why))
                continue
            # --summary-export writes true for a broken threshold, handleSummary {"ok": true} for a kept one
            ok = not said if isinstance(said, bool) else said.get("ok") if isinstance(said, dict) else None
            if not _on_nothing(path, name, metric):
                reading.problems += contradictions.of_word(threshold, values.get(threshold.aggregate), ok)
            if name in METRICS:
                reading.thresholds.setdefault(name, []).append(expression)
            elif ok is False:
                broken = f"{threshold.name} does not hold, says k6."
                reading.crossed.append(Reason("threshold", broken, "FAIL", threshold.name))
            elif ok is not True:
                unsaid = f"{threshold.name}: the summary doesn't say if it holds."
                reading.unjudged.append(Reason("figure-missing", unsaid))
            elif _untold(_values(path, name, metric), kind, threshold.aggregate):
                absent = f"{threshold.name} holds, says k6, but the summary doesn't hold {threshold.aggregate}."
                reading.unjudged.append(Reason("figure-missing", absent))
            elif _on_nothing(path, name, metric):
                nothing = f"{threshold.name} holds, says k6, but on zero samples."
                reading.unjudged.append(Reason("threshold-on-nothing", nothing))
            elif "count" in values and kind in (None, "trend"):
                few = doubts.too_few(int(values["count"]), [threshold])
                reading.unjudged += [Reason(one.id, f"{threshold.name}: {one.message}") for one in few]


def _untold(values: Mapping[str, Any], kind: str | None, aggregate: str) -> bool:
    """Whether k6's word stands without a figure: of a trend alone, one that was not asked for may be left out."""
    told = {key: value for key, value in _figures(values).items() if math.isfinite(value)}
    if aggregate in told:
        return False
    of_trend = kind in (None, "trend") and (aggregate.startswith("p(") or aggregate in ("avg", "min", "med", "max"))
    left_out = aggregate not in {key.replace(" ", "") for key in values}
    return not (of_trend and left_out and told)


def _on_nothing(path: Path, name: str, metric: Mapping[str, Any]) -> bool:
    """Whether a metric saw nothing: k6 then reads a trend as 0 and lets nearly every threshold pass."""
    values = {k: v for k, v in _values(path, name, metric).items() if _number(v)}
    if "count" in values:
        return bool(values["count"] == 0)
    if {"passes", "fails"} <= values.keys():
        return bool(values["passes"] + values["fails"] == 0)
    return "max" in values and not any(values.values())


def sane(path: Path, name: str, values: Mapping[str, float]) -> Iterable[Reason]:
    bad = [k for k, v in values.items() if math.isnan(v) or math.isinf(v) or v < 0]
    return [Reason("impossible", f"{path.name}: {name} {k} is {values[k]}.") for k in bad]
