"""Totals that were told again and again while a test ran: a bad minute and a standstill can be seen in them. Pure."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from launchbook.load import intervals
from launchbook.load.figures import Figure
from launchbook.load.hidden import FEWEST, MINUTE, worst_minute
from launchbook.load.terms import Finding, Plan, Reason
from launchbook.thresholds import Threshold
from launchbook.words import Status

_BEFORE = 30  # s, over which the rate before a standstill is looked at
_SHORT = 2  # s
_CHANCE = math.log(1000)  # requests due, of which none comes by chance in one run of a thousand
_SAME = 0.9  # of the users before a standstill, which are still there in it
_RHYTHM = 3  # standstills of about the same length are how the load was meant


@dataclass(frozen=True)
class Course:
    """at: s, ascending; sent, failed: requests since the row before; users: at that moment; med: ms, of the last ten
    seconds, NaN where there were no requests"""

    at: np.ndarray
    sent: np.ndarray
    failed: np.ndarray
    users: np.ndarray
    med: np.ndarray


def of_rows(rows: Sequence[Mapping[str, str | None]]) -> Course | None:
    """Rows `Aggregated` of Locust's history; None where they tell no course. Totals that fall were reset meanwhile."""
    try:
        table = np.array(
            [
                [
                    float(row[key] or 0)
                    for key in ("Timestamp", "Total Request Count", "Total Failure Count", "User Count")
                ]
                + [_number(row.get("50%"))]
                for row in rows
            ]
        )
    except (KeyError, ValueError):
        return None
    if len(table) < 2 or not np.isfinite(table[:, :4]).all() or (np.diff(table[:, 0]) < 0).any():
        return None
    at, sent, failed, users, med = table.T
    return Course(at[1:], _grown(sent), _grown(failed), users[1:], med[1:])


def _number(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return math.nan


def _grown(totals: np.ndarray) -> np.ndarray:
    grown = np.diff(totals)
    return np.where(grown < 0, totals[1:], grown)


def reasons(course: Course, plan: Plan | None, found: Sequence[Finding]) -> list[Reason]:
    """plan: None where it isn't known what was to be sent"""
    held = [one.threshold for one in found if one.status is Status.PASS]
    return [*_worst_minute(course, plan, held), *_stood_still(course, held)]


def _worst_minute(course: Course, plan: Plan | None, held: Sequence[Threshold]) -> list[Reason]:
    """A minute that breaks, by more than chance, what the whole keeps."""
    first = course.at[0]
    many = int((course.at[-1] - first) // MINUTE)
    if many < FEWEST:
        return []
    minutes = [np.flatnonzero((course.at - first) // MINUTE == n) for n in range(many)]
    told: list[Reason] = []
    for threshold in held:
        if threshold.asks_for_rate and plan is not None and not plan.steady:
            continue
        figures = [_of_minute(course, rows, threshold, (1 - intervals.CONFIDENCE) / many) for rows in minutes]
        broken = [(float(MINUTE * n), f.value) for n, f in enumerate(figures) if f is not None and f.beyond(threshold)]
        told += worst_minute(threshold, broken, many)
    return told


def _of_minute(course: Course, rows: np.ndarray, threshold: Threshold, alpha: float) -> Figure | None:
    sent, failed = int(course.sent[rows].sum()), int(course.failed[rows].sum())
    if threshold.metric == "http_req_failed":
        return Figure(failed / sent, *intervals.share(min(failed, sent), sent, alpha)) if sent else None
    if threshold.asks_for_rate:
        # Users who were still coming, or had gone already, are no worse minute of the target's.
        if len(rows) < 2 or (course.users[rows] < course.users.max()).any():
            return None
        rates = course.sent[rows][1:] / np.maximum(np.diff(course.at[rows]), 1)
        bounds = intervals.mean(rates, alpha)
        return None if bounds is None else Figure(float(rates.mean()), *bounds)
    if threshold.metric == "http_req_duration" and threshold.aggregate == "med":
        # Each median is of ten seconds: where all of them break it, that of the minute does.
        medians = course.med[rows]
        if sent and len(medians) and np.isfinite(medians).all():
            return Figure(float(np.median(medians)), float(medians.min()), float(medians.max()))
    return None


def _stood_still(course: Course, held: Sequence[Threshold]) -> list[Reason]:
    """Seconds without an answer though users were there, which what came before them does not explain."""
    pauses = _pauses(course)
    if not pauses:
        return []
    longest, rate, begins = max(pauses)
    if len([one for one, _, _ in pauses if 2 * one >= longest]) >= _RHYTHM:
        said = f"The load paused {len(pauses)} times, for up to {longest:.0f} s: that is taken for its rhythm."
        return [Reason("pauses", said, "NOTE")]
    missed = sum(seconds * per_second for seconds, per_second, _ in pauses)
    count, failed = course.sent.sum(), course.failed.sum()
    told = f"From {begins:.0f} s on no request was answered for {longest:.0f} s, after {rate:.3g} requests/s"
    for threshold in held:
        if threshold.metric == "http_req_failed":
            value = float((failed + missed) / (count + missed))
            if not threshold.holds(value):
                had = f"had the {missed:.0f} requests that are missing failed, {100 * value:.2f} % would have"
                return [Reason("hole", f"{told}: {had}, which breaks {threshold.name}.")]
        if (
            threshold.metric == "http_req_duration"
            and threshold.aggregate == "max"
            and not threshold.holds(1000 * longest)
        ):
            had = f"a request sent then would have waited up to {1000 * longest:.0f} ms"
            return [Reason("hole", f"{told}: {had}, which breaks {threshold.name}.")]
    return [Reason("stall", f"{told}; had those that are missing failed, what holds would hold all the same.", "NOTE")]


def _pauses(course: Course) -> list[tuple[float, float, float]]:
    """(how long, requests/s before it, when it began), s."""
    found = []
    busy = np.flatnonzero(course.sent > 0)
    for before, after in itertools.pairwise(busy):
        seconds = float(course.at[after - 1] - course.at[before])
        if after - before < 2 or seconds < _SHORT:
            continue
        recent = np.flatnonzero((course.at > course.at[before] - _BEFORE) & (course.at <= course.at[before]))
        passed = float(course.at[before] - course.at[recent[0]]) or 1.0
        rate = float(course.sent[recent].sum()) / max(passed, len(recent), 1.0)
        if rate * seconds >= _CHANCE and course.users[before:after].min() >= _SAME * course.users[recent].max():
            found.append((seconds, rate, float(course.at[before] - course.at[0])))
    return found
