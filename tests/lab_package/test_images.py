"""Images: what goes in, and that the same packages give the same bytes."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import debs, images
from lab.images import wheels
from lab.images.contents import ImageError, libraries, select
from lab.images.oci import File, Folder, Link, layer, write
from lab.images.recipes import BUSYBOX, LOCUST, NATS, PAUSE, RECIPES, REDIS


def opened(archive: Path) -> tuple[dict[str, Any], dict[str, Any], dict[str, tarfile.TarInfo]]:
    """An archive's index, its image's configuration and its layer's members, every blob checked by its digest."""
    with tarfile.open(archive) as tar:
        blobs = {member.name: tar.extractfile(member).read() for member in tar if member.isfile()}  # type: ignore[union-attr]
    for name, content in blobs.items():
        if name.startswith("blobs/"):
            assert name == f"blobs/sha256/{hashlib.sha256(content).hexdigest()}"

    def blob(descriptor: dict[str, Any]) -> bytes:
        content = blobs[f"blobs/{descriptor['digest'].replace(':', '/')}"]
        assert len(content) == descriptor["size"]
        return content

    index = json.loads(blobs["index.json"])
    manifest = json.loads(blob(index["manifests"][0]))
    contents = blob(manifest["layers"][0])
    config = json.loads(blob(manifest["config"]))
    assert config["rootfs"]["diff_ids"] == [manifest["layers"][0]["digest"]]
    with tarfile.open(fileobj=io.BytesIO(contents)) as tar:
        return index, config, {f"/{member.name}": member for member in tar}


def digest(archive: Path) -> str:
    return opened(archive)[0]["manifests"][0]["digest"]


names = st.from_regex(r"(/[a-z]{1,8}){1,4}", fullmatch=True)


@given(st.dictionaries(names, st.binary(max_size=50), max_size=8), st.randoms())
def test_a_layer_depends_on_the_files_and_not_on_their_order(files: dict[str, bytes], random: Any) -> None:
    entries = {name: File(content) for name, content in files.items()}
    shuffled = list(entries.items())
    random.shuffle(shuffled)
    assert layer(entries) == layer(dict(shuffled))


def test_a_layer_keeps_nothing_of_the_machine_that_built_it() -> None:
    tar = layer({"/a/b": File(b"x", executable=True), "/a/c": File(b"y"), "/tmp": Folder(0o1777), "/l": Link("a/b")})
    with tarfile.open(fileobj=io.BytesIO(tar)) as opened_tar:
        found = [(m.name, oct(m.mode), m.uid, m.gid, m.uname, m.mtime) for m in opened_tar]
    assert found == [
        ("a", "0o755", 0, 0, "", 0),
        ("a/b", "0o755", 0, 0, "", 0),
        ("a/c", "0o644", 0, 0, "", 0),
        ("l", "0o777", 0, 0, "", 0),
        ("tmp", "0o1777", 0, 0, "", 0),
    ]


def test_an_archive_has_each_name_and_the_digest_it_reports(tmp_path: Path) -> None:
    references = ("lab.local/x:1", "lab.local/x:2.0")
    said = write(tmp_path / "x.tar", references, {"/x": File(b"x")}, {"User": "65532"}, "armhf")
    index, config, members = opened(tmp_path / "x.tar")
    assert [m["annotations"]["io.containerd.image.name"] for m in index["manifests"]] == list(references)
    assert {m["digest"] for m in index["manifests"]} == {said}
    assert (config["architecture"], config["os"], config["config"]["User"]) == ("arm", "linux", "65532")
    assert list(members) == ["/x"]
    assert [path.name for path in tmp_path.iterdir()] == ["x.tar"]


@pytest.mark.parametrize(
    ("version", "tag"),
    [
        ("5:7.0.15-1~deb12u10", "7.0.15-1_deb12u10"),
        ("2.9.10-1+b3", "2.9.10-1_b3"),
        ("1", "1"),
    ],
)
def test_a_tag_is_debians_version_without_what_a_tag_cannot_hold(version: str, tag: str) -> None:
    assert images.reference("x", version) == f"lab.local/x:{tag}"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "usr/bin").mkdir(parents=True)
    (root / "usr/lib/python3.11/__pycache__").mkdir(parents=True)
    (root / "etc").mkdir()
    (root / "etc/site.py").write_text("site")
    (root / "usr/bin/tool").write_text("tool")
    (root / "usr/bin/tool").chmod(0o700)
    (root / "usr/bin/near").symlink_to("tool")
    (root / "usr/lib/python3.11/a.py").write_text("a")
    (root / "usr/lib/python3.11/__pycache__/a.pyc").write_text("a")
    (root / "usr/lib/python3.11/site.py").symlink_to("/etc/site.py")
    (root / "usr/lib/python3.11/gone.py").symlink_to("/etc/gone.py")
    return root


def test_chosen_folders_come_whole_but_for_byte_code_and_dangling_links(tree: Path) -> None:
    assert select(tree, ["usr/lib/python3.*"]) == {
        "/usr/lib/python3.11/a.py": File(b"a"),
        "/usr/lib/python3.11/site.py": File(b"site"),  # what an absolute link names below this root
    }


def test_a_link_stays_one_only_when_what_it_names_comes_along(tree: Path) -> None:
    tool = File(b"tool", executable=True)
    assert select(tree, ["usr/bin/*"]) == {"/usr/bin/tool": tool, "/usr/bin/near": Link("tool")}
    assert select(tree, ["usr/bin/near"], at="/opt") == {"/opt/usr/bin/near": tool}


def test_a_chain_of_links_never_leaves_the_tree(tree: Path) -> None:
    (tree / "usr/bin/chain").symlink_to("../lib/python3.11/site.py")  # and that names /etc/site.py
    (tree / "usr/bin/loop").symlink_to("loop")
    assert select(tree, ["usr/bin/[cl]*"]) == {"/usr/bin/chain": File(b"site")}


def test_what_is_left_out_is_matched_by_its_path_in_the_tree(tree: Path) -> None:
    assert select(tree, ["usr/bin/*"], without=["/usr/bin/n*"]) == {"/usr/bin/tool": File(b"tool", executable=True)}


def test_a_pattern_that_names_nothing_is_an_error(tree: Path) -> None:
    with pytest.raises(ImageError, match=r"no file is named usr/bin/absent below .*root"):
        select(tree, ["usr/bin/absent"])


@pytest.fixture
def loader(tmp_path: Path) -> Path:
    """A tree whose C library is this machine's, and nothing else."""
    source = next(Path("/usr/lib").glob("*/ld-linux*.so.*"), None)
    if source is None:
        pytest.skip("this machine has no glibc")
    folder = tmp_path / "root" / source.parent.relative_to("/")
    folder.mkdir(parents=True)
    for path in (source, source.parent / "libc.so.6"):
        shutil.copy(path, folder / path.name)
    (tmp_path / "root/usr/lib64").mkdir()
    shutil.copy(source, tmp_path / "root/usr/lib64" / source.name)
    return tmp_path / "root"


def test_a_program_brings_its_libraries_and_the_loader(loader: Path) -> None:
    (loader / "usr/bin").mkdir()
    shutil.copy("/usr/bin/true", loader / "usr/bin/true")
    found = libraries(loader, select(loader, ["usr/bin/true"]))
    assert {Path(name).name.split(".so")[0] for name in found} == {
        "libc",
        next(loader.glob("usr/lib64/*")).name.split(".so")[0],
    }


def test_a_library_of_this_machine_does_not_stand_in_for_one_the_packages_lack(loader: Path) -> None:
    (loader / "usr/bin").mkdir()
    shutil.copy("/usr/bin/ls", loader / "usr/bin/ls")
    with pytest.raises(ImageError, match=r"usr/bin/ls needs libselinux\.so\.1, which none of the packages below"):
        libraries(loader, select(loader, ["usr/bin/ls"]))


def test_scripts_need_no_libraries(tree: Path, loader: Path) -> None:
    assert libraries(loader, select(tree, ["usr/bin/tool"])) == {}


def test_every_wheel_of_an_image_is_pinned() -> None:
    for recipe in RECIPES:
        for wheel in recipe.wheels:
            assert re.fullmatch(r"\d+(\.\d+)+", wheels.pinned(wheel))
    with pytest.raises(ImageError, match=r"requirements\.lock pins no absent-wheel; add it to pyproject\.toml"):
        wheels.pinned("absent-wheel")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    cache = tmp_path_factory.mktemp("first")
    return dict(zip(images.NAMES, images.build(cache), strict=True))


@pytest.mark.lab
def test_the_same_packages_give_the_same_digests(built: dict[str, Path], tmp_path: Path) -> None:
    mask = os.umask(0o077)
    try:
        again = dict(zip(images.NAMES, images.build(tmp_path), strict=True))
    finally:
        os.umask(mask)
    assert {name: digest(path) for name, path in again.items()} == {name: digest(path) for name, path in built.items()}


@pytest.mark.lab
def test_an_archive_that_is_there_is_not_built_again(built: dict[str, Path]) -> None:
    before = {path: path.stat().st_mtime_ns for path in built.values()}
    cache = built["nats"].parent.parent
    assert images.build(cache) == list(built.values())
    assert {path: path.stat().st_mtime_ns for path in built.values()} == before


@pytest.mark.lab
def test_a_changed_recipe_replaces_its_own_archive(built: dict[str, Path], tmp_path: Path) -> None:
    cache = built["nats"].parent.parent
    program = tmp_path / "coredns"
    shutil.copy(built["nats"], program)
    first = images.build(cache, recipes=[], coredns=program)
    with program.open("ab") as file:
        file.write(b"changed")
    second = images.build(cache, recipes=[], coredns=program)
    assert first != second
    assert list((cache / "images").glob("coredns-*")) == second
    assert all(path.exists() for path in built.values())


@pytest.mark.lab
@pytest.mark.parametrize("name", images.NAMES)
def test_an_image_runs_as_a_number_that_is_not_root_and_carries_no_ballast(built: dict[str, Path], name: str) -> None:
    _, config, members = opened(built[name])
    assert config["config"]["User"] == "65532:65532"
    assert config["architecture"] in (debs.architecture(), *images.oci.GO_ARCHITECTURES.values())
    assert not [path for path in members if re.search(r"\.pyc$|/share/(doc|man|locale)/|/var/", path)]
    assert not [path for path, member in members.items() if member.mode & 0o6000]
    assert {path for path, member in members.items() if member.mode & 0o022 and not member.issym()} == {"/tmp"}
    limit = {PAUSE.name: 2, BUSYBOX.name: 4, NATS.name: 25, REDIS.name: 30}.get(name, 100)
    assert built[name].stat().st_size < limit * 2**20


@pytest.mark.lab
def test_a_wheel_whose_hash_differs_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = wheels.lock().read_text()
    start = text.index("\ngevent==")
    end = text.index("# via", start)
    forged = text[:start] + re.sub(r"sha256:[0-9a-f]{64}", "sha256:" + "0" * 64, text[start:end]) + text[end:]
    (tmp_path / "requirements.lock").write_text(forged)
    monkeypatch.setattr(wheels, "lock", lambda: tmp_path / "requirements.lock")
    with (
        pytest.raises(ImageError, match=r"(?is)wheels of locust can't be had.*gevent.*hash"),
        wheels.installed(LOCUST.wheels, "3.11"),
    ):
        pass
