"""Locust's adapter: how many processes, their health as one, and what is said of those that are lost."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from launchbook.load import csvs, stream
from launchbook.load.gathering import counted
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


def test_samples_of_a_lost_process_are_missed(tmp_path: Path) -> None:
    """What there is counts, with the reason why it is not all."""
    (tmp_path / "samples-1.csv.gz").write_bytes(packed("1.0,1.0,a,200,0,\n", "2.0,1.0,a,500,1,status 500\n"))
    left = engine(cpu="2").left(tmp_path)
    assert left.whole()["start"].tolist() == [1.0, 2.0]
    assert [one.message for one in left.doubts] == ["Of 1 of 2 processes there are no samples."]
    (tmp_path / "samples-1.csv.gz").write_bytes(b"")
    with pytest.raises(BadSamples, match="left no samples"):
        engine(cpu="2").left(tmp_path)


@pytest.mark.parametrize(
    ("wrote", "said"),
    [(2, []), (None, []), (3, ["The generator wrote 3 requests, and 2 of them are here."])],
)
def test_a_file_that_ends_early_is_held_against_what_was_written(tmp_path: Path, wrote: int | None, said: Any) -> None:
    """A gzip stream that is cut off reads like a shorter one."""
    (tmp_path / "samples-0.csv.gz").write_bytes(packed("1.0,1.0,a,200,0,\n", "2.0,1.0,a,200,0,\n"))
    left = engine().left(tmp_path)
    left.wrote = wrote
    assert len(left.whole()) == 2
    assert [one.message for one in left.doubts] == said


HEAD = "start,ms,name,status,failed,error\n"


def packed(*rows: str) -> bytes:
    return gzip.compress((HEAD + "".join(rows)).encode())


def test_a_killed_process_leaves_its_whole_lines(tmp_path: Path) -> None:
    """Of a gzip stream that was cut off, up to the last line that is whole; foreign files are no samples."""
    path = tmp_path / "samples-0.csv.gz"
    data = packed(*[f"{n},5.0,a,200,0,\n" for n in range(5000)])
    path.write_bytes(data[: len(data) // 2])
    left = engine().left(tmp_path)
    table = left.whole()
    assert 0 < len(table) < 5000
    assert table["start"].tolist() == list(range(len(table)))
    assert left.doubts == []
    path.write_bytes(packed("1,5.0,a,200,0,\n", "2,5.0\n"))
    assert (len(left.whole()), [one.message for one in left.doubts]) == (
        1,
        ["1 lines of the generator's samples can't be read."],
    )
    for broken, said in ((b"a,b\n1,2\n", "can't be read"), (b"\x1f\x8b\x08\x00broken", "left no samples")):
        path.write_bytes(broken)
        with pytest.raises(BadSamples, match=said):
            left.whole()


def test_processes_are_put_together_in_the_order_of_their_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Part by part; and a clock that ran back in one of them is seen in the whole, though the other's did not."""
    monkeypatch.setattr(csvs, "_PARSE_OWN", 2000)
    monkeypatch.setattr(stream, "_BLOCK", 700)
    monkeypatch.setattr(stream, "_READ", 200)
    steady = [f"{n / 10:.3f},5.0,a,200,0,\n" for n in range(0, 6000, 2)]
    jumped = [f"{n / 10 - (90 if n > 3000 else 0):.3f},5.0,b,200,0,\n" for n in range(1, 6000, 2)]
    straight = [f"{n / 10:.3f},5.0,b,200,0,\n" for n in range(1, 6000, 2)]
    for other, back in ((straight, 0.0), (jumped, 90.0)):
        (tmp_path / "samples-0.csv.gz").write_bytes(packed(*steady))
        (tmp_path / "samples-1.csv.gz").write_bytes(packed(*other))
        left = engine(cpu="2").left(tmp_path)
        table = left.whole()
        assert sorted(table["start"]) == sorted(float(line.partition(",")[0]) for line in steady + other)
        assert table["start"].is_monotonic_increasing == (back == 0.0)
        assert len(list(left.frames())) > 10
        assert counted(left)[0].back == pytest.approx(back, abs=0.3)


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
