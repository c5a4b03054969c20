"""What the API server's refusal of an apply means: a conflict with its owners, an immutable field, or something else.

Pure. Not every 422 is an immutable field, and not every 409 is a conflict of managers: message and path decide.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from launchbook.errors import ClusterError, MissingRight

Object = Mapping[str, Any]
# As the API server's validation words it (pkg/apis/*/validation, apimachinery's FieldImmutableErrorMsg), and what CEL
# rules and webhooks are told to say. https://kubernetes.io/blog/2022/09/29/enforce-immutability-using-cel/
_IMMUTABLE = re.compile(
    r"immutable|may not change once set|cannot change roleRef|updates to \S+ spec for fields other than|"
    r"pod updates may not change fields other than|updates to \S+ are forbidden|may not be changed|cannot be changed",
    re.IGNORECASE,
)
_MANAGER = re.compile(r'conflict with "([^"]+)"')
_UNDRYABLE = ("does not support dry run", "does not support dryRun")
_SHORT = 3  # characters, from which on a value can be told in a text


@dataclass(frozen=True)
class Answer:
    """kind of refusal; because: a sentence; fields: those that it is about, `.spec.replicas`.

    undryable: no dry run can ever be made, an apply can; unasked: the API server didn't say (no answer, no right)
    """

    kind: Literal["conflict", "immutable", "undryable", "unasked", "refused"]
    because: str
    fields: tuple[str, ...] = ()


def answer(error: ClusterError, live: Object | None, wanted: Object) -> Answer:
    """What an error of a dry run or an apply means for an object that is `live` (None: not there) and `wanted` so."""
    text = hidden(str(error), wanted)
    if error.status == 409 and (owners := _owners(error)):
        told = "; ".join(f"{field} is owned by {owner}" for field, owner in owners.items())
        return Answer("conflict", f"{told}, who says something else.", tuple(owners))
    if error.status in (409, 422) and live is not None and (fields := _immutable(error, live, wanted)):
        return Answer("immutable", f"{', '.join(fields)} can't be changed once the object is there: {text}", fields)
    if any(words in text for words in _UNDRYABLE):
        return Answer("undryable", text)
    if isinstance(error, MissingRight) or error.status in (None, 401, 429) or (error.status or 0) >= 500:
        return Answer("unasked", text)
    return Answer("refused", text)


def hidden(text: str, item: Object) -> str:
    """A message that repeats none of a Secret's values: the API server quotes what it can't read."""
    if item.get("kind") != "Secret":
        return text
    values = [str(v) for field in ("data", "stringData") for v in (item.get(field) or {}).values()]
    plain = [found for v in values if (found := _decoded(v))]
    for value in sorted({*values, *plain}, key=len, reverse=True):
        if value and len(value) < _SHORT and value in text:
            return "the API server refuses it; what it says may hold a value of the Secret and is not shown."
        text = text.replace(value, "(masked)") if value else text
    return text


def _decoded(value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode()
    except ValueError:
        return ""


def _owners(error: ClusterError) -> dict[str, str]:
    """Conflicting field -> the manager that owns it."""
    return {
        str(cause.get("field", "?")): (_MANAGER.findall(str(cause.get("message", ""))) or ["somebody else"])[0]
        for cause in error.causes
        if cause.get("reason") == "FieldManagerConflict"
    }


def _immutable(error: ClusterError, live: Object, wanted: Object) -> tuple[str, ...]:
    found: list[str] = []
    for cause in error.causes:
        message, field = str(cause.get("message", "")), str(cause.get("field", ""))
        if not _IMMUTABLE.search(message):
            continue
        # A StatefulSet, a Pod and a claim answer for the whole spec: what differs there says which field it is.
        named = _differing(live.get(field) or {}, wanted.get(field) or {}, field) if field == "spec" else []
        found += [name for name in named if name.rpartition(".")[2] not in message] or [field]
    if not error.causes and _IMMUTABLE.search(str(error)):
        found.append("a field")  # a webhook's own words, which name none
    return tuple(dict.fromkeys(f".{field}" for field in found))


def _differing(live: Object, wanted: Object, path: str) -> list[str]:
    """The fields just below that are wanted otherwise than they are; what the API server filled in is no difference."""
    return [f"{path}.{key}" for key, value in wanted.items() if not _within(value, live.get(key))]


def _within(wanted: Any, live: Any) -> bool:
    if isinstance(wanted, Mapping) and isinstance(live, Mapping):
        return all(_within(value, live.get(key)) for key, value in wanted.items())
    if isinstance(wanted, list) and isinstance(live, list):
        return len(wanted) == len(live) and all(map(_within, wanted, live))
    return bool(wanted == live)
