"""What an applied object holds on the cluster beside what its manifest says. Pure.

A server-side apply keeps what other managers own: a container, a port or a rule that somebody added stays in force, and
no plan shows it, since applying again would change nothing.
https://kubernetes.io/docs/reference/using-api/server-side-apply/
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from launchbook.groups import built_in
from launchbook.manifests.fields import Path, beyond, by_itself
from launchbook.manifests.foreign import takers
from launchbook.manifests.naming import name
from launchbook.workloads import WORKLOADS, pod_metadata

Object = Mapping[str, Any]
# Of these everything under the fields below is their author's to say; what metadata says changes nobody's reach, but for
# the labels of pods.
_KINDS = (*WORKLOADS, "Service", "NetworkPolicy", "PodDisruptionBudget", "Role", "RoleBinding", "ClusterRole",
          "ClusterRoleBinding", "ConfigMap", "Secret", "Ingress")  # fmt: skip
_FIELDS = ("f:spec", "f:data", "f:binaryData", "f:rules", "f:aggregationRule", "f:roleRef", "f:subjects")
_JOBS = ("controller-uid", "job-name")  # labels, with or without a prefix, that the API server gives a Job's pods
_TOKEN = "kube-api-access-"  # the volume that it gives a pod


@dataclass(frozen=True)
class Drift:
    """object: `Kind/namespace/name`; field: as the API server names it; managers: who wrote it; command: takes it out."""

    object: str
    field: str
    managers: tuple[str, ...]
    command: str

    @property
    def known_as(self) -> str:
        """How `manifests.known` names it."""
        return f"{self.object} {self.field}"


@dataclass(frozen=True)
class Held:
    """unread: `name: why` of each object that could not be looked at; problem: why nothing was, or None."""

    found: tuple[Drift, ...] = ()
    unread: tuple[str, ...] = ()
    problem: str | None = None


def drift(live: Object, wanted: Object, rendered: Sequence[Object], manager: str) -> list[Drift]:
    """What is in force on a live object and in nobody's manifest: written by others than `manager`, or once by it in
    another way than by applying.

    live: with its managedFields. Values of fields that both hold are left to the plan, which says who conflicts; rendered:
    everything, whose selectors say which label of a pod matters.
    """
    if wanted["kind"] not in _KINDS or not built_in(wanted):
        return []
    found: dict[Path, list[str]] = {}
    for who, path in beyond(live, _as_kept(wanted), manager):
        for place in _counted(live, wanted, path, rendered):
            found.setdefault(place, []).append(who)
    return [
        Drift(name(wanted), shown(path), tuple(dict.fromkeys(who)), _command(wanted, path))
        for path, who in found.items()
    ]


def _as_kept(wanted: Object) -> Object:
    """A Secret's stringData becomes data."""
    if wanted["kind"] != "Secret":
        return wanted
    return {**wanted, "data": {**(wanted.get("data") or {}), **(wanted.get("stringData") or {})}}


def _counted(live: Object, wanted: Object, path: Path, rendered: Sequence[Object]) -> Iterator[Path]:
    """The path itself where it counts; the labels below it that do, where it is of a pod's metadata."""
    if path[0] not in _FIELDS:
        return
    if "f:metadata" in path:
        yield from _labels(live, wanted, path, rendered)
    elif not by_itself(live, path) and not _given(live, path):
        yield path


def _given(live: Object, path: Path) -> bool:
    """What an autoscaler or the cluster writes into objects of one kind."""
    kind = live["kind"]
    if path == ("f:spec", "f:replicas"):
        return True
    if kind == "ClusterRole":
        return path == ("f:rules",) and live.get("aggregationRule") is not None
    if kind == "NetworkPolicy":
        return path == ("f:spec", "f:policyTypes")  # compared with its default by A.policy
    if kind == "Job":
        return path == ("f:spec", "f:selector")
    return kind == "Pod" and (path == ("f:spec", "f:tolerations") or any(_TOKEN in key for key in path))


def _labels(live: Object, wanted: Object, path: Path, rendered: Sequence[Object]) -> Iterator[Path]:
    """Labels of pods by which a Service, a budget or a policy takes them for others than the manifests say."""
    if wanted["kind"] not in WORKLOADS or path[-1] in ("f:annotations", "f:creationTimestamp"):
        return
    place = (*path[: path.index("f:metadata") + 1], "f:labels")
    said, home = pod_metadata(wanted).get("labels") or {}, str(live["metadata"].get("namespace"))
    for key, value in (pod_metadata(live).get("labels") or {}).items():
        below = (*place, f"f:{key}")
        if key in said or key.rpartition("/")[2] in _JOBS or below[: len(path)] != path:
            continue
        if set(takers(home, {**said, key: value}, rendered)) != set(takers(home, said, rendered)):
            yield below


def shown(path: Path) -> str:
    """`.spec.template.spec.containers[name="api"].env[name="X"]`."""
    return "".join(_step(key) for key in path)


def _step(key: str) -> str:
    if key.startswith("f:"):
        return f".{key[2:]}"
    if key.startswith("k:"):
        return f"[{','.join(f'{k}={json.dumps(v)}' for k, v in json.loads(key[2:]).items())}]"
    return f"[={key[2:]}]"


def _command(item: Object, path: Path) -> str:
    """Takes out what is at a path, and nothing else."""
    meta = item["metadata"]
    where = f"-n {meta['namespace']} " if meta.get("namespace") else ""
    what = f"{item['kind'].lower()}/{meta['name']}"
    if any(key.startswith("v:") for key in path):
        return f"kubectl {where}edit {what}"
    patch: Any = None
    for n, key in reversed(list(enumerate(path))):
        if key.startswith("f:"):
            patch = {key[2:]: patch}
        else:
            keys = json.loads(key[2:])
            patch = [{**keys, "$patch": "delete"} if n == len(path) - 1 else {**keys, **patch}]
    return f"kubectl {where}patch {what} -p '{json.dumps(patch)}'"
