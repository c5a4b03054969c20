"""The checklist answered: by audits, by dated statements, by the checks of other tracks; and the exit criteria."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fnmatch import fnmatch
from typing import Any

from launchbook.audits import AUDITS, Objects
from launchbook.checklist import Checklist, Item
from launchbook.words import Check, Status

# From worst to best: an item that several checks answer is as good as the worst of them.
_WORST = ("FAIL", "UNKNOWN", "WAIVED", "PASS", "NA")


@dataclass(frozen=True)
class Answer:
    """A line of the audited checklist. status: PASS, FAIL, UNKNOWN, WAIVED or NA; by: check, audit, statement, pending."""

    section: str
    item: str
    title: str
    status: str
    by: str
    because: str
    checks: tuple[str, ...]


@dataclass(frozen=True)
class Criterion:
    """One exit criterion. met: True, False, or None where a check that it needs is UNKNOWN or has no record."""

    title: str
    met: bool | None
    checks: tuple[str, ...]
    because: str


def items(
    checklist: Checklist, objects: Objects, statements: Mapping[str, Any], subject: str, today: date
) -> list[Check]:
    """A check `D.<item>` for every item that no other track's check answers.

    statements: item -> parameters.Statement (answer, author, given, text, expires).
    """
    return [_item(item, objects, statements.get(item.id), subject, today) for item in checklist if item.check is None]


def _item(item: Item, objects: Objects, statement: Any, subject: str, today: date) -> Check:
    if item.audit is not None:
        audit = AUDITS[item.audit]
        found = audit.judge(objects)
        return Check(
            item.check_id, subject, found.status, found.measured, audit.expected, found.because,
            figure=found.figure, bound="<=",
        )  # fmt: skip
    if item.pending is not None:
        because = f"It waits for {item.pending}."
        return Check(item.check_id, subject, Status.FAIL, "pending", "answered", because)
    return _statement(item, statement, subject, today)


def _statement(item: Item, given: Any, subject: str, today: date) -> Check:
    expected = "yes, by a named author, recently"

    def say(status: Status, measured: str, because: str) -> Check:
        return Check(item.check_id, subject, status, measured, expected, because)

    if given is None:
        return say(Status.UNKNOWN, "no answer", f"Nobody has answered: {item.statement}")
    measured = f"{given.answer}, {given.author}, {given.given.isoformat()}"
    if given.given > today:
        return say(Status.UNKNOWN, measured, "The answer is dated in the future.")
    last = given.expires or given.given + timedelta(days=item.max_age_days)
    if today > last:
        return say(Status.UNKNOWN, measured, f"The answer ran out on {last.isoformat()}; ask again: {item.statement}")
    return say(Status.PASS if given.answer == "yes" else Status.FAIL, measured, given.text)


def answers(checklist: Checklist, weighed: Sequence[Mapping[str, Any]]) -> list[Answer]:
    """Every item with its answer. weighed: the checks of verdict.json, waivers applied. No record is UNKNOWN."""
    return [_answer(section, item, weighed) for section, its in checklist.sections.items() for item in its]


def _answer(section: str, item: Item, weighed: Sequence[Mapping[str, Any]]) -> Answer:
    mine = [c for c in weighed if c["id"] == item.check_id and fnmatch(c["subject"], item.subject)]
    if not mine:
        because = "No record of this check is in the run."
        return Answer(section, item.id, item.title, "UNKNOWN", item.kind, because, (item.check_id,))
    worst = min((c["status"] for c in mine), key=_WORST.index)
    told = [c for c in mine if c["status"] == worst]
    because = told[0]["because"]
    if len(told) > 1 and worst in ("PASS", "NA"):
        because = f"{len(told)} of {len(mine)} checks, such as {told[0]['subject']}: {because}"
    elif len(told) > 1:
        because += f" (and {len(told) - 1} more)"
    return Answer(section, item.id, item.title, worst, item.kind, because, (item.check_id,))


def count(found: Sequence[Answer]) -> str:
    """`6/7 · 1 waived`: passed of those that count; waived ones, statements and UNKNOWN are said apart."""
    counting = [a for a in found if a.status != "NA"]
    parts = [f"{sum(a.status == 'PASS' for a in counting)}/{len(counting)}"]
    for status, word in (("WAIVED", "waived"), ("UNKNOWN", "unknown")):
        if n := sum(a.status == status for a in counting):
            parts.append(f"{n} {word}")
    if n := sum(a.by == "statement" and a.status == "PASS" for a in counting):
        parts.append(f"{n} by statement")
    return " · ".join(parts)


def criteria(weighed: Sequence[Mapping[str, Any]], found: Sequence[Answer]) -> list[Criterion]:
    """The six exit criteria of a launch."""
    needs = (
        ("The manifests are applied and everything is ready", ("A.apply", "A.ready", "A.policy")),
        ("Isolation and disruption budgets are proved", ("A.enforcement", "A.isolation", "A.budget", "A.eviction")),
        ("The load baseline is believable and meets its targets", ("B.target", "B.validity", "B.threshold")),
    )
    met = [_criterion(title, ids, weighed) for title, ids in needs]
    decided = "Log aggregation is deployed, or its absence accepted"
    met.append(_criterion(decided, ("C.decision",), weighed, accepted=True))
    met.append(_every_item(found))
    met.append(_criterion("The launch documents say nothing that no check supports", ("D.documents",), weighed))
    return met


def _every_item(found: Sequence[Answer]) -> Criterion:
    title = "Every item of the checklist is answered, or says what it waits for"
    if not found:
        return Criterion(title, None, ("D.*",), "It can't be told: there is no item.")
    unknown = [a.title for a in found if a.status == "UNKNOWN"]
    pending = sum(a.by == "pending" for a in found)
    unmet = sum(a.status in ("FAIL", "WAIVED") and a.by != "pending" for a in found)
    said = f"{len(found) - pending} of {len(found)} items are answered, {unmet} of them with no; {pending} wait."
    because = f"Not answered: {'; '.join(unknown[:3])}." if unknown else said
    return Criterion(title, not unknown, ("D.*",), because)


def _criterion(
    title: str, ids: tuple[str, ...], weighed: Sequence[Mapping[str, Any]], *, accepted: bool = False
) -> Criterion:
    """accepted: whether an accepted risk meets the criterion too."""
    mine = [c for c in weighed if c["id"] in ids and c["status"] != "NA"]
    absent = [id for id in ids if not any(c["id"] == id for c in mine)]
    waived = [c for c in mine if c["status"] == "WAIVED"]
    bad = [c for c in mine if c["status"] == "FAIL"]
    unclear = [c for c in mine if c["status"] == "UNKNOWN"]
    if bad:
        return Criterion(title, False, ids, _told(bad[0]))
    if waived and not accepted:
        return Criterion(title, False, ids, f"Accepted, not met: {_told(waived[0])}")
    if unclear:
        return Criterion(title, None, ids, f"It can't be told: {_told(unclear[0])}")
    if absent:
        return Criterion(title, None, ids, f"It can't be told: there is no result of {absent[0]}.")
    if waived:
        return Criterion(title, True, ids, f"Accepted: {_told(waived[0])}")
    return Criterion(title, True, ids, f"{len(mine)} check{'s' * (len(mine) > 1)} passed.")


def _told(check: Mapping[str, Any]) -> str:
    return f"{check['id']} {check['subject']}: {check['because']}"


@dataclass(frozen=True)
class Claim:
    """A sentence of the announcement and the checks without which it may not be said."""

    text: str
    checks: tuple[str, ...]


def unsupported(claims: Sequence[Claim], weighed: Sequence[Mapping[str, Any]]) -> list[tuple[Claim, str]]:
    """The claims of which some check did not pass, each with why."""
    return [
        (claim, why)
        for claim in claims
        for why in [next(filter(None, (_gap(id, weighed) for id in claim.checks)), None)]
        if why is not None
    ]


def _gap(id: str, weighed: Sequence[Mapping[str, Any]]) -> str | None:
    """Why a check doesn't carry a sentence. What was accepted did not pass, and what doesn't apply proves nothing."""
    mine = [c for c in weighed if c["id"] == id and c["status"] != "NA"]
    if not mine:
        return f"{id} has no record" if not any(c["id"] == id for c in weighed) else f"{id} does not apply"
    bad = [c for c in mine if c["status"] != "PASS"]
    return f"{id} is {bad[0]['status']}: {bad[0]['because']}" if bad else None


def documents(claims: Sequence[Claim], weighed: Sequence[Mapping[str, Any]], paths: Sequence[str]) -> Check:
    """D.documents."""
    expected = "a check behind each claim"
    left = unsupported(claims, weighed)
    measured = f"{len(claims) - len(left)} of {len(claims)} claims are supported"
    if left:
        because = "; ".join(f"{claim.text} ({why})" for claim, why in left[:3])
        return Check("D.documents", "launch-announcement.md", Status.FAIL, measured, expected, because, tuple(paths))
    because = "Each claim links to the check that supports it."
    return Check("D.documents", "launch-announcement.md", Status.PASS, measured, expected, because, tuple(paths))


def progress(weighed: Sequence[Mapping[str, Any]], tracks: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row a track: track, title, weight (%), passed, accepted, of (checks that apply), progress (weighted %).

    Progress counts what was accepted, since nobody works on it any more; `passed` doesn't.
    """
    rows = []
    for track in tracks:
        mine = [c["status"] for c in weighed if c["track"] == track["id"] and c["status"] != "NA"]
        passed, accepted = mine.count("PASS"), mine.count("WAIVED")
        share = track["weight"] * (passed + accepted) / len(mine) if mine else 0.0
        rows.append(
            {"track": track["id"], "title": track["title"], "weight": track["weight"], "passed": passed,
             "accepted": accepted, "of": len(mine), "progress": round(share, 1)}
        )  # fmt: skip
    return rows
