"""A run that was put together from others, or that saw another cluster half-way, is no launch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from runs import environment

from launchbook.cluster import Cluster, Identity
from launchbook.errors import ClusterError
from launchbook.record import check_fields
from launchbook.run import Run
from launchbook.tracks import TRACKS
from launchbook.verdict import compute, opening
from launchbook.words import Check, Priority, Rule, Status

PRIORITIES = (Priority.P0, Priority.P1, Priority.P1, Priority.P0)
RULES = {f"{t.id}.x": Rule(f"{t.id}.x", t.id, p, "Title", "Mend it.") for t, p in zip(TRACKS, PRIORITIES, strict=True)}
OPENED = "2026-11-25T10:00:00.000Z"
AT = "2026-11-25T10:00:01.000Z"


def at(minute: int) -> str:
    return f"2026-11-25T10:{minute:02d}:00.000Z"


def cluster(uid: str) -> dict[str, Any]:
    return {"event": "cluster", "at": AT, "run": "r", "cluster": Identity("c", "s", uid, "v", "u", ()).recorded()}


def batch() -> list[dict[str, Any]]:
    opened = opening(
        run="r", environment="e", tracks=[t.id for t in TRACKS], mode="batch", rules=RULES, waivers=[],
        read_only=False, valid_days=7, actor="a", versions={},
    )  # fmt: skip
    exited = [{"event": "exited", "at": at(3), "track": t.id, "code": 0, "seconds": 1, "reason": None} for t in TRACKS]
    return [{"event": "run", "at": OPENED, **opened}, *exited, {"event": "closed", "at": at(4)}]


def log(track: str, **changed: Any) -> list[dict[str, Any]]:
    """A track that passed; `changed` in each of its records."""
    check = check_fields(Check(f"{track}.x", "s", Status.PASS, "m", "e", "b"))
    records = [{"event": "started"}, cluster("one"), {"event": "check", "check": check}, {"event": "finished"}]
    return [{"at": AT, "run": "r", **record, **changed} for record in records]


def test_records_that_belong_together_are_a_launch() -> None:
    """Those of an earlier launchbook, which named no run, too."""
    older = [{key: value for key, value in record.items() if key != "run"} for record in log("A")]
    for first in (log("A"), older):
        verdict = compute(batch(), {t.id: log(t.id) for t in TRACKS} | {"A": first})
        assert (verdict["verdict"], verdict["cluster"]["uid"]) == ("GO", "one")


@pytest.mark.parametrize(
    ("changed", "because"),
    [
        ({"run": "q"}, "track A holds 4 records of another run (q); not counted"),
        (
            {"at": "2020-01-01T00:00:00.000Z"},
            f"track A holds 4 records from before the run, which opened at {OPENED} (the first: 2020-01-01T00:00:00.000Z);"
            " not counted",
        ),
        (
            {"at": at(5)},
            f"track A holds 4 records from after the run, which closed at {at(4)} (the first: {at(5)}); not counted",
        ),
    ],
    ids=["another run", "before", "after"],
)
def test_a_track_from_another_run_is_not_counted(changed: dict[str, Any], because: str) -> None:
    """Nothing that it judged is in the verdict."""
    verdict = compute(batch(), {t.id: log(t.id) for t in TRACKS} | {"A": log("A", **changed)})
    assert verdict["verdict"] == "INCOMPLETE"
    assert because in verdict["because"]
    assert [c["status"] for c in verdict["checks"] if c["id"] == "A.x"] == ["UNKNOWN"]


def test_one_record_among_others_is_not_counted() -> None:
    """A check that somebody added to a log that is sound."""
    added = {**log("A", run="q")[2], "check": check_fields(Check("A.x", "t", Status.PASS, "m", "e", "b"))}
    verdict = compute(batch(), {t.id: log(t.id) for t in TRACKS} | {"A": [*log("A")[:3], added, log("A")[3]]})
    assert verdict["because"] == ["track A holds 1 record of another run (q); not counted"]
    assert not [c for c in verdict["checks"] if c["subject"] == "t"]


@pytest.mark.parametrize(
    ("seen", "because"),
    [
        (["two", "one", "one", "one"], "two by track A; one by track B, track C, track D"),
        (["one", "one", "two", "one"], "one by track A, track B, track D; two by track C"),
    ],
)
def test_tracks_that_saw_different_clusters_are_incomplete(seen: list[str], because: str) -> None:
    """The verdict would be about neither; the one that the run began with is shown."""
    logs = {t.id: [cluster(uid), *log(t.id)[2:]] for t, uid in zip(TRACKS, seen, strict=True)}
    verdict = compute(batch(), logs)
    assert verdict["verdict"] == "INCOMPLETE"
    assert verdict["because"] == [f"more than one cluster was seen during the run: {because}"]
    assert verdict["cluster"]["uid"] == seen[0]


def test_a_batch_that_holds_another_cluster_is_incomplete() -> None:
    """The Lease is on the batch's own, the acts on another."""
    records = batch()
    records.insert(1, cluster("two"))
    verdict = compute(records, {t.id: log(t.id) for t in TRACKS})
    assert verdict["because"] == [
        "more than one cluster was seen during the run: two by the batch; one by track A, track B, track C, track D"
    ]


class Elsewhere:
    """A cluster that has an identity and nothing else: whatever is asked of it is an error."""

    def __init__(self, uid: str) -> None:
        self.identity = Identity("mine", f"https://{uid}", uid, "v", "u", ())


def test_a_track_whose_cluster_is_another_one_does_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when a kubeconfig is rewritten between two tracks; the verdict names both."""
    resolved = environment(tmp_path / "parameters")
    first = Run.create(resolved, tmp_path / "outputs", tracks="AB", mode="interactive")
    monkeypatch.setattr(Cluster, "connect", lambda given: Elsewhere("one"))
    assert first.cluster.identity.uid == "one"
    second = Run(first.files, TRACKS[1], resolved)
    monkeypatch.setattr(Cluster, "connect", lambda given: Elsewhere("two"))
    for _ in range(2):
        with pytest.raises(ClusterError) as caught:
            second.cluster.list("Pod", "a")
    assert str(caught.value) == (
        "this run began on cluster one (https://one), and context 'mine' leads to two (https://two) now. Point the "
        "context at the former one and start a new run. Track B changed nothing."
    )
    because = compute([first.opened], {"A": first.log.read(), "B": second.log.read()})["because"]
    assert "more than one cluster was seen during the run: one by track A; two by track B" in because
