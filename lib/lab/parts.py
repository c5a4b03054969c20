"""The programs a lab is made of, and where each comes from on this machine.

First what PATH has, where its version serves; then the cache; then Debian's packages, unpacked into the
cache (`debs`), or a build from pinned Go modules (`gobuild`). Nothing is installed and no service started.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

from lab import debs, gobuild, images, state, store
from lab.errors import Unmet
from lab.progress import Steps

SEARCHED = ("/usr/local/sbin", "/usr/sbin", "/sbin", "/opt/cni/bin", "/usr/lib/cni")  # besides PATH
HOST_PROGRAMS = ("unshare", "nsenter", "setpriv", "mount", "umount", "pivot_root", "ldconfig")

Version = tuple[int, ...]


@dataclass(frozen=True)
class Group:
    """Debian programs that go together: all from PATH or all from the package.

    `shown_by` prints the version of the first; it serves from `least` on and below `below`.
    """

    package: str
    programs: tuple[str, ...]
    shown_by: tuple[str, ...]
    least: Version
    below: Version = (10**6,)
    links: tuple[tuple[str, str], ...] = ()  # names that Debian's maintainer scripts would make


GROUPS = (
    Group("containerd", ("containerd", "containerd-shim-runc-v2", "ctr"), ("--version",), (1, 6), (2,)),
    Group("runc", ("runc",), ("--version",), (1, 1), (2,)),
    Group("etcd-server", ("etcd",), ("--version",), (3, 4, 14), (4,)),  # 3.4.14: --unsafe-no-fsync
    Group("iproute2", ("ip",), ("-V",), (5,)),
    Group("nftables", ("nft",), ("--version",), (1, 0, 1)),  # what kube-proxy's nftables mode asks for
    Group("ipset", ("ipset",), ("--version",), (7,)),
    Group("conntrack", ("conntrack",), ("--version",), (1, 4)),
    Group(
        "iptables",
        tuple(f"{family}-nft{suffix}" for family in ("iptables", "ip6tables") for suffix in ("", "-save", "-restore")),
        ("--version",),
        (1, 8),
        links=tuple(
            (f"{family}{suffix}", f"{family}-nft{suffix}")
            for family in ("iptables", "ip6tables")
            for suffix in ("", "-save", "-restore")
        ),
    ),
    Group("containernetworking-plugins", ("loopback", "host-local", "portmap"), (), (0,)),
)

# Which version of a program on PATH stands in for a build of ours: the same minor release (kubectl: one more
# or less, which is what Kubernetes supports). CoreDNS becomes an image and Calico's resource definitions
# belong to its version, so those are always ours.
_SAME_MINOR = ((1, 36), (1, 37))
ON_PATH: dict[str, tuple[Version, Version]] = {
    "kube-apiserver": _SAME_MINOR,
    "kube-controller-manager": _SAME_MINOR,
    "kube-scheduler": _SAME_MINOR,
    "kubelet": _SAME_MINOR,
    "kube-proxy": _SAME_MINOR,
    "kubectl": ((1, 35), (1, 38)),
}


@dataclass(frozen=True)
class Program:
    """A program and where it came from: `PATH`, `Debian` or `built`."""

    path: Path
    origin: str
    version: str


@dataclass
class Parts:
    """All that a lab runs. `libraries` and `extensions` are folders of Debian's tree, where one is used."""

    programs: dict[str, Program] = field(default_factory=dict)
    crds: Path = Path()
    images: list[Path] = field(default_factory=list)
    snapshotter: str = ""
    store: Path = Path()
    libraries: Path | None = None
    extensions: Path | None = None

    def __getitem__(self, name: str) -> Path:
        return self.programs[name].path

    def environment(self) -> dict[str, str]:
        """For a program of Debian's tree that is run where it lies."""
        return {"LD_LIBRARY_PATH": str(self.libraries)} if self.libraries else {}


def cache_folder() -> Path:
    """Where programs, packages and images are kept (`~/.cache/launchbook`)."""
    return Path(platformdirs.user_cache_dir("launchbook"))


def check_machine() -> None:
    """Raise `Unmet`, in one sentence, where this machine can't run a lab at all."""
    if sys.platform != "linux":
        raise Unmet(f"the lab needs Linux, and this is {sys.platform}: run it in a Linux virtual machine")
    if os.geteuid() != 0:
        raise Unmet("the lab needs root, for namespaces and routes: run it with sudo")
    missing = [name for name in HOST_PROGRAMS if not _which(name)]
    if missing:
        raise Unmet(f"{' and '.join(missing)} is missing: install util-linux and libc-bin")


def build(steps: Steps, cache: Path | None = None) -> Parts:
    """Give every part, making what is not there yet. Raises `Unmet`, `LabError` or `debs.DebError`."""
    cache = cache or cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    parts = Parts()
    _add_debian(parts, cache, steps)
    _add_built(parts, cache, steps)
    parts.crds = gobuild.crds(cache)
    parts.images = images.build(cache, progress=steps.say, coredns=parts["coredns"])
    state.labs_folder().mkdir(parents=True, exist_ok=True, mode=0o700)
    parts.snapshotter = store.snapshotter(state.labs_folder())
    parts.store = store.prepare(
        parts.images,
        cache,
        containerd=parts["containerd"],
        ctr=parts["ctr"],
        snapshotter=parts.snapshotter,
        environment={**os.environ, **parts.environment()},
    )
    _link_kubectl(parts["kubectl"], cache)
    return parts


def host_programs(steps: Steps, cache: Path | None = None) -> Parts:
    """Only what `lab down` needs: it must work when the rest of the cache is gone."""
    parts = Parts()
    _add_debian(parts, cache or cache_folder(), steps)
    return parts


def link(parts: Parts, programs: Path, libraries: Path) -> None:
    """Fill two folders with links: every program by its name, and of Debian's libraries those that this
    machine lacks (its own C library and all it has stay in use, also for programs that are not of the lab)."""
    programs.mkdir(parents=True, exist_ok=True)
    libraries.mkdir(parents=True, exist_ok=True)
    for name, program in parts.programs.items():
        _replace_link(programs / name, program.path)
    if parts.libraries:
        installed = set(re.findall(r"^\s+(\S+) \(", _output("ldconfig", "-p"), re.MULTILINE))
        for path in parts.libraries.glob("*.so*"):
            if path.name not in installed:
                _replace_link(libraries / path.name, path)
    if parts.extensions:
        _replace_link(libraries / "xtables", parts.extensions)


def program_environment(programs: Path, libraries: Path) -> dict[str, str]:
    """What the lab's processes get (and nobody else), once `link` filled these folders."""
    path = os.pathsep.join([str(programs), os.environ.get("PATH", ""), *SEARCHED])
    extensions = {"XTABLES_LIBDIR": str(libraries / "xtables")} if (libraries / "xtables").exists() else {}
    return {"PATH": path, "LD_LIBRARY_PATH": str(libraries), **extensions}


def _replace_link(place: Path, target: Path) -> None:
    place.unlink(missing_ok=True)
    place.symlink_to(target)


def _add_debian(parts: Parts, cache: Path, steps: Steps) -> None:
    missing: list[Group] = []
    for group in GROUPS:
        found = _group_on_path(group)
        parts.programs |= found
        if not found:
            missing.append(group)
    if not missing:
        return
    if not (_which("apt-get") and _which("dpkg-deb")):
        names = ", ".join(group.programs[0] for group in missing)
        raise Unmet(f"{names} is not on PATH in a version that serves, and this machine has no apt: install it")
    tree = debs.fetch([group.package for group in GROUPS], cache, progress=steps.say)
    for group in missing:
        for name, target in [*((name, name) for name in group.programs), *group.links]:
            path = _in_tree(tree.root, target)
            parts.programs[name] = Program(path, "Debian", tree.versions[group.package])
    multiarch = next((tree.root / "usr/lib").glob("*-linux-gnu*"))
    parts.libraries = multiarch
    if any(group.package == "iptables" for group in missing):
        parts.extensions = multiarch / "xtables"


def _in_tree(root: Path, name: str) -> Path:
    for folder in ("usr/sbin", "usr/bin", "usr/lib/cni"):
        path = root / folder / name
        if path.exists():
            return path
    raise Unmet(f"Debian's packages here hold no {name}: the lab knows Debian 12 and 13")


def _group_on_path(group: Group) -> dict[str, Program]:
    names = [*group.programs, *(name for name, _ in group.links)]
    found = {name: _which(name) for name in names}
    first = found[group.programs[0]]
    if first is None or not all(found.values()):
        return {}
    version = _version(first, group.shown_by) if group.shown_by else "0"
    if not serves(version, group.least, group.below):
        return {}
    return {name: Program(Path(path), "PATH", version) for name, path in found.items() if path}


def _add_built(parts: Parts, cache: Path, steps: Steps) -> None:
    missing = []
    for program in gobuild.PROGRAMS:
        own = gobuild.built(program, cache)
        ranges = ON_PATH.get(program.name)
        found = _which(program.name) if ranges else None
        shown = ("version", "--client") if program.name == "kubectl" else ("--version",)
        version = _version(found, shown) if found else ""
        if found and ranges and serves(version, *ranges):
            parts.programs[program.name] = Program(Path(found), "PATH", version)
            continue
        if not own.exists():
            missing.append(program)
        parts.programs[program.name] = Program(own, "built", program.version)
    gobuild.build(missing, cache, steps)


def _link_kubectl(kubectl: Path, cache: Path) -> None:
    """Beside the running Python, where launchbook looks first, unless something that is not ours is there."""
    place = Path(sys.prefix, "bin", "kubectl")
    if place.is_symlink() and (place.readlink().is_relative_to(cache) or not place.exists()):
        place.unlink()
    if sys.prefix != sys.base_prefix and not place.exists() and os.access(place.parent, os.W_OK):
        place.symlink_to(kubectl)


def serves(version: str, least: Version, below: Version) -> bool:
    """Whether a version as a program prints it (`v1.36.3`, `1.6.20~ds1`) is at least one and below the other."""
    match = re.match(r"v?(\d+(?:\.\d+)*)", version)
    return bool(match) and least <= tuple(map(int, match[1].split("."))) < below  # type: ignore[index]


def _version(program: str, arguments: Sequence[str]) -> str:
    """The first thing in a program's own words that looks like a version; empty when it says none."""
    try:
        done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    match = re.search(r"v?\d+\.\d[\w.+~-]*", done.stdout + done.stderr)
    return match[0] if match else ""


def _output(program: str, *arguments: str) -> str:
    return subprocess.run([_which(program) or program, *arguments], capture_output=True, text=True).stdout


def _which(name: str) -> str | None:
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *SEARCHED]))
