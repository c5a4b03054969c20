"""What pods run beside what the controllers that made them say. Pure.

A webhook adds a mesh's container as a pod is made, and whoever may patch a pod can change its images afterwards: no
controller puts either right, since the pod is one of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from launchbook.workloads import by_uid, controller_of

Object = Mapping[str, Any]
_KINDS = ("ReplicaSet", "StatefulSet", "DaemonSet", "ReplicationController")
_REVISION = "controller-revision-hash"


def injected(present: Mapping[str, Sequence[Object]]) -> str:
    """Containers that no template holds, as a clause: `proxy runs in 2 pods, though no template holds it`, or ""."""
    counts = Counter(one for pod, template in _made(present) for one in _images(pod) if one not in _images(template))
    told = [f"{one} runs in {times} pod{'s' if times > 1 else ''}" for one, times in sorted(counts.items())]
    return f"{', '.join(told)}, though no template holds it" if told else ""


def swapped(present: Mapping[str, Sequence[Object]]) -> Iterator[tuple[Object, str]]:
    """(pod, what it does) of each pod with a container of another image than its controller's template says.

    The same name from another registry, and a tag made a digest, are what webhooks do as a pod is made.
    """
    for pod, template in _made(present):
        said = _images(template)
        for container, image in _images(pod).items():
            if container in said and not _same(image, said[container]):
                yield pod, f"runs {image} in {container}, where its template says {said[container]}"


def _made(present: Mapping[str, Sequence[Object]]) -> Iterator[tuple[Object, Object]]:
    """Each pod with the template of the controller that made it; of the revision that its controller has now."""
    makers = {kind: by_uid(present.get(kind) or ()) for kind in _KINDS}
    for pod in present.get("Pod") or ():
        owner, meta = controller_of(pod) or {}, pod["metadata"]
        maker = makers.get(owner.get("kind", ""), {}).get((meta.get("namespace"), owner.get("uid")))
        if maker is None or meta.get("deletionTimestamp"):
            continue
        newest, own = (maker.get("status") or {}).get("updateRevision"), (meta.get("labels") or {}).get(_REVISION)
        if None in (newest, own) or newest == own:
            yield pod, maker["spec"]["template"]


def _images(pod: Object) -> dict[str, str]:
    """Container -> image."""
    fields = ("containers", "initContainers")
    return {one["name"]: one.get("image", "") for field in fields for one in pod["spec"].get(field) or ()}


def _same(image: str, said: str) -> bool:
    (one, tag, digest), (other, wanted, pinned) = _parts(image), _parts(said)
    if one != other or (digest and pinned and digest != pinned):
        return False
    return tag == wanted or bool(digest and not tag)


def _parts(image: str) -> tuple[str, str, str]:
    """Last part of the name, tag, digest."""
    whole, _, digest = image.rpartition("/")[2].partition("@")
    name, _, tag = whole.partition(":")
    return name, tag or ("" if digest else "latest"), digest
