"""The logging decision, rule by rule."""

from __future__ import annotations

from datetime import date
from typing import Any

import pandas as pd
import pytest

from launchbook.logs import judge
from launchbook.logs.judge import Terms
from launchbook.logs.observe import INVENTORY, RATES, RESTARTS, size
from launchbook.words import Status

ROLES = ["log agent", "log store", "dashboards", "metrics", "traces"]
LIMITS = {"max_size": 10 * 2**20, "max_files": 5, "source": "read from 2 kubelets"}
TERMS = Terms(detection_and_response=600, retention=0, personal_data=False, owner="role", review_after_days=90)
TODAY = date(2026, 11, 24)


def inventory(**found: str) -> pd.DataFrame:
    rows = [
        [role, found.get(role.replace(" ", "_"), ""), "", "3/3" if role.replace(" ", "_") in found else ""]
        for role in ROLES
    ]
    return pd.DataFrame(rows, columns=INVENTORY)


def rates(load: float = 30000.0, lines: float = 200.0) -> pd.DataFrame:
    return pd.DataFrame([["n", "p", "c", 0.0, load, 0.0, lines]], columns=RATES)


def restarts(count: int = 0, reason: str = "") -> pd.DataFrame:
    return pd.DataFrame([["n", "p", "c", count, reason]], columns=RESTARTS)


def decide(found: Any = None, rate: Any = None, restarted: Any = None, terms: Terms = TERMS) -> Any:
    rate = rates() if rate is None else rate
    lasting = judge.hours(rate, LIMITS)
    return judge.decide(
        inventory() if found is None else found,
        rate,
        lasting,
        restarts() if restarted is None else restarted,
        terms,
        TODAY,
    )


@pytest.mark.parametrize(
    ("decided", "expected"),
    [
        (decide(), "defer"),
        (decide(rate=rates(load=300000.0)), "deploy"),
        (decide(terms=Terms(600, 7 * 86400, False, "role", 90)), "deploy"),
        (decide(terms=Terms(600, 0, True, "role", 90)), "deploy"),
        (decide(restarted=restarts(3)), "deploy"),
        (decide(rate=rates().iloc[:0]), "unknown"),
        (decide(restarted=restarts().iloc[:0]), "unknown"),
        (decide(found=inventory(log_agent="vector", log_store="loki")), "in place"),
        (decide(found=inventory(log_agent="vector")), "defer"),
        (decide(found=inventory(log_agent="vector", log_store="loki").assign(ready="0/3")), "defer"),
        (decide(found=inventory().assign(found=None)), "unknown"),
    ],
)
def test_a_decision(decided: Any, expected: str) -> None:
    """No figure, no deferral."""
    assert decided.decision == expected


@pytest.mark.parametrize(
    ("load", "lasts"),
    [
        (30000.0, "They last 0.38 h under load, longer than the 0.17 h in which an incident is found and handled."),
        (
            0.0,
            "Nothing was logged under load, so they last longer than the 0.17 h in which an incident is found and handled.",
        ),
    ],
)
def test_a_deferral_says_what_must_be_accepted(load: float, lasts: str) -> None:
    """Beside a FAIL, what speaks for the deferral alone would read like a pass."""
    said = judge.decision(decide(rate=rates(load, load / 150))).because
    assert said == (
        f"Logs are not aggregated, which somebody must accept. {lasts} "
        "No retention is demanded, no personal data is logged, and no container restarts often."
    )


def test_only_a_proposed_deferral_can_be_accepted() -> None:
    """It fails with the figure that a waiver bounds; where the rules say deploy there is none to accept."""
    deferred, forced = judge.decision(decide()), judge.decision(decide(rate=rates(load=300000.0)))
    assert (deferred.status, deferred.figure) == (Status.FAIL, 30000.0)
    assert (forced.status, forced.figure) == (Status.FAIL, None)
    assert judge.decision(decide(rate=rates().iloc[:0])).status is Status.UNKNOWN


def test_hours_count_what_the_runtime_writes() -> None:
    """10 MiB at 30000 bytes/s of text plus 40 bytes before each of 200 lines/s: 276 s a file."""
    [row] = judge.hours(rates(), LIMITS).to_dict("records")
    assert row["rate"] == 38000.0
    assert row["readable"] * 3600 == pytest.approx(10 * 2**20 / 38000.0)
    assert row["retained"] == 5 * row["readable"]


def test_a_silent_container_lasts_for_ever() -> None:
    """No division by zero, and no false alarm."""
    assert judge.hours(rates(0.0, 0.0), LIMITS)["retained"].iloc[0] == float("inf")


@pytest.mark.parametrize(
    ("found", "status"),
    [
        (restarts(2), "PASS"),
        (restarts(3), "FAIL"),
        (restarts(1, "OOMKilled, exit code 137"), "FAIL"),
        (restarts().iloc[:0], "UNKNOWN"),
    ],
)
def test_restarts(found: Any, status: str) -> None:
    """Few restarts pass, one out of memory does not."""
    assert judge.restarts(found).status is Status(status)


@pytest.mark.parametrize(("text", "number"), [("10Mi", 10 * 2**20), ("1.5Gi", 3 * 2**29), ("100", 100), ("2k", 2000)])
def test_a_quantity(text: str, number: int) -> None:
    """The kubelet writes its limits so."""
    assert size(text) == number
