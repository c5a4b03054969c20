"""Where a Service's traffic goes: its EndpointSlices held against the pods that it selects. Pure.

Whoever may write EndpointSlices can send a Service's traffic anywhere; its selector says nothing of those.
https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from launchbook.selector import matches

Object = Mapping[str, Any]
SERVICE_LABEL = "kubernetes.io/service-name"
FOLLOWED = 10.0  # s, after which the endpoints of a Service should be those of its pods


def slices_of(service: Object, slices: Iterable[Object]) -> list[Object]:
    """Those of a Service, by label and namespace."""
    meta = service["metadata"]
    return [
        one
        for one in slices
        if one["metadata"].get("namespace") == meta.get("namespace")
        and (one["metadata"].get("labels") or {}).get(SERVICE_LABEL) == meta["name"]
    ]


def ready(slices: Iterable[Object]) -> list[tuple[str, Object]]:
    """(address, slice) of each endpoint that takes requests."""
    return [
        (address, one)
        for one in slices
        for endpoint in one.get("endpoints") or ()
        if (endpoint.get("conditions") or {}).get("ready") is not False
        for address in endpoint["addresses"]
    ]


def target_port(port: Object, ports: Iterable[tuple[str, str, int]]) -> int | None:
    """Where a Service's port leads on a pod; a name is looked up among the ports of its protocol.

    ports: (name, protocol, number) of the pod's containers.
    """
    wanted = port.get("targetPort", port["port"])
    if isinstance(wanted, int):
        return wanted
    named = (wanted, port.get("protocol") or "TCP")
    return next((number for *one, number in ports if tuple(one) == named), None)


def strangers(service: Object, slices: Iterable[Object], pods: Sequence[Object]) -> list[str]:
    """`address in EndpointSlice name` of each endpoint that takes a Service's requests and is no pod that it selects.

    slices, pods: of its namespace. A Service without a selector has whatever endpoints it was given: none is a stranger.
    """
    selector = (service.get("spec") or {}).get("selector")
    if not selector:
        return []
    own = {
        address["ip"]
        for pod in pods
        if matches({"matchLabels": selector}, pod["metadata"].get("labels") or {})
        for address in (pod.get("status") or {}).get("podIPs") or ()
    }
    found = ready(slices_of(service, slices))
    return [f"{address} in EndpointSlice {one['metadata']['name']}" for address, one in found if address not in own]


def astray(lost: Sequence[str]) -> str:
    """What a Service does that has strangers()."""
    return f"requests to {', '.join(lost[:3])}, which is no pod that it selects"
