"""The verdict is a fold over the run's logs: whoever has the folder can compute it again, offline.

batch.jsonl opens with one `run` record that fixes, before anything starts, which tracks were selected, which check
ids are expected, every rule and every waiver. Nothing that a notebook does later can take an expectation away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Any

from launchbook.folder import RunFolder
from launchbook.record import Log, check_fields, checks_in
from launchbook.tracks import TRACKS, Track
from launchbook.whole import clusters, first_cluster, own
from launchbook.words import (
    BadConfiguration,
    Decision,
    Priority,
    Rule,
    Status,
    Verdict,
    Waiver,
    Weighed,
    merge,
    missing,
    now_text,
    weigh,
)

SCHEMA = 1
Records = Sequence[Mapping[str, Any]]


def opening(
    *,
    run: str,
    environment: str,
    tracks: Sequence[str],
    mode: str,
    rules: Mapping[str, Rule],
    waivers: Sequence[Waiver],
    read_only: bool,
    valid_days: int,
    actor: str,
    versions: Mapping[str, str],
    asked: Sequence[tuple[str, str]] = (),
) -> dict[str, Any]:
    """The fields of the `run` record that opens batch.jsonl. mode is batch, interactive or single."""
    return {
        "run": run, "environment": environment, "tracks": list(tracks), "mode": mode,
        "rules": [asdict(rule) for rule in rules.values()],
        "waivers": [{**asdict(waiver), "expires": waiver.expires.isoformat()} for waiver in waivers],
        "read_only": read_only, "valid_days": valid_days, "actor": actor, "versions": dict(versions),
        "asked": [list(row) for row in asked],
    }  # fmt: skip


def fold(folder: RunFolder) -> dict[str, Any]:
    """The content of verdict.json, from the logs in `folder` alone."""
    batch = Log(folder.evidence / "batch.jsonl").read()
    logs = {track.id: Log(folder.evidence / f"{track.id}.jsonl").read() for track in TRACKS}
    return compute(batch, logs)


def compute(batch: Records, logs: Mapping[str, Records]) -> dict[str, Any]:
    """The content of verdict.json.

    batch: the records of batch.jsonl; logs: track id -> the records of its log. Raises ValueError without an opening
    `run` record: then nobody can know what was expected.
    """
    if not batch or batch[0]["event"] != "run":
        raise ValueError("batch.jsonl doesn't open with a run record; what was expected isn't known")
    opened = batch[0]
    logs, strange = own(batch, logs)
    rules = {r["id"]: Rule(**{**r, "priority": Priority(r["priority"])}) for r in opened["rules"]}
    waivers = [Waiver(**{**w, "expires": date.fromisoformat(w["expires"])}) for w in opened["waivers"]]
    tracks = [_track(track, opened, batch, logs.get(track.id, ())) for track in TRACKS]
    records = [record for track in TRACKS for record in logs.get(track.id, ())]
    told = [(r["id"], r["subject"]) for r in records if r["event"] == "explained"]
    found = merge(checks_in(records), told)
    expected = [rule.id for rule in rules.values() if rule.track in opened["tracks"]]
    checks = (*found, *missing(expected, found))
    subject, changed = _subject(records)
    incomplete = [f"track {t['id']} {t['because']}" for t in tracks if t["status"] != "finished"] + changed
    incomplete += [*strange, *clusters(batch, logs)]
    today = date.fromisoformat(opened["at"][:10])
    try:
        decision = weigh(checks, rules, waivers, today=today, incomplete=incomplete)
    except BadConfiguration as error:
        decision = Decision(Verdict.INCOMPLETE, (str(error),), ())
    closed = next((r for r in reversed(batch) if r["event"] == "closed"), None)
    return {
        "schema": SCHEMA,
        "run": opened["run"],
        "verdict": str(decision.verdict),
        "exit_code": decision.verdict.exit_code,
        "because": list(decision.because),
        "environment": opened["environment"],
        "mode": opened["mode"],
        "read_only": opened["read_only"],
        "actor": opened["actor"],
        "cluster": first_cluster(batch, logs),
        "asked": opened.get("asked", []),
        "subject": subject,
        "started": opened["at"],
        "finished": closed["at"] if closed else None,
        "valid_until": _valid_until(opened, closed, decision),
        "tracks": tracks,
        "checks": [_check(weighed) for weighed in decision.checks],
        "waivers_ignored": [{**_waiver(w), "because": reason} for w, reason in decision.ignored],
        "counts": dict(decision.counts),
        "versions": opened["versions"],
    }


def _track(track: Track, opened: Mapping[str, Any], batch: Records, log: Records) -> dict[str, Any]:
    exited = next((r for r in reversed(batch) if r["event"] == "exited" and r["track"] == track.id), None)
    status, because = _state(track, opened, exited, log)
    return {
        "id": track.id, "title": track.title, "weight": track.weight, "status": status, "because": because,
        "notebook": track.notebook, "seconds": exited["seconds"] if exited else None,
    }  # fmt: skip


def _state(track: Track, opened: Mapping[str, Any], exited: Mapping[str, Any] | None, log: Records) -> tuple[str, str]:
    """A track is finished only if its process exited 0 and its last record is `finished`."""
    ended = bool(log) and log[-1]["event"] == "finished"
    if track.id not in opened["tracks"]:
        return "not selected", "was not selected"
    if exited is None and opened["mode"] == "batch":
        return ("running", "has not ended yet") if log else ("waiting", "has not started")
    if exited is not None and exited.get("reason"):
        return "failed", exited["reason"]
    if exited is not None and exited["code"] != 0:
        return "failed", f"ended with exit code {exited['code']}"
    if not log and exited is None:
        return "waiting", "has not started"
    if not ended:
        return "failed", "stopped before its last cell"
    return "finished", "finished"


def _subject(records: Records) -> tuple[dict[str, dict[str, str]], list[str]]:
    """What was judged, kind -> name -> digest, and a sentence for each that changed, came or went during the run.

    Pods come and go, so an image that does is no change; its workload's is.
    """
    subject: dict[str, dict[str, str]] = {"image": {}, "manifest": {}, "policy": {}}
    changed = []
    before: set[tuple[str, str]] | None = None
    seen: set[tuple[str, str]] = set()
    for record in records:
        if record["event"] == "observed":
            if before is not None:
                changed += [f"{kind} {name} came during the run" for kind, name in sorted(seen - before)]
                changed += [f"{kind} {name} went during the run" for kind, name in sorted(before - seen)]
            before, seen = seen, set()
        if record["event"] != "subject":
            continue
        kind, name, digest = record["kind"], record["name"], record["digest"]
        if kind != "image":
            seen.add((kind, name))
        names = subject.setdefault(kind, {})
        if names.setdefault(name, digest) != digest:
            changed.append(f"{kind} {name} changed during the run: {names[name]} became {digest}")
            names[name] = digest
    return subject, list(dict.fromkeys(changed))


def _valid_until(opened: Mapping[str, Any], closed: Mapping[str, Any] | None, decision: Decision) -> str | None:
    if closed is None:
        return None
    ends = datetime.fromisoformat(closed["at"]) + timedelta(days=opened["valid_days"])
    waived = [w.waiver.expires for w in decision.checks if w.waiver]
    if waived:
        ends = min(ends, datetime.fromisoformat(f"{min(waived).isoformat()}T23:59:59+00:00"))
    return now_text(ends)


def _check(weighed: Weighed) -> dict[str, Any]:
    check, rule = weighed.check, weighed.rule
    return {
        "id": check.id, "track": rule.track, "priority": str(rule.priority), "title": rule.title,
        "subject": check.subject, "status": str(weighed.status), "measured_status": str(check.status),
        "waiver": _waiver(weighed.waiver) if weighed.waiver else None,
        **{key: value for key, value in check_fields(check).items() if key not in ("id", "subject", "status")},
        "remedy": rule.remedy if weighed.status is not Status.PASS else "",
    }  # fmt: skip


def _waiver(waiver: Waiver) -> dict[str, Any]:
    return {**asdict(waiver), "expires": waiver.expires.isoformat()}
