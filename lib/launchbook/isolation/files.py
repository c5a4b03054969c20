"""`launchbook reach`: the computed answer from manifests alone, for use before a merge."""

from __future__ import annotations

import csv
import io
import ipaddress
import itertools
import sys
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from launchbook.errors import ParametersError
from launchbook.groups import group_of, is_policy
from launchbook.home import home
from launchbook.isolation.blocks import Outside, outside
from launchbook.isolation.coverage import ignored
from launchbook.isolation.policy import validate
from launchbook.isolation.ranges import Range
from launchbook.isolation.reach import ALL, NAME_LABEL, PROTOCOLS, Answer, End, Pod, World
from launchbook.isolation.spec import OTHER_KINDS, every_peer
from launchbook.isolation.table import Table
from launchbook.render import render

Object = Mapping[str, Any]
_TEMPLATES = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job")
COLUMNS = ("source", "destination", "protocol", "ports", "because")


@dataclass(frozen=True)
class Workload(Pod):
    """A workload of the manifests as the one pod that stands for all of it. several: whether it may be more than one."""

    several: bool = False


def command(paths: Sequence[Path], networks: Sequence[str] = ()) -> str:
    """CSV text with a row for each ordered pair of ends and protocol: COLUMNS. See the design for the words.

    networks: see load(). Raises ParametersError where a manifest can't be read, a policy is not as the API has it, or
    none holds a workload.
    """
    world, pods = load(paths, networks)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows(world, pods))
    return text.getvalue()


def rows(world: World, pods: Sequence[Pod]) -> Iterator[tuple[str, str, str, str, str]]:
    """The table's rows."""
    ends: list[End] = [*pods, *outside(world.policies)]
    table = Table(world, [*ends, *others(pods)])
    number = {end.name: n for n, end in enumerate(table.ends)}
    for source, destination in pairs(ends):
        for protocol in PROTOCOLS:
            answer = table.answer(number[source], number[destination], protocol)
            yield source, destination, protocol, *words(answer)


def pairs(ends: Sequence[End]) -> Iterator[tuple[str, str]]:
    """Every ordered pair, by name; of a workload of several pods, one of them to another too.

    Two outside ends, and a pod with itself, say nothing and are left out.
    """
    for source, destination in itertools.product(ends, ends):
        if source.name == destination.name:
            if isinstance(source, Workload) and source.several:
                yield source.name, another(source).name
        elif not (isinstance(source, Outside) and isinstance(destination, Outside)):
            yield source.name, destination.name


def others(pods: Sequence[Pod]) -> list[Pod]:
    """For each workload of several pods, another pod of it."""
    return [another(pod) for pod in pods if isinstance(pod, Workload) and pod.several]


def another(pod: Pod) -> Pod:
    """Another pod of the same workload."""
    return replace(pod, name=f"another pod of {pod.name}")


def words(answer: Answer) -> tuple[str, str]:
    """What stands under `ports` and `because`: `unknown` where one port's answer isn't certain, and then which."""
    if not answer.unsure:
        return ports_text(answer.ports), answer.because
    certain = f", open for certain: {ports_text(answer.ports)}" if answer.ports else ""
    return "unknown", f"can't tell of {ports_text(answer.unsure)}{certain}; {answer.because}"


def ports_text(ports: Sequence[Range]) -> str:
    """`80,443,8000-8100`, `all` or `none`."""
    if tuple(ports) == ALL:
        return "all"
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in ports) or "none"


def load(paths: Sequence[Path], networks: Sequence[str] = ()) -> tuple[World, tuple[Workload, ...]]:
    """The policies and workloads of manifests: files, folders or kustomizations.

    networks: the CIDRs that pods take their addresses from, where they are known; else any may be a pod's.
    A policy of another kind is named on standard error, since it is not computed, and so is a rule that does nothing.
    So is a namespace whose labels a policy asks for and no manifest gives. Raises ParametersError: see command(); and
    where two objects of one name differ.
    """
    for cidr in networks:
        try:
            ipaddress.ip_network(cidr)
        except ValueError as error:
            raise ParametersError(f"{error}; write it as 10.244.0.0/16.") from None
    objects = [item for path in paths for item in render(path)]
    for item in objects:
        if _is_another_kind(item):
            name = f"{item['kind']} {item['metadata']['name']}"
            print(f"launchbook: {name} is not computed: it may open or close what is said here.", file=sys.stderr)
    scaled = _scaled(objects)
    pods = tuple(sorted((p for item in objects for p in workload_of(item, scaled)), key=lambda pod: pod.name))
    if not pods:
        raise ParametersError(f"{', '.join(map(str, paths))}: no workload was found, so there is nobody to reach.")
    namespaces = {
        item["metadata"]["name"]: item["metadata"].get("labels") or {}
        for item in objects
        if item["kind"] == "Namespace"
    }
    _refuse_two_of_a_name([item for item in objects if is_policy(item) or any(workload_of(item))])
    policies = {f"{home(o)}/{o['metadata']['name']}": o for o in objects if is_policy(o)}
    for name, policy in policies.items():
        validate(name, policy)
    for line in (*ignored(tuple(policies.values())), *_unlabelled(policies.values(), pods, namespaces)):
        print(f"launchbook: {line}.", file=sys.stderr)
    return World(tuple(policies.values()), namespaces, tuple(networks)), tuple({pod.name: pod for pod in pods}.values())


def _refuse_two_of_a_name(objects: Sequence[Object]) -> None:
    """The same object may be named twice; of two that differ it can't be told which will stand."""
    seen: dict[str, Object] = {}
    for item in objects:
        name = f"{item['kind']} {home(item)}/{item['metadata']['name']}"
        if seen.setdefault(name, item) != item:
            raise ParametersError(
                f"{name} is there twice, and not the same: name the manifests of one system, such as overlays/prod, not "
                "its base beside it."
            )


def _unlabelled(policies: Iterable[Object], pods: Sequence[Pod], namespaces: Container[str]) -> list[str]:
    """The namespaces whose labels some policy asks for and no manifest gives."""
    asked = {
        key
        for _, _, peer in every_peer(policies)
        for selector in [peer.get("namespaceSelector") or {}]
        for key in (*(selector.get("matchLabels") or ()), *(e["key"] for e in selector.get("matchExpressions") or ()))
    }
    if asked <= {NAME_LABEL}:
        return []
    return [
        f"there is no manifest of namespace {name}, which is taken for one without labels: a namespaceSelector that "
        "asks for some may name it all the same"
        for name in dict.fromkeys(pod.namespace for pod in pods)
        if name not in namespaces
    ]


def _is_another_kind(item: Object) -> bool:
    kind = item["kind"]
    return kind in OTHER_KINDS.get(group_of(item), ()) or (kind == "NetworkPolicy" and not is_policy(item))


def _scaled(objects: Sequence[Object]) -> set[str]:
    """The names of the workloads that an autoscaler may give several pods."""
    return {
        _name(home(item), item["spec"]["scaleTargetRef"]["kind"], item["spec"]["scaleTargetRef"]["name"])
        for item in objects
        if item["kind"] == "HorizontalPodAutoscaler" and item["spec"]["maxReplicas"] > 1
    }


def _name(namespace: str, kind: str, name: str) -> str:
    return f"{namespace}/{name}[{kind}]"


def _is_several(item: Object) -> bool:
    """Whether a workload asks for more than one pod at a time; a DaemonSet has one on each node."""
    kind, spec = item["kind"], item["spec"]
    if kind == "CronJob":
        return (spec.get("concurrencyPolicy") or "Allow") == "Allow" or _is_several(
            {**spec["jobTemplate"], "kind": "Job"}
        )
    if kind == "Job":
        at_once = spec.get("parallelism") or 1
        return min(at_once, spec.get("completions") or at_once) > 1
    return kind == "DaemonSet" or (kind != "Pod" and (spec.get("replicas") or 1) > 1)


def workload_of(item: Object, scaled: Container[str] = ()) -> Iterator[Workload]:
    """The workload that an object is, if it is one. scaled: the names of those that an autoscaler gives several pods."""
    if item["kind"] == "Pod":
        meta, spec = item["metadata"], item["spec"]
    elif item["kind"] in _TEMPLATES:
        meta, spec = item["spec"]["template"].get("metadata") or {}, item["spec"]["template"]["spec"]
    elif item["kind"] == "CronJob":
        template = item["spec"]["jobTemplate"]["spec"]["template"]
        meta, spec = template.get("metadata") or {}, template["spec"]
    else:
        return
    namespace = home(item)
    name = _name(namespace, item["kind"], item["metadata"]["name"])
    yield Workload(
        name,
        namespace,
        meta.get("labels") or {},
        ports_of(spec),
        host_network=bool(spec.get("hostNetwork")),
        several=name in scaled or _is_several(item),
    )


def ports_of(spec: Object) -> tuple[tuple[str, str, int], ...]:
    """(name, protocol, number) of every port of a pod's containers, sidecars included: they run as long as it does.

    Rule: https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/
    """
    sidecars = [one for one in spec.get("initContainers") or () if one.get("restartPolicy") == "Always"]
    return tuple(
        (port.get("name", ""), port.get("protocol", "TCP"), port["containerPort"])
        for container in [*(spec.get("containers") or ()), *sidecars]
        for port in container.get("ports") or ()
    )
