"""Debian packages are unpacked, never installed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab import debs


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def tree(cache: Path) -> debs.Tree:
    return debs.fetch(["nats-server"], cache)


@pytest.mark.lab
def test_a_tree_holds_the_package_and_what_it_needs_whatever_this_machine_has(tree: debs.Tree) -> None:
    assert {"nats-server", "libc6", "adduser"} <= set(tree.versions)
    assert (tree.root / "usr/sbin/nats-server").is_file()
    assert (tree.root / "lib").readlink() == Path("usr/lib")


@pytest.mark.lab
def test_nothing_in_a_tree_runs_with_another_users_rights(tree: debs.Tree) -> None:
    assert (tree.root / "usr/bin/passwd").is_file()
    assert not [path for path in tree.root.rglob("*") if not path.is_symlink() and path.stat().st_mode & 0o6000]


@pytest.mark.lab
def test_a_tree_that_is_there_is_taken_without_asking_debian(tree: debs.Tree, cache: Path) -> None:
    said: list[str] = []
    assert debs.fetch(["nats-server"], cache, progress=said.append) == tree
    assert said == []


@pytest.mark.lab
def test_a_refresh_keeps_the_tree_when_no_version_changed(tree: debs.Tree, cache: Path) -> None:
    said: list[str] = []
    before = tree.root.stat().st_mtime_ns
    assert debs.fetch(["nats-server"], cache, refresh=True, progress=said.append) == tree
    assert any("package lists" in line for line in said)
    assert tree.root.stat().st_mtime_ns == before


@pytest.mark.lab
def test_an_unknown_package_is_named(cache: Path) -> None:
    with pytest.raises(debs.DebError, match=r"apt-get ended with exit code 100: .*no-such-package-here"):
        debs.fetch(["no-such-package-here"], cache)


def test_without_dpkg_the_error_says_what_the_lab_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "PATH", "")
    with pytest.raises(debs.DebError, match="dpkg is not on PATH; the lab needs Debian or a derivative of it"):
        debs.architecture()
