"""Two runs' load, from their folders: held against each other where both did the same."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from launchbook.folder import RunFolder
from launchbook.load import regression
from launchbook.load.gathering import counted
from launchbook.load.parquet import Parquet
from launchbook.load.tally import Tally
from launchbook.parameters import Load
from launchbook.parameters_file import load as resolve


def compared(before: RunFolder, after: RunFolder) -> list[str]:
    """What changed in the latency, a sentence a figure, or why that can't be told; nothing where a run sent no load."""
    if not all((one.evidence / "load" / "samples.parquet").is_file() for one in (before, after)):
        return []
    old, new = (_identity(one) for one in (before, after))
    if why := [*_unbelieved(before, "earlier"), *_unbelieved(after, "new"), *regression.unlike(old, new)]:
        return [f"load: not compared. {' '.join(why)}"]
    found = regression.differences(_tally(before), _tally(after))
    if not found:
        return ["load: not compared. A run of less than a minute is too short to tell a difference from chance."]
    return [f"load: {one.message}" for one in found]


def _identity(folder: RunFolder) -> dict[str, Any]:
    """See regression.SAME; None for what the folder doesn't say."""
    about, load = _about(folder), _load(folder)
    requests = json.dumps([one.model_dump() for one in load.scenario.requests], sort_keys=True)
    image = load.generator.k6_image if about.get("engine") == "k6" else load.generator.image
    shape = load.scenario.model_dump(exclude={"requests"}, mode="json")
    cluster = json.loads(folder.verdict.read_text()).get("cluster") or {}
    return {
        "script": hashlib.sha256(requests.encode()).hexdigest()[:12], "engine": about.get("engine") or None,
        "version": about.get("version") or None, "images": image if load.generator.where == "pod" else "none: this machine",
        "cluster": cluster.get("uid"), "shape": shape,
    }  # fmt: skip


def _unbelieved(folder: RunFolder, which: str) -> list[str]:
    outcome = _about(folder).get("outcome")
    return [] if outcome in ("PASS", "FAIL") else [f"The {which} run's load is {outcome or 'not documented'}."]


def _about(folder: RunFolder) -> dict[str, Any]:
    path = folder.documents / "load-test-results.json"
    found: dict[str, Any] = json.loads(path.read_text())["launchbook"] if path.is_file() else {}
    return found


def _load(folder: RunFolder) -> Load:
    return resolve(folder.parameters).environment.load


def _tally(folder: RunFolder) -> Tally:
    return counted(Parquet(folder.evidence / "load" / "samples.parquet"), _load(folder).scenario.warmup)[0]
