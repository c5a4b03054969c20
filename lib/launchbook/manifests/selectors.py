"""Selectors that a label transformer changed: `commonLabels`, or `labels` with `includeSelectors: true`.

A label added to every selector is added to the peers of network policies too, where it asks other people's pods for
a label that they don't carry. The manifests are rendered as they are and once more with the labels kept out of the
selectors; where a selector then selects other pods, it is polluted. Nothing but files is read.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml
from tabulate import tabulate

from launchbook.errors import ParametersError
from launchbook.render import build, files_of, kustomization, parse
from launchbook.selector import matches

Object = Mapping[str, Any]
Selector = Mapping[str, Any]
# kustomize's words: where a workload keeps the labels of its pods.
_TEMPLATES = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job")


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


def polluted(path: Path) -> list[Pollution]:
    """Every selector that a transformer below `path` changed; none where `path` is no kustomization.

    Raises ParametersError where it can't be rendered.
    """
    if kustomization(path) is None:
        return []
    files = [file for file in files_of(path) if _transforms(file)]
    if not files:
        return []
    dirty = parse(build(path), str(path))
    with _mended(path, files) as clean_path:
        clean = parse(build(clean_path), str(path))
    return list(_compare(clean, dirty, files))


def mend(path: Path) -> list[Path]:
    """Writes the mended kustomizations below `path` and returns them.

    Only after a render of the mended copies proved that every selector is as its author wrote it. Raises
    ParametersError where it does not; nothing was written then.
    """
    files = [file for file in files_of(path) if _transforms(file)]
    with _mended(path, files) as clean_path:
        if left := [p for p in polluted(clean_path) if p.effect]:
            raise ParametersError(f"{path}: the mended render still has {left[0].object} {left[0].where}; not written.")
        texts = {file: mended_text(file.read_text(encoding="utf-8")) for file in files}
    for file, text in texts.items():
        file.write_text(text, encoding="utf-8")
    return files


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


def mended_text(text: str) -> str:
    """A kustomization's text with its labels kept out of selectors, everything else as it was, comments too."""
    root = yaml.compose(text)
    assert isinstance(root, yaml.MappingNode)
    lines = text.splitlines(keepends=True)
    nodes = {key.value: (key, value) for key, value in root.value}
    for key, value in sorted(nodes.values(), key=lambda pair: -pair[0].start_mark.line):
        first, last = key.start_mark.line, value.end_mark.line + (value.end_mark.column > 0)
        if key.value == "labels":
            block = "".join(lines[first:last])
            lines[first:last] = [re.sub(r"includeSelectors:\s*true", "includeSelectors: false", block)]
        elif key.value == "commonLabels":
            pairs = "".join(f"      {k.value}: {json.dumps(v.value)}\n" for k, v in value.value)
            head = "" if "labels" in nodes else "labels:\n"
            block = f"{head}  - pairs:\n{pairs}    includeTemplates: true\n"
            if head:
                lines[first:last] = [block]
            else:
                del lines[first:last]
                at = nodes["labels"][0].start_mark.line - (
                    last - first if first < nodes["labels"][0].start_mark.line else 0
                )
                lines.insert(at + 1, block)
    return _with_templates("".join(lines))


def _with_templates(text: str) -> str:
    """An entry that no longer reaches selectors must still reach the pods' labels."""
    return re.sub(
        r"^(\s*)(- )?includeSelectors: false[ \t]*$(?!\n\s*includeTemplates)",
        lambda found: f"{found[0]}\n{found[1]}{'  ' if found[2] else ''}includeTemplates: true",
        text,
        flags=re.M,
    ).replace("includeSelectors: false, includeTemplates: true", "includeTemplates: true")


def _transforms(file: Path) -> bool:
    content = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    entries = content.get("labels") or ()
    return bool(content.get("commonLabels")) or any(entry.get("includeSelectors") for entry in entries)


@contextmanager
def _mended(path: Path, files: Sequence[Path]) -> Iterator[Path]:
    """A copy of everything that `path` needs, in which those kustomizations are mended."""
    every = [file.parent for file in files_of(path)]
    top = Path(os.path.commonpath(every))
    with tempfile.TemporaryDirectory(prefix="launchbook-") as folder:
        copy = Path(folder, "copy")
        shutil.copytree(top, copy, symlinks=True, ignore=shutil.ignore_patterns(".git"))
        for file in files:
            there = copy / file.relative_to(top)
            there.write_text(mended_text(file.read_text(encoding="utf-8")), encoding="utf-8")
        yield copy / path.resolve().relative_to(top)


def _compare(clean: Sequence[Object], dirty: Sequence[Object], files: Sequence[Path]) -> Iterator[Pollution]:
    before = {_key(item): item for item in clean}
    pods_before, pods_after = _pods(clean), _pods(dirty)
    for item in dirty:
        intended = dict(_selectors(before.get(_key(item), {})))
        for where, selector in _selectors(item):
            wanted = intended.get(where)
            if selector == wanted:
                continue
            was, now = _selected(item, where, wanted, pods_before), _selected(item, where, selector, pods_after)
            effect = _effect(item, wanted, was, now)
            yield Pollution(_key(item), where, _added(wanted, selector), ", ".join(map(str, files)), effect)


def _effect(item: Object, wanted: Selector | None, was: set[str] | None, now: set[str] | None) -> str:
    if wanted is None:
        return f"the selector was created; its author wrote none, so it now selects {_names(now or set())}"
    if was is None or now is None or was == now:
        return ""
    if was and not now:
        return f"it selects nothing any more; its author meant {_names(was)}"
    lost, gained = was - now, now - was
    parts = [f"it no longer selects {_names(lost)}"] if lost else []
    parts += [f"it also selects {_names(gained)}"] if gained else []
    return "; ".join(parts)


def _names(pods: set[str]) -> str:
    return ", ".join(sorted(pods)) or "nothing"


def _added(wanted: Selector | None, selector: Selector) -> dict[str, str]:
    old = (wanted or {}).get("matchLabels") or {}
    return {k: v for k, v in (selector.get("matchLabels") or {}).items() if old.get(k) != v}


def _selected(item: Object, where: str, selector: Selector | None, pods: Mapping[str, Object]) -> set[str] | None:
    """The workloads (and peers known only by their labels) that a selector selects.

    A peer's pods may live in other manifests. A selector that names labels which no pod here carries stands for
    those: it is taken to select exactly the pods that its author's labels describe.
    """
    if selector is None:
        return None
    everywhere = "from[" in where or "to[" in where
    home = item["metadata"].get("namespace", "default")
    found = {
        name
        for name, pod in pods.items()
        if (everywhere or pod["namespace"] == home) and matches(selector, pod["labels"])
    }
    return found or ({_text(selector)} if everywhere else set())


def _text(selector: Selector) -> str:
    return "pods labelled " + json.dumps(selector, sort_keys=True)


def _pods(objects: Sequence[Object]) -> dict[str, Object]:
    found: dict[str, Object] = {}
    for item in objects:
        if item["kind"] in _TEMPLATES:
            labels = (item["spec"]["template"].get("metadata") or {}).get("labels") or {}
        elif item["kind"] == "Pod":
            labels = item["metadata"].get("labels") or {}
        else:
            continue
        found[_key(item)] = {"namespace": item["metadata"].get("namespace", "default"), "labels": labels}
    return found


def _selectors(item: Object) -> Iterator[tuple[str, Selector]]:
    """(field, LabelSelector) of an object; a workload's own selector follows its own template and is left out."""
    spec = item.get("spec") or {}
    if item.get("kind") == "Service" and spec.get("selector"):
        yield "spec.selector", {"matchLabels": spec["selector"]}
    elif item.get("kind") == "PodDisruptionBudget" and "selector" in spec:
        yield "spec.selector", spec["selector"]
    elif item.get("kind") == "NetworkPolicy":
        if "podSelector" in spec:
            yield "spec.podSelector", spec["podSelector"] or {}
        for direction, side in (("ingress", "from"), ("egress", "to")):
            for r, rule in enumerate(spec.get(direction) or ()):
                for p, peer in enumerate((rule or {}).get(side) or ()):
                    if peer.get("podSelector") is not None:
                        yield f"spec.{direction}[{r}].{side}[{p}].podSelector", peer["podSelector"]


def _key(item: Object) -> str:
    meta = item["metadata"]
    return "/".join(filter(None, (item["kind"], meta.get("namespace"), meta["name"])))
