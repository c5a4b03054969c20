"""What a declared destination is on the cluster: the pods behind a Service, their ports, and what to connect to."""

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

Object = Mapping[str, Any]


@dataclass(frozen=True)
class Behind:
    """One port of one pod behind a Service. item: the pod; number: its target port."""

    item: Object
    protocol: str
    number: int


Behinds = tuple[Object | None, list[Behind]]


def destinations(run: Run, destination: Destination) -> Behinds:
    """The Service, and each target port of every pod behind it. Raises ClusterError."""
    return every_destination(run, [destination])[destination]


def every_destination(run: Run, wanted: Iterable[Destination]) -> dict[Destination, Behinds]:
    """destinations() of each of `wanted`; each Service is read once, several at a time. Raises ClusterError."""
    asked = list(wanted)
    services = sorted({(one.namespace, one.service) for one in asked})
    with ThreadPoolExecutor(max_workers=8) as pool:
        found = dict(zip(services, pool.map(lambda one: _service(run, *one), services), strict=True))
    told: dict[Destination, Behinds] = {}
    for one in asked:
        service, pods = found[one.namespace, one.service]
        told[one] = (service, [] if service is None else behind(service, one.port, pods))
    return told


def _service(run: Run, namespace: str, name: str) -> tuple[Object | None, list[Any]]:
    service = run.cluster.get("Service", name, namespace)
    selector = (service or {}).get("spec", {}).get("selector")
    return service, run.cluster.list("Pod", namespace, labels=selector) if selector else []


def behind(service: Object, port: int, pods: Sequence[Object]) -> list[Behind]:
    """The pods that a Service may lead to, with the number and protocol of each port behind `port`.

    A pod that isn't ready counts: its address can be reached all the same. One that ends is on its way out, unless
    the Service publishes pods that aren't ready, and with them those until they are gone.
    """
    lingering = bool(service["spec"].get("publishNotReadyAddresses"))
    found = [
        pod
        for pod in pods
        if not of_a_run(pod)
        and (lingering or not pod["metadata"].get("deletionTimestamp"))
        and (pod.get("status") or {}).get("podIP")
        and pod["status"].get("phase") not in ("Succeeded", "Failed")
    ]
    ports = [one for one in service["spec"].get("ports") or () if one["port"] == port]
    return [
        Behind(pod, _protocol(one), number)
        for pod in found
        for one in ports
        if (number := target_port(one, ports_of(pod["spec"]))) is not None
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
