"""The plan: what applying would do to each object, by the API server's own dry run, and the digest that names it.

Nothing is changed here. A plan is approved by its digest: of the cluster, of what is there, and of what is wanted.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd

from launchbook.cluster import MANAGER
from launchbook.counted import counted
from launchbook.errors import ClusterError, ConflictError
from launchbook.manifests.answers import Answer, answer
from launchbook.manifests.diff import diff, shown
from launchbook.manifests.fields import applied_by, in_force, left_behind
from launchbook.manifests.naming import name
from launchbook.manifests.order import together
from launchbook.run import Run

if TYPE_CHECKING:
    from launchbook.cluster import Cluster
    from launchbook.manifests.observe import Rendered

Object = dict[str, Any]
Live = Object | None | ClusterError
COLUMNS = ("object", "action", "because", "kept", "diff")
_FEW = 3  # objects of a kind in a namespace, up to which each is read by its name
_ACTIONS = {"immutable": "immutable", "undryable": "not shown", "unasked": "not shown"}  # by answer; else refused
_OWNED = "Nothing changes but that launchbook owns its fields from now on."


@dataclass(frozen=True)
class Step:
    """What applying does to one object.

    action: created, changed, unchanged, forced (a field is taken from its owner, as manifests.force asks), immutable,
    refused (the API server would not take it) or not shown (no dry run could be made); kept: fields that stay although
    the manifests no longer hold them; live: the object before, None where it isn't there; blocks: whether nothing at
    all may be applied for it; awaits: whether these objects themselves bring what its dry run needs; tried: whether the
    server took it in a dry run
    """

    item: Object
    action: str
    because: str = ""
    kept: str = ""
    diff: str = ""
    live: Object | None = None
    blocks: bool = False
    awaits: bool = False
    tried: bool = False

    @property
    def object(self) -> str:
        return name(self.item)


@dataclass(frozen=True)
class Plan:
    """One step an object, in the order in which they are applied."""

    steps: tuple[Step, ...]
    cluster: str  # UID

    @cached_property
    def frame(self) -> pd.DataFrame:
        """Columns object, action, because, kept, diff."""
        rows = [[getattr(step, column) for column in COLUMNS] for step in self.steps]
        return pd.DataFrame(rows, columns=list(COLUMNS))

    @cached_property
    def digest(self) -> str:
        """`sha256:…`: the same for the same objects, wanted and live, on the same cluster, and for no others.

        What only the cluster writes (status, versions, times) has no part in it. Secrets' values have, but through
        scrypt, so that a digest that is shown can't be searched for a weak password.
        """
        rows = [[s.object, s.action, s.kept, _plain(s.item), _plain(shown(s.live))] for s in self.steps]
        values = [[_values(s.item), _values(s.live)] for s in self.steps if s.item["kind"] == "Secret"]
        salt = self.cluster.encode()
        slow = hashlib.scrypt(_text(values), salt=salt, n=2**14, r=8, p=1).hex() if values else ""
        return "sha256:" + hashlib.sha256(_text([self.cluster, rows, slow])).hexdigest()


def plan(run: Run, rendered: Rendered) -> Plan:
    """What applying would do to each rendered object. A run that may not ask for a dry run says so for each."""
    run.progress(f"planning {counted(len(rendered.objects), 'object')}", None)
    made = Plan(tuple(steps(run.cluster, rendered.objects, run.parameters.manifests.force)), run.cluster.identity.uid)
    run.evidence("manifests/plan.json", {"plan": made.digest, "objects": made.frame.to_dict("records")})
    return made


def steps(cluster: Cluster, objects: Sequence[Object], force: Sequence[str] = ()) -> list[Step]:
    """A step for each object, in their order."""
    there = read(cluster, objects)
    first = Coming.of(objects, there)
    asked = [(item, there[name(item)], first.awaited_by(item, there[name(item)])) for item in objects]
    return together(lambda one: _step(cluster, *one, force), asked)


@dataclass(frozen=True)
class Coming:
    """The namespaces and kinds that these objects themselves bring: what needs them has no dry run before."""

    namespaces: frozenset[str]
    kinds: frozenset[tuple[str, str]]  # (apiVersion, kind)

    @classmethod
    def of(cls, objects: Sequence[Object], there: Mapping[str, Live]) -> Coming:
        absent = [item for item in objects if there[name(item)] is None]
        spaces = (item["metadata"]["name"] for item in absent if item["kind"] == "Namespace")
        kinds = (kind for item in absent if item["kind"] == "CustomResourceDefinition" for kind in _defined(item))
        return cls(frozenset(spaces), frozenset(kinds))

    def awaited_by(self, item: Object, there: Live) -> str:
        """What must be created before this object can be tried, as a sentence, or "". there: see read()."""
        if (item["apiVersion"], item["kind"]) in self.kinds:
            return f"Its kind {item['kind']} is defined first; it is tried then, before the rest."
        if item["metadata"].get("namespace") in self.namespaces and there is None:
            return f"Its namespace {item['metadata']['namespace']} is created first; it is tried then, before the rest."
        return ""


def read(cluster: Cluster, objects: Sequence[Object]) -> dict[str, Live]:
    """name -> the object as it is on the cluster, None where it isn't, or the error that kept it from being read.

    Objects of one kind and namespace are listed at once; Secrets are read by name, so that others' are never touched.
    """
    groups: dict[tuple[str, str, str | None], list[Object]] = {}
    for item in objects:
        groups.setdefault((item["apiVersion"], item["kind"], item["metadata"].get("namespace")), []).append(item)
    by_list = {k: v for k, v in groups.items() if len(v) > _FEW and k[1] != "Secret"}
    listed = together(lambda key: _listed(cluster, *key), list(by_list))
    found: dict[str, Live] = {}
    rest = [item for key, items in groups.items() if key not in by_list for item in items]
    for items, of_kind in zip(by_list.values(), listed, strict=True):
        if of_kind is None:
            rest += items
        else:
            found |= {name(item): of_kind.get(item["metadata"]["name"]) for item in items}
    return found | dict(zip(map(name, rest), together(lambda item: _got(cluster, item), rest), strict=True))


def _listed(cluster: Cluster, api_version: str, kind: str, namespace: str | None) -> dict[str, Object] | None:
    """name -> object of every one of a kind, or None where they can't be listed."""
    try:
        cluster.resource(api_version, kind)
        items = cluster.list(kind, namespace, api_version=api_version, managed_fields=True)
    except ClusterError:
        return None
    return {item["metadata"]["name"]: item for item in items}


def _got(cluster: Cluster, item: Object) -> Live:
    meta = item["metadata"]
    try:
        return cluster.get(item["kind"], meta["name"], meta.get("namespace"), api_version=item["apiVersion"])
    except ClusterError as error:
        return error


def _step(cluster: Cluster, item: Object, live: Live, awaited: str, force: Sequence[str]) -> Step:
    if awaited:
        return Step(item, "not shown", awaited, awaits=True)
    if isinstance(live, ClusterError):
        return _refused(item, None, answer(live, None, item))
    if item["metadata"].get("namespace") and not cluster.resource(item["apiVersion"], item["kind"]).namespaced:
        because = (
            f"A {item['kind']} lives in no namespace; take the namespace out, and name it in manifests.cluster_objects."
        )
        return Step(item, "refused", because, live=live, blocks=True)
    if live is not None and (since := live["metadata"].get("deletionTimestamp")):
        return Step(
            item,
            "refused",
            f"It is being deleted since {since}; wait until it is gone, then plan again.",
            live=live,
            blocks=True,
        )
    if live is not None and in_force(item, live, MANAGER):
        return Step(item, "unchanged", kept=_kept(live, item), live=live)
    try:
        would, taken = cluster.apply(item, dry_run=True), ""
    except ConflictError as error:
        said = answer(error, live, item)
        if not _may_force(force, name(item), said):
            return _refused(item, live, said)
        try:
            would, taken = cluster.apply(item, dry_run=True, force=True), said.because
        except ClusterError as second:
            return _refused(item, live, answer(second, live, item))
    except ClusterError as error:
        return _refused(item, live, answer(error, live, item))
    if live is None:
        return Step(item, "created", tried=True)
    found = diff(live, would)
    owned = applied_by(live, MANAGER) == applied_by(would, MANAGER)
    action, because = "changed" if found or not owned else "unchanged", "" if found or owned else _OWNED
    made = Step(item, action, because, diff=found, live=live, tried=True)
    made = replace(made, action="forced", because=f"By manifests.force: {taken}") if taken else made
    return replace(made, kept=_kept(live, item))


def _refused(item: Object, live: Object | None, said: Answer) -> Step:
    because = said.because
    if said.kind == "conflict":
        fields = " ".join(said.fields)
        because += f' Agree with the owner, or take it: `manifests.force: ["{name(item)} {fields}"]`.'
    if said.kind == "conflict" and (kept := _kept(live, item)):
        because += f" {kept}"
    return Step(item, _ACTIONS.get(said.kind, "refused"), because, live=live, blocks=said.kind != "undryable")


def _kept(live: Object | None, item: Object) -> str:
    if live is None or not (fields := left_behind(live, item)):
        return ""
    more = f" and {len(fields) - 5} more" if len(fields) > 5 else ""
    return (
        f"kubectl applied it client-side, and {', '.join(fields[:5])}{more}, which the manifests no longer hold, would "
        "stay. Hand it over once: `kubectl apply --server-side --field-manager=launchbook` with the former manifests."
    )


def _may_force(force: Sequence[str], object: str, said: Answer) -> bool:
    """Whether manifests.force names the object alone, or each of the fields in conflict."""
    asked = [entry.split() for entry in force]
    named = [fields for one, *fields in asked if one == object]
    whole = any(not fields for fields in named)
    return said.kind == "conflict" and (whole or set(said.fields) <= {field for fields in named for field in fields})


def _defined(definition: Object) -> list[tuple[str, str]]:
    spec = definition.get("spec") or {}
    kind = (spec.get("names") or {}).get("kind", "")
    return [(f"{spec.get('group')}/{version.get('name')}", kind) for version in spec.get("versions") or ()]


def _plain(item: Object | None) -> str:
    """A fingerprint of an object without a Secret's values and what repeats them."""
    if item is not None and item.get("kind") == "Secret":
        meta = {k: v for k, v in item["metadata"].items() if k != "annotations"}
        item = {k: v for k, v in item.items() if k not in ("data", "stringData")} | {"metadata": meta}
    return hashlib.sha256(_text(item)).hexdigest()


def _values(item: Object | None) -> Any:
    return item and [item.get("data"), item.get("stringData"), item["metadata"].get("annotations")]


def _text(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, default=str).encode()
