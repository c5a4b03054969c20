"""MANIFEST.json binds a run's files together; verify() finds what differs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from launchbook.consistent import consistent
from launchbook.contents import FILE, FOLDER, contents
from launchbook.errors import ParametersError
from launchbook.folder import RunFolder
from launchbook.record import write_evidence
from launchbook.sealed import sha256
from launchbook.tracks import TRACKS
from launchbook.verdict import fold

if TYPE_CHECKING:
    from launchbook.cluster import Cluster


SIGNED_BY_NOBODY = (
    "The seal has no signature: whoever can write the folder can seal it anew. Note the SHA-256 of MANIFEST.json where "
    "they can't write, such as in the change ticket, and hold the run against it with `--manifest-sha256`."
)
_UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, OSError)


@dataclass(frozen=True)
class Held:
    """What verifying a run found. differs: a sentence for each difference; unheld: one for each thing not compared."""

    differs: list[str]
    unheld: list[str]


def seal(folder: RunFolder) -> None:
    """Writes MANIFEST.json: SHA-256 of every other file, the folders, the run's head, and the hash of the manifest before."""
    verdict = json.loads(folder.verdict.read_text())
    found = contents(folder.path)
    write_evidence(
        folder.manifest,
        {
            "schema": 1,
            "run": folder.id,
            **_head(verdict),
            "before": _before(folder),
            "folders": [name for name, kind in found.items() if kind == FOLDER],
            "files": {
                name: sha256(folder.path / name)
                for name, kind in found.items()
                if kind == FILE and name != folder.manifest.name
            },
        },
    )


def digest(folder: RunFolder) -> str:
    """The SHA-256 of MANIFEST.json, in hex: who has noted it elsewhere can tell whether the run was sealed anew."""
    return sha256(folder.manifest)


def verify(folder: RunFolder) -> list[str]:
    """What differs in a sealed run, a sentence each: see hold()."""
    return hold(folder).differs


def hold(folder: RunFolder, noted: str | None = None) -> Held:
    """Holds a sealed run's files, head, verdict and chain against one another. Works offline, follows no link.

    noted: the SHA-256 of MANIFEST.json as it was noted elsewhere. Raises ParametersError where the folder is no sealed
    run.
    """
    require_seal(folder)
    try:
        manifest = json.loads(folder.manifest.read_text())
        found = contents(folder.path)
        differs = [*_noted(folder, noted), *_differing(folder, manifest, found)]
        chained = _chain(folder, manifest)
    except _UNREADABLE as error:
        return Held([f"MANIFEST.json: can't be read: {type(error).__name__}: {error}"], [])
    if strange := [name for name in _read(folder) if found.get(name, FILE) not in (FILE, FOLDER)]:
        return Held(
            [*differs, *chained.differs, f"the verdict was not computed: {strange[0]} is {found[strange[0]]}"], []
        )
    try:
        computed, written = fold(folder), json.loads(folder.verdict.read_text())
        differs += _head_differs(manifest, written)
    except _UNREADABLE as error:
        return Held(
            [*differs, *chained.differs, f"the verdict can't be computed from the logs: {error}"], chained.unheld
        )
    differs += [
        f"verdict.json: {key} is {short(written.get(key))}, but the logs give {short(computed[key])}"
        for key in computed
        if json.loads(json.dumps(computed[key])) != written.get(key)
    ]
    try:
        contrary, unheld = consistent(folder, found, computed)
    except _UNREADABLE as error:
        contrary, unheld = [f"the run's files can't be held against one another: {type(error).__name__}: {error}"], []
    return Held([*differs, *contrary, *chained.differs], [*unheld, *chained.unheld])


def _noted(folder: RunFolder, noted: str | None) -> list[str]:
    found = digest(folder)
    if noted in (None, found):
        return []
    return [f"MANIFEST.json: its SHA-256 is {found}, but {noted} was noted: the run was sealed anew, or is another one"]


def _differing(folder: RunFolder, manifest: Mapping[str, Any], found: Mapping[str, str]) -> list[str]:
    """Each thing in the folder that is not a regular file with the content that was sealed."""
    sealed = manifest["files"]
    parents = {str(parent) for name in sealed for parent in PurePosixPath(name).parents}
    folders = {*manifest.get("folders", ()), *parents, "evidence", "documents"}
    differs = [f"{name}: is missing" for name in sealed if name not in found]
    for name, kind in found.items():
        if name == folder.manifest.name:
            continue
        if kind not in (FILE, FOLDER):
            differs.append(f"{name}: is {kind}, and a run holds regular files alone")
        elif name in sealed and (kind != FILE or sha256(folder.path / name) != sealed[name]):
            differs.append(f"{name}: was changed after the run")
        elif name not in (sealed if kind == FILE else folders):
            differs.append(f"{name}: was added after the run")
    return differs


def _read(folder: RunFolder) -> tuple[str, ...]:
    """The names of all that the verdict is computed from and compared with."""
    logs = [f"evidence/{name}.jsonl" for name in ("batch", *(track.id for track in TRACKS))]
    return ("evidence", *logs, folder.verdict.name)


def _head(verdict: Mapping[str, Any]) -> dict[str, Any]:
    """What MANIFEST.json says of the run beside its files, from its verdict."""
    return {"git": verdict["versions"]["git"], "actor": verdict["actor"], "cluster": verdict["cluster"]}


def _head_differs(manifest: Mapping[str, Any], verdict: Mapping[str, Any]) -> list[str]:
    return [
        f"MANIFEST.json: {key} is {short(manifest.get(key))}, but verdict.json says {short(value)}"
        for key, value in {"run": verdict["run"], **_head(verdict)}.items()
        if manifest.get(key) != value
    ]


def _chain(folder: RunFolder, manifest: Mapping[str, Any]) -> Held:
    """Each earlier run whose MANIFEST.json is another than the run after it noted; and where the chain can't be followed."""
    outputs, run, noted = folder.path.parent.parent, manifest["run"], manifest["before"]
    while noted is not None:
        earlier = RunFolder.named(outputs, noted["run"])
        if earlier is None or not earlier.sealed:
            return Held(
                [], [f"the run before {run}, {noted['run']}, isn't in {outputs}: what was before it was not held"]
            )
        if (found := digest(earlier)) != noted["sha256"]:
            said = (
                f"run {run} noted {noted['sha256']} as the SHA-256 of {noted['run']}'s MANIFEST.json, and it is {found}"
            )
            return Held([f"before: {said}"], [])
        before = json.loads(earlier.manifest.read_text())
        run, noted = before["run"], before["before"]
    return Held([], [])


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


def require_seal(folder: RunFolder) -> None:
    """Raises ParametersError where the folder is no sealed run."""
    if not folder.sealed:
        raise ParametersError(
            f"{folder.path} has no MANIFEST.json: the run is at work, broke off, or is stepped through by hand and not "
            f"closed yet (`launchbook close {folder.path}`)."
        )


def _before(folder: RunFolder) -> dict[str, str] | None:
    """The newest sealed run before this one, and the hash of its manifest."""
    outputs = folder.path.parent.parent
    earlier = [
        p for p in sorted(outputs.glob("*/*/MANIFEST.json")) if p.parent != folder.path and p.parent < folder.path
    ]
    return {"run": RunFolder(earlier[-1].parent).id, "sha256": sha256(earlier[-1])} if earlier else None


def short(value: Any) -> str:
    """A value as JSON, cut to 120 characters."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else text[:117] + "…"
