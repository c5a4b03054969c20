"""The rules by which a run is decided, as a table."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launchbook.words import BadConfiguration, Check, Priority, Rule, Status, Verdict, Waiver, merge, missing, weigh

TODAY = date(2026, 11, 24)
RULES = {
    **{
        f"X.{p}{n}": Rule(f"X.{p}{n}", "A", Priority(p), "title", "remedy")
        for p in ("P0", "P1", "P2")
        for n in range(20)
    },
    "X.identity": Rule("X.identity", "A", Priority.P0, "title", "remedy", waivable=False),
    **{f"X.{p}": Rule(f"X.{p}", "A", Priority(p), "title", "remedy", may_be_na=True) for p in ("P0", "P1")},
}


def check(
    id: str, status: Status = Status.PASS, *, subject: str = "s", figure: float | None = None, at: str = "",
    bound: str = "<= ms",
) -> Check:  # fmt: skip
    return Check(id, subject, status, "measured", "expected", "Because.", figure=figure, at=at, bound=bound)


def p1(passed: int, failed: int = 0, unknown: int = 0) -> list[Check]:
    statuses = [Status.PASS] * passed + [Status.FAIL] * failed + [Status.UNKNOWN] * unknown
    return [check(f"X.P1{n}", status) for n, status in enumerate(statuses)]


def waiver(**changes: object) -> Waiver:
    fields = {
        "check": "X.P00", "subject": "s", "owner": "lead", "approver": "head", "reason": "Known.",
        "control": "Watch it.", "expires": date(2026, 12, 31), "bound": "p(95) <= 800 ms",
    }  # fmt: skip
    return Waiver(**{**fields, **changes})  # type: ignore[arg-type]


P0 = check("X.P00")


@pytest.mark.parametrize(
    ("checks", "incomplete", "verdict"),
    [
        ([P0, *p1(5)], [], Verdict.GO),
        ([P0, *p1(4, 1)], [], Verdict.GO),
        ([P0, *p1(7, 2)], [], Verdict.CONDITIONAL),
        ([P0, *p1(3, 2)], [], Verdict.CONDITIONAL),
        ([P0, *p1(3, 0, 2)], [], Verdict.CONDITIONAL),
        ([P0, *p1(5, 4)], [], Verdict.NO_GO),
        ([check("X.P00", Status.FAIL), *p1(5)], [], Verdict.NO_GO),
        ([check("X.P00", Status.FAIL), *p1(5)], ["track B was not selected"], Verdict.NO_GO),
        ([check("X.P00", Status.UNKNOWN), *p1(5)], [], Verdict.NO_GO),
        ([check("X.P00", Status.UNKNOWN), *p1(5)], ["track B was not selected"], Verdict.INCOMPLETE),
        ([P0, *p1(5)], ["track B was not selected"], Verdict.INCOMPLETE),
        ([P0, *p1(5), check("X.P20", Status.FAIL)], [], Verdict.GO),
        ([P0, check("X.P0", Status.NA), *p1(4), check("X.P1", Status.NA)], [], Verdict.GO),
        ([P0, check("X.P01", Status.NA), *p1(5)], [], Verdict.NO_GO),
        ([P0, *p1(3), check("X.P19", Status.NA)], [], Verdict.CONDITIONAL),
    ],
)
def test_the_first_rule_that_matches_gives_the_verdict(
    checks: list[Check], incomplete: list[str], verdict: Verdict
) -> None:
    """Each line of the design's verdict rules, at its bounds."""
    assert weigh(checks, RULES, today=TODAY, incomplete=incomplete).verdict is verdict


def test_a_check_that_always_applies_is_unknown_where_it_was_recorded_as_na() -> None:
    """What was recorded stays readable, and nothing leaves the count by its own word."""
    decision = weigh([check("X.P00", Status.NA), *p1(5)], RULES, today=TODAY)
    assert decision.because == ("UNKNOWN X.P00 s: It was recorded as NA, and it always applies: Because.",)


def test_exit_codes_are_the_designs() -> None:
    """0 GO, 1 NO-GO, 3 CONDITIONAL, 4 INCOMPLETE."""
    assert [v.exit_code for v in (Verdict.GO, Verdict.NO_GO, Verdict.CONDITIONAL, Verdict.INCOMPLETE)] == [0, 1, 3, 4]


@pytest.mark.parametrize("checks", [p1(5), [P0], [check("X.P0", Status.NA), *p1(5)]])
def test_a_launch_without_p0_or_p1_checks_is_bad_configuration(checks: list[Check]) -> None:
    """What has nothing to fail can't pass."""
    with pytest.raises(BadConfiguration, match="both are needed"):
        weigh(checks, RULES, today=TODAY)


def test_a_check_that_the_catalogue_does_not_know_is_bad_configuration() -> None:
    """An id without a rule has no weight, so nothing can be decided."""
    with pytest.raises(BadConfiguration, match="isn't in the catalogue"):
        weigh([check("X.typo")], RULES, today=TODAY)


def test_a_waiver_within_its_bound_makes_the_launch_conditional() -> None:
    """WAIVED counts, and the measured status stays beside it."""
    failed = check("X.P00", Status.FAIL, figure=700.0)
    decision = weigh([failed, check("X.P01"), *p1(5)], RULES, [waiver()], today=TODAY)
    assert decision.verdict is Verdict.CONDITIONAL
    assert (decision.checks[0].status, decision.checks[0].check.status) == (Status.WAIVED, Status.FAIL)
    assert decision.because == ("WAIVED X.P00 s: Because. Accepted by head until 2026-12-31: Known.",)


@pytest.mark.parametrize(
    ("changes", "failed", "reason"),
    [
        ({}, check("X.P00", Status.FAIL, figure=801.0), "the measured 801 is outside its bound 'p(95) <= 800 ms'"),
        ({}, check("X.P00", Status.FAIL), "X.P00 carries no figure to compare with the bound 'p(95) <= 800 ms'"),
        ({"bound": "small"}, check("X.P00", Status.FAIL, figure=1.0), "it has no bound that can be compared"),
        ({"expires": date(2026, 11, 23)}, check("X.P00", Status.FAIL, figure=1.0), "it expired on 2026-11-23"),
        (
            {"expires": date(2099, 12, 31)},
            check("X.P00", Status.FAIL, figure=1.0),
            "it expires on 2099-12-31: a risk is accepted for 366 days at most",
        ),
        ({"owner": "Ann  Lee", "approver": "ann lee"}, check("X.P00", Status.FAIL, figure=1.0), "it is self-approved"),
        ({"approver": "Lead "}, check("X.P00", Status.FAIL, figure=1.0), "it is self-approved"),
        (
            {"owner": "Ann Lee", "approver": "Ann\u200b Lee"},
            check("X.P00", Status.FAIL, figure=1.0),
            "it is self-approved",
        ),
        (
            {"owner": "Ann Lee", "approver": "\uff21nn Lee"},
            check("X.P00", Status.FAIL, figure=1.0),
            "it is self-approved",
        ),
        ({"subject": "*"}, check("X.P00", Status.FAIL, figure=1.0), "it is over-broad"),
        ({"subject": "t"}, check("X.P00", Status.FAIL, figure=1.0), "this run has no check X.P00 of t"),
        (
            {"subject": "t", "expires": date(2026, 11, 23)},
            check("X.P00", Status.FAIL, figure=1.0),
            "it expired on 2026-11-23",
        ),
        ({}, check("X.P00", Status.UNKNOWN), "nothing was measured"),
        ({}, check("X.P00"), "it was not needed: the check is PASS"),
        ({"check": "X.typo"}, check("X.P00", Status.FAIL, figure=1.0), "no check is named X.typo"),
    ],
)
def test_a_waiver_that_does_not_hold_is_listed_and_ignored(
    changes: dict[str, object], failed: Check, reason: str
) -> None:
    """Expired, self-approved, unbounded, unused and over-broad waivers leave the measured status."""
    decision = weigh([failed, *p1(5)], RULES, [waiver(**changes)], today=TODAY)
    assert decision.checks[0].status is failed.status
    assert len(decision.ignored) == 1
    assert reason in decision.ignored[0][1]


@pytest.mark.parametrize(
    ("given", "bound", "figure", "reason"),
    [
        ("p(95) <= 800 ms", "<= ms", 700.0, None),
        ("p(95) < 0.8 s", "<= ms", 700.0, None),
        ("p(95) <= 0.6 s", "<= ms", 700.0, "the measured 700 is outside its bound 'p(95) <= 0.6 s'"),
        ("p(95) >= 100 ms", "<= ms", 700.0, "its bound 'p(95) >= 100 ms' is no bound on X.P00: write it as 'figure <= N ms'"),
        ("p(95) <= 800", "<= ms", 700.0, "is no bound on X.P00: write it as 'figure <= N ms'"),
        ("p(95) <= 800 s", "<= ms", 900_000.0, "the measured 900000 is outside its bound 'p(95) <= 800 s'"),
        ("errors <= 5 %", "<= %", 0.02, None),
        ("errors <= 5 %", "<= %", 0.07, "the measured 7 is outside its bound 'errors <= 5 %'"),
        ("errors <= 5", "<= %", 0.02, "write it as 'figure <= N %'"),
        ("offenders <= 50 %", "<=", 12.0, "write it as 'figure <= N'"),
        ("offenders <= 2", "<=", 2.0, None),
        ("rate >= 80 requests/s", ">= /s", 90.0, None),
        ("rate >= 80 /s", ">= /s", 79.0, "the measured 79 is outside its bound 'rate >= 80 /s'"),
        ("rate <= 80 /s", ">= /s", 10.0, "write it as 'figure >= N /s'"),
        ("kept >= 30 min", ">= h", 0.6, None),
        ("kept >= 30 min", ">= h", 0.4, "the measured 0.4 is outside its bound 'kept >= 30 min'"),
        ("p(95) <= 800 ms", "", 700.0, "no bound can accept a figure of X.P00"),
    ],
)  # fmt: skip
def test_a_bound_is_held_against_unit_and_direction_of_the_figure(
    given: str, bound: str, figure: float, reason: str | None
) -> None:
    """5 % is no share of 5, and what holds for every worse figure bounds nothing."""
    failed = check("X.P00", Status.FAIL, figure=figure, bound=bound)
    decision = weigh([failed, *p1(5)], RULES, [waiver(bound=given)], today=TODAY)
    assert decision.checks[0].status is (Status.FAIL if reason else Status.WAIVED)
    assert [reason in why for _, why in decision.ignored] == ([True] if reason else [])  # type: ignore[operator]


def test_identity_can_not_be_waived() -> None:
    """A check that carries every other figure is beyond any waiver."""
    failed = check("X.identity", Status.FAIL, figure=1.0)
    decision = weigh([failed, *p1(5)], RULES, [waiver(check="X.identity")], today=TODAY)
    assert decision.verdict is Verdict.NO_GO
    assert decision.ignored[0][1] == "X.identity can't be waived by anybody"


def test_a_failure_that_a_later_pass_replaced_is_unknown_until_explained() -> None:
    """Running a check again until it passes proves nothing."""
    history = [check("X.P00", Status.FAIL, at="T1"), check("X.P00", Status.PASS, at="T2")]
    (merged,) = merge(history)
    assert merged.status is Status.UNKNOWN
    assert merged.because.startswith("It was FAIL at T1 (measured) and PASS afterwards; nobody has said why")
    assert merge(history, explained=[("X.P00", "s")])[0].status is Status.PASS


def test_an_expected_check_without_a_record_is_unknown() -> None:
    """What was not judged is never a pass."""
    (absent,) = missing(["X.P00", "X.P01"], [P0])
    assert (absent.id, absent.status) == ("X.P01", Status.UNKNOWN)


statuses = st.sampled_from([Status.PASS, Status.FAIL, Status.UNKNOWN, Status.NA])
launches = st.lists(
    st.tuples(st.sampled_from([r for r in RULES if r != "X.identity"]), statuses), max_size=25, unique_by=lambda t: t[0]
)


def _rank(decision_input: list[Check]) -> int:
    order = [Verdict.NO_GO, Verdict.INCOMPLETE, Verdict.CONDITIONAL, Verdict.GO]
    try:
        return order.index(weigh(decision_input, RULES, today=TODAY).verdict)
    except BadConfiguration:
        return 0  # no launch either


@given(launches, st.randoms())
def test_the_order_of_checks_never_matters(pairs: list[tuple[str, Status]], random: object) -> None:
    """The verdict is a function of the set of checks."""
    checks = [check(id, status) for id, status in pairs]
    shuffled = list(checks)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert _rank(checks) == _rank(shuffled)


@given(launches, st.data())
def test_worse_news_never_makes_a_better_verdict(pairs: list[tuple[str, Status]], data: st.DataObject) -> None:
    """A check that turns from PASS to FAIL or UNKNOWN can't raise the verdict."""
    checks = [check(id, status) for id, status in pairs]
    passed = [n for n, c in enumerate(checks) if c.status is Status.PASS]
    if not passed:
        return
    at = data.draw(st.sampled_from(passed))
    worse = data.draw(st.sampled_from([Status.FAIL, Status.UNKNOWN]))
    changed = [check(c.id, worse) if n == at else c for n, c in enumerate(checks)]
    assert _rank(changed) <= _rank(checks)


def test_what_else_blocks_a_launch_is_said_with_what_failed() -> None:
    """Whoever mends the one would meet the other next."""
    both = [check("X.P00", Status.FAIL), check("X.P00", Status.UNKNOWN, subject="other"), *p1(5)]
    assert [line.split()[0] for line in weigh(both, RULES, today=TODAY).because] == ["FAIL", "UNKNOWN"]
    short = weigh(both, RULES, incomplete=["track B was not selected"], today=TODAY)
    assert [line.split()[0] for line in short.because] == ["FAIL"]


def test_which_p1_checks_are_missing_is_said() -> None:
    (line,) = weigh([P0, *p1(5, 2)], RULES, today=TODAY).because
    assert line == "5 of 7 P1 checks passed (71 %); a GO needs 80 %. Not passed: X.P15, X.P16."
