"""Whether the records of a run belong together: written by this run, in its time, about one cluster.

A log that was put together from two runs reads well line by line. Each record names its run and its time, and what
doesn't belong isn't counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from launchbook.counted import counted
from launchbook.tracks import TRACKS

Records = Sequence[Mapping[str, Any]]


def own(batch: Records, logs: Mapping[str, Records]) -> tuple[dict[str, list[Mapping[str, Any]]], list[str]]:
    """Each track's records that belong to the run, and a sentence for each kind of those that don't.

    batch: the records of batch.jsonl, opened by a `run` record; logs: track id -> the records of its log. A record
    that names no run, as they once were written, is held by its time alone.
    """
    run, began = batch[0]["run"], batch[0]["at"]
    ended = next((r["at"] for r in reversed(batch) if r["event"] == "closed"), None)
    kept: dict[str, list[Mapping[str, Any]]] = {}
    said = []
    for track, records in logs.items():
        foreign = [r for r in records if r.get("run", run) != run]
        ours = [r for r in records if r.get("run", run) == run]
        early = [r for r in ours if r["at"] < began]
        late = [r for r in ours if ended is not None and r["at"] > ended]
        kept[track] = [r for r in ours if began <= r["at"] and (ended is None or r["at"] <= ended)]
        names = ", ".join(dict.fromkeys(str(r["run"]) for r in foreign))
        for others, why in (
            (foreign, f"of another run ({names})"),
            (early, f"from before the run, which opened at {began} (the first: {early[0]['at'] if early else ''})"),
            (late, f"from after the run, which closed at {ended} (the first: {late[0]['at'] if late else ''})"),
        ):
            if others:
                said.append(f"track {track} holds {counted(len(others), 'record')} {why}; not counted")
    return kept, said


def first_cluster(batch: Records, logs: Mapping[str, Records]) -> Mapping[str, Any] | None:
    """The cluster that the run began with, as it was recorded; None where none was seen yet."""
    return next((found for _, found in _clusters(batch, logs)), None)


def clusters(batch: Records, logs: Mapping[str, Records]) -> list[str]:
    """A sentence where not all of the run saw the same cluster, by its UID, with who saw which."""
    seen: dict[str, list[str]] = {}
    for who, found in _clusters(batch, logs):
        names = seen.setdefault(str(found["uid"]), [])
        if who not in names:
            names.append(who)
    if len(seen) < 2:
        return []
    told = "; ".join(f"{uid} by {', '.join(names)}" for uid, names in seen.items())
    return [f"more than one cluster was seen during the run: {told}"]


def _clusters(batch: Records, logs: Mapping[str, Records]) -> list[tuple[str, Mapping[str, Any]]]:
    parts = [("the batch", batch), *((f"track {t.id}", logs.get(t.id, ())) for t in TRACKS)]
    return [(who, r["cluster"]) for who, records in parts for r in records if r["event"] == "cluster"]
