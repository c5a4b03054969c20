"""`launchbook load-testrun`: manifests out, or the runners' logs in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from runs import environment

from launchbook.errors import ParametersError
from launchbook.load.act import choose
from launchbook.load.testrun import LostRunner, command, merged
from launchbook.load.verdict import command as verdict
from launchbook.parameters import Load

COUNTED = {"hist": {"300": 990, "400": 10}, "failed": 3, "dropped": 0, "seconds": 10.0}
FIRST = {"of": 2, "id": "a1", "segment": "0:1/2", "began": 1764028800000, **COUNTED}
SECOND = {**FIRST, "id": "b2", "segment": "1/2:1", "began": 1764028803000}


def test_the_runners_logs_become_a_summary_that_can_be_judged(tmp_path: Path) -> None:
    """One file or several; what else stands in them is left out."""
    logs = [tmp_path / f"{n}.log" for n in range(2)]
    for log, runner in zip(logs, (FIRST, SECOND), strict=True):
        log.write_text(f'time="now" level=info msg=x\nLB {json.dumps({"runner": runner})}\n')
    summary = tmp_path / "summary.json"
    summary.write_text(command(None, logs))
    text, code = verdict([summary], None)
    assert (json.loads(text)["outcome"], code) == ("PASS", 0)
    assert json.loads(text)["metrics"]["http_reqs"]["values"]["rate"] == 200.0


@pytest.mark.parametrize(
    ("runners", "said"),
    [
        ([FIRST, FIRST], "1 of 2 lines stand there again, of one runner: it would be counted twice, and hide one that is lost."),
        ([FIRST, {**FIRST, "id": "c3"}], "1 of 2 lines stand there again, of one share of the load"),
        ([FIRST, SECOND, SECOND], "1 of 3 lines stand there again, of one runner"),
        ([FIRST, {**SECOND, "began": 1764029400000}], "A runner began 590 s after another one had ended: the lines are of different tests."),
        ([FIRST, {k: v for k, v in SECOND.items() if k != "id"}], "A line doesn't say which runner it is of"),
        ([FIRST], "1 of 2 runners said what they measured"),
        ([], "0 of some runners said what they measured"),
    ],
)  # fmt: skip
def test_a_lost_runner_is_hidden_by_no_other_s_line(runners: list[dict[str, Any]], said: str) -> None:
    """A log given twice, one of an earlier test, one that says nothing of itself."""
    with pytest.raises(LostRunner) as refused:
        merged([f"LB {json.dumps({'runner': one})}" for one in runners])
    assert str(refused.value).startswith(said)


def test_runners_whose_share_k6_does_not_say_are_told_apart() -> None:
    """By what each of them drew."""
    lines = [f"LB {json.dumps({'runner': {**one, 'segment': ''}})}" for one in (FIRST, SECOND)]
    assert merged(lines)["metrics"]["http_reqs"]["values"]["count"] == 2000


def test_an_environment_becomes_a_testrun(tmp_path: Path) -> None:
    """Its URL is the Service's own name; one that can't be is an error that shows what is needed."""
    generator = {"pods": 4, "k6_image": "grafana/k6:1.3.0"}
    environment(tmp_path)
    path = tmp_path / "mini.yaml"
    text = yaml.safe_load(path.read_text())
    with pytest.raises(ParametersError, match="a TestRun needs `generator:"):
        command(path, [])
    text["load"]["generator"] = generator
    path.write_text(yaml.safe_dump(text))
    config, made = yaml.safe_load_all(command(path, []))
    assert made["spec"]["parallelism"] == 4
    assert json.loads(config["data"]["scenario.json"])["host"] == "http://b.a.svc"
    with pytest.raises(ParametersError, match="or else --merge"):
        command(None, [])


def test_k6_in_several_pods_names_the_command() -> None:
    """The runbook itself drives one k6, never one of several as if it were all."""
    given = {
        "target": {"service": "a/b"}, "engine": "k6", "generator": {"pods": 2, "k6_image": "k6:1"},
        "scenario": {"requests": [{"name": "a", "path": "/"}]},
    }  # fmt: skip
    assert "load-testrun" in str(choose(Load.model_validate(given), "http://x"))
    with pytest.raises(ValueError, match=r"generator.pods is for `where: pod`"):
        Load.model_validate({**given, "generator": {"where": "here", "pods": 2}})
