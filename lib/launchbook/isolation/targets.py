"""What a declared destination is on the cluster: the pods behind a Service or of a workload, and what to connect to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from launchbook.endpoints import target_port
from launchbook.isolation.files import ports_of
from launchbook.isolation.reach import Pod
from launchbook.ours import of_a_run
from launchbook.parameters import Destination
from launchbook.run import Run
from launchbook.selector import matches

Object = Mapping[str, Any]


@dataclass(frozen=True)
class Behind:
    """One port of one pod behind a Service. item: the pod; number: its target port."""

    item: Object
    protocol: str
    number: int


Behinds = tuple[Object | None, list[Behind]]


def destinations(run: Run, destination: Destination) -> Behinds:
    """The Service (None of a workload), and each target port of every pod behind it. Raises ClusterError."""
    return every_destination(run, [destination])[destination]


def every_destination(run: Run, wanted: Iterable[Destination]) -> dict[Destination, Behinds]:
    """destinations() of each of `wanted`; each Service or workload is read once, several at a time. Raises ClusterError."""
    asked = list(wanted)
    names = {one.name: one for one in asked}
    with ThreadPoolExecutor(max_workers=8) as pool:
        found = dict(zip(names, pool.map(lambda one: _read(run, one), names.values()), strict=True))
    told: dict[Destination, Behinds] = {}
    for one in asked:
        service, pods = found[one.name]
        if one.workload:
            told[one] = (None, at_port(one.port, pods))
        else:
            told[one] = (service, [] if service is None else behind(service, one.port, pods))
    return told


def _read(run: Run, one: Destination) -> tuple[Object | None, list[Any]]:
    """The Service or workload, and the pods that it selects."""
    if one.workload:
        kind, _, name = one.workload.partition("/")
        item = run.cluster.get(kind, name, one.namespace, api_version="apps/v1")
        selector = (item or {}).get("spec", {}).get("selector")
        pods = run.cluster.list("Pod", one.namespace) if selector else []
        return item, [pod for pod in pods if matches(selector, pod["metadata"].get("labels") or {})]
    service = run.cluster.get("Service", str(one.service), one.namespace)
    selector = (service or {}).get("spec", {}).get("selector")
    return service, run.cluster.list("Pod", one.namespace, labels=selector) if selector else []


def behind(service: Object, port: int, pods: Sequence[Object]) -> list[Behind]:
    """The pods that a Service may lead to, with the number and protocol of each port behind `port`.

    A pod that isn't ready counts: its address can be reached all the same. One that ends is on its way out, unless
    the Service publishes pods that aren't ready, and with them those until they are gone.
    """
    found = _that_count(pods, lingering=bool(service["spec"].get("publishNotReadyAddresses")))
    ports = [one for one in service["spec"].get("ports") or () if one["port"] == port]
    return [
        Behind(pod, _protocol(one), number)
        for pod in found
        for one in ports
        if (number := target_port(one, ports_of(pod["spec"]))) is not None
    ]


def at_port(port: int, pods: Sequence[Object]) -> list[Behind]:
    """A workload's pods by a port's number, with each protocol that they declare for it; TCP where they declare none."""
    return [
        Behind(pod, protocol, port)
        for pod in _that_count(pods)
        for protocol in sorted({p for _, p, number in ports_of(pod["spec"]) if number == port}) or ["TCP"]
    ]


def _that_count(pods: Sequence[Object], *, lingering: bool = False) -> list[Object]:
    """Those with an address that no run started. lingering: whether those count that are on their way out."""
    return [
        pod
        for pod in pods
        if not of_a_run(pod)
        and (lingering or not pod["metadata"].get("deletionTimestamp"))
        and (pod.get("status") or {}).get("podIP")
        and pod["status"].get("phase") not in ("Succeeded", "Failed")
    ]


def pod_of(item: Object) -> Pod:
    """A live pod as one end of a connection."""
    meta = item["metadata"]
    return Pod(
        f"{meta['namespace']}/{meta['name']}",
        meta["namespace"],
        meta.get("labels") or {},
        ports_of(item["spec"]),
        bool(item["spec"].get("hostNetwork")),
    )


def targets(
    edge: str, destination: Destination, service: Object | None, pods: Sequence[Behind]
) -> list[dict[str, Any]]:
    """Every destination pod by each of its addresses, then the Service by address and, for TCP, by name.

    A name is asked for over UDP itself, so that a question to a name would tell of two ways at once.

    Each is {"id", "target", "kind" (pod, service, name), "host", "port", "protocol", "at"}; at: host:port/protocol.
    """
    found = [
        {"target": one.item["metadata"]["name"], "kind": "pod", "host": address["ip"],
         "port": one.number, "protocol": one.protocol}
        for one in pods
        for address in one.item["status"].get("podIPs") or [{"ip": one.item["status"]["podIP"]}]
    ]  # fmt: skip
    if service is not None:
        # The name is completed by the resolver's search path, since a cluster's domain can be another than cluster.local.
        name = f"{destination.service}.{destination.namespace}.svc"
        address = service["spec"].get("clusterIP")
        hosts = [("service", address)] if address not in (None, "", "None") else []
        ports = [one for one in service["spec"].get("ports") or () if one["port"] == destination.port]
        found += [
            {"target": destination.service, "kind": kind, "host": host,
             "port": destination.port, "protocol": _protocol(port)}
            for kind, host in [*hosts, ("name", name)]
            for port in ports
            if kind != "name" or _protocol(port) == "TCP"
        ]  # fmt: skip
    return [
        {**target, "id": f"{edge}#{n}", "at": f"{target['host']}:{target['port']}/{target['protocol']}"}
        for n, target in enumerate(found)
    ]


def _protocol(port: Object) -> str:
    return port.get("protocol") or "TCP"
