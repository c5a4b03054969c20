"""Before a request is sent: is the target the audited Service, and has it a ready endpoint?"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any
from urllib.parse import SplitResult, urlsplit

from launchbook.endpoints import FOLLOWED, SERVICE_LABEL, astray, ready, strangers
from launchbook.errors import ClusterError
from launchbook.load import proof
from launchbook.parameters import Load
from launchbook.run import Run
from launchbook.settled import settled


def target(run: Run) -> dict[str, Any]:
    """{"service", "url", "where", "way", "endpoints": ["ip:port"], "addresses", "problem", "unproven"}: what will be hit.

    way: by what the URL leads to the Service; addresses: that the generator connects to for it; unproven: whether
    `problem` says no more than that it can't be told. Reads only.
    """
    load = run.parameters.load
    namespace, _, name = load.target.service.partition("/")
    found: dict[str, Any] = {
        "service": load.target.service, "where": load.generator.where, "endpoints": [], "addresses": [], "problem": None,
        "unproven": False, "way": "the Service's own name", "url": url_of(load),
    }  # fmt: skip
    try:
        service = run.cluster.get("Service", name, namespace)
        if service is None:
            found["problem"] = f"There is no Service {load.target.service}."
            return found
        if namespace not in run.parameters.manifests.namespaces:
            found["problem"] = (
                f"Service {load.target.service} is in none of the namespaces under launch. Nothing was sent."
            )
            return found
        slices, lost = _slices(run, service)
        found["endpoints"] = sorted(
            f"{at}:{port['port']}" for at, one in ready(slices) for port in one.get("ports") or ()
        )
        if not found["endpoints"]:
            found["problem"] = f"Service {load.target.service} has no ready endpoint, so nothing was sent."
            return found
        if lost:
            found["problem"] = f"Service {load.target.service} would send {astray(lost)}. Nothing was sent."
            return found
        found["addresses"] = addresses(load, found["endpoints"], service)
        found["way"], found["problem"] = _way(run, found, service)
    except ClusterError as error:
        found["problem"] = f"What the target is could not be read: {error}"
    found["unproven"] = bool(found["problem"])
    return found


def url_of(load: Load) -> str:
    """What the parameters name, or the Service's own name."""
    namespace, _, name = load.target.service.partition("/")
    port = "" if load.target.port == 80 else f":{load.target.port}"
    return load.target.url or f"http://{name}.{namespace}.svc{port}"


def _slices(run: Run, service: dict[str, Any]) -> tuple[list[Any], list[str]]:
    """A Service's EndpointSlices, and the endpoints in them that are no pod of its own, once they have followed its pods."""
    meta = service["metadata"]
    labels = {SERVICE_LABEL: meta["name"]}

    def look() -> tuple[list[Any], list[str]]:
        slices = run.cluster.list("EndpointSlice", meta["namespace"], api_version="discovery.k8s.io/v1", labels=labels)
        return slices, strangers(service, slices, run.cluster.list("Pod", meta["namespace"]))

    return settled(look, lambda seen: seen[1], FOLLOWED)


def _way(run: Run, found: dict[str, Any], service: dict[str, Any]) -> tuple[str, str | None]:
    """By what the URL leads to the Service, or why that is not proven."""
    load, url = run.parameters.load, urlsplit(found["url"])
    if url.scheme not in ("http", "https"):
        return "", f"{found['url']} is no http or https URL, such as https://api.example.com."
    if proof.loopback(url.hostname or ""):
        return "", f"{found['url']} is loopback or a port-forward, which proves nothing about a release."
    if load.generator.where == "pod":
        return found["way"], proof.from_pod(url, service)
    if not load.target.url:
        return "", "A generator on this machine needs `load.target.url`: the ingress it goes through."
    way, problem = proof.from_outside(
        url, found["addresses"], service, load.target.port,
        run.cluster.list("Ingress", api_version="networking.k8s.io/v1"), run.cluster.list("Node"),
        [load.target.probe_path, *(one.path for one in load.scenario.requests)],
    )  # fmt: skip
    return way or "", problem or None


def addresses(load: Load, endpoints: Sequence[str], service: dict[str, Any]) -> list[str]:
    """A pod finds the Service's own addresses, or its endpoints' where it is headless; this machine what the URL's host has."""
    if load.generator.where != "pod":
        return _resolved(urlsplit(url_of(load)))
    own = [one for one in (service.get("spec") or {}).get("clusterIPs") or () if one != "None"]
    return own or sorted({one.rpartition(":")[0] for one in endpoints})


def _resolved(url: SplitResult) -> list[str]:
    try:
        return sorted({str(entry[4][0]) for entry in socket.getaddrinfo(url.hostname, None, type=socket.SOCK_STREAM)})
    except OSError:
        return []
