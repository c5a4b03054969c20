"""Whether a URL is the audited Service, before anything is sent to it."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from launchbook.load.target import _elsewhere, _loopback

SERVICE = {"spec": {"clusterIPs": ["198.18.5.9"], "ports": [{"port": 80}]}}


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
    found = _elsewhere(urlsplit(url), "api", "kgents-triad", SERVICE)
    assert found is None if because is None else because in str(found)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("0.0.0.0", True), ("localhost", True),
        ("ip6-localhost", True), ("10.127.0.1", False), ("web.example", False),
    ],
)  # fmt: skip
def test_loopback_is_told_by_the_host_alone(host: str, loopback: bool) -> None:
    """Not by digits anywhere in the URL."""
    assert _loopback(host) is loopback
