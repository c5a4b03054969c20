"""The six exit criteria and the progress: met only by what passed, or by a risk that the criterion lets be accepted."""

from __future__ import annotations

from typing import Any

import pytest

from launchbook.readiness import judge
from launchbook.readiness.judge import Answer, Criterion

NEEDS = (
    "A.apply", "A.ready", "A.policy", "A.enforcement", "A.isolation", "A.budget", "A.eviction",
    "B.target", "B.validity", "B.threshold", "C.decision", "D.documents",
)  # fmt: skip
ITEM = Answer("Secrets Management", "a", "Item a", "PASS", "audit", "Fine.", ("D.a",))


def check(id: str, status: str = "PASS", because: str = "Why.") -> dict[str, Any]:
    return {"id": id, "subject": "s", "status": status, "because": because, "track": id[0]}


def met(found: list[Answer] | None = None, **changed: str | None) -> list[Criterion]:
    """The criteria where every check passed but those in `changed`, `B_threshold="FAIL"`; None: it has no record."""
    statuses = {id: changed.get(id.replace(".", "_"), "PASS") for id in NEEDS}
    weighed = [check(id, status) for id, status in statuses.items() if status]
    return judge.criteria(weighed, [ITEM] if found is None else found)


def test_all_six_are_met() -> None:
    """Where every check that they need passed."""
    assert [criterion.met for criterion in met()] == [True] * 6


@pytest.mark.parametrize("id", NEEDS)
@pytest.mark.parametrize(("status", "expected"), [("FAIL", False), ("UNKNOWN", None), ("NA", None), (None, None)])
def test_each_check_can_take_its_criterion_away(id: str, status: str | None, expected: bool | None) -> None:
    """And no other; what doesn't apply or has no record can't be told."""
    found = met(**{id.replace(".", "_"): status})
    for criterion in found:
        assert criterion.met is (expected if id in criterion.checks else True), criterion


@pytest.mark.parametrize(
    ("id", "expected", "because"),
    [
        ("B_threshold", False, "Accepted, not met: B.threshold s: Why."),
        ("A_isolation", False, "Accepted, not met: A.isolation s: Why."),
        ("C_decision", True, "Accepted: C.decision s: Why."),
    ],
)
def test_an_accepted_risk_meets_only_the_criterion_that_says_so(id: str, expected: bool, because: str) -> None:
    """A baseline that missed its targets did not meet them, whoever lives with it."""
    found = next(c for c in met(**{id: "WAIVED"}) if id.replace("_", ".") in c.checks)
    assert (found.met, found.because) == (expected, because)


def test_an_unknown_item_is_no_answer_and_a_pending_one_is_counted() -> None:
    """A pending item says what it waits for; silence says nothing."""
    waiting = Answer("Documentation", "b", "Item b", "FAIL", "pending", "It waits for c.", ("D.b",))
    silent = Answer("Documentation", "d", "Item d", "UNKNOWN", "statement", "Nobody has answered.", ("D.d",))
    assert met([ITEM, waiting])[4].because == "1 of 2 items are answered, 0 of them with no; 1 wait."
    assert (met([ITEM, silent])[4].met, met([ITEM, silent])[4].because) == (False, "Not answered: Item d.")
    assert met([])[4].met is None


def test_progress_keeps_passed_and_accepted_apart() -> None:
    """By weighted track; a track without a check has made none."""
    weighed = [check("A.a"), check("A.b", "WAIVED"), check("A.c", "FAIL"), check("A.d", "NA"), check("A.e", "UNKNOWN")]
    tracks = [{"id": "A", "title": "One", "weight": 30}, {"id": "B", "title": "Two", "weight": 70}]
    assert judge.progress(weighed, tracks) == [
        {"track": "A", "title": "One", "weight": 30, "passed": 1, "accepted": 1, "of": 4, "progress": 15.0},
        {"track": "B", "title": "Two", "weight": 70, "passed": 0, "accepted": 0, "of": 0, "progress": 0.0},
    ]
