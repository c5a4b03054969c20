"""Drains as a table, a proof as a figure: what each shows, and that names from a cluster are text."""

from __future__ import annotations

from typing import Any

from launchbook.disruption import show

from .facts import budget, placement, pod


def test_each_eviction_is_a_row_and_what_stands_in_its_way_too() -> None:
    """In order, with what is left of the budget, what it waited for and where the pod runs again."""
    pods = [
        pod("x-0"), pod("x-1"), pod("x-2", "n2"), pod("agent", owner=["DaemonSet", "agent"], labels={}),
        pod("bare", owner=None, emptydir=True, labels={}),
    ]  # fmt: skip
    text = show.drains(placement(pods, [budget(2)])).text
    rows = [line for line in text.splitlines() if line.startswith("n1")]
    assert [row.split()[1] for row in rows] == ["a/bare", "a/x-0", "a/x-1", "a/agent"]
    assert "nobody recreates it (needs --force --delete-emptydir-data)" in rows[0]
    assert "evicted: within its budget" in rows[1]
    assert "1 replacement round" in rows[2]
    assert "left out: a mirror pod, or a DaemonSet's (--ignore-daemonsets)" in rows[3]
    assert text.splitlines()[0] == "A drain of each of 2 nodes, simulated: 4 pods are evicted, 0 never are"
    stuck = show.drains(placement(pods, [budget(3)])).text
    assert stuck.splitlines()[0].endswith("1 pod is evicted, 3 never are")
    assert "never evicted" in stuck
    assert "budget a/p needs all 3 of its pods" in stuck


def proof(requests: Any) -> dict[str, Any]:
    one = {
        "name": "a/p", "problem": None, "desired": 2, "healthy": [[0.1, 3], [0.5, 2], [4.0, 3]], "requests": requests,
    }  # fmt: skip
    return {"problem": None, "proofs": [one]}


SENT = {"to": "web.a:80", "samples": [[0.05, 0.002, ""], [0.4, 0.5, "<b>timed out"], [3.0, 0.003, ""]]}


def test_the_timeline_shows_pods_and_each_request() -> None:
    """Failed ones apart, and both counted in the numbers below."""
    chart = show.timeline(proof(SENT))
    assert isinstance(chart, show.Chart)
    traces = {trace.name: list(trace.y) for trace in chart.figure.data}
    assert traces == {"a/p: ready": [3, 2, 3], "web.a:80: answered": [2.0, 3.0], "web.a:80: failed": [500.0]}
    assert chart.title == "Ready pods and requests after the eviction"
    assert chart.numbers is not None
    assert chart.numbers.text.splitlines()[-1].split() == ["a/p", "4", "3", "3", "1"]


def test_without_requests_it_shows_the_pods_alone() -> None:
    """As where the environment allows no load."""
    chart = show.timeline(proof(None))
    assert isinstance(chart, show.Chart)
    assert [trace.name for trace in chart.figure.data] == ["a/p: ready"]
    assert chart.title == "Ready pods after the eviction"


def test_no_eviction_is_said_with_why() -> None:
    """No chart of nothing."""
    found = {"problem": None, "proofs": [{"name": "a/p", "problem": "It allows 0", "healthy": [], "requests": None}]}
    assert "It allows 0" in repr(show.timeline(found))
