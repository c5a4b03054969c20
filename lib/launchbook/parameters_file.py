"""Reads an environment's YAML: strict, with errors that name file, line and the nearest known name.

Loading touches no cluster and writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from launchbook.errors import ParametersError
from launchbook.parameters import COMMON, KNOBS, Environment
from launchbook.strict_yaml import Loc, nearest, parse, validate


@dataclass(frozen=True)
class Resolved:
    """An environment with the origin of every value: `lab.yaml:12`, `notebook` or `default`, by dotted name."""

    environment: Environment
    origins: Mapping[str, str]

    def to_yaml(self) -> str:
        """The whole environment, defaults included: what a run freezes and later reads again with load()."""
        return str(yaml.safe_dump(self.environment.model_dump(mode="json"), sort_keys=False, allow_unicode=True))


def load(path: Path, overrides: Mapping[str, Any] | None = None) -> Resolved:
    """The environment of the YAML file at `path`, with `overrides` (dotted name -> value) put over it.

    Raises ParametersError for a file that can't be read, isn't YAML, repeats a key, or holds an unknown key or a
    value out of range; every problem is listed, each with its line.
    """
    data, lines = parse(path, "an environment", "name: lab")
    overrides = {name: value for name, value in (overrides or {}).items() if value is not None}
    for name, value in overrides.items():
        _put(data, name, value)
    environment = validate(Environment, path, data, lines, overrides)
    origins = {
        # A name of an environment that was not typed is an override of nothing.
        name: "notebook" if overrides.get(name, "") != "" else _origin(path, lines, name)
        for name, _ in flatten(environment.model_dump(mode="json"))
    }
    return Resolved(environment, origins)


def knobs(track: str, namespace: Mapping[str, Any]) -> dict[str, Any]:
    """The overrides (dotted name -> value) that a notebook's variables ask for.

    namespace is the notebook's vars(). A plain value under a name that the track doesn't know is an error: papermill
    only warns about it, and a mistyped `-p vuss 500` would otherwise test something else than was asked.

    Raises ParametersError that names the nearest known parameter.
    """
    known = {**dict.fromkeys(COMMON), **KNOBS[track]}
    plain = {
        name: value
        for name, value in namespace.items()
        if not name.startswith("_")
        and name not in ("In", "Out")
        and isinstance(value, (str, int, float, bool, list, dict, tuple, type(None)))
    }
    for name in plain:
        if name not in known:
            raise ParametersError(
                f"this notebook has no parameter {name!r}{nearest(name, known)}; it takes "
                f"{', '.join(sorted(known))}. Nothing was touched."
            )
    return {dotted: plain[name] for name, dotted in KNOBS[track].items() if plain.get(name) is not None}


def flatten(data: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted name, value) of every leaf; lists are leaves."""
    if isinstance(data, dict) and data:
        for key, value in data.items():
            yield from flatten(value, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, data


def _put(data: dict[str, Any], dotted: str, value: Any) -> None:
    *parents, last = dotted.split(".")
    for name in parents:
        if data.get(name) is None:  # as a run's frozen parameters have a section that nobody wrote
            data[name] = {}
        data = data[name]
    data[last] = value


def _origin(path: Path, lines: Mapping[Loc, int], name: str) -> str:
    loc: Loc = tuple(name.split("."))
    return f"{path.name}:{lines[loc]}" if loc in lines else "default"
