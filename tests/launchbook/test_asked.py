"""How much a run was asked, in the words of its verdict's page."""

from __future__ import annotations

from pathlib import Path

from runs import environment

from launchbook.asked import asked
from launchbook.checklist import load


def test_what_a_weak_environment_asks(tmp_path: Path) -> None:
    """Whoever reads a GO sees how little stands behind it."""
    resolved = environment(
        tmp_path, **{"load.scenario.vus": 1, "load.scenario.duration": "3s", "load.scenario.warmup": "0s"}
    )
    rows = dict(asked(resolved.environment, load(tmp_path / "checklist.yaml")))
    audits = rows["checklist"].partition("; of ")[2]
    assert rows | {"checklist": ""} == {
        "may change": "apply", "isolation": "0 edges: 0 open, 0 closed", "evictions": "no budget is proved",
        "load": "a/b: 1 VU with 0.1 s think time, 3 s, 0 s of it warm-up",
        "thresholds": "http_reqs rate>=100, http_req_failed rate<0.01, http_req_duration p(95)<500",
        "logs": "readable for 14400 s", "checklist": "", "waivers": "none", "beside the manifests": "nothing else may be there",
    }  # fmt: skip
    assert rows["checklist"].startswith("8 items: 8 by an audit; of ")
    assert "least-privilege" in audits
    assert "quota" not in audits.split(": ")[1].split(", ")


def test_a_run_that_may_change_nothing(tmp_path: Path) -> None:
    resolved = environment(tmp_path, **{"load.scenario.rate": 20, "load.scenario.duration": "3s"})
    rows = dict(asked(resolved.environment, load(tmp_path / "checklist.yaml"), read_only=True))
    assert rows["may change"] == "nothing, it is read-only"
    assert rows["load"] == "a/b: 20 requests/s, 8 s, 5 s of it warm-up"
