"""Readiness: the production checklist answered, and the launch documents written from the evidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from launchbook.readiness import judge
from launchbook.readiness.judge import Answer, Criterion
from launchbook.readiness.observe import checklist, objects, outlook
from launchbook.readiness.show import (
    announcement,
    checklist_document,
    claims,
    criteria_document,
    criteria_table,
    sections,
    status_document,
    table,
)
from launchbook.run import Run
from launchbook.words import Check

__all__ = [
    "checklist", "criteria_table", "items", "judge", "objects", "outlook", "sections", "supported", "table", "write",
]  # fmt: skip


DOCUMENTS = ("production-checklist.md", "launch-announcement.md", "status.md", "exit-criteria.md")


def items(run: Run) -> list[Check]:
    """A check for every item that an audit, a statement or nothing yet answers."""
    launch = run.parameters.launch
    return judge.items(checklist(run), objects(run), launch.statements, launch.title, run.now().date())


def supported(run: Run) -> Check:
    """D.documents: whether each claim of the announcement has its check."""
    weighed = outlook(run)["checks"]
    return judge.documents(claims(run.parameters.launch, weighed), weighed, ("documents/launch-announcement.md",))


def write(run: Run, verdict: dict[str, Any], found: Sequence[Answer], met: Sequence[Criterion]) -> list[str]:
    """Writes the four launch documents and returns their paths."""
    launch = run.parameters.launch
    applied = run.read("manifests/applied.json") or []
    before = {p.name for p in run.files.documents.glob("*.*") if p.suffix != ".html"}
    files = sorted(before | set(DOCUMENTS))
    texts = (
        checklist_document(launch, found),
        announcement(launch, verdict, claims(launch, verdict["checks"])),
        status_document(verdict),
        criteria_document(launch, met, applied, files),
    )
    return [run.document(name, text) for name, text in zip(DOCUMENTS, texts, strict=True)]
