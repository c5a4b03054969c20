"""The images, unpacked once into a containerd store that each node starts from: a node's first pod waits for nothing.

A node gets hard links: blobs and the files of layers are never written again, only their two indexes are, which
are copied.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from filelock import FileLock

from lab.errors import LabError
from lab.run import run

NAMESPACE = "k8s.io"  # where the kubelet's containerd looks
START_TIMEOUT = 20.0  # s
IMPORT_TIMEOUT = 300.0  # s, one archive
_INDEXES = ("io.containerd.metadata.v1.bolt/meta.db", "io.containerd.snapshotter.v1.{snapshotter}/metadata.db")


def prepare(
    archives: Sequence[Path],
    cache: Path,
    *,
    containerd: Path,
    ctr: Path,
    snapshotter: str,
    environment: Mapping[str, str],
) -> Path:
    """Give the folder of a store that holds these OCI archives, made unless it is there; older ones go."""
    known = (snapshotter, containerd.resolve(), [path.name for path in archives])
    folder = cache / "store" / hashlib.sha256(repr(known).encode()).hexdigest()[:16]
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(cache / "store.lock"):
        if not folder.exists():
            partial = folder.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            _fill(
                partial,
                archives,
                containerd=containerd,
                ctr=ctr,
                snapshotter=snapshotter,
                environment=environment,
            )
            for old in folder.parent.iterdir():
                if old != partial:
                    shutil.rmtree(old)
            partial.rename(folder)
    return folder


def give(store: Path, target: Path) -> None:
    """Make `target` a store of its own that starts with all that `store` holds."""
    target.parent.mkdir(parents=True, exist_ok=True)
    together = store.stat().st_dev == target.parent.stat().st_dev
    run(["cp", "-al" if together else "-a", store, target])
    for pattern in _INDEXES:
        for index in target.glob(pattern.format(snapshotter="*")):
            original = store / index.relative_to(target)
            index.unlink()
            shutil.copy2(original, index)


def load(
    archives: Sequence[Path], *, ctr: Path, socket: Path, snapshotter: str, environment: Mapping[str, str]
) -> None:
    """Import OCI archives through a containerd's socket, as images the kubelet sees."""
    for archive in archives:
        run(
            [ctr, "-a", socket, "-n", NAMESPACE, "images", "import", "--snapshotter", snapshotter, archive],
            environment=environment,
            timeout=IMPORT_TIMEOUT,
        )


def snapshotter(folder: Path) -> str:
    """`overlayfs` where the file system of this folder can be the upper layer of an overlay, else `native`."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        top = Path(name)
        for part in ("lower", "upper", "work", "merged"):
            (top / part).mkdir()
        options = f"lowerdir={top / 'lower'},upperdir={top / 'upper'},workdir={top / 'work'}"
        command = ["unshare", "--mount", "mount", "-t", "overlay", "-o", options, "overlay", str(top / "merged")]
        done = subprocess.run(command, capture_output=True)
    return "native" if done.returncode else "overlayfs"


def _fill(
    root: Path,
    archives: Sequence[Path],
    *,
    containerd: Path,
    ctr: Path,
    snapshotter: str,
    environment: Mapping[str, str],
) -> None:
    """Run a containerd of our own, without Kubernetes' part of it, just for the import."""
    with tempfile.TemporaryDirectory(prefix="lab-") as name:
        socket, settings = Path(name, "containerd.sock"), Path(name, "containerd.toml")
        settings.write_text(
            f'version = 2\nroot = "{root}"\nstate = "{name}/state"\n'
            f'disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]\n'
            f'[grpc]\n  address = "{socket}"\n'
        )
        log = Path(name, "containerd.log")
        with log.open("wb") as output:
            command = ["unshare", "--mount", "setpriv", "--pdeathsig", "KILL"]
            server = subprocess.Popen(
                [*command, str(containerd), "--config", str(settings)],
                stdout=output,
                stderr=output,
                env=dict(environment),
            )
        try:
            deadline = time.monotonic() + START_TIMEOUT
            while not socket.exists():
                if server.poll() is not None or time.monotonic() > deadline:
                    raise LabError(f"containerd did not start to unpack the images:\n{log.read_text()}")
                time.sleep(0.05)
            load(archives, ctr=ctr, socket=socket, snapshotter=snapshotter, environment=environment)
        finally:
            server.terminate()
            server.wait(timeout=START_TIMEOUT)
