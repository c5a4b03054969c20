"""Locust's adapter: how many processes, their health as one, and what is said of those that are lost."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from launchbook.load.locust import Locust
from launchbook.load.samples import BadSamples
from launchbook.parameters import Load


def engine(vus: int = 50, think_time: float = 0, **generator: Any) -> Locust:
    scenario = {"requests": [{"name": "a", "path": "/"}], "vus": vus, "think_time": think_time}
    return Locust(
        Load.model_validate({"target": {"service": "a/b"}, "scenario": scenario, "generator": generator}), "http://x"
    )


@pytest.mark.parametrize(
    ("vus", "generator", "processes", "cores"),
    [
        (50, {"cpu": "1"}, 1, 1.0), (50, {"cpu": "500m"}, 1, 0.5), (50, {"cpu": "2500m"}, 2, 1.0), (1, {"cpu": "4"}, 1, 1.0),
        (50, {"cpu": "4", "processes": 1}, 1, 1.0), (50, {"cpu": "2", "pods": 3}, 6, 1.0), (3, {"cpu": "2", "pods": 3}, 3, 1.0),
    ],
)  # fmt: skip
def test_a_process_for_each_whole_core(vus: int, generator: Any, processes: int, cores: float) -> None:
    """In each pod, and never more than there are users."""
    made = engine(vus, **generator)
    assert (made.processes, made.cores) == (processes, cores)
    assert ("--processes" in made.command("/c", "/o")) == (processes > 1)
    assert made.outputs == tuple(f"samples-{n}.csv.gz" for n in range(processes))


def line(worker: int | str, second: float, cpu: float, **more: Any) -> dict[str, Any]:
    sent = {} if worker == "master" else {"requests": 10, "failed": 1, "users": 5}
    return {"worker": worker, "second": second, "cpu": cpu, "lag": 0.01, **sent, **more}


def test_the_health_of_several_is_that_of_the_worst() -> None:
    """One that has no room left spoils the result, and so does a limit that all of them together reach."""
    told = [
        line(0, 1.0, 0.95), line(1, 1.2, 0.3), line("master", 1.1, 0.05, lag=0.2),
        line(0, 2.0, 0.9), line(1, 2.2, 0.9), line("master", 2.1, 0.2), {"version": "2"},
    ]  # fmt: skip
    frame = engine(cpu="2").health(told)
    assert frame.round(3).to_dict("list") == {
        "second": [1.0, 2.0], "requests": [20, 20], "failed": [2, 2], "users": [10, 10], "cpu": [0.95, 1.0], "lag": [0.01, 0.01],
    }  # fmt: skip


def test_a_process_that_never_said_that_it_was_whole_is_lost() -> None:
    """By its number of processes, with none counted twice."""
    two = engine(cpu="2")
    assert two.lost([{"worker": 0, "whole": True}, {"worker": 1, "whole": True}]) == ""
    said = "1 of 2 Locust processes did not come to their end, so the load was not the one planned."
    assert two.lost([{"worker": 0, "whole": True}, {"worker": 0, "whole": True}, {"worker": 1, "whole": False}]) == said


def test_samples_of_a_lost_process_are_missed() -> None:
    """What there is counts, with the reason why it is not all."""
    data = gzip.compress(b"start,ms,name,status,failed,error\n2.0,1.0,a,200,0,\n1.0,1.0,a,500,1,status 500\n")
    samples, doubts = engine(cpu="2").read({"samples-1.csv.gz": data})
    assert samples["start"].tolist() == [1.0, 2.0]
    assert [one.message for one in doubts] == ["Of 1 of 2 processes there are no samples."]
    with pytest.raises(BadSamples):
        engine(cpu="2").read({})


def test_master_and_workers_of_several_pods() -> None:
    """The master waits for all processes; each pod's workers know where it is."""
    made = engine(cpu="2", pods=3)
    master = made.master("/c")
    assert master[master.index("--expect-workers") + 1] == "6"
    worker = made.worker("/c", "198.18.0.7")
    assert worker[-6:] == ["--master-host", "198.18.0.7", "--master-port", "5557", "--processes", "2"]


def test_no_more_processes_than_the_scenario_can_need() -> None:
    """50 VUs with 0.1 s think time send at most 500 requests/s, which one process does."""
    assert engine(50, 0.1, cpu="8").processes == 1
    assert engine(500, 0.1, cpu="8").processes == 5
