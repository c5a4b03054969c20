"""The catalogue of checks: id -> Rule, read from catalogue.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

import yaml

from launchbook.words import Priority, Rule


@cache
def catalogue() -> Mapping[str, Rule]:
    """Every rule that ships with launchbook, by id. A checklist adds its own (`readiness`)."""
    raw = yaml.safe_load(files("launchbook").joinpath("catalogue.yaml").read_text(encoding="utf-8"))
    return MappingProxyType(
        {id: Rule(id=id, **{**fields, "priority": Priority(fields["priority"])}) for id, fields in raw.items()}
    )
