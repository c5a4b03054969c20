"""Whether an answer's body holds what a scenario expects of it. Runs beside Locust too, so it imports nothing of ours.

generator.js has the same rule for k6; the tests hold both to one table.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_NOTHING = object()


def lacks(expected: Mapping[str, Any], body: bytes) -> str:
    """What the body lacks, as the kind of an error; empty where it has everything.

    expected: {"contains": text or None, "json_fields": {"items.0.name": value}}. An error names the field and never
    quotes the answer, which may hold a secret.
    """
    text = expected.get("contains")
    if text is not None and text.encode() not in body:
        return "body: lacks the text expected"
    fields = expected.get("json_fields") or {}
    if not fields:
        return ""
    try:
        whole = json.loads(body)
    except ValueError:
        return "body: is no JSON"
    wrong = [name for name, value in fields.items() if not _same(_at(whole, name.split(".")), value)]
    return f"body: {wrong[0]} is not as expected" if wrong else ""


def _at(whole: Any, names: list[str]) -> Any:
    for name in names:
        if isinstance(whole, list) and name.isdigit() and int(name) < len(whole):
            whole = whole[int(name)]
        elif isinstance(whole, dict) and name in whole:
            whole = whole[name]
        else:
            return _NOTHING
    return whole


def _same(found: Any, value: Any) -> bool:
    # Python takes True for 1, which JSON doesn't.
    return isinstance(found, bool) == isinstance(value, bool) and bool(found == value)
