"""Before a request is sent: is the target the audited Service, and does it answer?"""

from __future__ import annotations

from typing import Any

from launchbook.errors import ClusterError
from launchbook.run import Run

LOOPBACK = ("localhost", "127.", "[::1]", "0.0.0.0")


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
        if run.cluster.get("Service", name, namespace) is None:
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
    elif any(word in found["url"] for word in LOOPBACK):
        found["problem"] = f"{found['url']} is loopback or a port-forward, which proves nothing about a release."
    elif load.generator.where == "here" and not load.target.url:
        found["problem"] = "A generator on this machine needs `load.target.url`: the ingress it goes through."
    return found
