"""Logging shown: rates over time, how long logs last, and the decision as a document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from launchbook import display
from launchbook.display import Chart, Html, escape_markdown, markdown_table
from launchbook.logs.judge import Decision


def rates(found: pd.DataFrame) -> Html:
    """Bytes and lines a second of each container, at idle and under load."""
    names = {
        "idle": "idle (bytes/s)",
        "load": "load (bytes/s)",
        "idle_lines": "idle (lines/s)",
        "load_lines": "load (lines/s)",
    }
    return display.table(found.rename(columns=names), "Log rate" if len(found) else "No log rate was measured")


def over_time(frame: pd.DataFrame) -> Chart:
    """Bytes logged in each second under load, a line a container."""
    fig = go.Figure()
    for (namespace, pod, container), part in frame.groupby(["namespace", "pod", "container"]):
        fig.add_scatter(x=part["second"], y=part["bytes"], name=f"{namespace}/{pod} {container}", mode="lines")
    fig.update_layout(
        title="Log rate under load", xaxis_title="seconds since the followers opened", yaxis_title="bytes/s", height=360
    )
    summed = frame.groupby(["namespace", "pod", "container"])[["bytes", "lines"]].sum().reset_index()
    return display.figure(fig, summed)


def lasting(frame: pd.DataFrame, needed: float) -> Chart:
    """Hours for which each container's log lasts at its rate under load, against what is needed (s)."""
    shown = frame[frame["retained"] != float("inf")]
    names = shown["namespace"] + "/" + shown["pod"]
    fig = go.Figure()
    fig.add_bar(y=names, x=shown["retained"], name="on the node, all files", orientation="h")
    fig.add_bar(y=names, x=shown["readable"], name="with kubectl logs", orientation="h")
    fig.add_vline(x=needed / 3600, line_dash="dash", annotation_text=f"needed: {needed / 3600:.2f} h")
    fig.update_layout(
        title="How long logs last under load", xaxis_title="hours", xaxis_type="log", height=160 + 50 * len(shown)
    )
    fig.update_yaxes(automargin=True)
    return display.figure(fig, frame)


def document(
    decided: Decision, found: pd.DataFrame, lasting: pd.DataFrame, limits: Mapping[str, Any], waiver: Any = None
) -> str:
    """log-aggregation-decision.md. waiver: parameters.WaiverParameters of C.decision, None where there is none."""
    words = {
        "in place": "in place: nothing to decide",
        "deploy": "deploy",
        "defer": "defer (proposed; it holds once somebody has accepted it under `waivers:`)",
        "unknown": "not decided: figures are missing",
    }
    shown = lasting.rename(
        columns={"rate": "bytes/s on the node", "readable": "readable (h)", "retained": "retained (h)"}
    ).round(2)
    lines = [
        "# Log aggregation", "", f"**Decision: {words[decided.decision]}**", "", "## Rationale", "",
        *(f"- {escape_markdown(line)}" for line in decided.because), "", "## What is there", "",
        markdown_table(found.fillna("not read")), "", "## How long logs last", "",
        "The rate on the node is that of the text and of what the runtime writes before each line. "
        f"{limits['max_files']} files of {limits['max_size'] / 2**20:g} MiB a container, {escape_markdown(limits['source'])}.",
        "", markdown_table(shown) if len(shown) else "No log rate was measured.", "", "## Risk", "", decided.risk, "",
        "## Compensating control", "", decided.control, "", "## Owner and expiry", "",
        f"{escape_markdown(decided.owner)}, proposed to be reviewed by {decided.review_on.isoformat()}.", "",
        "## Acceptance", "", _acceptance(waiver), "",
        "## What reopens it", "", *(f"- {escape_markdown(line)}" for line in decided.triggers), "",
    ]  # fmt: skip
    return "\n".join(lines)


def _acceptance(waiver: Any) -> str:
    if waiver is None:
        return "Nobody has accepted a deferral."
    return (
        f"Accepted by {escape_markdown(waiver.approver)} for {escape_markdown(waiver.owner)} until "
        f"{waiver.expires.isoformat()}, up to {escape_markdown(waiver.bound)}: {escape_markdown(waiver.reason)} Control: "
        f"{escape_markdown(waiver.control)} The verdict says whether it holds."
    )
