"""A verdict is held against what the run's parameters, evidence and catalogue say of it."""

from __future__ import annotations

from typing import Any

import pytest

from launchbook import against
from launchbook.words import Priority, Rule

CATALOGUE = {
    "A.x": Rule("A.x", "A", Priority.P0, "t", "r", waivable=False),
    "A.y": Rule("A.y", "A", Priority.P1, "t", "r", may_be_na=True),
}
RULES = [
    {"id": "A.x", "track": "A", "priority": "P0", "waivable": False},
    {"id": "A.y", "track": "A", "priority": "P1", "waivable": True},
    {"id": "D.item", "track": "D", "priority": "P2", "waivable": True},
]


def check(id: str, subject: str, status: str = "PASS") -> dict[str, Any]:
    return {"id": id, "subject": subject, "measured_status": status}


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        (RULES, []),
        (RULES[1:], ["rule A.x: the catalogue has it, and the run was judged without it"]),
        (
            [RULES[0] | {"priority": "P2"}, RULES[1]],
            ["rule A.x: priority was P2 in the run, and is P0 in the catalogue"],
        ),
        ([RULES[0] | {"track": "B"}, RULES[1]], ["rule A.x: track was B in the run, and is A in the catalogue"]),
        (
            [RULES[0] | {"waivable": True}, RULES[1]],
            ["rule A.x: waivable was True in the run, and is False in the catalogue"],
        ),
        (
            [*RULES, {"id": "A.z"}],
            ["rule A.z: the run was judged by it, and the catalogue has no such rule"],
        ),
    ],
)
def test_rules_are_the_catalogue_s(rules: list[dict[str, Any]], said: list[str]) -> None:
    assert against.rules(rules, CATALOGUE) == said


def test_each_declared_edge_has_its_check() -> None:
    assert against.edges(["a -> b"], [check("A.isolation", "a -> b"), check("A.isolation", "c")]) == []
    assert against.edges(["a -> b"], [check("A.coverage", "a -> b")]) == [
        "A.isolation a -> b: parameters.yaml declares this edge, and no check judges it"
    ]


def test_each_node_that_was_tried_has_its_check() -> None:
    canary = {"nodes": [{"node": "n1"}, {"node": "n2"}]}
    assert against.nodes(canary, [check("A.enforcement", "node/n1")]) == [
        "A.enforcement node/n2: evidence/isolation/canary.json has this node, and no check judges it"
    ]


def test_a_check_that_always_applies_is_never_na() -> None:
    found = [check("A.x", "s", "NA"), check("A.y", "s", "NA"), check("D.item", "s", "NA"), check("A.x", "t", "FAIL")]
    assert against.not_applicable(found, CATALOGUE) == [
        "A.x s: is NA, and this check always applies",
        "D.item s: is NA, and this check always applies",
    ]


def test_evidence_gives_the_status_that_was_recorded() -> None:
    again = {("A.x", "s"): "FAIL", ("A.x", "t"): "PASS", ("A.x", "gone"): "PASS"}
    assert against.rejudged(again, {("A.x", "s"): "PASS", ("A.x", "t"): "PASS"}) == [
        "A.x s: is PASS in the log, and its evidence gives FAIL"
    ]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("index.html", "<title>GO · lab · run</title>", []),
        ("index.html", "<title>NO-GO · lab · run</title>", ["index.html: says NO-GO, but the logs give GO"]),
        ("documents/status.md", "# Status: GO\n\nmore", []),
        ("documents/launch-announcement.md", "# T\n\nVerdict: **GO**\n", []),
        (
            "documents/launch-announcement.md",
            "All good",
            ["documents/launch-announcement.md: says no verdict, but the logs give GO"],
        ),
    ],
)
def test_a_text_says_the_verdict(name: str, text: str, said: list[str]) -> None:
    assert against.words({name: text}, "GO") == said
