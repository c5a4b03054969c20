"""Which images there are, and what each is made of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_PYTHON_UNUSED = (
    "*/python3.*/test/*",
    "*/python3.*/config-3.*",
    "*/python3.*/ensurepip/*",
    "*/python3.*/idlelib/*",
    "*/python3.*/lib2to3/*",
    "*/python3.*/pydoc_data/*",
    "*/python3.*/turtle*",
    "*/python3.*/unittest/test/*",
    "*/tests/*",
)
_PYTHON = ("usr/bin/python3", "usr/bin/python3.[0-9]*", "usr/lib/python3.[0-9]*")
_PYTHON_ENV = ("PYTHONUNBUFFERED=1", "PYTHONDONTWRITEBYTECODE=1", "HOME=/tmp")
SITE = "/opt/site"  # what came from PyPI or from this package; Debian's modules stay where Debian puts them


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """An image. `version_of` names the Debian package or the wheel whose version is its second tag."""

    name: str
    title: str
    version_of: str = ""
    packages: tuple[str, ...] = ()
    files: tuple[str, ...] = ()  # patterns below the root of the unpacked packages
    without: tuple[str, ...] = ()
    wheels: tuple[str, ...] = ()  # names pinned, with hashes, in requirements.lock
    sources: Path | None = None  # a Python package of the project, put into SITE
    applets: str = ""  # a program whose own `--list` names the links to make to it
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()


PAUSE = Recipe(
    name="pause",
    title="Holds a pod's namespaces",
    version_of="catatonit",
    packages=("catatonit",),
    files=("usr/bin/catatonit",),
    entrypoint=("/usr/bin/catatonit", "-P"),
)
BUSYBOX = Recipe(
    name="busybox",
    title="A shell with nc and nslookup for probes",
    version_of="busybox-static",
    packages=("busybox-static",),
    files=("usr/bin/busybox",),
    applets="usr/bin/busybox",
    command=("/bin/sh",),
)
PROBE = Recipe(
    name="probe",
    title="As busybox, and Python, which makes many connections at less cost",
    version_of="busybox-static",
    packages=("busybox-static", "python3"),
    files=("usr/bin/busybox", *_PYTHON),
    without=_PYTHON_UNUSED,
    applets="usr/bin/busybox",
    command=("/bin/sh",),
    environment=_PYTHON_ENV,
)
NATS = Recipe(
    name="nats",
    title="NATS server",
    version_of="nats-server",
    packages=("nats-server",),
    files=("usr/sbin/nats-server",),
    entrypoint=("/usr/sbin/nats-server",),
)
REDIS = Recipe(
    name="redis",
    title="Redis server and its command line client",
    version_of="redis-server",
    packages=("redis-server", "redis-tools"),
    files=("usr/bin/redis-server", "usr/bin/redis-cli"),
    entrypoint=("/usr/bin/redis-server",),
    command=("--save", "", "--appendonly", "no"),
)
API = Recipe(
    name="api",
    title="The sample's HTTP API",
    packages=(
        "python3-fastapi",
        "python3-httptools",
        "python3-redis",
        "python3-uvicorn",
        "python3-uvloop",
    ),
    files=(*_PYTHON, "usr/lib/python3"),
    without=_PYTHON_UNUSED,
    wheels=("nats-py",),
    sources=Path(__file__).parent / "kgents_api",
    entrypoint=("/usr/bin/python3", "-m", "kgents_api"),
    environment=(*_PYTHON_ENV, f"PYTHONPATH={SITE}"),
)
LOCUST = Recipe(
    name="locust",
    title="Locust, the load generator",
    version_of="locust",
    packages=("python3",),
    files=_PYTHON,
    without=_PYTHON_UNUSED,
    wheels=("locust",),
    entrypoint=("/usr/bin/python3", "-m", "locust"),
    environment=(*_PYTHON_ENV, f"PYTHONPATH={SITE}"),
)
COREDNS = Recipe(  # its program is built by the lab, so it is given to `build`
    name="coredns",
    title="The cluster's DNS server",
    entrypoint=("/usr/bin/coredns",),
    command=("-conf", "/etc/coredns/Corefile"),
)
RECIPES = (PAUSE, BUSYBOX, PROBE, NATS, REDIS, API, LOCUST)
