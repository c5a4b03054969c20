"""Takes an apply back: what it changed is restored with the same field manager, what it created is deleted.

What is restored is what this manager, and what it took over, held before: its own former render. Said, not hidden, is
what can't be undone: a Secret's former value, the work of a Job, a volume's data, whose a forced field was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from launchbook.cluster import MANAGER, Cluster
from launchbook.counted import counted
from launchbook.errors import ClusterError, NotAllowed, ParametersError
from launchbook.manifests.diff import masked, shown
from launchbook.manifests.fields import applied_by, changed_since, extract, union, without_controllers
from launchbook.manifests.journal import FILE
from launchbook.manifests.naming import place
from launchbook.manifests.order import phases, together
from launchbook.manifests.waiting import awaited
from launchbook.manifests.within import others_in
from launchbook.parameters import Manifests
from launchbook.run import Run

Object = dict[str, Any]
Entry = Mapping[str, Any]
Row = dict[str, str]
COLUMNS = ("object", "action", "because")
_GONE = 60.0  # s, for what is deleted to be gone
_DATA = ("PersistentVolumeClaim", "PersistentVolume")


def undo(run: Run, *, even_if_changed: bool = False) -> pd.DataFrame:
    """take_back() for what this run applied, under its own permission and Lease; kept as evidence."""
    run.require("apply")
    given = run.parameters.manifests
    frame = take_back(
        run.cluster, run.read(FILE), given, even_if_changed=even_if_changed,
        tell=lambda text: run.progress(text, None),
    )  # fmt: skip
    run.evidence("manifests/undone.json", frame.to_dict("records"))
    return frame


def take_back(
    cluster: Cluster, journal: Entry | None, given: Manifests, *, even_if_changed: bool, tell: Callable[[str], Any]
) -> pd.DataFrame:
    """Columns object, action (restored, deleted, kept, not undone), because, in the order in which it was done.

    journal: what the run wrote, see Journal; given: where it was allowed to write, and how long what is restored may
    take to be ready; even_if_changed: also where somebody else has written to an object since; tell: takes each line
    of progress.

    Raises ParametersError where the run applied nothing, NotAllowed where the journal names what the run was not
    allowed to write, ClusterError where this is another cluster or an object was changed since. Nothing was changed
    then.
    """
    entries = list(((journal or {}).get("steps") or {}).values())
    if journal is None or not entries:
        raise ParametersError("this run changed nothing that could be undone. Nothing was changed.")
    if journal["cluster"] != cluster.identity.uid:
        raise ClusterError(
            f"this is cluster {cluster.identity.uid}, the run changed {journal['cluster']}. Nothing was changed."
        )
    if outside := [entry for entry in entries if not _allowed(cluster, entry, given)]:
        raise NotAllowed(
            f"the journal names {_key(outside[0])}, which is outside `manifests.namespaces` and `cluster_objects`: no run "
            "of this environment wrote it. Nothing was changed."
        )
    live = dict(zip(map(_key, entries), together(lambda entry: _live(cluster, entry), entries), strict=True))
    entries = [entry for entry in entries if _was_done(entry, live[_key(entry)])]
    if (changed := _changed(entries, live)) and not even_if_changed:
        raise ClusterError(
            f"{'; '.join(changed)}. Undoing would lose that: look, then undo with --even-if-changed. Nothing was changed."
        )
    rows = [_not_there(entry) for entry in entries if live[_key(entry)] is None]
    rows += [_another(entry) for entry in entries if _is_another(entry, live[_key(entry)])]
    mine = [e for e in entries if live[_key(e)] is not None and not _is_another(e, live[_key(e)])]
    changes = [entry for entry in mine if entry["action"] != "created"]
    tell(f"restoring {counted(len(changes), 'object')}")
    for part in phases(changes):
        rows += together(lambda entry: _restored(cluster, entry, live[_key(entry)]), part)
    rows += _all_deleted(cluster, [entry for entry in mine if entry["action"] == "created"], tell)
    back = {row["object"] for row in rows if row["action"] == "restored"}
    again = [entry["before"] for entry in changes if _key(entry) in back]
    rows += _not_ready(awaited(cluster, again, given.ready_timeout, tell))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _backwards(entries: Sequence[Entry]) -> list[list[Entry]]:
    """The phases in reverse; namespaces last of all, since everything else may live in one."""
    spaces = [entry for entry in entries if entry["kind"] == "Namespace"]
    rest = [entry for entry in entries if entry["kind"] != "Namespace"]
    return [*reversed(phases(rest)), *([spaces] if spaces else [])]


def _key(entry: Entry) -> str:
    return "/".join(filter(None, (entry["kind"], entry["namespace"], entry["name"])))


def _allowed(cluster: Cluster, entry: Entry, given: Manifests) -> bool:
    """Whether a run may have written this object: it lives where the run could, and what was before is of the same name."""
    meta = {"name": entry["name"], "namespace": entry["namespace"]}
    former = entry["before"] or {"kind": entry["kind"], "metadata": meta}
    same = former.get("kind", entry["kind"]) == entry["kind"] and all(
        former["metadata"].get(k, v) == v for k, v in meta.items()
    )
    scoped = not entry["namespace"] or cluster.resource(entry["apiVersion"], entry["kind"]).namespaced
    return same and scoped and place({**entry, "metadata": meta}) in (*given.namespaces, *given.cluster_objects)


def _live(cluster: Cluster, entry: Entry) -> Object | None:
    return cluster.get(entry["kind"], entry["name"], entry["namespace"], api_version=entry["apiVersion"])


def _is_another(entry: Entry, live: Object | None) -> bool:
    known = (entry["after"] or (entry["before"] or {}).get("metadata") or {}).get("uid")
    return live is not None and live["metadata"]["uid"] != known


def _was_done(entry: Entry, live: Object | None) -> bool:
    """Whether a step of which the run never wrote the outcome may have been done all the same."""
    if entry["after"]:
        return True
    before = ((entry["before"] or {}).get("metadata") or {}).get("managedFields") or []
    return live is not None and bool(changed_since(before, live["metadata"].get("managedFields") or []))


def _changed(entries: Sequence[Entry], live: Mapping[str, Object | None]) -> list[str]:
    """Whom somebody else has written to since, and who it was."""
    told = []
    for entry in entries:
        now = live[_key(entry)]
        if now is None or (entry["after"] and _is_another(entry, now)):
            continue
        then = (entry["after"] or (entry["before"] or {}).get("metadata") or {}).get("managedFields") or []
        who = changed_since(then, now["metadata"].get("managedFields") or [])
        if who and entry["after"]:
            told.append(f"{_key(entry)} was changed since by {', '.join(who)}")
        elif who:
            told.append(f"the run ended before it knew whether it had changed {_key(entry)}")
    return told


def _restored(cluster: Cluster, entry: Entry, live: Object | None) -> Row:
    before = entry["before"]
    if entry["kind"] == "Secret":
        return _row(
            entry, "not undone", "A Secret's former values are never written down; apply them from their source."
        )
    owned = applied_by(before, MANAGER)
    after = applied_by({"metadata": entry["after"] or (live or {}).get("metadata") or {}}, MANAGER)
    former = extract(before, union(owned, after) if owned or after else {})
    try:
        now = cluster.apply(former)
    except ClusterError as error:
        return _row(entry, "not undone", str(error))
    if _asked_for(now) != _asked_for(before):
        return _row(
            entry, "not undone", "It was applied as it was, and differs from what it was: " + _difference(before, now)
        )
    if entry["action"] == "forced":
        return _row(entry, "restored", f"Its values are back, but launchbook owns what it took: {entry['because']}")
    if entry["kind"] == "Job":
        return _row(entry, "restored", "What it has done meanwhile stays done.")
    return _row(entry, "restored", "")


def _asked_for(item: Object) -> Object:
    """What people asked for; annotations of which none is left are none."""
    plain = shown(without_controllers(item)) or {}
    meta = {k: v for k, v in plain["metadata"].items() if v not in ({}, None)}
    return {**plain, "metadata": meta}


def _difference(before: Object, now: Object) -> str:
    old, new = _asked_for(masked(before)), _asked_for(masked(now))
    fields = [f"{k}.{f}" for k in ("metadata", "spec", "data") for f in {**(old.get(k) or {}), **(new.get(k) or {})}
              if (old.get(k) or {}).get(f) != (new.get(k) or {}).get(f)]  # fmt: skip
    return ", ".join(fields) or "another field"


def _all_deleted(cluster: Cluster, entries: Sequence[Entry], tell: Callable[[str], Any]) -> list[Row]:
    """Phase by phase; where something can't be deleted, what it may need, such as its policies, stays."""
    rows: list[Row] = []
    parts = _backwards(entries)
    while parts:
        part = parts.pop(0)
        tell(f"deleting {counted(len(part), 'object')}: {', '.join(sorted({entry['kind'] for entry in part}))}")
        done = together(lambda entry: _deleted(cluster, entry), part)
        rows += done
        if bad := [row["object"] for row in done if row["action"] == "not undone"]:
            because = f"{bad[0]} is not gone, and may need it."
            rows += [_row(entry, "not undone", because) for rest in parts for entry in rest]
            break
    return rows


def _deleted(cluster: Cluster, entry: Entry) -> Row:
    kind, key = entry["kind"], _key(entry)
    if kind in _DATA:
        return _row(entry, "kept", "Deleting it would delete the data written since; delete it by hand.")
    try:
        if kind in ("Namespace", "CustomResourceDefinition") and (why := _in_use(cluster, entry)):
            return _row(entry, "kept", why)
        uid = entry["after"]["uid"]
        # Its pods go before it does, so that none is left without the policies that are deleted next.
        cluster.delete(
            kind, entry["name"], entry["namespace"], api_version=entry["apiVersion"], uid=uid, dependents_first=True
        )
        cluster.wait(
            kind, entry["name"], entry["namespace"], lambda found: found is None or found["metadata"]["uid"] != uid,
            api_version=entry["apiVersion"], timeout=_GONE,
        )  # fmt: skip
    except ClusterError as error:
        return _row(entry, "not undone", f"{key} is not gone: {error}")
    return _row(entry, "deleted", "What it has done stays done." if kind == "Job" else "")


def _in_use(cluster: Cluster, entry: Entry) -> str:
    """Why a namespace or a kind that the run created is kept: what else lives in it, once what was deleted is gone."""
    deadline = time.monotonic() + _GONE
    while True:
        found = others_in(cluster, entry)
        if found.objects and (time.monotonic() > deadline or not found.going):
            return f"It holds what was not deleted: {', '.join(found.objects[:5])}."
        if not found.objects:
            unseen = ", ".join(found.unseen[:3])
            return f"Whether it holds {unseen} could not be seen (no right to list them)." if unseen else ""
        time.sleep(0.5)


def _not_there(entry: Entry) -> Row:
    if entry["action"] == "created":
        return _row(entry, "deleted", "It was gone already.")
    return _row(entry, "not undone", "Somebody has deleted it since; apply it from its source.")


def _another(entry: Entry) -> Row:
    return _row(entry, "not undone", "Another object has this name now; it is none of the run's.")


def _not_ready(states: pd.DataFrame) -> list[Row]:
    bad = states[states["state"] != "ready"].to_dict("records") if len(states) else []
    return [
        {"object": str(r["object"]), "action": "not undone", "because": f"Restored, but {r['state']}: {r['because']}"}
        for r in bad
    ]


def _row(entry: Entry, action: str, because: str) -> Row:
    return {"object": _key(entry), "action": action, "because": because}
