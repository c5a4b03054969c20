"""The plan and the wait as they are shown: whatever came from a cluster is text."""

from __future__ import annotations

from typing import Any

import pandas as pd

from launchbook.manifests import show
from launchbook.manifests.planning import Plan, Step


def service(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "s"}}


def test_a_plan_folds_each_change_below_the_table() -> None:
    """A new object has no diff; markup is shown, not obeyed; the digest stands beside it."""
    shown = show.changes(
        Plan(
            (
                Step(service("<b>"), "changed", diff="-a: <script>\n+a: b\n"),
                Step(service("new"), "created"),
                Step(service("no"), "refused", "<i>no</i>"),
            ),
            "uid",
        )
    )
    assert shown.html.count("<details>") == 1
    assert "<summary>Service/s/&lt;b&gt;: changed</summary><pre>-a: &lt;script&gt;\n+a: b\n</pre>" in shown.html
    assert "<script>" not in shown.html
    assert "<i>" not in shown.html
    assert "Service/s/new" in shown.text
    assert "To let exactly this one be applied, pass `approved_plan`." in shown.text


def test_a_plan_of_nothing_can_be_shown() -> None:
    """Where nothing was rendered."""
    shown = show.changes(Plan((), "uid"))
    assert "<details>" not in shown.html


def test_readiness_has_a_bar_an_object_and_its_state_in_words() -> None:
    """The first object stands on top; its numbers lie folded below."""
    rows = [
        {"object": "Deployment/s/a", "state": "ready", "because": "2 of 2 pods are ready", "seconds": 1.5},
        {"object": "Service/s/b", "state": "waiting", "because": "it has no ready endpoint", "seconds": 9.0},
    ]
    chart = show.readiness(pd.DataFrame(rows))
    (bar,) = chart.figure.data
    assert (list(bar.y), list(bar.text)) == (["Service/s/b", "Deployment/s/a"], ["waiting", "ready"])
    assert list(bar.hovertext) == ["it has no ready endpoint", "2 of 2 pods are ready"]
