"""The verdict as a fold over a run's records: what was judged may neither change, come nor go meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from launchbook.verdict import compute, opening

AT = "2026-01-05T10:00:00Z"
Seen = dict[tuple[str, str], str]
FIRST: Seen = {("manifest", "Deployment/shop/web"): "sha256:1", ("policy", "NetworkPolicy/shop/deny"): "sha256:2"}
IMAGE = ("image", "shop/web web web:1")


def because(*observed: Seen, whole: bool = True) -> list[str]:
    """Why a run is INCOMPLETE whose tracks, in turn, saw these."""
    given = opening(
        run="r", environment="lab", tracks=["A", "B", "C"][: len(observed)], mode="batch", rules={}, waivers=[],
        read_only=False, valid_days=7, actor="someone", versions={},
    )  # fmt: skip
    batch: list[dict[str, Any]] = [{"event": "run", "at": AT, **given}]
    logs = {}
    for id, seen in zip("ABC", observed, strict=False):
        records: list[dict[str, Any]] = [
            {"event": "subject", "at": AT, "kind": kind, "name": name, "digest": digest}
            for (kind, name), digest in seen.items()
        ]
        logs[id] = [*records, *([{"event": "observed", "at": AT}] if whole else []), {"event": "finished", "at": AT}]
        batch.append({"event": "exited", "at": AT, "track": id, "code": 0, "seconds": 1.0})
    return [line for line in compute(batch, logs)["because"] if "during the run" in line]


@pytest.mark.parametrize(
    ("later", "said"),
    [
        (FIRST, []),
        (FIRST | {("manifest", "Deployment/shop/web"): "sha256:3"}, ["manifest Deployment/shop/web changed during the run: sha256:1 became sha256:3"]),
        (FIRST | {("policy", "NetworkPolicy/shop/all"): "sha256:4"}, ["policy NetworkPolicy/shop/all came during the run"]),
        ({("manifest", "Deployment/shop/web"): "sha256:1"}, ["policy NetworkPolicy/shop/deny went during the run"]),
        (FIRST | {IMAGE: "sha256:5"}, []),
        ({}, ["manifest Deployment/shop/web went during the run", "policy NetworkPolicy/shop/deny went during the run"]),
    ],
)  # fmt: skip
def test_what_was_judged_stays_as_it_was(later: Seen, said: list[str]) -> None:
    """The isolation that track A proved is not that of a cluster with one policy more."""
    assert because(FIRST, FIRST, later) == said


def test_what_came_and_went_again_is_two_changes() -> None:
    more = FIRST | {("policy", "NetworkPolicy/shop/all"): "sha256:4"}
    assert because(FIRST, more, FIRST) == [
        f"policy NetworkPolicy/shop/all {how} during the run" for how in ("came", "went")
    ]


def test_records_without_their_end_are_no_whole_observation() -> None:
    """As in a run of an earlier version: what isn't there can't be missed."""
    assert because(FIRST, {}, whole=False) == []


def test_a_track_that_nobody_began_is_no_failed_one() -> None:
    """In a run that was stepped by hand, and closed early."""
    given = opening(
        run="r", environment="lab", tracks=["A", "B", "C"], mode="interactive", rules={}, waivers=[], read_only=False,
        valid_days=7, actor="someone", versions={},
    )  # fmt: skip
    logs = {"A": [{"event": "finished", "at": AT}], "B": [{"event": "note", "at": AT, "text": "begun"}], "C": []}
    batch = [{"event": "run", "at": AT, **given}, {"event": "closed", "at": AT}]
    told = [(track["status"], track["because"]) for track in compute(batch, logs)["tracks"][:3]]
    assert told == [
        ("finished", "finished"), ("failed", "stopped before its last cell"), ("waiting", "has not started"),
    ]  # fmt: skip
