"""The words of a load verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from launchbook.load.figures import Figure
from launchbook.thresholds import Threshold
from launchbook.words import Status

Outcome = Literal["PASS", "FAIL", "INVALID", "NO DATA"]


@dataclass(frozen=True)
class Reason:
    """Why a result is what it is.

    id: generator-saturated, truncated, rate-out-of-reach, too-few-samples, …; makes: what it makes of the result; a
    NOTE is to be read beside the figures and changes nothing; about: the threshold that it speaks of, where it is one
    """

    id: str
    message: str
    makes: Literal["INVALID", "FAIL", "NOTE"] = "INVALID"
    about: str = ""


@dataclass(frozen=True)
class Plan:
    """What was to be sent: virtual users, think time (s), seconds measured, and requests/s of an open loop.

    steady: whether users and rate stay the same all the time; otherwise they are means; shape: how they rise and fall
    then, where that is known: (s, users or requests/s) at each corner, with straight lines between
    """

    vus: float
    think_time: float
    duration: float
    rate: float | None = None
    steady: bool = True
    shape: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Sender:
    """What is known of the generator that sent a load.

    complete: whether it came to its end; problem: why it did not, or why samples are missing; elapsed: s that passed
    while it sent, by a clock that can't jump; cores: how many it can use; seen: in how many seconds it told of itself;
    cpu: cores that it used in its busiest tenth of seconds, or in most of a minute; lag: s by which its clock woke late in
    its worst tenth of seconds; floor: its own latency, see floor.Floor; reasons: what it says itself against its samples;
    slept: s by which its clock woke late at most
    """

    complete: bool = True
    problem: str | None = None
    elapsed: float | None = None
    cores: float = 1.0
    seen: int = 0
    cpu: float = 0.0
    lag: float = 0.0
    floor: Mapping[str, float] | None = None
    reasons: tuple[Reason, ...] = ()
    slept: float = 0.0


@dataclass(frozen=True)
class Finding:
    """A threshold with its figure (None where the samples can't carry it) and whether it holds."""

    threshold: Threshold
    figure: Figure | None
    status: Status


def amount(threshold: Threshold, value: float) -> str:
    """A figure with its unit: ms, requests/s, or percent for a share. It never says else than the verdict does."""
    percent = threshold.metric == "http_req_failed"
    if percent:
        unit, digits = " %", 2
    elif threshold.metric == "http_req_duration":
        unit, digits = " ms", 1
    else:
        unit, digits = (" /s", 1) if threshold.aggregate == "rate" else ("", 0)
    by = 100 if percent else 1
    return _telling(threshold, value, lambda more: f"{by * value:.{digits + more}f}", by) + unit


def bound_of(threshold: Threshold) -> str:
    """How a waiver may bound the figure of a threshold: see words.Check.bound; "" where no bound says more than it."""
    if threshold.relation[0] not in "<>":
        return ""
    unit = {"http_req_failed": " %", "http_req_duration": " ms"}.get(threshold.metric)
    return f"{threshold.relation[0]}={unit or (' /s' if threshold.aggregate == 'rate' else '')}"


def shown(threshold: Threshold, value: float) -> str:
    """A figure in four digits, or in as many as it takes to see whether it keeps a threshold."""
    return _telling(threshold, value, lambda more: f"{value:.{4 + more}g}")


def _telling(threshold: Threshold, value: float, said: Callable[[int], str], by: int = 1) -> str:
    """said: gives the figure with so many further digits"""
    texts = (said(more) for more in range(13))
    return next((t for t in texts if threshold.holds(float(t) / by) == threshold.holds(value)), said(13))


def interval(threshold: Threshold, figure: Figure | None) -> str:
    """The 95 % interval with its unit, `29.1 to 30.4 ms`; a dash where the samples can't bound it."""
    if figure is None or figure.low is None or figure.high is None:
        return "-"
    low, high = amount(threshold, figure.low), amount(threshold, figure.high)
    return f"{low.split(' ')[0]} to {high}"
