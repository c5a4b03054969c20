"""Whether the ends of declared edges are anywhere, asked before anything is changed: a mistyped one would prove nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any

from launchbook.errors import ClusterError, MissingRight
from launchbook.groups import group_of
from launchbook.home import home
from launchbook.isolation.files import workload_of
from launchbook.isolation.mistaken import mistaken
from launchbook.parameters import WORKLOADS, Edge
from launchbook.run import Run

Object = Mapping[str, Any]
_BUILT_IN = ("", "apps", "batch", "autoscaling", "policy")
_KINDS = (("v1", "Pod"), ("apps/v1", "Deployment"), ("apps/v1", "StatefulSet"), ("apps/v1", "DaemonSet"),
          ("batch/v1", "CronJob"))  # fmt: skip


def ends(run: Run, objects: Sequence[Object]) -> dict[str, Any]:
    """What is rendered or on the cluster where declared edges begin and end. objects: as they are rendered.

    {"problem", "namespaces": [name], "services": {namespace/name: [port]}, "labels": {namespace: [labels of a pod]},
    "workloads": [namespace/Kind/name], "makers": {namespace: custom resources, which may yet bring Services of their
    own}}. Of a Service that is rendered the ports are those it will have. A run whose edges name what is not there may
    change nothing more.
    """
    edges = run.parameters.isolation.edges
    found: dict[str, Any] = {"problem": None, **_rendered(objects)}
    if not objects:
        found["problem"] = "Nothing was rendered, so it can't be told."
    try:
        _add_live(run, edges, found)
    except ClusterError as error:
        found["problem"] = f"It can't be told: {error}"
    if not found["problem"] and any(sure for _, sure in mistaken(edges, found)):
        run.bar("isolation.edges names what is not there")
    run.evidence("isolation/ends.json", found)
    return found


def _rendered(objects: Sequence[Object]) -> dict[str, Any]:
    namespaces = {item["metadata"]["name"] for item in objects if item["kind"] == "Namespace"}
    namespaces |= {item["metadata"]["namespace"] for item in objects if "namespace" in item["metadata"]}
    makers: dict[str, list[str]] = {}
    labels: dict[str, list[Mapping[str, str]]] = {}
    for item in objects:
        group = group_of(item)
        if group not in _BUILT_IN and not group.endswith(".k8s.io"):
            where = item["metadata"].get("namespace", "")
            makers.setdefault(where, []).append(f"{item['kind']} {item['metadata']['name']}")
        for pod in workload_of(item):
            labels.setdefault(pod.namespace, []).append(pod.labels)
    services = {_name(item): _ports(item) for item in objects if item["kind"] == "Service"}
    rendered = [f"{home(item)}/{item['kind']}/{item['metadata']['name']}" for item in objects]
    return {"namespaces": sorted(namespaces), "services": services, "labels": labels, "makers": makers,
            "workloads": [one for one in rendered if one.split("/")[1] in WORKLOADS]}  # fmt: skip


def _add_live(run: Run, edges: Sequence[Edge], found: dict[str, Any]) -> None:
    """What the cluster has besides. Raises ClusterError."""
    live = {item["metadata"]["name"] for item in run.cluster.list("Namespace")}
    # The load generator's namespace is made by the run that needs it.
    found["namespaces"] = sorted({*found["namespaces"], *live, run.parameters.load.generator.namespace})
    for namespace in sorted({edge.destination.namespace for edge in edges} & live):
        there = [edge.destination for edge in edges if edge.destination.namespace == namespace]
        wanted = {one.service for one in there if one.service}
        for kind, name in sorted({tuple(one.workload.split("/")) for one in there if one.workload}):
            if run.cluster.get(kind, name, namespace, api_version="apps/v1"):
                found["workloads"].append(f"{namespace}/{kind}/{name}")
        services = {_name(item): _ports(item) for item in _services(run, namespace, wanted)}
        found["services"] = {**services, **found["services"]}
    for namespace in sorted({edge.source.namespace for edge in edges if edge.source.labels} & live):
        for api_version, kind in _KINDS:
            with suppress(MissingRight):
                pods = run.cluster.list(kind, namespace, api_version=api_version)
                found["labels"].setdefault(namespace, []).extend(p.labels for item in pods for p in workload_of(item))


def _services(run: Run, namespace: str, wanted: Collection[str]) -> list[Object]:
    """The Services of a namespace; of one in which they can't be listed those that are wanted. Raises ClusterError."""
    try:
        return list(run.cluster.list("Service", namespace))
    except MissingRight:
        return [item for name in sorted(wanted) if (item := run.cluster.get("Service", name, namespace))]


def _name(item: Object) -> str:
    return f"{home(item)}/{item['metadata']['name']}"


def _ports(item: Object) -> list[int]:
    return [port["port"] for port in item["spec"].get("ports") or ()]
