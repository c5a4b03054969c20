"""Reads YAML into a model, strictly: what is wrong is said with file, line and the nearest known name.

Reading touches no cluster and writes nothing.
"""

from __future__ import annotations

import difflib
import types
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from launchbook.errors import ParametersError

Loc = tuple[str | int, ...]
M = TypeVar("M", bound=BaseModel)
# pydantic's type of a mistake -> what to say of it to somebody who writes YAML.
_PLAIN = {
    "tuple_type": "must be a list, such as [a, b]",
    "too_short": "needs {min_length} or more items",
    "int_parsing": "must be a whole number",
    "dict_type": "must be a mapping, such as {{a: b}}",
    "model_type": "must be a mapping, such as {{a: b}}",
}


def parse(path: Path, what: str, example: str) -> tuple[dict[str, Any], dict[Loc, int]]:
    """The mapping in the file at `path`, and the line of each of its keys and list items.

    what, example: what such a file is and how it starts, for the error.

    Raises ParametersError for a file that can't be read, isn't
    YAML, isn't a mapping, or says a key twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ParametersError(f"{path}: can't be read: {error}. Nothing was touched.") from None
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise ParametersError(
            f"{where}: is not YAML: {getattr(error, 'problem', None) or error}. Nothing was touched."
        ) from None
    if not isinstance(node, yaml.MappingNode):
        raise ParametersError(f"{path}:1: {what} is a YAML mapping that starts like `{example}`. Nothing was touched.")
    lines: dict[Loc, int] = {}
    _lines(path, node, (), lines)
    return yaml.safe_load(text), lines


def validate(
    model: type[M], path: Path, data: Mapping[str, Any], lines: Mapping[Loc, int], overridden: Collection[str] = ()
) -> M:
    """`data` as a `model`. A relative path in it is relative to the file at `path`.

    overridden: dotted names whose value came from a notebook. Raises ParametersError that lists every problem, each
    with its line.
    """
    try:
        return model.model_validate(data, context={"folder": path.parent.resolve()})
    except ValidationError as error:
        told = dict.fromkeys(_say(model, path, lines, overridden, problem) for problem in error.errors())
        raise ParametersError("\n".join(told) + "\nNothing was touched.") from None


def nearest(name: str, known: Iterable[Any]) -> str:
    """`; did you mean 'vus'?`, or nothing where no known name is near."""
    close = difflib.get_close_matches(name, [str(k) for k in known], n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""


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


def _say(
    model: type[BaseModel], path: Path, lines: Mapping[Loc, int], overridden: Collection[str], problem: Any
) -> str:
    loc: Loc = problem["loc"]
    known = loc
    while known and known not in lines:
        known = known[:-1]
    name = ".".join(str(part) for part in (loc if problem["type"] == "missing" else known or loc))
    where = "notebook" if name in overridden else f"{path}:{lines.get(known, 1)}"
    if problem["type"] == "extra_forbidden":
        fields = _fields(model, loc[:-1])
        return f"{where}: unknown parameter {name!r}{nearest(str(loc[-1]), fields)}; known here: {', '.join(fields)}"
    if problem["type"] == "missing":
        return f"{where}: {name} is required and missing"
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] in _PLAIN:
        message = _PLAIN[problem["type"]].format_map(problem.get("ctx", {}))
    shown = "" if problem["type"] == "value_error" else f" (found {problem['input']!r})"
    return f"{where}: {name or path.stem}: {message}{shown}"


def _fields(model: Any, loc: Loc) -> list[str]:
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
