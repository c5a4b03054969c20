"""MANIFEST.json binds a run's files together; verify() finds what differs; compare() says what changed between runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from launchbook.errors import ParametersError
from launchbook.folder import RunFolder
from launchbook.record import write_evidence
from launchbook.verdict import fold

if TYPE_CHECKING:
    from launchbook.cluster import Cluster


def seal(folder: RunFolder) -> None:
    """Writes MANIFEST.json: SHA-256 of every other file, the git commit, the run before and its manifest's hash."""
    verdict = json.loads(folder.verdict.read_text())
    write_evidence(
        folder.manifest,
        {
            "schema": 1,
            "run": folder.id,
            "git": verdict["versions"]["git"],
            "actor": verdict["actor"],
            "cluster": verdict["cluster"],
            "before": _before(folder),
            "files": {str(path.relative_to(folder.path)): sha256(path) for path in _files(folder)},
        },
    )


def verify(folder: RunFolder) -> list[str]:
    """What differs between a run's manifest, its files and the verdict that its logs give: a sentence each.

    Works offline. Raises ParametersError where the folder is no sealed run.
    """
    _require_seal(folder)
    sealed = json.loads(folder.manifest.read_text())["files"]
    found = {str(path.relative_to(folder.path)): path for path in _files(folder)}
    differs = [f"{name}: is missing" for name in sealed if name not in found]
    differs += [f"{name}: was added after the run" for name in found if name not in sealed]
    differs += [
        f"{name}: was changed after the run"
        for name, path in found.items()
        if name in sealed and sha256(path) != sealed[name]
    ]
    try:
        computed, written = fold(folder), json.loads(folder.verdict.read_text())
    except (ValueError, KeyError, OSError) as error:
        return [*differs, f"the verdict can't be computed from the logs: {error}"]
    differs += [
        f"verdict.json: {key} is {_short(written.get(key))}, but the logs give {_short(computed[key])}"
        for key in computed
        if json.loads(json.dumps(computed[key])) != written.get(key)
    ]
    return differs


def verify_live(folder: RunFolder, cluster: Cluster, namespaces: tuple[str, ...], now: datetime) -> list[str]:
    """What makes the verdict void today: other images, manifests or policies, another cluster, or its age."""
    from launchbook.subject import JUDGED, observe

    verdict = json.loads(folder.verdict.read_text())
    differs = []
    if verdict["valid_until"] is None or now > datetime.fromisoformat(verdict["valid_until"]):
        differs.append(f"the verdict ran out: it was valid until {verdict['valid_until']}")
    judged_on = (verdict["cluster"] or {}).get("uid")
    if judged_on != cluster.identity.uid:
        return [*differs, f"this is cluster {cluster.identity.uid}, the verdict is about {judged_on}"]
    live = observe(cluster, namespaces)
    judged = {(kind, name): digest for kind in JUDGED for name, digest in verdict["subject"][kind].items()}
    for key in sorted({*live, *judged}):
        if live.get(key) != judged.get(key):
            differs.append(f"{key[0]} {key[1]}: judged {judged.get(key, 'not at all')}, live {live.get(key, 'gone')}")
    return differs


def compare(before: RunFolder, after: RunFolder) -> list[str]:
    """What changed from one run to another: verdict, checks, subject and cluster, a sentence each.

    Raises ParametersError where one of them is no sealed run.
    """
    for folder in (before, after):
        _require_seal(folder)
    old, new = (json.loads(folder.verdict.read_text()) for folder in (before, after))
    lines = [
        f"{key}: {_short(old[key])} became {_short(new[key])}"
        for key in ("verdict", "environment", "cluster")
        if old[key] != new[key]
    ]
    was = {(c["id"], c["subject"]): c for c in old["checks"]}
    now = {(c["id"], c["subject"]): c for c in new["checks"]}
    for key in dict.fromkeys((*was, *now)):
        name = " ".join(key)
        if key not in was:
            lines.append(f"{name}: new, {now[key]['status']} ({now[key]['measured']})")
        elif key not in now:
            lines.append(f"{name}: gone, was {was[key]['status']}")
        elif was[key]["status"] != now[key]["status"]:
            lines.append(f"{name}: {was[key]['status']} became {now[key]['status']}: {now[key]['because']}")
    for kind in sorted({*old["subject"], *new["subject"]}):
        a, b = old["subject"].get(kind, {}), new["subject"].get(kind, {})
        lines += [
            f"{kind} {n}: {a.get(n, 'absent')} became {b.get(n, 'absent')}"
            for n in sorted({*a, *b})
            if a.get(n) != b.get(n)
        ]
    return lines


def _require_seal(folder: RunFolder) -> None:
    if not folder.manifest.exists():
        raise ParametersError(
            f"{folder.path} has no MANIFEST.json: the run is at work, broke off, or is stepped through by hand and not "
            f"closed yet (`launchbook close {folder.path}`)."
        )


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _files(folder: RunFolder) -> Iterator[Path]:
    return (
        path
        for path in sorted(folder.path.rglob("*"))
        if path.is_file() and path != folder.manifest and ".ipynb_checkpoints" not in path.parts
    )


def _before(folder: RunFolder) -> dict[str, str] | None:
    """The newest sealed run before this one, and the hash of its manifest."""
    outputs = folder.path.parent.parent
    earlier = [
        p for p in sorted(outputs.glob("*/*/MANIFEST.json")) if p.parent != folder.path and p.parent < folder.path
    ]
    return {"run": RunFolder(earlier[-1].parent).id, "sha256": sha256(earlier[-1])} if earlier else None


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else text[:117] + "…"
