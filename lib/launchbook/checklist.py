"""The checklist of a launch: eight sections of items, each answered in exactly one way.

An item that points at a check of another track (`check:`) is shown in the checklist and adds no check of its own, so
that one finding never weighs twice: its priority is that check's. Every other item is a check `D.<item>`, and the
checklist gives its rule.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from launchbook.audits import AUDITS
from launchbook.catalogue import catalogue
from launchbook.errors import ParametersError
from launchbook.parameters import Launch
from launchbook.strict_yaml import nearest, parse, validate
from launchbook.words import Priority, Rule

Section = Literal[
    "Secrets Management",
    "Network Policies",
    "Resource Limits",
    "Observability",
    "Disaster Recovery",
    "Load Testing",
    "Security Review",
    "Documentation",
]
SECTIONS: tuple[Section, ...] = Section.__args__  # type: ignore[attr-defined]
KINDS = ("check", "audit", "statement", "pending")


class Item(BaseModel):
    """One line of the checklist.

    check:     id of a check of tracks A to C, or of the catalogue; `subject` is a glob over its subjects
    audit:     name of a rule that looks at the cluster's objects (`launchbook.audits.AUDITS`)
    statement: the question that a person answers under `launch.statements`
    pending:   what the item waits for; it counts as failed until it is answered in another way
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    title: str
    priority: Priority | None = None
    check: str | None = None
    subject: str = "*"
    audit: str | None = None
    statement: str | None = None
    max_age_days: int = Field(365, ge=1)  # after which a statement no longer counts
    pending: str | None = None
    remedy: str | None = None

    @property
    def kind(self) -> str:
        """`check`, `audit`, `statement` or `pending`."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    @property
    def check_id(self) -> str:
        """The id of the check that answers it."""
        return self.check or f"D.{self.id}"

    @model_validator(mode="after")
    def _one_answer(self) -> Item:
        given = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(given) != 1:
            raise ValueError(f"item {self.id!r} needs exactly one of {', '.join(KINDS)}; it has {given or 'none'}")
        if self.check is None and self.check_id in catalogue():
            raise ValueError(
                f"item {self.id!r} would take the place of the catalogue's {self.check_id}; name it otherwise"
            )
        if self.check is None and self.priority is None:
            raise ValueError(f"item {self.id!r} needs a priority: P0, P1 or P2")
        if self.check is not None and (self.priority or self.remedy):
            raise ValueError(f"item {self.id!r} takes priority and remedy from {self.check}; leave them out here")
        return self

    @field_validator("audit")
    @classmethod
    def _known_audit(cls, name: str | None) -> str | None:
        if name is not None and name not in AUDITS:
            raise ValueError(f"no audit is named {name!r}{nearest(name, AUDITS)}; known: {', '.join(AUDITS)}")
        return name

    @field_validator("check")
    @classmethod
    def _known_check(cls, id: str | None) -> str | None:
        if id is not None and id not in catalogue():
            raise ValueError(f"no check is named {id!r}{nearest(id, catalogue())}; see catalogue.yaml")
        return id

    def rule(self) -> Rule:
        """What its check weighs; only for an item that has a check of its own."""
        assert self.priority is not None
        return Rule(f"D.{self.id}", "D", self.priority, self.title, self.remedy or self._remedy())

    def _remedy(self) -> str:
        if self.audit is not None:
            return AUDITS[self.audit].remedy
        if self.statement is not None:
            return f"Let the one who knows answer under `launch.statements.{self.id}`, with author and date."
        return f"Wait for {self.pending}, then answer the item by an audit, a check or a statement."


class Checklist(BaseModel):
    """A checklist, whole: every section has at least one item, every id is unique."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sections: Mapping[Section, tuple[Item, ...]]

    @field_validator("sections")
    @classmethod
    def _whole(cls, sections: Mapping[Section, tuple[Item, ...]]) -> Mapping[Section, tuple[Item, ...]]:
        if empty := [name for name in SECTIONS if not sections.get(name)]:
            raise ValueError(f"section {empty[0]!r} has no item; a section that nobody looked at is no audit")
        ids = [item.id for items in sections.values() for item in items]
        if twice := sorted({id for id in ids if ids.count(id) > 1}):
            raise ValueError(f"two items are named {twice[0]!r}")
        return {name: sections[name] for name in SECTIONS}

    def __iter__(self) -> Iterator[Item]:  # type: ignore[override]
        return (item for items in self.sections.values() for item in items)

    def item(self, id: str) -> Item | None:
        """The item of that id, or None."""
        return next((item for item in self if item.id == id), None)


def load(path: Path) -> Checklist:
    """The checklist in the YAML file at `path`.

    Raises ParametersError that names file and line of what is wrong; nothing was touched.
    """
    data, lines = parse(path, "a checklist", "sections:")
    return validate(Checklist, path, data, lines)


def rules(launch: Launch, checklist: Checklist | None = None) -> dict[str, Rule]:
    """The rules that the environment's checklist adds to the catalogue: `D.<item>` -> Rule.

    checklist: as it was read already; None: it is read. Raises ParametersError where the checklist can't be used, or a
    statement answers no item of it.
    """
    checklist = checklist or load(launch.checklist)
    questions = [item.id for item in checklist if item.statement is not None]
    for id in launch.statements:
        if id not in questions:
            raise ParametersError(
                f"launch.statements.{id} answers no item of {launch.checklist}{nearest(id, questions)}; "
                f"items that take a statement: {', '.join(questions) or 'none'}. Nothing was touched."
            )
    return {rule.id: rule for item in checklist if item.check is None for rule in [item.rule()]}
