"""The logging decision by stated rules: deploy aggregation, or propose to defer it with a risk that somebody accepts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import isfinite
from typing import Any, Literal

import pandas as pd

from launchbook.words import Check, Status

# The runtime puts a time stamp, the stream and a tag before each line of a container's log on the node.
_PREFIX = 40  # bytes a line
_MANY_RESTARTS = 3
HOURS = ["namespace", "pod", "container", "rate", "readable", "retained"]


@dataclass(frozen=True)
class Terms:
    """What the rules hold the figures against: seconds of detection and response, seconds of retention demanded."""

    detection_and_response: float
    retention: float
    personal_data: bool
    owner: str
    review_after_days: int


@dataclass(frozen=True)
class Decision:
    """decision: in place, deploy, defer or unknown; because: a sentence for each rule that decided."""

    decision: Literal["in place", "deploy", "defer", "unknown"]
    because: tuple[str, ...]
    risk: str
    control: str
    owner: str
    review_on: date
    triggers: tuple[str, ...]
    peak: float | None


def hours(rates: pd.DataFrame, limits: Mapping[str, Any]) -> pd.DataFrame:
    """How long each container's log lasts at its rate under load: HOURS (rate in bytes/s on the node, hours).

    readable: `kubectl logs` reads the newest file only, so up to max_size; retained: all files on the node.
    """
    frame = rates.dropna(subset=["load"]).copy()
    frame["rate"] = frame["load"] + _PREFIX * frame["load_lines"]
    silent = frame["rate"] <= 0
    frame["readable"] = (limits["max_size"] / frame["rate"].where(~silent) / 3600).fillna(float("inf"))
    frame["retained"] = frame["readable"] * limits["max_files"]
    return frame[HOURS].sort_values("retained", ignore_index=True)


def inventory(found: pd.DataFrame) -> Check:
    """C.inventory. found: columns role, found, where, ready."""
    expected = "known, whatever it is"
    if found["found"].isna().any():
        because = f"The workloads could not be listed: {found['where'].iloc[0]}"
        return Check("C.inventory", "cluster", Status.UNKNOWN, "not read", expected, because)
    there = found[found["found"] != ""]
    measured = ", ".join(f"{r['role']}: {r['found']}" for r in there.to_dict("records")) or "nothing found"
    roles = sorted(set(found["role"]) - set(there["role"]))
    because = f"Not found: {', '.join(roles)}." if roles else "Every role is filled."
    return Check("C.inventory", "cluster", Status.PASS, measured, expected, because, ("evidence/logs/inventory.json",))


def rate(rates: pd.DataFrame) -> Check:
    """C.rate. rates: columns namespace, pod, container, idle, load (bytes/s)."""
    expected = "every container at idle and under load"
    evidence = ("evidence/logs/idle.parquet", "evidence/logs/load.parquet")
    if rates.empty:
        because = "Track B left no log rates in this run."
        return Check("C.rate", "containers", Status.UNKNOWN, "not measured", expected, because)
    gone = rates[rates["idle"].isna() | rates["load"].isna()]
    measured = f"{rates['load'].sum():.0f} bytes/s under load, {rates['idle'].sum():.0f} at idle"
    figure = float(rates["load"].max())
    if len(gone):
        names = ", ".join(f"{r['namespace']}/{r['pod']}" for r in gone.to_dict("records"))
        because = f"Followed only half of the time: {names}."
        return Check("C.rate", "containers", Status.UNKNOWN, measured, expected, because, evidence)
    top = rates.sort_values("load").iloc[-1]
    because = f"{top['namespace']}/{top['pod']} logs most: {top['load']:.0f} bytes/s under load."
    return Check(
        "C.rate", "containers", Status.PASS, measured, expected, because, evidence, figure=figure, bound="<= bytes/s"
    )


def retention(lasting: pd.DataFrame, limits: Mapping[str, Any], terms: Terms) -> Check:
    """C.retention. lasting: see hours()."""
    needed = max(terms.detection_and_response, terms.retention) / 3600
    expected = f"at least {needed:.2f} h"
    if lasting.empty:
        because = "No log rate was measured under load."
        return Check("C.retention", "containers", Status.UNKNOWN, "not measured", expected, because)
    least = lasting.iloc[0]
    told = (
        f"{limits['max_files']} files of {limits['max_size'] / 2**20:g} MiB ({limits['source']}) at "
        f"{least['rate']:.0f} bytes/s"
    )
    measured = f"{least['retained']:.2f} h on the node, {least['readable']:.2f} h with kubectl logs"
    status = Status.PASS if least["retained"] >= needed else Status.FAIL
    because = f"{least['namespace']}/{least['pod']} has the least: {told}."
    return Check(
        "C.retention", "containers", status, measured, expected, because, figure=float(least["retained"]), bound=">= h"
    )


def restarts(found: pd.DataFrame) -> Check:
    """C.restarts. found: columns namespace, pod, container, restarts, reason."""
    expected = f"fewer than {_MANY_RESTARTS} of any container, none out of memory or evicted"
    if found.empty:
        because = "No container was found."
        return Check("C.restarts", "containers", Status.UNKNOWN, "nothing read", expected, because)
    total = int(found["restarts"].sum())
    grave = found["reason"].str.contains("OOMKilled|Evicted")
    bad = found[(found["restarts"] >= _MANY_RESTARTS) | grave]
    measured = f"{total} restarts of {len(found)} containers"
    if len(bad):
        told = "; ".join(
            f"{r['namespace']}/{r['pod']}: {r['restarts']} ({r['reason']})" for r in bad.to_dict("records")
        )
        return Check(
            "C.restarts", "containers", Status.FAIL, measured, expected, f"{told}.", figure=float(total), bound="<="
        )
    because = "Each restart keeps one earlier log only; there were few." if total else "None, so no log was lost."
    return Check("C.restarts", "containers", Status.PASS, measured, expected, because, figure=float(total))


def decide(
    found: pd.DataFrame, rates: pd.DataFrame, lasting: pd.DataFrame, restarted: pd.DataFrame, terms: Terms, today: date
) -> Decision:
    """Deploy or defer. A rule that can't be asked for want of figures makes the decision unknown, never a deferral."""

    def say(decision: Literal["in place", "deploy", "defer", "unknown"], because: Sequence[str]) -> Decision:
        peak = None if rates.empty else float(rates["load"].max())
        return Decision(
            decision, tuple(because), _RISK, _CONTROL, terms.owner, today + timedelta(days=terms.review_after_days),
            _triggers(peak, terms), peak,
        )  # fmt: skip

    if found["found"].isna().any():
        return say("unknown", ["What collects logs is not known."])
    if in_place(found):
        return say("in place", ["A log agent and a log store run, each with all its pods ready."])
    if lasting.empty or restarted.empty:
        return say("unknown", ["The log rate under load is not known, so how long logs last is not known."])
    kept = float(lasting["retained"].min())
    forced = []
    if kept * 3600 < terms.detection_and_response:
        forced.append(
            f"Logs last {kept:.2f} h under load; finding and handling an incident takes "
            f"{terms.detection_and_response / 3600:.2f} h."
        )
    if terms.retention and kept * 3600 < terms.retention:
        forced.append(f"{terms.retention / 3600:.0f} h of retention are demanded; logs last {kept:.2f} h under load.")
    if terms.personal_data:
        forced.append("Logs hold personal data, whose access and deletion a node's files can't control.")
    if (restarted["restarts"] >= _MANY_RESTARTS).any():
        forced.append("A container restarts so often that its earlier logs are lost.")
    if forced:
        return say("deploy", forced)
    needed = f"the {terms.detection_and_response / 3600:.2f} h in which an incident is found and handled"
    return say(
        "defer",
        [
            "Logs are not aggregated, which somebody must accept.",
            f"They last {kept:.2f} h under load, longer than {needed}."
            if isfinite(kept)
            else f"Nothing was logged under load, so they last longer than {needed}.",
            "No retention is demanded, no personal data is logged, and no container restarts often.",
        ],
    )


_RISK = (
    "Logs live on the node: a pod that is deleted or evicted, or a node that is lost, takes its logs along, and nobody "
    "can search across pods."
)
_CONTROL = (
    "Whoever handles an incident reads the logs of every pod before anything is restarted: with `kubectl logs --timestamps` "
    "what it still reads, and the rotated files under /var/log/pods on the node for what lies before."
)


def _triggers(peak: float | None, terms: Terms) -> tuple[str, ...]:
    rate_ = f"the log rate of a container passes {2 * peak:.0f} bytes/s (twice what was measured)" if peak else ""
    fixed = (
        "an incident could not be explained because a log was gone",
        "a rule demands retention, or personal data is logged",
        f"{terms.review_after_days} days have passed",
    )
    return tuple(filter(None, (rate_, *fixed)))


def in_place(found: pd.DataFrame) -> bool:
    """A log agent and a log store run with all their pods."""
    ready = found[found["ready"].map(_whole)]
    return {"log agent", "log store"} <= set(ready["role"])


def _whole(ready: str) -> bool:
    have, _, wanted = ready.partition("/")
    return bool(wanted) and have == wanted and wanted != "0"


def decision(decided: Decision) -> Check:
    """C.decision. A deferral is only proposed: it FAILs until a waiver accepts its figure, the highest log rate.

    Where the rules say deploy there is no figure, so that nobody can accept a deferral that the figures forbid.
    """
    subject, expected = "log-aggregation", "deployed, or its absence accepted"
    evidence = ("documents/log-aggregation-decision.md",)
    because = " ".join(decided.because)
    if decided.decision == "in place":
        return Check("C.decision", subject, Status.PASS, "deployed", expected, because, evidence)
    if decided.decision == "unknown":
        return Check("C.decision", subject, Status.UNKNOWN, "not decided", expected, because, evidence)
    if decided.decision == "deploy":
        return Check("C.decision", subject, Status.FAIL, "absent: deploy", expected, because, evidence)
    measured = f"absent: deferral proposed at {decided.peak:.0f} bytes/s"
    return Check(
        "C.decision",
        subject,
        Status.FAIL,
        measured,
        expected,
        because,
        evidence,
        figure=decided.peak,
        bound="<= bytes/s",
    )
