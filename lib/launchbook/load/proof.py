"""Whether a URL leads to the audited Service: pure rules over what the cluster says, from a pod and from outside.

Outside, three ways are known: an address of the Service's own load balancer, a node's address with its nodePort, and an
Ingress whose rules send every path of the scenario to it (https://kubernetes.io/docs/concepts/services-networking/ingress/).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import SplitResult

Object = Mapping[str, Any]


def from_pod(url: SplitResult, service: Object) -> str | None:
    """Why the URL, asked from a pod, isn't this Service at one of its ports; None where it is."""
    name, namespace = service["metadata"]["name"], service["metadata"]["namespace"]
    host, spec = url.hostname or "", service.get("spec") or {}
    short = f"{name}.{namespace}"
    addresses = [a for a in spec.get("clusterIPs") or () if a != "None"]
    if host not in (short, f"{short}.svc", *addresses) and not host.startswith(f"{short}.svc."):
        return (
            f"The generator's pod would hit {host!r}, which is not Service {namespace}/{name}; leave `load.target.url` out "
            "where the generator is a pod."
        )
    number = port(url)
    if number is None:
        return f"The generator's pod can't use {url.geturl()}: its port is no number from 0 to 65535."
    ports = [p["port"] for p in spec.get("ports") or ()]
    if number not in ports:
        return f"Service {namespace}/{name} has no port {number}; it has {', '.join(map(str, ports)) or 'none'}."
    return None


def from_outside(
    url: SplitResult, addresses: Sequence[str], service: Object, number: int, ingresses: Sequence[Object],
    nodes: Sequence[Object], paths: Sequence[str],
) -> tuple[str | None, str]:  # fmt: skip
    """(by which way the URL leads to port `number` of the Service, ""), or (None, why that can't be told).

    addresses: what the URL's host resolves to; ingresses: of every namespace; paths: that the scenario requests
    """
    name = f"{service['metadata']['namespace']}/{service['metadata']['name']}"
    if not addresses:
        return None, f"{url.hostname} resolves to no address."
    if any(_local(address) for address in addresses):
        return None, f"{url.geturl()} is loopback or a port-forward, which proves nothing about a release."
    asked = port(url)
    wanted = next((p for p in (service.get("spec") or {}).get("ports") or () if p["port"] == number), None)
    if wanted is None:
        return None, f"Service {name} has no port {number}."
    if _within(addresses, url, _published(service)) and asked == number:
        return f"the load balancer of Service {name}", ""
    if asked == wanted.get("nodePort") and set(addresses) <= _addresses_of(nodes):
        return f"nodePort {asked} of Service {name}", ""
    serving = [one for one in ingresses if _within(addresses, url, _published(one))]
    if not serving:
        return None, f"No Ingress, load balancer or nodePort of Service {name} has the addresses of {url.hostname}."
    for path in paths:
        if why := _elsewhere(serving, url.hostname or "", url.path.rstrip("/") + path, service, wanted):
            return None, why
    return f"Ingress {', '.join(sorted({_name(one) for one in serving if _names(one, url.hostname or '')}))}", ""


def port(url: SplitResult) -> int | None:
    """The port of a URL, its scheme's where it names none; None where it isn't one."""
    try:
        return url.port or (443 if url.scheme == "https" else 80)
    except ValueError:
        return None


def loopback(host: str) -> bool:
    """Whether a host's name or address is this machine's own."""
    return host.endswith("localhost") or _local(host)


def _local(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _published(item: Object) -> set[str]:
    """Addresses and names that a Service of type LoadBalancer, or an Ingress, was given."""
    given = ((item.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    return {str(one[key]) for one in given for key in ("ip", "hostname") if one.get(key)}


def _within(addresses: Sequence[str], url: SplitResult, published: set[str]) -> bool:
    return url.hostname in published or set(addresses) <= published


def _addresses_of(nodes: Sequence[Object]) -> set[str]:
    return {one["address"] for node in nodes for one in (node.get("status") or {}).get("addresses") or ()}


def _elsewhere(ingresses: Sequence[Object], host: str, path: str, service: Object, wanted: Object) -> str | None:
    """Why a request isn't sent to the Service's port, by the rules of these Ingresses; None where it is."""
    matching = [
        (_rank(rule.get("host"), entry), entry["backend"], one)
        for one in ingresses
        for rule in (one.get("spec") or {}).get("rules") or ()
        if _host_matches(rule.get("host"), host)
        for entry in (rule.get("http") or {}).get("paths") or ()
        if _path_matches(entry, path)
    ]
    if any(entry is None for entry, *_ in matching):
        return f"{host}{path} is matched by a path of type ImplementationSpecific: only its controller knows where it leads."
    best = max((rank for rank, *_ in matching if rank is not None), default=None)
    if best is None:
        return f"No rule of Ingress {', '.join(_name(one) for one in ingresses)} matches {host}{path}."
    for rank, backend, one in matching:
        if rank == best and not _is(backend, one, service, wanted):
            found = (backend.get("service") or {}).get("name") or "something that is no Service"
            return f"Ingress {_name(one)} sends {host}{path} to {found}, which is not the audited Service's port."
    return None


def _rank(rule_host: str | None, entry: Object) -> tuple[int, int, int] | None:
    """Which of two matching rules wins: the exact host, then the longest path, then Exact before Prefix."""
    if entry.get("pathType") == "ImplementationSpecific" and entry.get("path") not in (None, "/"):
        return None
    exact_host = 0 if not rule_host else 1 if rule_host.startswith("*.") else 2
    return exact_host, len(str(entry.get("path") or "/").rstrip("/")), int(entry.get("pathType") == "Exact")


def _host_matches(rule_host: str | None, host: str) -> bool:
    if not rule_host:
        return True
    if rule_host.startswith("*."):
        return host.partition(".")[2] == rule_host[2:]
    return host == rule_host


def _path_matches(entry: Object, path: str) -> bool:
    given, path = str(entry.get("path") or "/"), path.partition("?")[0]
    if entry.get("pathType") == "Exact":
        return path == given
    stem = given.rstrip("/")
    return path == stem or path.startswith(stem + "/")


def _is(backend: Object, ingress: Object, service: Object, wanted: Object) -> bool:
    to = backend.get("service") or {}
    asked = to.get("port") or {}
    same_port = asked.get("number") == wanted["port"] or (
        bool(asked.get("name")) and asked["name"] == wanted.get("name")
    )
    same = to.get("name") == service["metadata"]["name"]
    return same and same_port and ingress["metadata"]["namespace"] == service["metadata"]["namespace"]


def _names(ingress: Object, host: str) -> bool:
    return any(_host_matches(rule.get("host"), host) for rule in (ingress.get("spec") or {}).get("rules") or ())


def _name(item: Object) -> str:
    return f"{item['metadata']['namespace']}/{item['metadata']['name']}"
