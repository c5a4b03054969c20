"""What the manifests' notebook shows: the plan as a diff, readiness over time."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from launchbook import display
from launchbook.display import Chart, Html
from launchbook.manifests.planning import Plan


def changes(plan: Plan) -> Html:
    """The plan as a table with its digest, then each diff folded below it."""
    frame = plan.frame
    shown = display.table(frame[["object", "action", "because", "kept"]], "What applying does")
    folded = "".join(
        f"<details><summary>{display.escape(row.object)}: {display.escape(row.action)}</summary>"
        f"<pre>{display.escape_lines(row.diff)}</pre></details>"
        for row in frame.itertuples()
        if row.diff
    )
    told = f"Plan {plan.digest}. To let exactly this one be applied, pass `approved_plan`."
    return Html(f"{shown.html}<p>{display.escape(told)}</p>{folded}", f"{shown.text}\n{told}")


def readiness(states: pd.DataFrame) -> Chart:
    """How long each object took, a bar an object, its state in words beside it."""
    ordered = states.iloc[::-1]
    fig = go.Figure(
        go.Bar(
            x=ordered["seconds"], y=ordered["object"], orientation="h", text=ordered["state"], textposition="auto",
            hovertext=ordered["because"],
        )
    )  # fmt: skip
    fig.update_layout(
        title="Time to ready", xaxis_title="seconds since the wait began", height=120 + 28 * len(states),
        margin={"l": 10, "r": 10, "t": 50, "b": 40},
    )  # fmt: skip
    fig.update_yaxes(automargin=True)
    return display.figure(fig, states)
