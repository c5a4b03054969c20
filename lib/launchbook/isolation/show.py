"""What was tried, as tables: every attempt, the canary, and the lags. The matrix is in matrix.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from launchbook import display
from launchbook.display import Html


def attempts(observed: Mapping[str, Any]) -> Html:
    """Every target with the outcome of each attempt and its controls."""
    rows = [
        [
            edge, target["target"], target["kind"], f"{target['host']}:{target['port']}/{target['protocol']}",
            ", ".join(target["outcomes"]) or "not probed",
            "" if target["answers"] is None else "yes" if target["answers"] else "no",
            "yes" if all(seen["control"]) else "no",
        ]
        for edge, seen in observed["edges"].items()
        for target in seen["targets"]
    ]  # fmt: skip
    columns = ["edge", "target", "by", "address", "outcomes", "answers others", "control open"]
    caption = observed["problem"] or "Every attempt"
    if pace := observed.get("pace"):
        rate = pace["cells"] / max(pace["seconds"], 0.001)
        caption += (
            f": {pace['attempts']} for {pace['cells']} edges in {pace['seconds']:.1f} s, {rate:.0f} edges a second"
        )
    return display.table(pd.DataFrame(rows, columns=columns), caption, find=True)


def canary(found: Mapping[str, Any]) -> Html:
    """Each node: whether its listener was open before the policy and silent after, whether its prober sent; and lags."""
    columns = {
        "node": "node", "open": "open before", "blocked": "denied after", "lag": "lag (s)",
        "held": "held connection survived", "sends": "sent under a denial", "sends_lag": "to send, lag (s)", "because": "because",
    }  # fmt: skip
    frame = pd.DataFrame(found["nodes"], columns=list(columns)).rename(columns=columns)
    return display.table(frame, found["problem"] or "Enforcement, node by node")


def lags(found: Mapping[str, Any]) -> Html:
    """Each edge that is declared closed: what it was before the apply, and how long after it was closed."""
    rows = [[name, row["before"], row["state"], row["lag"], row["because"]] for name, row in found["edges"].items()]
    frame = pd.DataFrame(rows, columns=["edge", "before", "state", "lag (s)", "because"])
    return display.table(frame, found["problem"] or "From apply to enforcement, edge by edge")
