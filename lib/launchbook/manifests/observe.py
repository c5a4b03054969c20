"""What is there before and after: identity, rights, the render, live objects, policies, leftovers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import pandas as pd

import launchbook.render as rendering
from launchbook.cluster import MANAGER
from launchbook.endpoints import FOLLOWED
from launchbook.errors import ClusterError, ParametersError
from launchbook.groups import built_in, group_of, is_policy
from launchbook.manifests.diff import veiled
from launchbook.manifests.drift import Held, drift
from launchbook.manifests.foreign import KINDS, Foreign, foreign
from launchbook.manifests.naming import name
from launchbook.manifests.order import rank
from launchbook.manifests.planning import read
from launchbook.manifests.selectors import Pollution, polluted
from launchbook.ours import made_by, of_a_run
from launchbook.run import Run
from launchbook.settled import settled

Object = dict[str, Any]
_READS = (("pods", ""), ("services", ""), ("networkpolicies", "networking.k8s.io"),
          ("poddisruptionbudgets", "policy"), ("endpointslices", "discovery.k8s.io"), ("events", ""),
          ("deployments", "apps"), ("statefulsets", "apps"), ("replicasets", "apps"), ("replicationcontrollers", ""),
          ("horizontalpodautoscalers", "autoscaling"))  # fmt: skip
_PODS = (("create", "pods", "", ""), ("delete", "pods", "", ""), ("create", "pods", "", "exec"))
_POLICIES = (
    ("create", "networkpolicies", "networking.k8s.io", ""),
    ("delete", "networkpolicies", "networking.k8s.io", ""),
)
_END = 45.0  # s, for a namespace of the run's own to be gone
_LEFT = (("v1", "Pod"), ("v1", "ConfigMap"), ("v1", "Service"), ("networking.k8s.io/v1", "NetworkPolicy"))


@dataclass(frozen=True)
class Rendered:
    """objects in the order in which they are applied; problem: why there are none; polluted: see selectors."""

    objects: tuple[Object, ...] = ()
    polluted: tuple[Pollution, ...] = ()
    problem: str | None = None
    path: str = ""
    names: tuple[str, ...] = field(default=())


def target(run: Run) -> pd.DataFrame:
    """One row: context, server, uid, version, user. Raises ClusterError where the cluster is not the one named."""
    who = run.cluster.identity
    return pd.DataFrame(
        [{"context": who.context, "server": who.server, "uid": who.uid, "version": who.version, "user": who.user}]
    )


def rights(run: Run, rendered: Rendered) -> pd.DataFrame:
    """What the run needs and whether it is granted: columns verb, resource, namespace ("" for the cluster), allowed."""
    rows = []
    for verb, resource, group, subresource, namespace in dict.fromkeys(_needs(run, rendered)):
        try:
            allowed: bool | None = run.cluster.can(
                verb, resource, group=group, namespace=namespace or None, subresource=subresource
            )
        except ClusterError:
            allowed = None
        whole = "/".join(filter(None, (resource, subresource)))
        rows.append({"verb": verb, "resource": whole, "namespace": namespace, "allowed": allowed})
    frame = pd.DataFrame(rows, columns=["verb", "resource", "namespace", "allowed"])
    return frame.astype({"allowed": "boolean"})


Need = tuple[str, str, str, str, str]  # verb, resource, group, subresource, namespace


def _needs(run: Run, rendered: Rendered) -> Iterator[Need]:
    given = run.parameters
    yield "list", "nodes", "", "", ""
    for namespace in given.manifests.namespaces:
        yield from (("list", resource, group, "", namespace) for resource, group in _READS)
        if run.allowed("evict") and given.disruption.evict:
            yield "create", "pods", "", "eviction", namespace
        if run.allowed("load"):
            yield "get", "pods", "", "log", namespace
    if run.allowed("apply"):
        yield from _applying(run, rendered)
    if run.allowed("probe"):
        scratch = given.isolation.scratch_namespace
        yield from (("create", "namespaces", "", "", ""), ("delete", "namespaces", "", "", ""))
        yield from ((*need, scratch) for need in (*_PODS, *_POLICIES))
        yield from ((*need, edge.source.namespace) for edge in given.isolation.edges for need in _PODS)
    if run.allowed("evict") and run.allowed("load"):
        yield from _sending(run)
    if run.allowed("load") and given.load.generator.where == "pod":
        maps = (("create", "configmaps", "", ""), ("delete", "configmaps", "", ""))
        yield from ((*need, given.load.generator.namespace) for need in (*_PODS, *maps))


def _sending(run: Run) -> Iterator[Need]:
    """The pod that sends requests while a budget is proved runs where one of these sources is."""
    given = run.parameters
    proved = {name.partition("/")[0] for name in given.disruption.evict}
    sources = [
        e.source.namespace for e in given.isolation.edges if e.expect == "open" and e.destination.namespace in proved
    ]
    behind = given.load.target.service.partition("/")[0] in proved
    for namespace in (*sources, *([given.load.generator.namespace] if behind else ())):
        yield from (("create", "pods", "", "", namespace), ("delete", "pods", "", "", namespace))
        yield "get", "pods", "", "log", namespace


def _applying(run: Run, rendered: Rendered) -> Iterator[Need]:
    """Server-side apply reads, patches, and creates what is absent; a kind that the cluster doesn't know is skipped."""
    for item in rendered.objects:
        try:
            resource = run.cluster.resource(item["apiVersion"], item["kind"])
        except ClusterError:
            continue
        where = item["metadata"].get("namespace", "") if resource.namespaced else ""
        yield from ((verb, resource.plural, group_of(item), "", where) for verb in ("get", "patch", "create"))


def render(run: Run) -> Rendered:
    """The manifests as objects, in order of application, kept as evidence with secrets masked.

    A run whose manifests don't render may change nothing more: what it would prove is not what is to be launched.
    """
    given = run.parameters.manifests
    path = given.path
    shown = path.name if path.name != "manifests" else f"{path.parent.name}/{path.name}"
    try:
        rendered = rendering.render(path, allow_remote=given.allow_remote, most=rendering.MOST_APPLIED)
        objects = sorted(rendered, key=rank)
        found = tuple(polluted(path, allow_remote=given.allow_remote, live=lambda: pods(run, Rendered(tuple(objects)))))
    except ParametersError as error:
        run.bar("the manifests don't render")
        return Rendered(problem=str(error), path=shown)
    run.evidence("manifests/rendered.json", [veiled(item) for item in objects])
    return Rendered(tuple(objects), found, None, shown, tuple(name(item) for item in objects))


def policies(run: Run, rendered: Rendered) -> dict[str, Object | None]:
    """`NetworkPolicy/ns/name` -> the policy as it is on the cluster, None where absent; those of networking.k8s.io."""
    return {
        name(item): run.cluster.get(
            "NetworkPolicy", item["metadata"]["name"], item["metadata"]["namespace"], api_version=item["apiVersion"]
        )
        for item in rendered.objects
        if is_policy(item) and "namespace" in item["metadata"]
    }


def pods(run: Run, rendered: Rendered) -> list[Object]:
    """Every pod of the namespaces under launch, and of those that are rendered, that isn't the run's own."""
    rendered_in = {item["metadata"]["namespace"] for item in rendered.objects if "namespace" in item["metadata"]}
    return [
        pod
        for namespace in sorted({*run.parameters.manifests.namespaces, *rendered_in})
        for pod in run.cluster.list("Pod", namespace)
        if not of_a_run(pod)
    ]


def present(run: Run, rendered: Rendered) -> dict[str, list[Object]] | str:
    """kind -> what is there of foreign.KINDS in the namespaces under launch but this run's own; else why it can't be read.

    Rendered objects of kinds that aren't Kubernetes' own are there too: their operators make objects for them.
    EndpointSlices follow their pods within moments, and pods their controllers, so both are asked again before they
    count. What is judged is recorded with it: what comes or goes from here on is a change during the run.
    """
    run.observe()

    def look() -> tuple[dict[str, list[Object]], list[Foreign]]:
        there = {**_there(run), **_operated(run, rendered)}
        return there, foreign(there, rendered.objects)

    def astray(seen: tuple[dict[str, list[Object]], list[Foreign]]) -> bool:
        return any(one.effect for one in seen[1] if one.object.startswith(("Service/", "Pod/")))

    try:
        there, found = settled(look, astray, FOLLOWED)
    except ClusterError as error:
        return f"What is in the namespaces under launch can't be read: {error}"
    outsiders = [{"object": one.object, "effect": one.effect} for one in found]
    run.evidence("manifests/foreign.json", {"known": list(run.parameters.manifests.known), "found": outsiders})
    return there


def _there(run: Run) -> dict[str, list[Object]]:
    found: dict[str, list[Object]] = {}
    for api_version, kind in KINDS:
        items = [
            item
            for namespace in run.parameters.manifests.namespaces
            for item in run.cluster.list(kind, namespace, api_version=api_version)
        ]
        found[kind] = [item for item in items if not made_by(run.files.id, item)]
    return found


def _operated(run: Run, rendered: Rendered) -> dict[str, list[Object]]:
    found: dict[str, list[Object]] = {}
    for item in rendered.objects:
        if built_in(item):
            continue
        meta = item["metadata"]
        live = run.cluster.get(item["kind"], meta["name"], meta.get("namespace"), api_version=item["apiVersion"])
        found.setdefault(f"{item['kind']}.{item['apiVersion']}", []).extend([live] if live else [])
    return found


def held(run: Run, rendered: Rendered) -> Held:
    """What the rendered objects hold on the cluster beside what they say; those that aren't there hold nothing."""
    if not rendered.objects:
        return Held(problem="The manifests don't render.")
    there = read(run.cluster, rendered.objects)
    unread = tuple(f"{key}: {live}" for key, live in there.items() if isinstance(live, ClusterError))
    pairs = [(item, live) for item in rendered.objects if isinstance(live := there[name(item)], dict)]
    if not pairs and not unread:
        return Held(problem="None of the manifests' objects is on the cluster.")
    found = tuple(one for item, live in pairs for one in drift(live, item, rendered.objects, MANAGER))
    run.evidence("manifests/drift.json", {"found": [asdict(one) for one in found], "unread": list(unread)})
    return Held(found, unread)


def left(run: Run) -> list[str]:
    """What still carries this run's label after what is ending has had its time, as `Kind/ns/name`."""
    return settled(lambda: _labelled(run), bool, _END)


def _labelled(run: Run) -> list[str]:
    return [
        name(item)
        for api_version, kind in (*_LEFT, ("v1", "Namespace"))
        for item in run.cluster.list(kind, api_version=api_version, labels=run.label)
    ]
