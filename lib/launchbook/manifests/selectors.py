"""Selectors that a label transformer changed: `commonLabels`, `labels` with `includeSelectors: true`, LabelTransformer.

A label added to every selector is added to the peers of network policies too, where it asks other people's pods for
a label that they don't carry. The manifests are rendered as they are and once more without any label transformer; where
a selector differs and selects other pods, it is polluted. Nothing but files is read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tabulate import tabulate

from launchbook.errors import ParametersError
from launchbook.home import home
from launchbook.manifests import labels
from launchbook.manifests.strangers import strangers
from launchbook.render import build, kustomization, parse, refuse_remote
from launchbook.selector import matches

Object = Mapping[str, Any]
Selector = Mapping[str, Any]
_WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job")
_FIXED = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")  # their selectors are immutable
_SHOWN = 5  # pods named in a sentence
_DESCRIBED = "pods labelled "
_NAME = "kubernetes.io/metadata.name"


@dataclass(frozen=True)
class Pollution:
    """One selector that a transformer changed, and what that breaks.

    object: `NetworkPolicy/ns/name`; where: the field; labels: what was added; file: the kustomization that did;
    effect: one sentence, or "" where the same pods are selected as before
    """

    object: str
    where: str
    labels: Mapping[str, str]
    file: str
    effect: str


def polluted(
    path: Path, *, allow_remote: bool = False, live: Callable[[], Sequence[Object]] | None = None
) -> list[Pollution]:
    """Every selector that a transformer below `path` changed; none where `path` is no kustomization.

    live: the pods that run in these namespaces, asked for only where a transformer may change a selector. Those of other
    manifests never get its labels, so what selected them may select them no more.

    Raises ParametersError where it can't be rendered.
    """
    if kustomization(path) is None:
        return []
    if not allow_remote:
        refuse_remote(path)
    if not (files := labels.paths(path)):
        return []
    dirty = parse(build(path), str(path))
    return list(_compare(_plain(path), dirty, files, strangers(live() if live else (), dirty)))


def mend(path: Path) -> list[Path]:
    """Writes the mended kustomizations below `path` and returns them.

    Only after a render of the mended copy proved to differ from one without label transformers in nothing but the
    labels of objects and pods, and in what can't be changed once it is live: a workload's own selector and its claims
    stay as they are rendered today. Raises ParametersError where it does not; nothing was written then.
    """
    files = labels.paths(path)
    plain, dirty = _plain(path), parse(build(path), str(path))
    fixed = [_immutable(item) for item in dirty]
    keep = sorted({str(d["kind"]) for p, d in zip(plain, dirty, strict=True) if _own(p) != _own(d)})
    with labels.copied(path, lambda file: labels.mended(file, keep)) as copy:
        now = parse(build(copy), str(path))
    for wanted, given, still in zip(plain, now, fixed, strict=True):
        right = _unlabelled(_with(wanted, still)) == _unlabelled(given)
        if not right or _immutable(given) != still:
            raise ParametersError(f"{path}: the mended render still changes {_key(given)}. Nothing was written.")
    texts = {file: labels.mended(file, keep) for file in files}
    for file, text in texts.items():
        file.write_text(text, encoding="utf-8")
    return files


def _own(item: Object) -> Any:
    """The selector that a workload can't change once it is live, or None."""
    return (item.get("spec") or {}).get("selector") if item["kind"] in _FIXED else None


def _immutable(item: Object) -> dict[str, Any]:
    """The parts of a workload's spec that can't be changed once it is live, and that a label may get into."""
    spec = item.get("spec") or {}
    return {k: spec[k] for k in ("selector", "volumeClaimTemplates") if k in spec} if item["kind"] in _FIXED else {}


def _with(item: Object, part: Mapping[str, Any]) -> dict[str, Any]:
    return {**item, "spec": {**item["spec"], **part}} if part else dict(item)


def _plain(path: Path) -> list[dict[str, Any]]:
    with labels.copied(path, labels.without) as copy:
        return parse(build(copy), str(path))


def _unlabelled(item: Any) -> Any:
    """An object without the labels that any of its metadata holds."""
    if isinstance(item, list):
        return [_unlabelled(one) for one in item]
    if not isinstance(item, dict):
        return item
    plain = {k: _unlabelled(v) for k, v in item.items()}
    if isinstance(plain.get("metadata"), dict):
        plain["metadata"] = {k: v for k, v in plain["metadata"].items() if k != "labels"}
    return {k: v for k, v in plain.items() if (k, v) != ("metadata", {})}


def command(paths: Sequence[Path], *, fix: bool = False, output: str = "table") -> tuple[str, int]:
    """`launchbook selectors`: what it prints, and 1 where a selector selects something else (0 after a proven fix)."""
    for path in paths:
        if kustomization(path) is None:
            raise ParametersError(f"{path} holds no kustomization.yaml; name a kustomization's folder.")
    found = [(path, polluted(path)) for path in paths]
    breaking = [p for _, those in found for p in those if p.effect]
    written = [file for path, those in found if fix and any(p.effect for p in those) for file in mend(path)]
    rows = [asdict(p) for _, those in found for p in those]
    if output == "json":
        return json.dumps({"polluted": rows, "written": [str(f) for f in written]}, indent=2), int(
            bool(breaking) and not fix
        )
    text = (
        tabulate(
            [[r["object"], r["where"], r["effect"] or "selects the same"] for r in rows], ["OBJECT", "FIELD", "EFFECT"]
        )
        if rows
        else "No label transformer changes a selector."
    )
    told = "".join(f"\nmended: {file}" for file in written)
    return text + told, int(bool(breaking) and not fix)


def _compare(
    clean: Sequence[Object], dirty: Sequence[Object], files: Sequence[Path], others: Mapping[str, Object]
) -> Iterator[Pollution]:
    before = {_key(item): item for item in clean}
    pods, namespaces = {**_pods(dirty), **others}, _namespaces(dirty)
    for item in dirty:
        intended = {where: selector for where, selector, _ in _selectors(before.get(_key(item), {}))}
        for where, selector, scope in _selectors(item):
            wanted = intended.get(where)
            if selector == wanted:
                continue
            within = {home(item)} if scope is None else {n for n, own in namespaces.items() if matches(scope, own)}
            beyond = scope is not None and (scope.get("matchLabels") or {}).get(_NAME) not in namespaces
            was, now = (None if s is None else _selected(s, within, pods, beyond) for s in (wanted, selector))
            effect = "; ".join(filter(None, (_overwritten(wanted, selector), _effect(wanted, was, now))))
            yield Pollution(_key(item), where, _added(wanted, selector), ", ".join(map(str, files)), effect)


def _overwritten(wanted: Selector | None, selector: Selector) -> str:
    old, new = ((s or {}).get("matchLabels") or {} for s in (wanted, selector))
    return "; ".join(f"{k}={old[k]} was overwritten with {k}={v}" for k, v in new.items() if k in old and old[k] != v)


def _effect(wanted: Selector | None, was: set[str] | None, now: set[str] | None) -> str:
    if wanted is None:
        return f"the selector was created; its author wrote none, so it now selects {_names(now or set())}"
    if was is None or now is None or was == now:
        return ""
    lost, gained = was - now, now - was
    parts = [f"it no longer selects {_names(lost)}"] if lost else []
    described = any(name.startswith(_DESCRIBED) for name in gained)
    parts += [f"{'it selects only' if described else 'it also selects'} {_names(gained)}"] if gained else []
    return "; ".join(parts)


def _names(pods: set[str]) -> str:
    first = sorted(pods)[:_SHOWN]
    more = f" and {len(pods) - _SHOWN} more" if len(pods) > _SHOWN else ""
    return f"{', '.join(first)}{more}" if pods else "nothing"


def _added(wanted: Selector | None, selector: Selector) -> dict[str, str]:
    old = (wanted or {}).get("matchLabels") or {}
    return {k: v for k, v in (selector.get("matchLabels") or {}).items() if old.get(k) != v}


def _selected(selector: Selector, within: set[str], pods: Mapping[str, Object], beyond: bool) -> set[str]:
    """The workloads of these namespaces that a selector selects, by the labels that their pods have in the end.

    The pods may live in other manifests: a selector that selects none of those rendered here, or that reaches beyond
    the namespaces named here, stands for the pods that it describes.
    """
    found = {name for name, pod in pods.items() if pod["namespace"] in within and matches(selector, pod["labels"])}
    described = {_DESCRIBED + json.dumps(selector, sort_keys=True)}
    return found | described if beyond else found or described


def _namespaces(objects: Sequence[Object]) -> dict[str, Mapping[str, str]]:
    """Labels of every namespace that is rendered or that an object here lives in."""
    found: dict[str, Mapping[str, str]] = {}
    for item in objects:
        found.setdefault(home(item), {_NAME: home(item)})
    for item in objects:
        if item["kind"] == "Namespace":
            name = item["metadata"]["name"]
            found[name] = {_NAME: name, **(item["metadata"].get("labels") or {})}
    return found


def _pods(objects: Sequence[Object]) -> dict[str, Object]:
    found: dict[str, Object] = {}
    for item in objects:
        spec = item.get("spec") or {}
        if item["kind"] == "CronJob":
            spec = spec["jobTemplate"]["spec"]
        if item["kind"] in (*_WORKLOADS, "CronJob"):
            own = (spec["template"].get("metadata") or {}).get("labels") or {}
        elif item["kind"] == "Pod":
            own = item["metadata"].get("labels") or {}
        else:
            continue
        found[_key(item)] = {"namespace": home(item), "labels": own}
    return found


def _selectors(item: Object) -> Iterator[tuple[str, Selector, Selector | None]]:
    """(field, LabelSelector, selector of the namespaces it reaches into, or None for its own) of an object.

    A workload's own selector follows its own template and is left out; where it is live already, the plan says so.
    """
    spec = item.get("spec") or {}
    yield from _scheduling(item)
    if item.get("kind") == "Service" and spec.get("selector"):
        yield "spec.selector", {"matchLabels": spec["selector"]}, None
    elif item.get("kind") == "PodDisruptionBudget" and "selector" in spec:
        yield "spec.selector", spec["selector"], None
    elif item.get("kind") == "NetworkPolicy":
        if "podSelector" in spec:
            yield "spec.podSelector", spec["podSelector"] or {}, None
        for direction, side in (("ingress", "from"), ("egress", "to")):
            for r, rule in enumerate(spec.get(direction) or ()):
                for p, peer in enumerate((rule or {}).get(side) or ()):
                    if peer.get("podSelector") is not None:
                        field = f"spec.{direction}[{r}].{side}[{p}].podSelector"
                        yield field, peer["podSelector"], peer.get("namespaceSelector")


def _scheduling(item: Object) -> Iterator[tuple[str, Selector, Selector | None]]:
    """The selectors of a workload's affinities and spread constraints: pods that it is to be near to, or apart from."""
    path, spec = "spec", item.get("spec") or {}
    if item.get("kind") == "CronJob":
        path, spec = "spec.jobTemplate.spec", (spec.get("jobTemplate") or {}).get("spec") or {}
    if item.get("kind") in (*_WORKLOADS, "CronJob"):
        path, spec = f"{path}.template.spec", (spec.get("template") or {}).get("spec") or {}
    elif item.get("kind") != "Pod":
        return
    for n, term in enumerate(spec.get("topologySpreadConstraints") or ()):
        if term.get("labelSelector") is not None:
            yield f"{path}.topologySpreadConstraints[{n}].labelSelector", term["labelSelector"], None
    for kind in ("podAffinity", "podAntiAffinity"):
        for when, terms in ((spec.get("affinity") or {}).get(kind) or {}).items():
            for n, term in enumerate(terms or ()):
                inner, below = ("podAffinityTerm.", term["podAffinityTerm"]) if "weight" in term else ("", term)
                if below.get("labelSelector") is not None:
                    where = f"{path}.affinity.{kind}.{when}[{n}].{inner}labelSelector"
                    yield where, below["labelSelector"], below.get("namespaceSelector")


def _key(item: Object) -> str:
    meta = item["metadata"]
    return "/".join(filter(None, (item["kind"], meta.get("namespace"), meta["name"])))
