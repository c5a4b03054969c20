"""Whether a URL is the audited Service, before anything is sent to it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest

from launchbook.load.proof import from_outside, from_pod, loopback

SERVICE: dict[str, Any] = {
    "metadata": {"name": "api", "namespace": "kgents-triad"},
    "spec": {"clusterIPs": ["198.18.5.9"], "ports": [{"port": 80, "name": "http", "nodePort": 30080}]},
}
NODES = [{"status": {"addresses": [{"type": "InternalIP", "address": "198.18.0.2"}]}}]


@pytest.mark.parametrize(
    ("url", "because"),
    [
        ("http://api.kgents-triad.svc.cluster.local", None),
        ("http://api.kgents-triad", None),
        ("http://api.kgents-triad.svc:80/v1", None),
        ("http://198.18.5.9", None),
        ("http://api.kgents-triad.svc:81", "has no port 81; it has 80."),
        ("https://api.kgents-triad.svc", "has no port 443; it has 80."),
        ("http://mock.kgents-triad.svc", "which is not Service kgents-triad/api"),
        ("http://api.kgents-triad.example", "which is not Service kgents-triad/api"),
        ("http://api", "which is not Service kgents-triad/api"),
        ("http://api.kgents-triad.svc:http", "its port is no number"),
    ],
)
def test_a_pod_may_only_hit_the_service_at_one_of_its_ports(url: str, because: str | None) -> None:
    """A mock beside it, another namespace or another port is not what was audited."""
    found = from_pod(urlsplit(url), SERVICE)
    assert found is None if because is None else because in str(found)


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("0.0.0.0", True), ("localhost", True),
        ("ip6-localhost", True), ("10.127.0.1", False), ("web.example", False),
    ],
)  # fmt: skip
def test_loopback_is_told_by_the_host_alone(host: str, local: bool) -> None:
    """Not by digits anywhere in the URL."""
    assert loopback(host) is local


def ingress(
    *paths: tuple[str, str, str], host: str = "api.example", name: str = "web", port: Any = 80
) -> dict[str, Any]:
    """paths: path, pathType, name of the Service."""
    number = {"number": port} if isinstance(port, int) else {"name": port}
    entries = [
        {"path": path, "pathType": kind, "backend": {"service": {"name": to, "port": number}}}
        for path, kind, to in paths
    ]
    return {
        "metadata": {"name": name, "namespace": "kgents-triad"},
        "spec": {"rules": [{"host": host, "http": {"paths": entries}}]},
        "status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.7"}]}},
    }


def elsewhere(item: dict[str, Any]) -> dict[str, Any]:
    """The same Ingress in another namespace."""
    return {**item, "metadata": {**item["metadata"], "namespace": "other"}}


WHOLE = ingress(("/", "Prefix", "api"))


@pytest.mark.parametrize(
    ("url", "ingresses", "way"),
    [
        ("https://api.example", [WHOLE], "Ingress kgents-triad/web"),
        ("https://api.example", [ingress(("/", "Prefix", "api"), port="http")], "Ingress kgents-triad/web"),
        ("https://a.api.example", [ingress(("/", "Prefix", "api"), host="*.api.example")], "Ingress kgents-triad/web"),
        ("https://api.example/base/", [ingress(("/base", "Prefix", "api"))], "Ingress kgents-triad/web"),
        ("https://api.example", [], "has the addresses of api.example"),
        ("https://api.example", [ingress(("/", "Prefix", "mock"))], "sends api.example/ready to mock"),
        ("https://api.example", [ingress(("/", "Prefix", "api"), ("/v1", "Prefix", "mock"))], "sends api.example/v1/agents to mock"),
        ("https://api.example", [ingress(("/", "Prefix", "api"), ("/v1/agents", "Exact", "mock"))], "sends api.example/v1/agents to mock"),
        ("https://api.example", [ingress(("/v1", "Prefix", "api"))], "matches api.example/ready"),
        ("https://api.example", [ingress(("/", "Prefix", "api"), port=8080)], "not the audited Service's port"),
        ("https://api.example", [ingress(("/", "Prefix", "api"), ("/v1", "ImplementationSpecific", "api"))], "only its controller knows"),
        ("https://api.example", [elsewhere(WHOLE)], "not the audited Service's port"),
        ("https://api.example", [WHOLE, ingress(("/", "Prefix", "mock"), name="twin")], "kgents-triad/twin sends"),
        ("https://api.example", [ingress(("/", "Prefix", "mock"), host=""), WHOLE], "Ingress kgents-triad/"),
    ],
)  # fmt: skip
def test_an_ingress_must_send_every_path_to_the_service(url: str, ingresses: Any, way: str) -> None:
    """The most exact host wins, then the longest path; two that tie must agree."""
    found = from_outside(urlsplit(url), ["203.0.113.7"], SERVICE, 80, ingresses, NODES, ["/ready", "/v1/agents"])
    assert way in (found[0] or found[1])
    assert (found[0] is None) == (not way.startswith("Ingress"))


@pytest.mark.parametrize(
    ("url", "addresses", "way", "because"),
    [
        ("http://198.18.0.2:30080", ["198.18.0.2"], "nodePort 30080 of Service kgents-triad/api", ""),
        ("http://198.18.0.2:30081", ["198.18.0.2"], None, "has the addresses of 198.18.0.2."),
        ("http://node:30080", ["198.18.0.2", "192.0.2.1"], None, "has the addresses of node."),
        ("http://node:30080", ["127.0.0.1"], None, "is loopback or a port-forward"),
        ("http://nowhere", [], None, "resolves to no address"),
    ],
)
def test_other_ways_in(url: str, addresses: list[str], way: str | None, because: str) -> None:
    """A node's address with the nodePort; every address that the name has must be one."""
    found = from_outside(urlsplit(url), addresses, SERVICE, 80, [], NODES, ["/"])
    assert found[0] == way
    assert because in found[1]


def test_its_own_load_balancer() -> None:
    """By address or by name."""
    given = {**SERVICE, "status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.9"}, {"hostname": "lb.example"}]}}}
    for url, addresses in (("http://203.0.113.9", ["203.0.113.9"]), ("http://lb.example", ["203.0.113.99"])):
        found = from_outside(urlsplit(url), addresses, given, 80, [], NODES, ["/"])
        assert found == ("the load balancer of Service kgents-triad/api", "")
    assert from_outside(urlsplit("http://lb.example:81"), ["203.0.113.99"], given, 80, [], NODES, ["/"])[0] is None
