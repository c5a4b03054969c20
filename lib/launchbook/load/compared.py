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
from launchbook.record import read_evidence


def compared(before: RunFolder, after: RunFolder) -> list[str]:
    """What changed in latency, errors and throughput, a sentence a figure, or why that can't be told; nothing where a run
    sent no load."""
    if not all((one.evidence / "load" / "samples.parquet").is_file() for one in (before, after)):
        return []
    old, new = _identity(before, after), _identity(after, before)
    if why := [*_unbelieved(before, "earlier"), *_unbelieved(after, "new"), *regression.unlike(old, new)]:
        return [f"load: not compared. {' '.join(why)}"]
    found = regression.differences(_tally(before), _tally(after), open_loop=_load(after).scenario.rate is not None)
    if not found:
        return ["load: not compared. A run of less than a minute is too short to tell a difference from chance."]
    return [*_by_tag(before, after), *(f"load: {one.message}" for one in found)]


def _identity(folder: RunFolder, other: RunFolder) -> dict[str, Any]:
    """See regression.SAME; None for what the folder doesn't say. other: the run that it is held against"""
    about, load = _about(folder), _load(folder)
    given = load.generator
    # Where a script lies says nothing of what is in it.
    shape = load.scenario.model_dump(exclude={"requests", "script"}, mode="json")
    return {
        "script": _script(folder, load), "engine": about.get("engine") or None, "version": about.get("version") or None,
        "images": _images(folder, other), "shape": shape,
        "cluster": (json.loads(folder.verdict.read_text()).get("cluster") or {}).get("uid"),
        "target": {**load.target.model_dump(), "url": about.get("url", load.target.url)},
        "generator": given.model_dump(include={"where", "cpu", "memory", "pods", "processes"}),
    }  # fmt: skip


def _script(folder: RunFolder, load: Load) -> str | None:
    """A digest of the requests, or of the user's own script as it was when it was run."""
    if load.scenario.script:
        kept = read_evidence(folder.evidence / "load" / "script.json")
        return str(kept["sha256"])[:12] if kept else None
    requests = json.dumps([one.model_dump() for one in load.scenario.requests], sort_keys=True)
    return hashlib.sha256(requests.encode()).hexdigest()[:12]


def _images(folder: RunFolder, other: RunFolder) -> str | None:
    """What the generator's pods said they ran, where both runs kept it; else the image's name."""
    load = _load(folder)
    if load.generator.where != "pod":
        return "none: this machine"
    if all(_digests(one) for one in (folder, other)):
        return ", ".join(_digests(folder))
    return load.generator.k6_image if _about(folder).get("engine") == "k6" else load.generator.image


def _digests(folder: RunFolder) -> list[str]:
    kept = read_evidence(folder.evidence / "load" / "images.json") or {}
    return sorted({digest for digests in kept.values() for digest in digests})


def _by_tag(before: RunFolder, after: RunFolder) -> list[str]:
    if _load(after).generator.where != "pod" or all(_digests(one) for one in (before, after)):
        return []
    return ["load: the generator's images are the same by name alone: not both runs kept their digests."]


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
