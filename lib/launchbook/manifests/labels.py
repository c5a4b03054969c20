"""Label transformers of kustomizations: which there are, a copy without them, and one that keeps them from selectors.

Three add labels to selectors: `commonLabels`, an entry of `labels` with `includeSelectors` (or with `fields` of its own),
and a LabelTransformer under `transformers`.
https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from launchbook.errors import ParametersError
from launchbook.render import build, files_of

Content = dict[str, Any]


def transforms(file: Path) -> bool:
    """Whether a kustomization holds a transformer that may change a selector."""
    content = _content(file)
    entries = content.get("labels") or ()
    changes = any(entry.get("includeSelectors") or entry.get("fields") for entry in entries)
    return bool(content.get("commonLabels")) or changes or bool(_label_transformers(file, content))


@contextmanager
def copied(path: Path, rewrite: Callable[[Path], str]) -> Iterator[Path]:
    """A copy of everything that `path` needs, each kustomization that transforms labels replaced by rewrite(file)."""
    every = list(files_of(path))
    top = Path(os.path.commonpath([file.parent for file in every]))
    with tempfile.TemporaryDirectory(prefix="launchbook-") as folder:
        copy = Path(folder, "copy")
        shutil.copytree(top, copy, symlinks=True, ignore=shutil.ignore_patterns(".git"))
        for file in filter(transforms, every):
            (copy / file.relative_to(top)).write_text(rewrite(file), encoding="utf-8")
        yield copy / path.resolve().relative_to(top)


def without(file: Path) -> str:
    """A kustomization's YAML with no label transformer at all."""
    content = _content(file)
    ours = _label_transformers(file, content)
    kept = {k: v for k, v in content.items() if k not in ("commonLabels", "labels")}
    if not kept.keys() - {"apiVersion", "kind", "metadata"}:
        kept["labels"] = []  # kustomize refuses a kustomization that says nothing at all
    if ours:
        kept["transformers"] = [entry for entry in content["transformers"] if entry not in ours]
    return yaml.safe_dump(kept, sort_keys=False)


def mended(file: Path, keep: Sequence[str] = ()) -> str:
    """A kustomization's text with its labels kept out of selectors; every other line, comments too, as it was.

    keep: kinds of workloads whose own selector keeps the label, since it can't be changed once they are live. Raises
    ParametersError, with what to do by hand, where the text can't be changed line by line.
    """
    text, content = file.read_text(encoding="utf-8"), _content(file)
    wanted = _intended(content, keep)
    by_hand = f"{file}: can't be mended line by line; write it as {yaml.safe_dump(_labels_of(wanted))!r}. Nothing was written."
    if _label_transformers(file, content):
        raise ParametersError(
            f"{file}: a LabelTransformer can't be mended; use `labels:` instead. Nothing was written."
        )
    try:
        found = _edited(text, keep)
        same = yaml.safe_load(found) == wanted
    except (yaml.YAMLError, ValueError, IndexError):
        same = False
    if not same:
        raise ParametersError(by_hand)
    return found


def _content(file: Path) -> Content:
    return yaml.safe_load(file.read_text(encoding="utf-8")) or {}


def _label_transformers(file: Path, content: Content) -> list[str]:
    """The entries of `transformers` that are, or whose file or kustomization holds, a LabelTransformer."""
    found = []
    for entry in content.get("transformers") or ():
        given = file.parent / entry if "\n" not in entry else None
        text = entry
        if given and given.exists():
            text = build(given) if given.is_dir() else given.read_text(encoding="utf-8")
        documents = [one for one in yaml.safe_load_all(text) if isinstance(one, dict)]
        if any(one.get("kind") == "LabelTransformer" for one in documents):
            found.append(entry)
    return found


def _labels_of(content: Content) -> Content:
    return {"labels": content.get("labels")}


def _fields(keep: Sequence[str]) -> Content:
    """The entry's part that writes a label into the selectors of these kinds, and into no other."""
    specs: list[Content] = [{"path": "spec/selector/matchLabels", "kind": kind, "create": True} for kind in keep]
    return {"fields": specs} if specs else {}


def _written(keep: Sequence[str]) -> str:
    """_fields() as YAML in one line."""
    return yaml.safe_dump(_fields(keep), default_flow_style=True, sort_keys=False, width=10_000).strip()[1:-1]


def _intended(content: Content, keep: Sequence[str]) -> Content:
    """What a mended kustomization must say: every label on objects and pods, in no selector but those of `keep`."""
    entries = [_kept_out(entry, keep) for entry in content.get("labels") or ()]
    if pairs := content.get("commonLabels"):
        entries = [{"pairs": pairs, "includeTemplates": True, **_fields(keep)}, *entries]
    kept = {k: v for k, v in content.items() if k not in ("commonLabels", "labels")}
    return {**kept, "labels": entries} if entries else kept


def _kept_out(entry: Content, keep: Sequence[str]) -> Content:
    if not entry.get("includeSelectors"):
        return dict(entry)
    return {**entry, "includeSelectors": False, "includeTemplates": True, **_fields(keep)}


def _edited(text: str, keep: Sequence[str]) -> str:
    root = yaml.compose(text)
    assert isinstance(root, yaml.MappingNode)
    nodes = {key.value: (key, value) for key, value in root.value}
    edits = [edit for entry in (nodes["labels"][1].value if "labels" in nodes else ()) for edit in _entry(entry, keep)]
    if "commonLabels" in nodes:
        edits += _common(text, *nodes["commonLabels"], labels=nodes.get("labels"), keep=keep)
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text


Edit = tuple[int, int, str]


def _entry(entry: yaml.MappingNode, keep: Sequence[str]) -> Iterator[Edit]:
    """includeSelectors becomes false, and includeTemplates true so that the pods keep the label."""
    named = {key.value: (key, value) for key, value in entry.value}
    if "includeSelectors" not in named or yaml.safe_load(named["includeSelectors"][1].value) is not True:
        return
    key, value = named["includeSelectors"]
    if keep and "fields" in named:
        raise ValueError("fields of its own are not ours to extend")
    start, end = value.start_mark.index, value.end_mark.index
    new = [
        *(["includeTemplates: true"] if "includeTemplates" not in named else []),
        *([_written(keep)] if keep else []),
    ]
    if "includeTemplates" in named:
        old = named["includeTemplates"][1]
        yield old.start_mark.index, old.end_mark.index, "true"
    between = ", " if entry.flow_style else f"\n{' ' * key.start_mark.column}"
    yield start, end, between.join(["false", *new])


def _common(text: str, key: yaml.Node, value: yaml.MappingNode, labels: Any, keep: Sequence[str]) -> Iterator[Edit]:
    """commonLabels becomes an entry of `labels`, its own lines and comments moved along."""
    start = key.start_mark.index
    end = value.end_mark.index if value.flow_style else value.value[-1][1].end_mark.index
    end = _line_end(text, end)
    if value.flow_style:
        pairs = f" {text[value.start_mark.index : value.end_mark.index]}"
    else:
        first = value.value[0][0].start_mark
        lines = text[first.index - first.column : end].splitlines()
        pairs = "".join(f"\n{' ' * 6}{line[first.column :]}" if line.strip() else "\n" for line in lines)
    block = f"  - pairs:{pairs}\n    includeTemplates: true" + (f"\n    {_written(keep)}" if keep else "")
    if labels is None:
        yield start, end, f"labels:\n{block}"
        return
    dash = labels[1].value[0].start_mark.column - 2
    if labels[1].flow_style or dash < 0:
        raise ValueError("entries in a flow can't be added to by lines")
    shifted = "".join(f"{' ' * dash}{line[2:]}\n" for line in block.splitlines())
    yield start, end + (end < len(text)), ""
    below = _line_end(text, labels[0].end_mark.index) + 1
    yield below, below, shifted


def _line_end(text: str, index: int) -> int:
    found = text.find("\n", index)
    return len(text) if found < 0 else found


def paths(path: Path) -> list[Path]:
    """The kustomizations at and below `path` that hold a label transformer which may change a selector."""
    return [file for file in files_of(path) if transforms(file)]
