"""What the policies on the cluster allow between the ends of each declared edge, and what stands around them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from typing import Any

import pandas as pd

from launchbook.errors import ClusterError, MissingRight
from launchbook.home import home
from launchbook.isolation.accounts import account_of
from launchbook.isolation.admitted import Admission, admissions
from launchbook.isolation.beyond import beyond, told
from launchbook.isolation.blocks import pod_networks
from launchbook.isolation.files import workload_of
from launchbook.isolation.openings import Opening, bare, every_opening
from launchbook.isolation.probers import DNS
from launchbook.isolation.reach import Pod, World, allows, reach
from launchbook.isolation.targets import Behind, Behinds, destinations, every_destination, pod_of
from launchbook.ours import made_by, of_a_run
from launchbook.parameters import Destination, Edge, Source
from launchbook.run import Run
from launchbook.selector import matches
from launchbook.workloads import made_for, workloads

Object = dict[str, Any]
COMPUTED = ["edge", "pod", "protocol", "port", "allowed", "because", "unsure", "labelled", "labels"]
_POLICY = "networking.k8s.io/v1"
# What makes pods, and of it what makes new ones for as long as it stands.
_MAKERS = (("apps/v1", "Deployment"), ("apps/v1", "StatefulSet"), ("apps/v1", "DaemonSet"), ("apps/v1", "ReplicaSet"),
           ("batch/v1", "CronJob"), ("batch/v1", "Job"))  # fmt: skip
_LASTING = ("Deployment", "StatefulSet", "DaemonSet", "CronJob")
_DNS = Destination(service=DNS[0], namespace=DNS[1], port=53)


def compute(run: Run) -> pd.DataFrame:
    """What the policies on the cluster allow: a row for each edge and port of a destination pod, columns COMPUTED.

    allowed: None where it can't be told; unsure then says by what: `node` where an end is on its node's network;
    `address` where it hangs on the address that a pod has; `others` where policies of other kinds have a say, `accounts`
    where they may select by an account that the source has not for certain; `unread` where they could not be read.
    labelled: of an edge that is declared closed from a namespace, whether another pod of it passes by its labels, None
    where it can't be told; labels: which, and by what rule. See admitted.admissions().
    Raises ClusterError where policies, pods or namespaces can't be read.
    """
    pods = _everybody(run)
    world = _world(run, run.cluster.list("Namespace"), pods)
    besides = beyond(run.cluster)
    others = told(besides)
    edges = run.parameters.isolation.edges
    found = every_destination(run, {edge.destination for edge in edges})
    rows = []
    for edge in edges:
        source = source_of(edge.source, pods)
        hindrance = _hindrance(besides, edge.source, pods)
        service, behind = found[edge.destination]
        # Whether a rule is held against a Service's address or against the pod's behind it is the plugin's to say.
        addresses = tuple((service or {}).get("spec", {}).get("clusterIPs") or ())
        here = world
        if world.pod_networks:
            here = replace(world, pod_networks=(*world.pod_networks, *(a for a in addresses if a != "None")))
        for one in behind:
            end = pod_of(one.item)
            answer = reach(here, source, end, one.protocol)
            allowed = allows(answer, one.number)
            unsure = hindrance
            if allowed is None:
                unsure = "node" if source.host_network or end.host_network else "address"
            because = f"{answer.because}; but {others}" if others else answer.because
            by_labels: list[Any] = [False, ""]
            if edge.expect == "closed" and not edge.source.labels and allowed is False:
                declared = _declared(edge.source.namespace, one, edges, found)
                by_labels = _labelled(
                    admissions(here, edge.source.namespace, end, one.protocol, one.number, declared), others
                )
            pod = one.item["metadata"]["name"]
            layer = [None if others else allowed, because, unsure]
            rows.append([edge.name, pod, one.protocol, one.number, *layer, *by_labels])
    frame = pd.DataFrame(rows, columns=COMPUTED).astype({"allowed": "boolean", "labelled": "boolean"})
    run.evidence("isolation/computed.parquet", frame)
    return frame


def _hindrance(besides: Mapping[str, Sequence[str]], source: Source, pods: Sequence[Object]) -> str:
    """What policies of other kinds, as beyond() has them, make unsure of an edge; "" where there are none."""
    if besides["unread"]:
        return "unread"
    if besides["accounts"] and account_of(source, [one for one in pods if not of_a_run(one)]) is None:
        return "accounts"
    return "others" if besides["present"] else ""


def openings(run: Run) -> dict[str, Any]:
    """What the policies on the cluster open into the pods under launch: {"problem", "unasked", "openings"}.

    problem: why that can't be told, None where it can; unasked: whose openings could not be asked for, "" where all were;
    openings: see every_opening(). A workload that has no pod now counts by those that it will make.
    """
    found: dict[str, Any] = {"problem": None, "unasked": "", "openings": []}
    try:
        if others := told(beyond(run.cluster)):
            found["problem"] = f"What is open can't be told: {others}."
        else:
            found |= _openings(run)
    except ClusterError as error:
        found["problem"] = f"Policies, pods and Services could not be read: {error}"
    frame = pd.DataFrame([asdict(one) for one in found["openings"]], columns=[one.name for one in fields(Opening)])
    run.evidence("isolation/openings.parquet", frame)
    return found


def _openings(run: Run) -> dict[str, Any]:
    """Raises ClusterError."""
    scope = run.parameters.manifests.namespaces
    spaces, everybody = run.cluster.list("Namespace"), _everybody(run)
    made = {kind: _inside(run, kind, version) for version, kind in _MAKERS}
    made["Pod"] = [one for one in everybody if home(one) in scope] or _inside(run, "Pod")
    known = {item["metadata"]["uid"]: item for items in made.values() for item in items}
    mine = [replace(pod_of(one), name=made_for(one, known)) for one in made["Pod"] if _counts(run, one)]
    mine += [
        replace(pod, name=made_for(item, known)) for item in workloads(made, _LASTING) for pod in workload_of(item)
    ]
    others = [
        bare(one["metadata"]["name"])
        for one in spaces
        if one["metadata"]["name"] not in scope and not one["metadata"].get("deletionTimestamp")
    ]
    others += [pod_of(one) for one in everybody if home(one) not in scope and _counts(run, one)]
    world = _world(run, spaces, everybody)
    return {
        "problem": None if mine else "The namespaces under launch have no workload to ask for.",
        "unasked": "" if everybody else "the pods of other namespaces, which this identity may not list",
        "openings": every_opening(world, mine, others, _inside(run, "Service"), run.parameters.isolation),
    }


def _inside(run: Run, kind: str, api_version: str = "v1") -> list[Object]:
    """What is of a kind in the namespaces under launch."""
    return [
        one
        for name in run.parameters.manifests.namespaces
        for one in run.cluster.list(kind, name, api_version=api_version)
    ]


def _counts(run: Run, pod: Object) -> bool:
    return not made_by(run.id, pod) and not _ended(pod)


def landscape(run: Run) -> dict[str, Any]:
    """{"problem", "policies", "pods", "namespaces": {name: labels}, "dns": [[pod, protocol, number]], "beyond"}.

    The policies and pods are those of the namespaces under launch, a pod as reach.Pod has it; dns: the cluster's, by
    the ports behind its Service; beyond: see beyond().
    """
    empty: dict[str, Any] = {"policies": [], "pods": [], "namespaces": {}, "dns": [], "beyond": {}}
    found = {"problem": None, **empty}
    scope, cluster = run.parameters.manifests.namespaces, run.cluster
    try:
        found["beyond"] = beyond(cluster)
        found["namespaces"] = {
            n["metadata"]["name"]: n["metadata"].get("labels") or {} for n in cluster.list("Namespace")
        }
        for namespace in scope:
            found["policies"] += cluster.list("NetworkPolicy", namespace, api_version=_POLICY)
            found["pods"] += [
                asdict(pod_of(p)) for p in cluster.list("Pod", namespace) if not of_a_run(p) and not _ended(p)
            ]
        found["dns"] = [[asdict(pod_of(one.item)), one.protocol, one.number] for one in destinations(run, _DNS)[1]]
    except ClusterError as error:
        found = {"problem": f"Policies and pods could not be read: {error}", **empty}
    run.evidence("isolation/landscape.json", found)
    return found


def _declared(
    namespace: str, reached: Behind, edges: Sequence[Edge], found: Mapping[Destination, Behinds]
) -> list[Mapping[str, str]]:
    """The labels of the sources in a namespace that are declared open to one port of a pod, by whatever Service."""
    return [
        edge.source.labels
        for edge in edges
        if edge.expect == "open" and edge.source.namespace == namespace and reached in found[edge.destination][1]
    ]


def _labelled(admitted: Sequence[Admission], others: str) -> list[Any]:
    """The columns labelled and labels. others: why policies of other kinds may yet keep them out, "" where there are none."""
    if not admitted:
        return [False, ""]
    surest = None if others else admitted[0].allowed
    because = "; ".join(one.because for one in admitted if others or one.allowed is surest)
    return [surest, f"{because}; but {others}" if others else because]


def source_of(given: Source, pods: Sequence[Object]) -> Pod:
    """A source of an edge; it is on its node's network where some pod that wears its labels is. Pure."""
    host = bool(given.labels) and any(
        pod["metadata"]["namespace"] == given.namespace and matches({"matchLabels": given.labels}, pod_of(pod).labels)
        for pod in pods
        if pod["spec"].get("hostNetwork")
    )
    return Pod("(source)", given.namespace, given.labels, host_network=host)


def _world(run: Run, namespaces: Sequence[Object], pods: Sequence[Object]) -> World:
    """The policies on the cluster. A label makes none of them ineffective, so none is left out for it."""
    named = {n["metadata"]["name"]: n["metadata"].get("labels") or {} for n in namespaces}
    policies = tuple(run.cluster.list("NetworkPolicy", api_version=_POLICY))
    return World(policies, named, _networks(run, pods))


def _everybody(run: Run) -> list[Object]:
    """The pods of all namespaces; none where they may not be read."""
    try:
        return run.cluster.list("Pod")
    except MissingRight:
        return []


def _networks(run: Run, pods: Sequence[Object]) -> tuple[str, ...]:
    """The addresses that pods take; none where nodes or the pods of all namespaces may not be read."""
    try:
        nodes = run.cluster.list("Node")
    except MissingRight:
        return ()
    if not pods:
        return ()
    return pod_networks(
        [cidr for node in nodes for cidr in node["spec"].get("podCIDRs") or ()],
        [
            address["ip"]
            for pod in pods
            if not pod["spec"].get("hostNetwork")
            for address in (pod.get("status") or {}).get("podIPs") or ()
        ],
    )


def _ended(item: Object) -> bool:
    return (item.get("status") or {}).get("phase") in ("Succeeded", "Failed")
