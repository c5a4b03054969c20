"""What shows that a probe pod's own network works, where policies let it send to DNS and to nothing else."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from launchbook.isolation.connect import ALLOWED, DROPPED, REFUSED
from launchbook.isolation.probers import Probers, reached_control


def test_the_clusters_dns_is_a_control_where_there_is_one() -> None:
    probers = Probers(SimpleNamespace(cluster=None), [])  # type: ignore[arg-type]
    probers.control = "10.0.0.1"
    assert [one.id for one in probers.controls()] == ["control"]
    probers.dns = "10.96.0.10"
    assert [one.id for one in probers.controls()] == ["control", "control-dns"]
    assert [(one.host, one.protocol) for one in probers.controls(udp=True) if one.protocol == "UDP"] == [
        ("10.0.0.1", "UDP"),
        ("10.96.0.10", "UDP"),
    ]


@pytest.mark.parametrize(
    ("seen", "tcp", "udp"),
    [
        ({"control": [ALLOWED]}, True, False),
        ({"control": [DROPPED], "control-dns": [DROPPED, ALLOWED]}, True, False),
        ({"control": [REFUSED], "control-dns": [DROPPED]}, False, False),
        ({"control": [DROPPED], "control-udp": [REFUSED]}, False, True),
        ({"control-dns-udp": [ALLOWED]}, False, True),
        ({"elsewhere": [ALLOWED]}, False, False),
        ({}, False, False),
    ],
)
def test_one_control_is_enough(seen: dict[str, list[str]], tcp: bool, udp: bool) -> None:
    assert (reached_control(seen), reached_control(seen, "UDP")) == (tcp, udp)
