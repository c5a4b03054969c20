"""The words of a launch decision: Check, Status, Waiver, Verdict, and how they are weighed.

Everything here is pure and knows nothing of clusters, files or clocks: the caller brings the checks, the
catalogue's priorities, the waivers and the time. The rules are those of the project's design; a rule that is not
written here is not a rule.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

# Percent of the P1 checks that must pass for a GO, and for any launch.
GO_SHARE, LAUNCH_SHARE = 80, 60


class Status(StrEnum):
    """What a judge says of one check. No data is never a pass: what could not be told is UNKNOWN."""

    PASS = "PASS"
    FAIL = "FAIL"
    UNKNOWN = "UNKNOWN"
    NA = "NA"
    WAIVED = "WAIVED"  # given by weigh() alone, never by a judge


class Priority(StrEnum):
    """How much a check weighs: a failed P0 stops the launch, P1 is counted, P2 is information."""

    P0 = "P0"
    P1 = "P1"
    P2 = "P2"


class Verdict(StrEnum):
    """The answer of a run, each with an exit code of its own (`Verdict.exit_code`)."""

    GO = "GO"
    NO_GO = "NO-GO"
    CONDITIONAL = "CONDITIONAL"
    INCOMPLETE = "INCOMPLETE"

    @property
    def exit_code(self) -> int:
        """0 GO, 1 NO-GO, 3 CONDITIONAL, 4 INCOMPLETE (2 is a bad configuration, which has no verdict)."""
        return {"GO": 0, "NO-GO": 1, "CONDITIONAL": 3, "INCOMPLETE": 4}[self.value]


@dataclass(frozen=True)
class Check:
    """One finding: what was looked at, what was seen, what was expected, and why that is the status.

    id:        the catalogue's id, `A.isolation`
    subject:   what it is about, `kgents-agents/nats`; (id, subject) is unique in a run
    status:    PASS, FAIL, UNKNOWN or NA
    measured:  what was seen, with its unit, as text: `p(95) = 131.2 ms`
    expected:  what was asked for, in the words of its source: `p(95)<500`
    because:   one sentence that a reader can act on
    evidence:  paths below the run folder that hold what was seen
    at:        when it was recorded, RFC 3339 in UTC; judges leave it empty, the run stamps it
    figure:    the measured figure as a number, where a waiver may bound it
    bound:     how it may be bounded, relation and unit: `<= ms`, `>=` of a plain number; of `%` the figure is a share
    """

    id: str
    subject: str
    status: Status
    measured: str
    expected: str
    because: str
    evidence: tuple[str, ...] = ()
    at: str = ""
    figure: float | None = None
    bound: str = ""

    def __repr__(self) -> str:
        return f"{self.status:<7} {self.id} {self.subject}: {self.measured} (expected {self.expected}). {self.because}"


@dataclass(frozen=True)
class Rule:
    """A line of the catalogue: what a check id means, whatever it is asked about."""

    id: str
    track: str
    priority: Priority
    title: str
    remedy: str
    waivable: bool = True
    may_be_na: bool = False


_BOUND = re.compile(r"^\s*(?P<figure>[^<>=]+?)\s*(?P<relation><=|<|>=|>)\s*(?P<limit>-?\d+(\.\d+)?)\s*(?P<unit>\S.*)?$")


# A unit that may be written for another -> that other one, and what it is multiplied by.
_UNITS = {
    "s": ("ms", 1000.0), "ms": ("s", 0.001), "min": ("h", 1 / 60), "requests/s": ("/s", 1.0), "iterations/s": ("/s", 1.0),
}  # fmt: skip
_LONGEST = timedelta(days=366)


def _person(name: str) -> str:
    """A name however it is spaced and written, without what nobody sees."""
    plain = unicodedata.normalize("NFKC", name)
    return " ".join("".join(c for c in plain if unicodedata.category(c) != "Cf").split()).casefold()


@dataclass(frozen=True)
class Waiver:
    """A risk that somebody accepted for a check, until a day and up to a bound.

    check:    the id it accepts; subject: the one subject (a waiver for every subject is over-broad)
    bound:    the figure that was accepted, `p(95) <= 800 ms`: compared with `Check.figure`
    """

    check: str
    subject: str
    owner: str
    approver: str
    reason: str
    control: str
    expires: date
    bound: str

    def fault(self, today: date) -> str | None:
        """Why this waiver can be used for no check at all on `today`, or None."""
        if "*" in (self.check, self.subject):
            return "it is over-broad: name one check and one subject"
        if _person(self.owner) == _person(self.approver):
            return f"it is self-approved: owner and approver are both {self.owner}"
        if today > self.expires:
            return f"it expired on {self.expires.isoformat()}"
        if self.expires > today + _LONGEST:
            return f"it expires on {self.expires.isoformat()}: a risk is accepted for {_LONGEST.days} days at most"
        if not _BOUND.match(self.bound):
            return f"it has no bound that can be compared, such as 'p(95) <= 800 ms': {self.bound!r}"
        return None

    def refusal(self, check: Check, rule: Rule, today: date) -> str | None:
        """Why this waiver can't be used for `check` on `today`, or None where it can."""
        if not rule.waivable:
            return f"{rule.id} can't be waived by anybody"
        if fault := self.fault(today):
            return fault
        found = _BOUND.match(self.bound)
        assert found
        if check.status is Status.UNKNOWN:
            return "nothing was measured, so there is no figure that could have been accepted"
        if check.figure is None:
            return f"{check.id} carries no figure to compare with the bound {self.bound!r}"
        limit, relation = _scaled(found, check.bound), found["relation"]
        if limit is None and not check.bound:
            return f"no bound can accept a figure of {check.id}"
        if limit is None:
            return f"its bound {self.bound!r} is no bound on {check.id}: write it as 'figure {_shape(check.bound)}'"
        figure = 100 * check.figure if check.bound.endswith("%") else check.figure
        within = {"<=": figure <= limit, "<": figure < limit, ">=": figure >= limit, ">": figure > limit}
        if not within[relation]:
            return f"the measured {figure:g} is outside its bound {self.bound!r}"
        return None


def _scaled(found: re.Match[str], bound: str) -> float | None:
    """A waiver's limit in the unit of the figure; None where it is of another unit, or holds for every worse figure."""
    relation, _, unit = bound.partition(" ")
    given = found["unit"] or ""
    if not relation or found["relation"][0] != relation[0]:
        return None
    other, by = _UNITS.get(given, (given, 1.0))
    if unit not in (given, other):
        return None
    return float(found["limit"]) * (1.0 if given == unit else by)


def _shape(bound: str) -> str:
    relation, _, unit = bound.partition(" ")
    return " ".join(filter(None, (relation, "N", unit)))


@dataclass(frozen=True)
class Weighed:
    """A check joined with its rule and with what a waiver made of it.

    status is what counts (WAIVED where a waiver held); check.status stays what was measured.
    """

    check: Check
    rule: Rule
    status: Status
    waiver: Waiver | None = None


@dataclass(frozen=True)
class Decision:
    """The verdict with everything that it rests on."""

    verdict: Verdict
    because: tuple[str, ...]
    checks: tuple[Weighed, ...]
    ignored: tuple[tuple[Waiver, str], ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)


class BadConfiguration(Exception):
    """The run can't be judged at all: no P0 or no P1 is left, or a check isn't in the catalogue. Exit code 2."""


def merge(records: Iterable[Check], explained: Iterable[tuple[str, str]] = ()) -> tuple[Check, ...]:
    """One check for each (id, subject) from every record of it, in order of first appearance.

    The last record counts, but a FAIL that a later PASS replaced is UNKNOWN until its (id, subject) is explained:
    a check that was run again until it passed proves nothing.
    """
    told = set(explained)
    by_key: dict[tuple[str, str], list[Check]] = {}
    for record in records:
        by_key.setdefault((record.id, record.subject), []).append(record)
    return tuple(_last(history, key in told) for key, history in by_key.items())


def _last(history: Sequence[Check], explained: bool) -> Check:
    last = history[-1]
    failed = next((check for check in history[:-1] if check.status is Status.FAIL), None)
    if failed is None or explained or last.status in (Status.FAIL, Status.UNKNOWN):
        return last
    return replace(
        last,
        status=Status.UNKNOWN,
        because=f"It was FAIL at {failed.at or 'first'} ({failed.measured}) and {last.status} afterwards; "
        f"nobody has said why: run.explain({last.id!r}, {last.subject!r}, why=…, author=…).",
    )


def missing(expected: Iterable[str], checks: Iterable[Check]) -> tuple[Check, ...]:
    """An UNKNOWN check for each expected id that has no record. The ids expected are fixed before a run."""
    seen = {check.id for check in checks}
    return tuple(
        Check(id, "(run)", Status.UNKNOWN, "no record", "a record", "The run ended without judging this.")
        for id in dict.fromkeys(expected)
        if id not in seen
    )


def weigh(
    checks: Sequence[Check],
    catalogue: Mapping[str, Rule],
    waivers: Sequence[Waiver] = (),
    *,
    today: date,
    incomplete: Sequence[str] = (),
) -> Decision:
    """The verdict on a run.

    checks:     one per (id, subject): see merge() and missing()
    catalogue:  id -> Rule
    today:      the day on which waivers are held against their expiry
    incomplete: a sentence for each reason why the run isn't whole (a track not selected or not finished, a subject
                that changed during the run)

    First match wins: NO-GO a P0 is FAIL; INCOMPLETE; NO-GO a P0 is UNKNOWN or fewer than 60 % of P1 pass;
    CONDITIONAL anything is waived or fewer than 80 % of P1 pass; GO. Only NA leaves the count, and is UNKNOWN where the
    rule always applies; a waived check is not a passed one.

    Raises BadConfiguration where a check has no rule, or a whole run has no P0 or no P1 check that counts.
    """
    weighed, ignored = _apply_waivers(checks, catalogue, waivers, today)
    counting = [w for w in weighed if w.status is not Status.NA]
    p0 = [w for w in counting if w.rule.priority is Priority.P0]
    p1 = [w for w in counting if w.rule.priority is Priority.P1]
    counts = {str(status): sum(w.status is status for w in weighed) for status in Status}
    verdict, because = _first_match(p0, p1, counting, incomplete)
    return Decision(verdict, because, weighed, ignored, counts)


def _apply_waivers(
    checks: Sequence[Check], catalogue: Mapping[str, Rule], waivers: Sequence[Waiver], today: date
) -> tuple[tuple[Weighed, ...], tuple[tuple[Waiver, str], ...]]:
    ignored: list[tuple[Waiver, str]] = []
    used: dict[tuple[str, str], Waiver] = {}
    by_key = {(check.id, check.subject): check for check in checks}
    for waiver in waivers:
        check, rule = by_key.get((waiver.check, waiver.subject)), catalogue.get(waiver.check)
        if rule is None:
            ignored.append((waiver, f"no check is named {waiver.check}"))
        elif check is not None and check.status in (Status.PASS, Status.NA):
            ignored.append((waiver, f"it was not needed: the check is {check.status}"))
        elif check is None:
            absent = f"this run has no check {waiver.check} of {waiver.subject}"
            ignored.append((waiver, waiver.fault(today) or absent))
        elif reason := waiver.refusal(check, rule, today):
            ignored.append((waiver, reason))
        else:
            used[(check.id, check.subject)] = waiver
    return tuple(_join(check, catalogue, used.get((check.id, check.subject))) for check in checks), tuple(ignored)


def _join(check: Check, catalogue: Mapping[str, Rule], waiver: Waiver | None) -> Weighed:
    if check.id not in catalogue:
        raise BadConfiguration(f"check {check.id!r} isn't in the catalogue; nothing can be said of its weight")
    rule = catalogue[check.id]
    if check.status is Status.NA and not rule.may_be_na:
        # Nothing leaves the count by its own word.
        because = f"It was recorded as NA, and it always applies: {check.because}"
        return Weighed(replace(check, because=because), rule, Status.UNKNOWN)
    return Weighed(check, rule, Status.WAIVED if waiver else check.status, waiver)


def _first_match(
    p0: Sequence[Weighed], p1: Sequence[Weighed], counting: Sequence[Weighed], incomplete: Sequence[str]
) -> tuple[Verdict, tuple[str, ...]]:
    unknown = [w for w in p0 if w.status is Status.UNKNOWN]
    if failed := [w for w in p0 if w.status is Status.FAIL]:
        # Whoever mends what failed would meet these next; of a track that did not run, nothing is known anyway.
        return Verdict.NO_GO, tuple(_line(w) for w in (*failed, *(() if incomplete else unknown)))
    if incomplete:
        return Verdict.INCOMPLETE, tuple(incomplete)
    if not p0 or not p1:
        raise BadConfiguration(f"a launch can't be decided on {len(p0)} P0 and {len(p1)} P1 checks; both are needed")
    if unknown:
        return Verdict.NO_GO, tuple(_line(w) for w in unknown)
    passed = sum(w.status is Status.PASS for w in p1)
    share = f"{passed} of {len(p1)} P1 checks passed ({100 * passed // len(p1)} %)"
    # Integers, since 0.6 * 5 is not 3 in floating point.
    if 100 * passed < LAUNCH_SHARE * len(p1):
        return Verdict.NO_GO, (f"{share}; fewer than {LAUNCH_SHARE} % is no launch. {_not_passed(p1)}",)
    conditions = [_line(w) for w in counting if w.status is Status.WAIVED]
    if 100 * passed < GO_SHARE * len(p1):
        conditions.append(f"{share}; a GO needs {GO_SHARE} %. {_not_passed(p1)}")
    if conditions:
        return Verdict.CONDITIONAL, tuple(conditions)
    return Verdict.GO, (f"Every P0 check passed and {share}.",)


def _not_passed(checks: Sequence[Weighed]) -> str:
    ids = list(dict.fromkeys(w.check.id for w in checks if w.status is not Status.PASS))
    return f"Not passed: {', '.join(ids)}."


def _line(weighed: Weighed) -> str:
    check, waiver = weighed.check, weighed.waiver
    accepted = f" Accepted by {waiver.approver} until {waiver.expires.isoformat()}: {waiver.reason}" if waiver else ""
    return f"{weighed.status} {check.id} {check.subject}: {check.because}{accepted}"


def now_text(moment: datetime) -> str:
    """A moment as the run's records write it, `2026-11-23T19:05:12.345Z`; the caller brings the clock."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
