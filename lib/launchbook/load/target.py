"""Before a request is sent: is the target the audited Service, and does it answer?"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult, urlsplit

from launchbook.errors import ClusterError
from launchbook.run import Run


def target(run: Run) -> dict[str, Any]:
    """{"service", "url", "where", "endpoints": ["ip:port"], "problem"}: what the scenario will hit. Reads only."""
    load = run.parameters.load
    namespace, _, name = load.target.service.partition("/")
    port = "" if load.target.port == 80 else f":{load.target.port}"
    found: dict[str, Any] = {
        "service": load.target.service, "where": load.generator.where, "endpoints": [], "problem": None,
        "url": load.target.url or f"http://{name}.{namespace}.svc.cluster.local{port}",
    }  # fmt: skip
    try:
        service = run.cluster.get("Service", name, namespace)
        if service is None:
            found["problem"] = f"There is no Service {load.target.service}."
            return found
        slices = run.cluster.list(
            "EndpointSlice", namespace, api_version="discovery.k8s.io/v1", labels={"kubernetes.io/service-name": name}
        )
    except ClusterError as error:
        found["problem"] = f"The Service could not be read: {error}"
        return found
    found["endpoints"] = sorted(
        f"{address}:{port['port']}"
        for part in slices
        for endpoint in part.get("endpoints") or ()
        if (endpoint.get("conditions") or {}).get("ready") is not False
        for address in endpoint["addresses"]
        for port in part.get("ports") or ()
    )
    if not found["endpoints"]:
        found["problem"] = f"Service {load.target.service} has no ready endpoint, so nothing was sent."
    elif _loopback(urlsplit(found["url"]).hostname or ""):
        found["problem"] = f"{found['url']} is loopback or a port-forward, which proves nothing about a release."
    elif load.generator.where == "pod":
        found["problem"] = _elsewhere(urlsplit(found["url"]), name, namespace, service)
    elif load.generator.where == "here" and not load.target.url:
        found["problem"] = "A generator on this machine needs `load.target.url`: the ingress it goes through."
    return found


def _loopback(host: str) -> bool:
    if host.endswith("localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _elsewhere(url: SplitResult, name: str, namespace: str, service: Mapping[str, Any]) -> str | None:
    """Why the URL, asked from a pod, isn't this Service at one of its ports; None where it is."""
    host, spec = url.hostname or "", service.get("spec") or {}
    short = f"{name}.{namespace}"
    addresses = [a for a in spec.get("clusterIPs") or () if a != "None"]
    if host not in (short, f"{short}.svc", *addresses) and not host.startswith(f"{short}.svc."):
        return (
            f"The generator's pod would hit {host!r}, which is not Service {namespace}/{name}; leave `load.target.url` out "
            "where the generator is a pod."
        )
    try:
        port = url.port or (443 if url.scheme == "https" else 80)
    except ValueError:
        return f"The generator's pod can't use {url.geturl()}: its port is no number from 0 to 65535."
    ports = [p["port"] for p in spec.get("ports") or ()]
    if port not in ports:
        return f"Service {namespace}/{name} has no port {port}; it has {', '.join(map(str, ports)) or 'none'}."
    return None
