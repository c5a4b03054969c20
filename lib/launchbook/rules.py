"""Every rule that a run is judged by: the catalogue's, and those of the environment's own checklist."""

from __future__ import annotations

from launchbook.catalogue import catalogue
from launchbook.checklist import Checklist
from launchbook.checklist import rules as checklist_rules
from launchbook.parameters import Environment
from launchbook.words import Rule


def rules_of(environment: Environment, checklist: Checklist | None = None) -> dict[str, Rule]:
    """id -> Rule. checklist: the environment's, where it was read already.

    Raises ParametersError where the checklist can't be used.
    """
    return {**catalogue(), **checklist_rules(environment.launch, checklist)}
