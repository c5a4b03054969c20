"""Which ends of declared edges are nowhere, each with the nearest name that is there: pure, it reads what ends() found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from launchbook.strict_yaml import nearest


def mistaken(edges: Sequence[Any], there: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """A line for each end that is neither rendered nor on the cluster, and whether that is sure.

    edges: parameters.Edge; there: as ends() gives it. Labels that nobody has are a stranger's,
    unless somebody's are all but the same.
    """
    for edge in edges:
        for namespace in dict.fromkeys((edge.source.namespace, edge.destination.namespace)):
            if namespace not in there["namespaces"]:
                yield f"{edge.name}: there is no namespace {namespace}{nearest(namespace, there['namespaces'])}", True
        if why := _near(edge.source, there["labels"].get(edge.source.namespace, ())):
            yield f"{edge.name}: {why}", True
        namespace, name = edge.destination.namespace, edge.destination.name
        if edge.destination.workload:
            if namespace in there["namespaces"] and name not in there["workloads"]:
                yield f"{edge.name}: there is no {name}{nearest(name, there['workloads'])}", True
            continue
        ports = there["services"].get(name)
        if ports is None and namespace in there["namespaces"]:
            known = nearest(name, there["services"])
            maker = there["makers"].get(namespace)
            perhaps = f", unless {maker[0]} brings it" if maker else ""
            yield f"{edge.name}: there is no Service {name}{perhaps}{known}", not maker
        elif ports is not None and edge.destination.port not in ports:
            has = f"has {', '.join(map(str, ports))}" if ports else "has none"
            yield f"{edge.name}: Service {name} has no port {edge.destination.port}; it {has}", True


def _near(source: Any, labels: Sequence[Mapping[str, str]]) -> str:
    """Which label of a source nobody has, where one of nearly that name is there; "" where there is none."""
    if any(source.labels.items() <= one.items() for one in labels):
        return ""
    for key, value in source.labels.items():
        values = {one[key] for one in labels if key in one}
        near = nearest(value, values) if values else nearest(key, {k for one in labels for k in one})
        if value not in values and near:
            return f"no pod in namespace {source.namespace} has the label {key}={value}{near}"
    return ""
