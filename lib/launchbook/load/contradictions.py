"""Figures of one summary that can't all be true. Pure."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence

from launchbook.load.doubts import checks_broken, timeless
from launchbook.load.figures import percent
from launchbook.load.terms import Reason
from launchbook.thresholds import Threshold

_ROUNDED = 1e-3  # of a figure, or of a share: what rounding to three digits may change
_RATE = 0.02  # of a count: a rate may be of a time that is a little shorter


def of_k6(name: str, metrics: Mapping[str, Mapping[str, float]], seconds: float | None) -> list[Reason]:
    """A summary of k6. name: of its file; metrics: metric -> aggregate -> figure; seconds: how long the test ran."""
    failed, sent = metrics.get("http_req_failed", {}), metrics.get("http_reqs", {})
    duration, count = metrics.get("http_req_duration", {}), sent.get("count", 0.0)
    share = failed.get("rate", failed.get("value", 0.0))
    reasons = [one for metric, values in metrics.items() for one in of_trend(name, metric, values)]
    for metric, values in metrics.items():
        reasons += _of_rate(name, metric, values)
    if (
        count
        and seconds
        and "rate" in sent
        and not math.isclose(sent["rate"] * seconds, count, rel_tol=_RATE, abs_tol=1)
    ):
        told = f"{sent['rate']:.6g}/s in {seconds:g} s are {sent['rate'] * seconds:.0f}"
        said = f"{name}: http_reqs counts {count:g} requests, and {told}."
        reasons.append(Reason("contradiction", said))
    known = failed.get("passes", 0.0) + failed.get("fails", 0.0)
    if "passes" in failed and known and known != count:
        said = f"{name}: http_req_failed counts {known:g} requests, and http_reqs {count:g}."
        reasons.append(Reason("contradiction", said))
    if "count" in duration and duration["count"] != count:
        said = f"{name}: http_req_duration counts {duration['count']:g} requests, and http_reqs {count:g}."
        reasons.append(Reason("contradiction", said))
    if math.isfinite(count) and duration:
        reasons += timeless(int(count), share * count, max(duration.values()))
    checks = metrics.get("checks", {})
    if "passes" in checks:
        reasons += checks_broken(int(checks["passes"] + checks.get("fails", 0)), checks["passes"])
    return reasons


def of_trend(name: str, metric: str, values: Mapping[str, float]) -> Iterator[Reason]:
    """A percentile that exceeds a higher one: min, p(N), max in this order, and avg between the outer ones."""
    places = {"min": 0.0, "max": 100.0} | {key: share for key in values if (share := percent_of(key)) is not None}
    ordered = sorted((key for key in places if key in values), key=lambda key: places[key])
    pairs = list(itertools.pairwise(ordered))
    pairs += [pair for pair in (("min", "avg"), ("avg", "max")) if all(one in values for one in pair)]
    for low, high in pairs:
        if places.get(low) != places.get(high) and values[low] > values[high] * (1 + _ROUNDED) + _ROUNDED:
            said = f"{name}: {metric} has {low} = {values[low]:.6g} above {high} = {values[high]:.6g}."
            yield Reason("contradiction", said)


def percent_of(key: str) -> float | None:
    """N of p(N) or med; None for anything else, such as a custom metric's own word."""
    try:
        return percent(key)
    except ValueError:
        return None


def _of_rate(name: str, metric: str, values: Mapping[str, float]) -> Iterator[Reason]:
    if not {"passes", "fails", "rate"} <= values.keys() or values["passes"] + values["fails"] <= 0:
        return
    share = values["passes"] / (values["passes"] + values["fails"])
    if abs(share - values["rate"]) > _ROUNDED:
        said = (
            f"{name}: {metric} has a rate of {values['rate']:.6g}, and {values['passes']:g} of "
            f"{values['passes'] + values['fails']:g} are {share:.6g}."
        )
        yield Reason("contradiction", said)


def of_word(threshold: Threshold, value: float | None, kept: bool | None) -> list[Reason]:
    """What k6 says of a threshold against its own figure. kept: None where it says nothing."""
    if value is None or kept is None or math.isnan(value) or threshold.holds(value) == kept:
        return []
    says = "holds" if kept else "does not hold"
    return [Reason("contradiction", f"{threshold.name} {says}, says k6, and {threshold.aggregate} is {value:.6g}.")]


def of_rows(name: str, column: str, parts: Sequence[str | None], whole: int) -> list[Reason]:
    """Locust's rows, whose sum its row Aggregated is. parts: as they stand in the file"""
    counts = [int(one) for one in parts if one and one.isdigit()]
    if not counts or sum(counts) == whole:
        return []
    return [
        Reason("contradiction", f"{name}: the rows add up to {sum(counts)} in {column}, and Aggregated says {whole}.")
    ]
