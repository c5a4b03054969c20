"""What a declared destination is: ports by protocol and name, pods that count, names that hold in any cluster domain."""

from __future__ import annotations

from typing import Any

import pytest

from launchbook.isolation.targets import at_port, behind, targets
from launchbook.parameters import Destination
from launchbook.run import RUN_LABEL


def service(*ports: Any, **spec: Any) -> dict[str, Any]:
    return {"kind": "Service", "spec": {"clusterIP": "10.96.0.9", "ports": list(ports), **spec}}


def pod(name: str = "p", **changed: Any) -> dict[str, Any]:
    ports = [
        {"name": "dns", "containerPort": 5353, "protocol": "UDP"},
        {"name": "dns-tcp", "containerPort": 5354},
        {"name": "dns", "containerPort": 5355},
    ]
    sidecar = {"restartPolicy": "Always", "ports": [{"name": "mesh", "containerPort": 15001}]}
    meta: dict[str, Any] = {"name": name, "namespace": "d", "labels": {}}
    status = {"phase": "Running", "podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}]}
    found: dict[str, Any] = {
        "metadata": meta,
        "spec": {"containers": [{"ports": ports}], "initContainers": [sidecar]},
        "status": status,
    }
    for field, value in changed.items():
        place = meta if field in ("labels", "deletionTimestamp") else status
        (found["spec"] if field == "activeDeadlineSeconds" else place)[field] = value
    return found


@pytest.mark.parametrize(
    ("ports", "expected"),
    [
        ([{"port": 53, "targetPort": 53, "protocol": "UDP"}], [("UDP", 53)]),
        ([{"port": 53, "targetPort": "dns", "protocol": "UDP"}], [("UDP", 5353)]),
        ([{"port": 53, "targetPort": "dns"}], [("TCP", 5355)]),
        ([{"port": 53, "targetPort": "dns", "protocol": "SCTP"}], []),
        ([{"port": 53, "protocol": "UDP"}, {"port": 53, "targetPort": "dns-tcp"}], [("UDP", 53), ("TCP", 5354)]),
        ([{"port": 53, "targetPort": "mesh"}], [("TCP", 15001)]),
        ([{"port": 54}], []),
    ],
)
def test_a_target_port(ports: list[Any], expected: Any) -> None:
    """A name is looked up among the pod's ports of the same protocol, sidecars' included."""
    assert [(one.protocol, one.number) for one in behind(service(*ports), 53, [pod()])] == expected


@pytest.mark.parametrize(
    ("changed", "published", "counts"),
    [
        ({}, False, True),
        ({"conditions": [{"type": "Ready", "status": "False"}]}, False, True),
        ({"conditions": [{"type": "Ready", "status": "False"}]}, True, True),
        ({"deletionTimestamp": "now"}, False, False),
        ({"deletionTimestamp": "now"}, True, True),
        ({"phase": "Failed"}, True, False),
        ({"podIP": ""}, True, False),
        ({"labels": {RUN_LABEL: "x"}}, True, True),
        ({"labels": {RUN_LABEL: "x"}, "activeDeadlineSeconds": 60}, True, False),
    ],
)
def test_a_pod_that_counts(changed: Any, published: bool, counts: bool) -> None:
    """A pod that isn't ready can be reached; one that ends where the Service publishes it until it is gone.

    A run's label hides nobody but what a run starts, which ends by itself.
    """
    found = behind(service({"port": 80}, publishNotReadyAddresses=published), 80, [pod(**changed)])
    assert bool(found) is counts


def test_a_workloads_pods_by_a_port() -> None:
    """By address alone, with each protocol that they declare for it; a name is none of theirs."""
    pods = [pod(), pod("gone", deletionTimestamp="now")]
    there = Destination(namespace="d", workload="StatefulSet/p", port=5353)
    assert there.name == "d/StatefulSet/p"
    assert [(one.protocol, one.number) for port in (5353, 15001, 9) for one in at_port(port, pods)] == [
        ("UDP", 5353), ("TCP", 15001), ("TCP", 9),
    ]  # fmt: skip
    found = targets("e", there, None, at_port(5353, pods))
    assert [(t["kind"], t["host"], t["protocol"]) for t in found] == [
        ("pod", "10.0.0.1", "UDP"), ("pod", "fd00::1", "UDP"),
    ]  # fmt: skip


@pytest.mark.parametrize("what", [{}, {"service": "a", "workload": "Deployment/b"}])
def test_a_destination_is_one_thing(what: Any) -> None:
    with pytest.raises(ValueError, match="needs `service: name` or `workload: Kind/name`, and not both"):
        Destination(namespace="d", port=1, **what)


def test_targets_name_no_cluster_domain() -> None:
    """Every address of the pod, the Service's, and a name that the resolver's search path completes; by protocol."""
    dns = service({"port": 53, "protocol": "UDP"}, {"port": 53})
    found = targets("e", Destination(namespace="d", service="s", port=53), dns, behind(dns, 53, [pod()]))
    assert [(t["kind"], t["host"], t["protocol"]) for t in found] == [
        ("pod", "10.0.0.1", "UDP"),
        ("pod", "fd00::1", "UDP"),
        ("pod", "10.0.0.1", "TCP"),
        ("pod", "fd00::1", "TCP"),
        ("service", "10.96.0.9", "UDP"),
        ("service", "10.96.0.9", "TCP"),
        ("name", "s.d.svc", "TCP"),
    ]
    assert len({t["id"] for t in found}) == len(found)
