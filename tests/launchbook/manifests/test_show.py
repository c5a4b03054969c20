"""The plan and the wait as they are shown: whatever came from a cluster is text."""

from __future__ import annotations

import pandas as pd

from launchbook.manifests import show


def test_a_plan_folds_each_change_below_the_table() -> None:
    """A new object's diff is the object itself and is left out; markup is shown, not obeyed."""
    rows = [
        {"object": "Service/s/<b>", "action": "changed", "because": "", "diff": "-a: <script>\n+a: b\n"},
        {"object": "Service/s/new", "action": "created", "because": "", "diff": "+a: b\n"},
        {"object": "Service/s/no", "action": "refused", "because": "<i>no</i>", "diff": ""},
    ]
    shown = show.changes(pd.DataFrame(rows))
    assert shown.html.count("<details>") == 1
    assert "<summary>Service/s/&lt;b&gt;: changed</summary><pre>-a: &lt;script&gt;\n+a: b\n</pre>" in shown.html
    assert "<script>" not in shown.html
    assert "<i>" not in shown.html
    assert "Service/s/new" in shown.text


def test_a_plan_of_nothing_can_be_shown() -> None:
    """Where nothing was rendered."""
    shown = show.changes(pd.DataFrame(columns=["object", "action", "because", "diff"]))
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
