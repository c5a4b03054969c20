"""Manifests as objects: a kustomization through kustomize, a plain folder or one file as they are.

Rendering reads files only. A remote base is refused, unless it is asked for, since what it holds tomorrow is not what
was judged today.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from launchbook.errors import ParametersError

Object = dict[str, Any]
KUSTOMIZATION = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_TIMEOUT = 120.0  # s
# kubectl has kustomize built in, with all that is used here, from this minor release on.
_OLDEST_KUBECTL = 24
_KIND = re.compile(r"^kind:", re.MULTILINE)
MOST_APPLIED = 5000  # objects of one system; more than that is a folder named by mistake


def render(path: Path, *, allow_remote: bool = False, most: int | None = None) -> list[Object]:
    """Every object that `path` gives, in its own order, lists taken apart.

    allow_remote: whether a kustomization may fetch what isn't a local file; most: objects, beyond which it is refused.

    Raises ParametersError that names the file for what can't be read, isn't YAML, isn't a Kubernetes object, reaches
    for a remote base, is too much, or that kustomize refuses. Nothing was touched.
    """
    if not path.exists():
        raise ParametersError(f"manifests.path: {path} does not exist. Nothing was touched.")
    if kustomization(path):
        if not allow_remote:
            refuse_remote(path)
        if most is not None and _at_least(path) > most:
            raise _too_many(path, most)
        return _at_most(most, path, parse(build(path), str(path)))
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.suffix in (".yaml", ".yml", ".json"))
    if nested := next((file for file in files if file.name in KUSTOMIZATION), None):
        raise ParametersError(
            f"{path}: {nested.relative_to(path) if path.is_dir() else nested.name} is a kustomization, but its folder was not "
            f"named: name {nested.parent}, or add a kustomization.yaml to {path}. Nothing was touched."
        )
    objects: list[Object] = []
    for file in files:
        objects += parse(_text(file), str(file))
        _at_most(most, path, objects)
    if not objects:
        raise ParametersError(f"{path} holds no manifest (*.yaml, *.yml, *.json). Nothing was touched.")
    return objects


def _at_most(most: int | None, path: Path, objects: list[Object]) -> list[Object]:
    if most is not None and len(objects) > most:
        raise _too_many(path, most)
    return objects


def _too_many(path: Path, most: int) -> ParametersError:
    return ParametersError(
        f"{path} holds more than {most} objects. Part it into systems that are launched one by one. Nothing was touched."
    )


def _at_least(folder: Path) -> int:
    """A lower bound of what a kustomization gives, from its files: kustomize's own time grows with the square of it."""
    resources = [
        file.parent / str(entry) for file in files_of(folder) for entry in _mapping(file).get("resources") or ()
    ]
    return sum(len(_KIND.findall(_text(resource))) for resource in resources if resource.is_file())


def kustomization(folder: Path) -> Path | None:
    """The kustomization file of a folder, or None where it is a plain folder or a file."""
    return next((folder / name for name in KUSTOMIZATION if (folder / name).is_file()), None)


def build(folder: Path) -> str:
    """What `kustomize build` prints for a folder. Raises ParametersError with its own words, or where it takes too long."""
    try:
        done = subprocess.run(
            [*_program(), str(folder)], capture_output=True, text=True, timeout=_TIMEOUT, check=False,
            env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise ParametersError(
            f"{folder}: kustomize had not rendered it after {_TIMEOUT:.0f} s; part it into systems that are launched one "
            "by one. Nothing was touched."
        ) from None
    if done.returncode:
        raise ParametersError(f"{folder}: kustomize refuses: {done.stderr.strip()}. Nothing was touched.")
    return done.stdout


def parse(text: str, source: str) -> list[Object]:
    """The objects of a YAML stream. Raises ParametersError that names `source`."""
    try:
        documents = list(yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise ParametersError(
            f"{source}{line}: is not YAML: {getattr(error, 'problem', None) or error}. Nothing was touched."
        ) from None
    return [item for document in documents if document is not None for item in _items(document, source)]


def files_of(folder: Path) -> Iterator[Path]:
    """The kustomization of a folder and of every local base, component and resource folder below it."""
    seen: set[Path] = set()
    queue = [folder.resolve()]
    while queue:
        here = queue.pop(0)
        file = kustomization(here)  # None for a file, and for an address
        if file is None or here in seen:
            continue
        seen.add(here)
        yield file
        content = _mapping(file)
        for field in ("resources", "bases", "components"):
            queue += [(here / str(entry)).resolve() for entry in content.get(field) or ()]


def refuse_remote(folder: Path) -> None:
    """Raises ParametersError where a kustomization below `folder` names something that isn't a local file."""
    for file in files_of(folder):
        for field, entry in _named(_mapping(file)):
            if _remote(entry) and not (file.parent / entry).exists():
                raise ParametersError(
                    f"{file}: {field} names the remote base {entry}. What it holds can change after the launch was "
                    "judged: copy it beside the manifests, or set manifests.allow_remote. Nothing was touched."
                )


def _named(content: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(field, entry) of everything that a kustomization has fetched: each may be an address to kustomize."""
    for field in _FETCHED:
        yield from (
            (field, entry) for entry in content.get(field) or () if isinstance(entry, str) and "\n" not in entry
        )
    for field in ("patches", "patchesJson6902", "replacements"):
        yield from ((field, entry["path"]) for entry in content.get(field) or () if isinstance(entry.get("path"), str))
    for field in ("configMapGenerator", "secretGenerator"):
        for entry in content.get(field) or ():
            given = [*(entry.get("files") or ()), *(entry.get("envs") or ()), entry.get("env")]
            yield from ((field, str(one).partition("=")[2] or str(one)) for one in given if one)
    if path := (content.get("openapi") or {}).get("path"):
        yield "openapi", path
    yield from (("helmCharts", chart["repo"]) for chart in content.get("helmCharts") or () if chart.get("repo"))


# A folder or a file each, or an address: kustomize takes each of these, a host without a scheme too.
_FETCHED = (
    "resources", "bases", "components", "patchesStrategicMerge", "generators", "transformers", "validators",
    "configurations", "crds",
)  # fmt: skip
_ADDRESS = re.compile(r"://|::|\?ref=|^[\w.-]+@[\w.-]+:|^[\w-]+(\.[\w-]+)*\.[a-z]{2,}(:\d+)?/|\.git(/|$)")


def _remote(entry: str) -> bool:
    return bool(_ADDRESS.search(entry))


def _mapping(file: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(_text(file)) or {}
    except yaml.YAMLError as error:
        raise ParametersError(f"{file}: is not YAML: {error}. Nothing was touched.") from None
    if not isinstance(content, dict):
        raise ParametersError(f"{file}: is no kustomization: a mapping such as `resources: []`. Nothing was touched.")
    return content


def _items(document: Any, source: str) -> list[Object]:
    if isinstance(document, dict) and str(document.get("kind", "")).endswith("List") and "items" in document:
        return [item for entry in document["items"] or () for item in _items(entry, source)]
    named = isinstance(document, dict) and (document.get("metadata") or {}).get("name")
    if not named or not document.get("kind") or not document.get("apiVersion"):
        # Its fields' names alone: what has no kind may be a Secret.
        shown = ", ".join(map(str, document)) if isinstance(document, dict) else type(document).__name__
        raise ParametersError(
            f"{source}: is no Kubernetes object (apiVersion, kind and metadata.name); it has: {shown[:80]}. Nothing was touched."
        )
    # kubectl takes an empty namespace for none.
    metadata = {key: value for key, value in document["metadata"].items() if value or key != "namespace"}
    return [{**document, "metadata": metadata}]


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ParametersError(f"{file}: can't be read: {error}. Nothing was touched.") from None


def _program() -> list[str]:
    """kustomize, or a kubectl that has it: beside our own Python first, then on PATH."""
    for place in (str(Path(sys.prefix, "bin")), None):
        if kustomize := shutil.which("kustomize", path=place):
            return [kustomize, "build"]
        if (kubectl := shutil.which("kubectl", path=place)) and _minor(kubectl) >= _OLDEST_KUBECTL:
            return [kubectl, "kustomize"]
    raise ParametersError(
        f"neither kustomize nor a kubectl of 1.{_OLDEST_KUBECTL} or newer is on PATH; one of them renders the "
        "manifests. Install either, or run `lab build`. Nothing was touched."
    )


@cache
def _minor(kubectl: str) -> int:
    done = subprocess.run(
        [kubectl, "version", "--client", "--output=json"], capture_output=True, text=True, timeout=30, check=False
    )
    try:
        minor = yaml.safe_load(done.stdout)["clientVersion"]["minor"]
        return int("".join(c for c in minor if c.isdigit()))
    except (yaml.YAMLError, KeyError, TypeError, ValueError):
        return 0
