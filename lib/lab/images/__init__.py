"""The lab's images: small, non-root, and with the same digest for the same package versions.

Made of Debian's packages (and of wheels pinned by hash where Debian has none), without a container engine.
Each is named `lab.local/NAME:1`, which manifests use, and where it holds one program of another project also
`lab.local/NAME:VERSION`, which says what is in it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from filelock import FileLock

from lab import debs
from lab.debs import Progress
from lab.images import oci, wheels
from lab.images.contents import USER, ImageError, applets, base, libraries, read, select
from lab.images.recipes import COREDNS, RECIPES, SITE, Recipe

__all__ = ["NAMES", "REGISTRY", "ImageError", "Recipe", "build", "reference"]

REGISTRY = "lab.local"  # no such host: what is not in the node's store can't be pulled from anywhere
NAMES = tuple(recipe.name for recipe in RECIPES)
_FORMAT = 1  # raise when a change of the code makes archives that were built earlier wrong


@dataclass(frozen=True)
class _Parts:
    """What a recipe draws on besides its own files; None for what it has no need of."""

    tree: debs.Tree
    program: Path | None = None
    site: Path | None = None


def reference(name: str, version: str = "1") -> str:
    """Give the reference of an image, e.g. `lab.local/redis:7.0.15-1_deb12u10` (a tag can't hold `+` or `~`)."""
    without_epoch = version.rpartition(":")[2]
    return f"{REGISTRY}/{name}:{re.sub('[^A-Za-z0-9_.-]', '_', without_epoch)}"


def build(
    cache: Path,
    *,
    recipes: Sequence[Recipe] = RECIPES,
    coredns: Path | None = None,
    refresh: bool = False,
    progress: Progress = lambda message: None,
) -> list[Path]:
    """Give the OCI archives of the images, in the order of `recipes`, for `ctr -n k8s.io images import`.

    They are built below `cache` when a recipe, a package's version or the lock changed since; `refresh` asks Debian
    for newer packages. `coredns` is a program of that name, which is then made an image too. Raises `debs.DebError`
    or `ImageError`; archives that were there stay then.
    """
    packages = {package for recipe in RECIPES for package in recipe.packages}
    tree = debs.fetch(sorted(packages), cache, refresh=refresh, progress=progress)
    folder = cache / "images"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):
        archives = [_archive(recipe, _Parts(tree), folder, progress) for recipe in recipes]
        if coredns:
            archives.append(_archive(COREDNS, _Parts(tree, program=coredns), folder, progress))
    return archives


def _archive(recipe: Recipe, parts: _Parts, folder: Path, progress: Progress) -> Path:
    """Give the recipe's archive, built where there is none of this key; older ones of the same image go."""
    path = folder / f"{recipe.name}-{_key(recipe, parts)}.tar"
    if path.exists():
        return path
    progress(f"building the image {recipe.name}")
    if recipe.wheels:
        with wheels.installed(recipe.wheels, _python(parts.tree)) as site:
            _write(recipe, replace(parts, site=site), path)
    else:
        _write(recipe, parts, path)
    for old in folder.glob(f"{recipe.name}-*.tar"):
        if old != path:
            old.unlink()
    return path


def _key(recipe: Recipe, parts: _Parts) -> str:
    """What decides an image's content, known without making it."""
    program = parts.program.stat() if parts.program else None
    known = (
        _FORMAT,
        debs.architecture(),
        recipe,
        sorted(parts.tree.versions.items()) if recipe.packages else None,
        sorted((p.name, p.read_bytes()) for p in recipe.sources.rglob("*.py")) if recipe.sources else None,
        wheels.lock().read_bytes() if recipe.wheels else None,
        (parts.program, program.st_size, program.st_mtime_ns) if program else None,
    )
    return hashlib.sha256(repr(known).encode()).hexdigest()[:16]


def _write(recipe: Recipe, parts: _Parts, path: Path) -> None:
    root = parts.tree.root
    entries = select(root, recipe.files, recipe.without)
    if recipe.applets:
        entries |= applets(root, recipe.applets)
    if parts.site:
        entries |= select(parts.site, ["*"], recipe.without, at=SITE)
    if recipe.sources:
        entries |= select(recipe.sources.parent, [recipe.sources.name], at=SITE)
    if parts.program:
        entries[f"/usr/bin/{recipe.name}"] = read(parts.program)
    version = _version(recipe, parts)
    config = {
        "User": f"{USER}:{USER}",
        "Env": ["PATH=/usr/bin:/usr/sbin", *recipe.environment],
        "WorkingDir": "/",
        "Entrypoint": list(recipe.entrypoint),
        "Cmd": list(recipe.command),
        "Labels": {
            "org.opencontainers.image.title": recipe.title,
            **({"org.opencontainers.image.version": version} if version else {}),
        },
    }
    names = (reference(recipe.name), *([reference(recipe.name, version)] if version else []))
    oci.write(path, names, base() | entries | libraries(root, entries), config, debs.architecture())


def _version(recipe: Recipe, parts: _Parts) -> str:
    """The version of the package or wheel that the recipe names; empty where it names none."""
    if not recipe.version_of:
        return ""
    return parts.tree.versions.get(recipe.version_of) or wheels.pinned(recipe.version_of)


def _python(tree: debs.Tree) -> str:
    """The version of Debian's Python, e.g. `3.11`: the wheels are chosen for it."""
    return next(tree.root.glob("usr/lib/python3.[0-9]*")).name.removeprefix("python")
