"""What generators say while they run, what is shown of it, and the pods' figures beside it."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest

from launchbook.load import told as module
from launchbook.load.live import figures, panel, sentence
from launchbook.load.told import Told
from launchbook.load.usage import COLUMNS


def line(worker: int | str, second: float, **more: Any) -> bytes:
    sent = {} if worker == "master" else {"requests": 100, "failed": 5, "users": 10, "hist": {"300": 95, "400": 5}}
    return b"LB " + json.dumps({"worker": worker, "second": second, "cpu": 0.5, "lag": 0.01, **sent, **more}).encode()


def test_figures_are_of_all_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts and histograms are added; the busiest process' CPU is shown, the master's too."""
    told = Told()
    for second in (1, 2):
        told.hear(line(0, second))
        told.hear(line(1, second, cpu=0.7, users=9))
        told.hear(line("master", second, cpu=0.9))
    seen = figures(*told.recent())
    assert seen["rate"] == 200
    assert seen["failed"] == 0.05
    assert (seen["users"], seen["cpu"], seen["lag"]) == (19.0, 0.9, 0.01)
    assert seen["p50"] == seen["p95"]
    assert seen["p99"] is not None
    assert seen["p50"] is not None
    assert seen["p99"] > seen["p50"]
    assert sentence(seen).startswith(
        "200 requests/s, 5.0% failed, p95 3.77 ms, 19 VUs, generator at 90 % of a core".replace(
            "3.77", f"{seen['p95']:.1f}"
        )
    )
    assert told.histogram == {300: 380, 400: 20}
    clock = iter([1e9] * 10)
    monkeypatch.setattr(module.time, "monotonic", lambda: next(clock))
    told.hear(line(0, 99))
    assert len(told.recent()[0]) == 1


def test_an_engine_that_tells_little_is_shown_as_that() -> None:
    """k6 says nothing of its requests while it runs."""
    seen = figures([{"cpu": 0.25, "lag": 0.0, "second": 1.0}], {})
    assert sentence(seen) == "generator at 25 % of a core"
    shown = panel(seen, pd.DataFrame(columns=COLUMNS), "metrics.k8s.io doesn't answer").set_index("figure")["now"]
    assert shown["requests/s"] == "not told by this engine"
    assert shown["pods"] == "metrics.k8s.io doesn't answer"


def test_the_pods_stand_in_the_panel() -> None:
    """CPU and memory of each."""
    row = {"second": 5.0, "namespace": "a", "pod": "api-1", "cpu": 0.5, "memory": 128 * 2**20}
    frame = pd.DataFrame([row], columns=COLUMNS)
    shown = panel(figures([], {}), frame, "").set_index("figure")["now"]
    assert shown["a/api-1"] == "0.50 cores, 128 MiB"


def test_a_line_that_is_heard_again_counts_once() -> None:
    """As after a stream that broke; what is no line of ours is kept as what the program said last."""
    told = Told()
    for said in (line(0, 1), line(0, 1), b"LB {broken", b"Traceback: no", line(0, 2)):
        told.hear(said)
    assert [one["second"] for one in told.lines] == [1, 2]
    assert "hist" not in told.lines[0]
    assert told.tail.strip().splitlines() == ["LB {broken", "Traceback: no"]
