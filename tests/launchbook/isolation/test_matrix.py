"""What people and pipelines read of the edges: words in every cell, the rule on hovering, no error taken for a skip."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pandas as pd
import pytest
from edges import BLOCKED, ENFORCED, OPEN, edge, observed

from launchbook.isolation import judge
from launchbook.isolation.matrix import COLUMNS, LAYERS, matrix, table, three
from launchbook.isolation.observe import COMPUTED
from launchbook.isolation.report import junit
from launchbook.parameters import Destination, Edge, Source

RULE = "ingress: denied by d/<p>"


def cell(source: str, port: int, expect: Any) -> Edge:
    return Edge(
        source=Source(namespace=source), destination=Destination(namespace="d", service="x", port=port), expect=expect
    )


EDGES = [cell("s", 80, "closed"), cell("s", 81, "open"), cell("t", 80, "closed"), cell("u", 80, "open")]
ALLOWED = [False, True, True, None]
SEEN = {"problem": None, "edges": {}}
for _edge, _target in zip(EDGES, (BLOCKED, OPEN, BLOCKED, OPEN), strict=True):
    SEEN["edges"][_edge.name] = observed(_target)["edges"][edge("open").name]
RULES = pd.DataFrame(
    [
        [e.name, "x-0", "TCP", e.destination.port, allowed, RULE, "", False, ""]
        for e, allowed in zip(EDGES, ALLOWED, strict=True)
    ],
    columns=COMPUTED,
).astype({"allowed": "boolean", "labelled": "boolean"})


def test_each_edge_in_three_layers() -> None:
    """They agree, they differ, or one of them is not known."""
    frame = three(EDGES, RULES, SEEN)
    assert list(frame.columns) == COLUMNS
    assert frame[["source", "destination", "declared", "computed", "observed", "agreement"]].to_numpy().tolist() == [
        ["s", "d/x:80", "closed", "closed", "closed", "agree"],
        ["s", "d/x:81", "open", "open", "open", "agree"],
        ["t", "d/x:80", "closed", "open", "closed", "differ"],
        ["u", "d/x:80", "open", "unknown", "open", "unknown"],
    ]
    assert frame["outcomes"][0] == "x-0 (pod) 10.0.0.1:80/TCP: DROPPED, DROPPED, DROPPED"


def test_what_a_label_opens_is_not_closed() -> None:
    """A cell that said closed, and agreed, beside a check that fails would mislead."""
    labels = "any pod of namespace s with the label app=x is admitted by NetworkPolicy d/p ingress[0]"
    words = {}
    for labelled in (True, None):
        rules = RULES.assign(labelled=pd.array([labelled] * 4, "boolean"), labels=labels)
        row = three(EDGES[:1], rules, SEEN).iloc[0]
        words[labelled] = (row["computed"], row["agreement"])
        assert row["rule"] == f"{RULE}; {labels}"
    assert words == {True: ("mixed", "differ"), None: ("unknown", "unknown")}


def test_the_heat_map_says_each_cell_in_words_and_why() -> None:
    """An undeclared pair has no cell; the menu holds every layer; what comes from the cluster is text."""
    chart = matrix(EDGES, RULES, SEEN)
    [heat] = chart.figure.data
    assert (list(heat.y), list(heat.x)) == (["s", "t", "u"], ["d/x:80", "d/x:81"])
    assert [list(line) for line in heat.text] == [["agree", "agree"], ["differ", ""], ["unknown", ""]]
    assert [[code is not None for code in line] for line in heat.z] == [[True, True], [True, False], [True, False]]
    assert "rule: ingress: denied by d/&lt;p&gt;" in heat.customdata[0][0]
    assert "DROPPED, DROPPED" in heat.customdata[0][0]
    buttons = chart.figure.layout.updatemenus[0].buttons
    assert tuple(button.label for button in buttons) == LAYERS
    assert buttons[3].args[0]["text"] == [[["closed", "open"], ["closed", ""], ["open", ""]]]


def test_the_longer_side_runs_down() -> None:
    """Twelve columns can be read on a page; two dozen can't."""
    wide = [cell("s", port, "open") for port in range(80, 104)]
    [heat] = matrix(wide, RULES, SEEN).figure.data
    assert (len(heat.x), len(heat.y)) == (1, 24)


def test_nothing_declared_is_an_empty_figure() -> None:
    """No edge, no cell and no error."""
    assert matrix([], RULES, SEEN).figure.layout.meta["min_width"] > 0
    assert "rule" in table([], RULES, SEEN).html


def test_the_table_has_a_filter() -> None:
    """The page's script puts it above tables of this class."""
    shown = table(EDGES, RULES, SEEN).html
    assert 'class="launchbook find"' in shown
    assert "denied by d/&lt;p&gt;" in shown


def test_junit_has_a_testcase_an_edge() -> None:
    """FAIL is a failure, UNKNOWN an error, never a skip; control characters don't break the XML."""
    checks = judge.edges(EDGES, RULES, SEEN, ENFORCED)
    root = ElementTree.fromstring(junit(checks, three(EDGES, RULES.replace(RULE, "a\x00b"), SEEN)))
    [suite] = root
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors"), suite.get("skipped")) == (
        "4",
        "0",
        "2",
        "0",
    )
    assert {case.get("name"): [child.tag for child in case] for case in suite} == {
        EDGES[0].name: ["system-out"],
        EDGES[1].name: ["system-out"],
        EDGES[2].name: ["error", "system-out"],
        EDGES[3].name: ["error", "system-out"],
    }
    error = suite[2].find("error")
    assert error is not None
    assert (error.get("type"), error.get("message")) == ("UNKNOWN", checks[2].because)
    assert "a\\x00b" in ElementTree.tostring(root, encoding="unicode")


@pytest.mark.parametrize("status", ["FAIL"])
def test_junit_of_a_failure(status: str) -> None:
    """An edge that is open though declared closed fails with the reason."""
    seen = {"problem": None, "edges": {EDGES[0].name: SEEN["edges"][EDGES[1].name]}}
    checks = judge.edges(EDGES[:1], RULES, seen, ENFORCED)
    [suite] = ElementTree.fromstring(junit(checks, three(EDGES[:1], RULES, seen)))
    assert str(checks[0].status) == status
    assert suite[0][0].tag == "failure"
    assert suite[0][0].get("message") == checks[0].because
