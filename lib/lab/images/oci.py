"""An image as an OCI archive that is the same, byte for byte, for the same files.

Entries are sorted, times are zero, owners are root and modes are two: nothing of the machine that builds is in it.
The layer is not compressed, because compressors differ between versions and a digest must not.
Format: OCI image-spec v1.1 (image-layout, manifest, config), as `ctr images import` reads it.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

EPOCH = "1970-01-01T00:00:00Z"
GO_ARCHITECTURES = {  # Debian's names that Go and OCI spell in another way
    "armel": "arm",
    "armhf": "arm",
    "i386": "386",
    "mips64el": "mips64le",
    "ppc64el": "ppc64le",
}


@dataclass(frozen=True)
class File:
    """A regular file of an image. `origin` is where it was read here, or None; nothing of it is written."""

    content: bytes
    executable: bool = False
    origin: Path | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Link:
    """A symbolic link of an image."""

    target: str


@dataclass(frozen=True)
class Folder:
    """A folder that has to be there though it is empty, or whose mode isn't 0755."""

    mode: int = 0o755


Entry = File | Link | Folder


def layer(entries: Mapping[str, Entry]) -> bytes:
    """Give the tar of these entries, keyed by their absolute path; missing parents are added."""
    complete: dict[str, Entry] = {
        str(parent): Folder() for path in entries for parent in PurePosixPath(path).parents if str(parent) != "/"
    }
    complete |= entries
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for path in sorted(complete):
            info = tarfile.TarInfo(path.lstrip("/"))
            match complete[path]:
                case File(content, executable):
                    info.size, info.mode = len(content), 0o755 if executable else 0o644
                    archive.addfile(info, io.BytesIO(content))
                case Link(target):
                    info.type, info.linkname, info.mode = tarfile.SYMTYPE, target, 0o777
                    archive.addfile(info)
                case Folder(mode):
                    info.type, info.mode = tarfile.DIRTYPE, mode
                    archive.addfile(info)
    return buffer.getvalue()


def write(
    path: Path, names: tuple[str, ...], entries: Mapping[str, Entry], config: dict[str, Any], architecture: str
) -> str:
    """Write the archive at `path`, atomically, and give its manifest's digest (`sha256:…`).

    `names` are the references under which it is imported, `config` is the image's runtime configuration in the
    spec's words (Entrypoint, Cmd, User, Env, Labels, …), `architecture` is Debian's name.
    """
    blobs: dict[str, bytes] = {}

    def blob(media: str, content: bytes) -> dict[str, Any]:
        digest = hashlib.sha256(content).hexdigest()
        blobs[f"blobs/sha256/{digest}"] = content
        return {
            "mediaType": f"application/vnd.oci.image.{media}",
            "digest": f"sha256:{digest}",
            "size": len(content),
        }

    platform = {"architecture": GO_ARCHITECTURES.get(architecture, architecture), "os": "linux"}
    contents = blob("layer.v1.tar", layer(entries))
    settings = {
        **platform,
        "created": EPOCH,
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [contents["digest"]]},
        "history": [{"created": EPOCH, "created_by": "lab build"}],
    }
    configured = blob("config.v1+json", _json(settings))
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": configured,
        "layers": [contents],
    }
    described = blob("manifest.v1+json", _json(manifest))
    index = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [
            {**described, "platform": platform, "annotations": {"io.containerd.image.name": name}} for name in names
        ],
    }
    files = {"oci-layout": _json({"imageLayoutVersion": "1.0.0"}), "index.json": _json(index), **blobs}
    unfinished = path.with_suffix(".new")
    unfinished.write_bytes(layer({f"/{name}": File(content) for name, content in files.items()}))
    unfinished.replace(path)
    return str(described["digest"])


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
