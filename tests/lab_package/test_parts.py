"""Parts: what serves from PATH is taken, what does not is not, and nobody's own program is displaced."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lab import parts
from lab.errors import Unmet
from lab.parts import ON_PATH, Parts, Program, serves
from lab.progress import Steps


@pytest.mark.parametrize(
    ("version", "least", "below", "answer"),
    [
        ("v1.36.3", (1, 36), (1, 37), True),
        ("1.36", (1, 36), (1, 37), True),
        ("v1.37.0", (1, 36), (1, 37), False),
        ("v1.20.2", (1, 35), (1, 38), False),
        ("1.6.20~ds1", (1, 6), (2,), True),
        ("1.1.5+ds1", (1, 1), (2,), True),
        ("2.0.1", (1, 6), (2,), False),
        ("3.4.9", (3, 4, 14), (4,), False),
        ("3.4.23", (3, 4, 14), (4,), True),
        ("", (0,), (9,), False),
        ("unknown", (0,), (9,), False),
    ],
)
def test_a_version_serves_from_the_least_on_and_below_the_other(
    version: str, least: tuple[int, ...], below: tuple[int, ...], answer: bool
) -> None:
    assert serves(version, least, below) is answer


def _program(folder: Path, name: str, says: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH that is this folder and nothing else."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(parts, "SEARCHED", ())
    return folder


def test_a_group_comes_from_path_only_when_all_of_it_is_there(alone: Path) -> None:
    group = next(item for item in parts.GROUPS if item.package == "containerd")
    _program(alone, "containerd", "containerd github.com/containerd/containerd 1.7.1 abc")
    assert parts._group_on_path(group) == {}
    _program(alone, "containerd-shim-runc-v2", "")
    _program(alone, "ctr", "")
    found = parts._group_on_path(group)
    assert {name: (item.origin, item.version) for name, item in found.items()} == dict.fromkeys(
        group.programs, ("PATH", "1.7.1")
    )


def test_a_containerd_that_the_lab_was_not_written_for_is_left_alone(alone: Path) -> None:
    group = next(item for item in parts.GROUPS if item.package == "containerd")
    for name in group.programs:
        _program(alone, name, "containerd github.com/containerd/containerd/v2 v2.1.0 abc")
    assert parts._group_on_path(group) == {}


@pytest.mark.parametrize(
    ("says", "serves_here"),
    [
        ("Client Version: v1.36.1\nKustomize Version: v5.8.1", True),
        ('Client Version: version.Info{Major:"1", Minor:"20", GitVersion:"v1.20.2"}', False),
        ("Client Version: v1.32.4-dispatcher\nKustomize Version: v5.5.0", False),
    ],
)
def test_kubectl_from_path_serves_within_one_minor_release(alone: Path, says: str, serves_here: bool) -> None:
    path = _program(alone, "kubectl", says)
    assert serves(parts._version(str(path), ("version", "--client")), *ON_PATH["kubectl"]) is serves_here


def test_without_apt_the_missing_programs_are_named(alone: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    with pytest.raises(Unmet, match=r"containerd, runc, etcd.* is not on PATH .* no apt.*launchbook run"):
        parts._add_debian(Parts(), tmp_path / "cache", Steps(quiet=True))


def test_without_root_one_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(Unmet) as caught:
        parts.check_machine()
    assert str(caught.value) == (
        "the lab needs root, for namespaces and routes: run it with sudo; "
        "or name a cluster of your own: launchbook run parameters/my-cluster.yaml"
    )


def test_another_system_than_linux_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(Unmet, match=r"needs Linux, and this is darwin"):
        parts.check_machine()


def test_a_missing_program_of_the_machine_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(parts, "_which", lambda name: None if name == "unshare" else f"/usr/bin/{name}")
    with pytest.raises(Unmet, match=r"^unshare is missing: install util-linux"):
        parts.check_machine()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where kubectl would lie in an environment of its own."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    return tmp_path / "bin" / "kubectl"


def test_kubectl_is_linked_beside_python(place: Path) -> None:
    parts._link_kubectl(Path("/cache/1/kubectl"), Path("/cache"))
    assert place.readlink() == Path("/cache/1/kubectl")


@pytest.mark.parametrize("old", ["/cache/1/kubectl", "/nowhere/kubectl"], ids=["of an older build", "dangling"])
def test_a_link_that_serves_no_more_is_renewed(place: Path, old: str) -> None:
    place.symlink_to(old)
    parts._link_kubectl(Path("/cache/2/kubectl"), Path("/cache"))
    assert place.readlink() == Path("/cache/2/kubectl")


def test_somebody_elses_kubectl_stays(place: Path) -> None:
    place.symlink_to(sys.executable)
    parts._link_kubectl(Path("/cache/2/kubectl"), Path("/cache"))
    assert place.readlink() == Path(sys.executable)


def test_only_libraries_that_the_machine_lacks_are_linked(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    for name in ("libc.so.6", "liblab-has-never-been.so.1"):
        (tree / name).touch()
    found = Parts({"runc": Program(tmp_path / "runc", "Debian", "1")}, libraries=tree)
    parts.link(found, tmp_path / "bin", tmp_path / "lib")
    assert [path.name for path in (tmp_path / "lib").iterdir()] == ["liblab-has-never-been.so.1"]
    assert (tmp_path / "bin" / "runc").readlink() == tmp_path / "runc"
