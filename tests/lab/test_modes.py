"""APIs that misbehave on a real cluster, each judged by what it does; and the search for what one takes at most."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from environments import ROOT, lab_environment

from launchbook.batch import run_batch
from launchbook.cluster import Cluster
from launchbook.folder import RunFolder
from launchbook.pages import render
from launchbook.parameters_file import load as resolve

pytestmark = pytest.mark.lab

Checks = dict[tuple[str, str], tuple[str, str, str]]  # (id, subject) -> status, measured, because
DURATION, RATE = "http_req_duration: p(95)<500", "http_reqs: rate>=100"
QUEUE = r"The fastest agents took (\d+) ms and the median (\d+) ms, at a steady ([\d.]+) requests/s: as where requests queue"
# One kind of request, so that every one meets the fault.
REQUESTS = [{"name": "agents", "path": "/v1/agents"}]
SHORT = {
    "load.scenario.duration": "10s", "load.scenario.warmup": "3s", "logs.idle_window": "1s", "load.scenario.requests": REQUESTS,
    "load.soak": {"shortest": "30s", "every": "1s"},
}  # fmt: skip


@pytest.fixture
def faulty(system: Any, tmp_path: Path) -> Iterator[Callable[..., None]]:
    """`faulty(replicas=2, cpu="1", FAULT_X=…)`: the sample's API so changed, and ready; mended afterwards."""
    system.apply(ROOT / "parameters" / "launchbook-role.yaml")

    def plant(replicas: int = 2, cpu: str = "1", **faults: str) -> None:
        folder = shutil.copytree(ROOT / "parameters" / "kgents" / "manifests", tmp_path / "faulty")
        api = folder / "api" / "api.yaml"
        text = api.read_text()
        variables = "".join(f"            - {{name: {name}, value: '{value}'}}\n" for name, value in faults.items())
        for old, new in (
            ("          env:\n", "          env:\n" + variables), ("replicas: 2", f"replicas: {replicas}"),
            ('cpu: "1"', f'cpu: "{cpu}"'),
        ):  # fmt: skip
            assert old in text
            text = text.replace(old, new, 1)
        api.write_text(text)
        system.apply(folder)
        system.await_ready()

    yield plant
    system.apply(ROOT / "parameters" / "kgents" / "manifests")
    system.await_ready()


@pytest.fixture
def judged(system: Any, tmp_path: Path) -> Callable[[dict[str, Any]], Checks]:
    """`judged(changes)`: track B on the lab as it is."""

    def run(changes: dict[str, Any]) -> Checks:
        resolved = resolve(lab_environment(tmp_path, system.name, system.runbook, SHORT | changes))
        verdict = run_batch(
            resolved, Cluster.connect(resolved.environment.cluster), notebooks=ROOT / "notebooks",
            outputs=tmp_path / "outputs", tracks=["B"], read_only=False, say=print, render=render,
        )  # fmt: skip
        mine = [c for c in verdict["checks"] if c["track"] == "B"]
        return {(c["id"], c["subject"]): (c["status"], c["measured"], c["because"]) for c in mine}

    return run


def bad(checks: Checks) -> dict[tuple[str, str], str]:
    return {key: status for key, (status, _, _) in checks.items() if status not in ("PASS", "NA")}


def test_a_slow_api(faulty: Any, judged: Any) -> None:
    """Each answer takes 600 ms: latency breaks, and with it the rate that 50 users can reach."""
    faulty(FAULT_LATENCY_MS="600")
    checks = judged({})
    assert bad(checks) == {("B.threshold", DURATION): "FAIL", ("B.threshold", RATE): "FAIL"}
    _, measured, because = checks["B.threshold", DURATION]
    assert re.match(r"p\(95\) = [6-9]\d\d(\.\d+)? ms", measured), measured
    assert because == "It does not hold."


def test_an_api_whose_workers_are_too_few(faulty: Any, judged: Any) -> None:
    """One worker a pod, 40 ms each: two pods answer 50/s, the other users queue, and the verdict says what it saw."""
    faulty(FAULT_LATENCY_MS="40", FAULT_WORKERS="1")
    checks = judged({})
    assert bad(checks) == {("B.threshold", DURATION): "FAIL", ("B.threshold", RATE): "FAIL"}
    for subject in (DURATION, RATE):
        told = re.search(QUEUE, checks["B.threshold", subject][2])
        assert told, checks["B.threshold", subject]
        fastest, median, pace = map(float, told.groups())
        assert 40 <= fastest < 300
        assert median > 500
        assert 30 <= pace <= 50.5


def test_an_api_at_its_cpu_limit(faulty: Any, judged: Any) -> None:
    """The pod at its limit is named, with how much it used; rate and errors hold."""
    faulty(replicas=1, cpu="100m")
    asked = {"http_req_duration": ["p(95)<50"], "http_req_failed": ["rate<0.01"], "http_reqs": ["rate>=100"]}
    checks = judged({"load.thresholds": asked})
    slow = ("B.threshold", "http_req_duration: p(95)<50")
    assert bad(checks) == {slow: "FAIL"}
    assert re.search(
        r"kgents-triad/api-\S+ used 0\.(09|1\d) of the 0\.1 cores that its limit allows\.", checks[slow][2]
    )


def test_an_api_that_leaks(faulty: Any, judged: Any) -> None:
    """Its pods' memory grows by more than a tenth in the shortest soak that carries it; the stores' does not."""
    faulty(FAULT_LEAK_KIB="6")
    checks = judged({"load.scenario.duration": "35s"})
    assert bad(checks) == {("B.soak", "load"): "FAIL"}
    because = checks["B.soak", "load"][2]
    assert because.count("memory of kgents-triad/api-") == 2
    assert "MiB an hour" in because
    assert "nats" not in because
    assert "redis" not in because


def test_what_an_api_takes_at_most(faulty: Any, judged: Any, tmp_path: Path) -> None:
    """Two workers of 50 ms answer 40/s: the bracket holds that figure, and each step is kept."""
    faulty(replicas=1, FAULT_LATENCY_MS="50", FAULT_WORKERS="2")
    checks = judged(
        {
            "load.scenario.duration": "3s", "load.scenario.warmup": "1s", "load.scenario.vus": 1,
            "load.thresholds": {"http_req_duration": ["p(95)<300"], "http_req_failed": ["rate<0.01"]},
            "load.capacity": {
                "first": 32, "most": 64, "at_least": 20, "duration": "4s", "warmup": "1s", "within": 0.5,
            },
        }
    )  # fmt: skip
    status, measured, because = checks["B.capacity", "load"]
    assert (status, measured) == ("PASS", "32/s held, 48/s broke"), because
    assert because == "32 requests/s held and 48 broke, 2 times each."
    folder = RunFolder(tmp_path / "outputs" / "latest")
    found = json.loads((folder.evidence / "load" / "capacity.json").read_text())
    assert [step["held"] for step in found["steps"]] == [True, False, False, True]
    assert all((folder.path / step["evidence"] / "samples.parquet").is_file() for step in found["steps"])
    assert "## Capacity" in (folder.documents / "load-test-baseline.md").read_text()
