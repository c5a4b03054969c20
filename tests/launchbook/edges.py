"""What was declared, computed and observed of one edge, for tests of the judge and of what is shown."""

from __future__ import annotations

from typing import Any

import pandas as pd

from launchbook.isolation.observe import COMPUTED
from launchbook.parameters import Destination, Edge, Source

ENFORCED = {
    "problem": None,
    "nodes": [
        {
            "node": "n1",
            "open": True,
            "blocked": True,
            "lag": 0.4,
            "sends": False,
            "sends_lag": 0.3,
            "because": "Open, then denied.",
        }
    ],
}
NOT_ENFORCED = {
    "problem": None,
    "nodes": [
        {
            "node": "n1",
            "open": True,
            "blocked": False,
            "lag": None,
            "sends": None,
            "sends_lag": None,
            "because": "It still answered.",
        }
    ],
}


def edge(expect: Any) -> Edge:
    return Edge(
        source=Source(namespace="s"), destination=Destination(namespace="d", service="x", port=80), expect=expect
    )


def target(outcomes: list[str], answers: bool | None = True, kind: str = "pod") -> dict[str, Any]:
    return {
        "target": "x-0",
        "kind": kind,
        "host": "10.0.0.1",
        "port": 80,
        "protocol": "TCP",
        "outcomes": outcomes,
        "answers": answers,
    }


def observed(
    *targets: Any, control: tuple[bool, ...] = (True, True, True), problem: str | None = None, failed: str = ""
) -> dict[str, Any]:
    seen = {
        "problem": problem,
        "failed": failed,
        "confirmations": 3,
        "targets": list(targets),
        "control": list(control),
    }
    return {"problem": None, "edges": {edge("open").name: seen}}


def computed(*allowed: bool | None, unsure: str = "", labelled: bool | None = False, labels: str = "") -> pd.DataFrame:
    rows = [
        [edge("open").name, f"x-{n}", "TCP", 80, one, "ingress: denied by d/p", unsure, labelled, labels]
        for n, one in enumerate(allowed)
    ]
    return pd.DataFrame(rows, columns=COMPUTED).astype({"allowed": "boolean", "labelled": "boolean"})


OPEN, BLOCKED = target(["ALLOWED"]), target(["DROPPED"] * 3)


def field(sources: int, destinations: int) -> tuple[list[Edge], pd.DataFrame, dict[str, Any]]:
    """Edges of a whole matrix, a third closed, with one that differs and one whose policies can't be told."""
    edges, rows, seen = [], [], {}
    for n in range(sources * destinations):
        s, d = divmod(n, destinations)
        shut = n % 3 == 0
        one = Edge(
            source=Source(namespace=f"team-{s}", labels={"app": "client"}),
            destination=Destination(namespace="store", service=f"redis-{d}", port=6379),
            expect="closed" if shut else "open",
        )
        allowed = None if n == 5 else shut if n == 7 else not shut
        edges.append(one)
        rows.append([one.name, "x-0", "TCP", 6379, allowed, "ingress: denied by d/p", "", False, ""])
        seen[one.name] = observed(BLOCKED if shut else OPEN)["edges"][edge("open").name]
    frame = pd.DataFrame(rows, columns=COMPUTED).astype({"allowed": "boolean", "labelled": "boolean"})
    return edges, frame, {"problem": None, "edges": seen}
