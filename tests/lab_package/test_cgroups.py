"""Control groups: found on version 1, version 2 and both at once; made and removed as a whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import cgroups

V1 = """\
30 24 0:26 / /sys/fs/cgroup rw,nosuid - tmpfs tmpfs rw,mode=755
31 30 0:27 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset
32 30 0:28 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd
33 30 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
"""
V2 = "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:4 master:1 - cgroup2 cgroup2 rw,nsdelegate\n"


@pytest.mark.parametrize(
    ("mountinfo", "found"),
    [(V1, ["cpuset", "systemd", "unified"]), (V2, [""])],
    ids=["v1 and unified", "v2"],
)
def test_hierarchies_are_read_from_the_mounts(mountinfo: str, found: list[str]) -> None:
    assert cgroups.hierarchies(mountinfo) == [Path("/sys/fs/cgroup", name) for name in found]


def test_on_v1_a_group_gets_its_parents_processors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of files stands for the kernel's, which makes the files of a new group itself."""
    monkeypatch.setattr(cgroups, "hierarchies", lambda: [tmp_path])
    groups = [tmp_path, *(tmp_path / name for name in ("lab-a", "lab-a/n", "lab-a/n/components", "lab-a/n/pods"))]
    for group in groups:
        group.mkdir(exist_ok=True)
        (group / "cpuset.cpus").write_text("")
    (tmp_path / "cpuset.cpus").write_text("0-1\n")
    assert cgroups.create("a", "n") == [tmp_path / "lab-a/n/components"]
    assert [(group / "cpuset.cpus").read_text() for group in groups] == ["0-1\n"] * 5


def test_on_v2_every_level_but_the_last_hands_its_controllers_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cgroups, "hierarchies", lambda: [tmp_path])
    handing = [tmp_path, tmp_path / "lab-a", tmp_path / "lab-a/n"]
    for group in [*handing, tmp_path / "lab-a/n/components"]:
        group.mkdir() if group != tmp_path else None
        (group / "cgroup.controllers").write_text("memory misc\n")
    cgroups.create("a", "n")
    assert [(group / "cgroup.subtree_control").read_text() for group in handing] == ["+memory"] * 3
    assert not (tmp_path / "lab-a/n/components/cgroup.subtree_control").exists()


def test_the_kubelets_root_is_apart_from_the_components() -> None:
    assert cgroups.pods_root("a", "a-node-1") == "/lab-a/a-node-1/pods"


def test_groups_are_removed_from_the_leaves_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroups, "hierarchies", lambda: [tmp_path])
    cgroups.create("a", "n")
    cgroups.create("b", "n")
    assert cgroups.labs() == {"a", "b"}
    cgroups.remove("a")
    assert cgroups.labs() == {"b"}
