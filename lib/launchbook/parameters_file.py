"""Reads an environment's YAML: strict, with errors that name file, line and the nearest known name.

Loading touches no cluster and writes nothing.
"""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from launchbook.errors import ParametersError
from launchbook.parameters import COMMON, KNOBS, Environment

Loc = tuple[str | int, ...]


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
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ParametersError(f"{path}: can't be read: {error}. Nothing was touched.") from None
    data, lines = _parse(path, text)
    overrides = {name: value for name, value in (overrides or {}).items() if value is not None}
    for name, value in overrides.items():
        _put(data, name, value)
    try:
        environment = Environment.model_validate(data, context={"folder": path.parent.resolve()})
    except ValidationError as error:
        told = "\n".join(dict.fromkeys(_say(path, lines, overrides, problem) for problem in error.errors()))
        raise ParametersError(f"{told}\nNothing was touched.") from None
    origins = {
        name: "notebook" if name in overrides else _origin(path, lines, name)
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


def nearest(name: str, known: Any) -> str:
    """`; did you mean 'vus'?`, or nothing where no known name is near."""
    close = difflib.get_close_matches(name, [str(k) for k in known], n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""


def flatten(data: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted name, value) of every leaf; lists are leaves."""
    if isinstance(data, dict) and data:
        for key, value in data.items():
            yield from flatten(value, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, data


def _parse(path: Path, text: str) -> tuple[dict[str, Any], dict[Loc, int]]:
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise ParametersError(
            f"{where}: is not YAML: {getattr(error, 'problem', None) or error}. Nothing was touched."
        ) from None
    if not isinstance(node, yaml.MappingNode):
        raise ParametersError(
            f"{path}:1: an environment is a YAML mapping that starts like `name: lab`. Nothing was touched."
        )
    lines: dict[Loc, int] = {}
    _lines(path, node, (), lines)
    return yaml.safe_load(text), lines


def _lines(path: Path, node: yaml.Node, loc: Loc, lines: dict[Loc, int]) -> None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*loc, str(key.value))
            line = key.start_mark.line + 1
            if inner in lines:
                raise ParametersError(
                    f"{path}:{line}: {'.'.join(map(str, inner))} stands here and in line {lines[inner]}; "
                    "YAML would silently take the last. Nothing was touched."
                )
            lines[inner] = line
            _lines(path, value, inner, lines)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            lines[(*loc, index)] = value.start_mark.line + 1
            _lines(path, value, (*loc, index), lines)


def _put(data: dict[str, Any], dotted: str, value: Any) -> None:
    *parents, last = dotted.split(".")
    for name in parents:
        data = data.setdefault(name, {})
    data[last] = value


def _say(path: Path, lines: Mapping[Loc, int], overrides: Mapping[str, Any], problem: Any) -> str:
    loc: Loc = problem["loc"]
    known = loc
    while known and known not in lines:
        known = known[:-1]
    name = ".".join(str(part) for part in (loc if problem["type"] == "missing" else known or loc))
    where = "notebook" if name in overrides else f"{path}:{lines.get(known, 1)}"
    if problem["type"] == "extra_forbidden":
        fields = _fields(loc[:-1])
        return f"{where}: unknown parameter {name!r}{nearest(str(loc[-1]), fields)}; known here: {', '.join(fields)}"
    if problem["type"] == "missing":
        return f"{where}: {name} is required and missing"
    message = problem["msg"].removeprefix("Value error, ")
    shown = "" if problem["type"] == "value_error" else f" (found {problem['input']!r})"
    return f"{where}: {name or 'the environment'}: {message}{shown}"


def _fields(loc: Loc) -> list[str]:
    model: Any = Environment
    for part in loc:
        if isinstance(part, int) or not hasattr(model, "model_fields"):
            continue
        if part in model.model_fields:
            model = _model_in(model.model_fields[part].annotation) or model
    return list(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (Union, types.UnionType, tuple, list, dict):
        return next((found for arg in get_args(annotation) if (found := _model_in(arg))), None)
    return None


def _origin(path: Path, lines: Mapping[Loc, int], name: str) -> str:
    loc: Loc = tuple(name.split("."))
    return f"{path.name}:{lines[loc]}" if loc in lines else "default"
