"""The declared edges for programs to read: Parquet, and JUnit XML for a pipeline's own page of tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree

import pandas as pd

from launchbook import display
from launchbook.isolation.matrix import three
from launchbook.run import Run
from launchbook.words import Check, Status


def record(run: Run, checks: Sequence[Check], computed: pd.DataFrame, observed: Mapping[str, Any]) -> list[Check]:
    """Writes the matrix as Parquet and as JUnit XML to the run's evidence; gives the checks back with both named."""
    frame = three(run.parameters.isolation.edges, computed, observed)
    written = (
        run.evidence("isolation/matrix.parquet", frame),
        run.evidence("isolation/junit.xml", junit(checks, frame)),
    )
    return [
        Check(c.id, c.subject, c.status, c.measured, c.expected, c.because, (*c.evidence, *written)) for c in checks
    ]


def junit(checks: Sequence[Check], frame: pd.DataFrame) -> str:
    """JUnit XML with a testcase for each check: FAIL is a failure, UNKNOWN an error (never skipped), both with because.

    frame: three(), whose rule and outcomes go into a testcase's system-out.
    """
    count = {status: sum(check.status is status for check in checks) for status in Status}
    totals = {
        "tests": str(len(checks)),
        "failures": str(count[Status.FAIL]),
        "errors": str(count[Status.UNKNOWN]),
        "skipped": str(count[Status.NA]),
    }
    root = ElementTree.Element("testsuites", totals)
    suite = ElementTree.SubElement(root, "testsuite", {"name": "A.isolation", **totals})
    rows = {row["edge"]: row for row in frame.to_dict("records")}
    tags = {Status.FAIL: "failure", Status.UNKNOWN: "error", Status.NA: "skipped"}
    for check in checks:
        subject = display.visible(check.subject)
        case = ElementTree.SubElement(suite, "testcase", {"classname": check.id, "name": subject})
        if tag := tags.get(check.status):
            because = display.visible(check.because)
            found = ElementTree.SubElement(case, tag, {"message": because, "type": str(check.status)})
            found.text = f"expected {check.expected}; {display.visible(check.measured)}"
        if row := rows.get(check.subject):
            ElementTree.SubElement(case, "system-out").text = display.visible(f"{row['rule']} | {row['outcomes']}")
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"
