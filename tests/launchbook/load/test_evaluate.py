"""What the notebook calls after a load: verdict, figures, charts and documents of one result, with no cluster."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tables import InParts

from launchbook import load
from launchbook.errors import ClusterError
from launchbook.load.result import Result
from launchbook.load.tally import Tally
from launchbook.load.terms import Plan, Reason
from launchbook.parameters_file import load as resolve
from launchbook.words import Status

ROOT = Path(__file__).parents[3]
START = datetime(2026, 11, 24, tzinfo=UTC).timestamp()
EVENT = {
    "reason": "Killing", "lastTimestamp": "2026-11-24T00:00:20Z", "metadata": {},
    "involvedObject": {"kind": "Pod", "namespace": "kgents-triad", "name": "<b>api</b>"},
}  # fmt: skip


class Cluster:
    def __init__(self, events: list[dict[str, Any]] | None) -> None:
        self.events = events

    def list(self, kind: str, namespace: str) -> list[dict[str, Any]]:
        if self.events is None:
            raise ClusterError("events is forbidden")
        return self.events if namespace == "kgents-triad" else []


class FakeRun:
    """What the functions of load need of a run."""

    def __init__(self, events: list[dict[str, Any]] | None = None) -> None:
        self.parameters = resolve(ROOT / "parameters" / "lab.yaml").environment
        self.cluster = Cluster(events)
        self.documents: dict[str, str] = {}
        self.kept: dict[str, Any] = {}
        self.said: list[str] = []

    def read(self, name: str) -> Any:
        return None

    def evidence(self, name: str, content: Any) -> None:
        self.kept[name] = content

    def document(self, name: str, text: str) -> None:
        self.documents[name] = text

    def progress(self, text: str, fraction: float | None = None) -> None:
        self.said.append(text)


def result(seconds: int = 66, slow: float = 1.0) -> Result:
    """50 VUs with 0.1 s think time against a target that takes about 20 ms."""
    random = np.random.default_rng(1)
    start = START + np.arange(seconds * 400) / 400
    table = pd.DataFrame({"start": start, "ms": slow * random.lognormal(3, 0.2, len(start))})
    table = table.assign(name=np.where(table.index % 3, "agents", "<i>health</i>"), status=200, failed=False, error="")
    table.loc[100 * 400 :: 7, "failed"] = True
    health = pd.DataFrame({"cpu": [0.4] * seconds, "lag": [0.01] * seconds})
    return Result(
        "locust", "2.47", InParts(table, 10_000), len(table), health=health, complete=True, window=(0.0, seconds + 1.0)
    )


TARGET = {"where": "pod", "way": "the Service's own name", "url": "http://api.ns.svc"}


def test_a_healthy_result_raises_no_alarm() -> None:
    """PASS with nothing said against it; a minute is no soak, and holds no other minutes."""
    run: Any = FakeRun()
    judged = load.evaluate(run, result())
    assert (judged.outcome, [r.id for r in judged.reasons]) == ("PASS", ["no-minutes"])
    checks = {c.id: c.status for c in load.checks(judged)}
    assert checks == {"B.validity": Status.PASS, "B.threshold": Status.PASS, "B.soak": Status.NA}


def test_the_documents_hold_the_figures_with_their_intervals() -> None:
    """In Markdown, and beside k6's own shape, which stays."""
    run: Any = FakeRun()
    judged = load.evaluate(run, result())
    assert load.write(run, judged, TARGET) == "documents/load-test-baseline.md"
    text, whole = run.documents["load-test-baseline.md"], json.loads(run.documents["load-test-results.json"])
    assert "95 % interval" in text
    assert "\\<i\\>health\\</i\\>" in text
    assert set(whole) == {"metrics", "root_group", "options", "state", "launchbook"}
    duration = whole["metrics"]["http_req_duration"]
    assert set(duration["values"]) == {"avg", "min", "med", "max", "p(90)", "p(95)", "p(99)"}
    assert duration["thresholds"] == {"p(95)<500": {"ok": True}}
    low, high = whole["launchbook"]["intervals"]["http_req_duration"]["p(95)"]
    assert low < duration["values"]["p(95)"] < high
    assert whole["launchbook"]["intervals"]["http_req_duration"]["max"] is None


def test_what_is_said_of_a_result_is_text_in_the_document() -> None:
    """A request's name stands in messages, a version comes from a program."""
    named = Reason("queue", "The fastest <img src=x onerror=alert(1)> took 3 ms.", "NOTE")
    about = {"engine": "k6", "version": "v1.3.0 <b>", "where": "pod", "url": "http://api.ns.svc"}
    text = load.document(Plan(5, 0.1, 60), about, [], "PASS", [named], Tally(), {})
    assert "**PASS** The fastest \\<img src=x onerror=alert(1)\\> took 3 ms." in text
    assert "v1.3.0 \\<b\\>" in text


def test_each_chart_has_its_table_and_marks_what_happened() -> None:
    """Names from elsewhere stay text."""
    run: Any = FakeRun([EVENT, {**EVENT, "reason": "Pulled"}])
    given = result(slow=10.0)
    judged = load.evaluate(run, given)
    moments = load.moments(run, given)
    assert run.kept["load/events.parquet"].to_dict("list") == {
        "at": [START + 20], "reason": ["Killing"], "object": ["Pod/kgents-triad/<b>api</b>"],
    }  # fmt: skip
    charts = [
        load.latency(judged.whole, judged.findings, moments), load.throughput(judged.whole, judged.findings, moments),
        load.heat(judged.tally), load.distribution(judged.tally), load.errors(judged.tally),
    ]  # fmt: skip
    assert all(chart.numbers is not None and chart.numbers.text for chart in charts)
    drawn = json.dumps([chart.bundle() for chart in charts])
    assert "Killing Pod/kgents-triad/&lt;b>api" in drawn
    assert "<i>health" not in drawn.replace("\\u003c", "<")
    assert "p(95)<500" in drawn.replace("\\u003c", "<")
    assert load.drift(judged).text
    assert load.results(judged.findings, judged.outcome).text


def test_events_that_may_not_be_read_are_said_and_change_nothing() -> None:
    """The charts are drawn without them."""
    run: Any = FakeRun(None)
    moments = load.moments(run, result())
    assert moments.events is not None
    assert moments.events.empty
    assert "can't be told" in run.said[0]


@pytest.mark.parametrize("given", [Result("locust", problem="The target did not answer."), result(seconds=3)])
def test_nothing_measured_is_shown_and_documented_all_the_same(given: Result) -> None:
    """No traceback where there is little or nothing to draw."""
    run: Any = FakeRun([])
    judged = load.evaluate(run, given)
    assert judged.outcome in ("NO DATA", "INVALID")
    moments = load.moments(run, given)
    load.latency(judged.whole, judged.findings, moments)
    load.throughput(judged.whole, judged.findings, moments)
    for draw in (load.heat, load.distribution, load.errors):
        assert draw(judged.tally).numbers is not None
    load.write(run, judged, TARGET)
    json.loads(run.documents["load-test-results.json"])
