"""`launchbook reach` on files: the table, and policies that the API server would refuse."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
import yaml

from launchbook.errors import ParametersError
from launchbook.isolation.files import COLUMNS, command, ports_of

POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "a"}, "spec": {"containers": []}}
TWIN = {**POD, "metadata": {"name": "q", "namespace": "a"}}


def rows(folder: Path, *objects: Any) -> list[dict[str, str]]:
    file = folder / "all.yaml"
    file.write_text(yaml.safe_dump_all(objects))
    return list(csv.DictReader(io.StringIO(command([file, file]))))


def policy(spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "n", "namespace": "a"},
        "spec": spec,
    }


def test_a_row_for_each_ordered_pair_and_protocol(tmp_path: Path) -> None:
    """Two pods and the outside: six ordered pairs of three protocols, once each though the file was named twice."""
    found = rows(tmp_path, POD, TWIN, policy({"podSelector": {}}))
    assert list(found[0]) == list(COLUMNS)
    assert len(found) == 6 * 3
    into = [r for r in found if r["destination"] == "a/p[Pod]"]
    assert {(r["source"], r["ports"]) for r in into} == {("a/q[Pod]", "none"), ("0.0.0.0-255.255.255.255", "none")}


def test_an_ip_block_between_pods_reads_unknown(tmp_path: Path) -> None:
    """The outside is told for certain; between pods the network plugin decides, and the row says so."""
    rule = [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}, {"from": [{"podSelector": {}}], "ports": [{"port": 80}]}]
    found = rows(tmp_path, POD, TWIN, policy({"podSelector": {}, "ingress": rule}))
    into = {(r["source"], r["protocol"]): r for r in found if r["destination"] == "a/p[Pod]"}
    assert into[("10.0.0.0-10.255.255.255", "TCP")]["ports"] == "all"
    assert into[("11.0.0.0-255.255.255.255", "TCP")]["ports"] == "none"
    assert into[("a/q[Pod]", "UDP")]["ports"] == "unknown"
    assert into[("a/q[Pod]", "TCP")]["ports"] == "unknown"
    assert into[("a/q[Pod]", "TCP")]["because"] == (
        "can't tell of 1-79,81-65535, open for certain: 80; egress: no policy selects a/q[Pod]; "
        "ingress: allowed by a/n ingress[1] and perhaps allowed by a/n ingress[0] (its ipBlock is meant for addresses "
        "outside the cluster, and network plugins differ on whether it names pods)"
    )


def workload(kind: str, **spec: Any) -> dict[str, Any]:
    whole: dict[str, Any] = {"template": {"spec": {"containers": []}}, **spec}
    if kind == "CronJob":
        whole = {"jobTemplate": {"spec": {"template": whole.pop("template")}}, **whole}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "w", "namespace": "a"}, "spec": whole}


def scaler(kind: str, most: int) -> dict[str, Any]:
    spec = {"scaleTargetRef": {"kind": kind, "name": "w"}, "minReplicas": 1, "maxReplicas": most}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "s", "namespace": "a"},
        "spec": spec,
    }


@pytest.mark.parametrize(
    ("objects", "several"),
    [
        ([POD], False),
        ([workload("Deployment")], False),
        ([workload("Deployment", replicas=1)], False),
        ([workload("Deployment", replicas=0)], False),
        ([workload("Deployment", replicas=2)], True),
        ([workload("StatefulSet", replicas=3)], True),
        ([workload("StatefulSet", replicas=None)], False),
        ([workload("DaemonSet")], True),
        ([workload("Job")], False),
        ([workload("Job", parallelism=2)], True),
        ([workload("Job", parallelism=2, completions=1)], False),
        ([workload("Job", parallelism=1, completions=9)], False),
        ([workload("CronJob")], True),
        ([workload("CronJob", concurrencyPolicy="Forbid")], False),
        ([workload("Deployment"), scaler("Deployment", 4)], True),
        ([workload("Deployment"), scaler("Deployment", 1)], False),
        ([workload("Deployment"), scaler("StatefulSet", 4)], False),
    ],
)  # fmt: skip
def test_a_workload_of_several_pods_has_a_row_of_its_own(tmp_path: Path, objects: Any, several: bool) -> None:
    """One of its pods to another is an edge like others; of a workload with one pod there is none, since it is itself."""
    mine = {
        (r["protocol"], r["ports"], r["because"])
        for r in rows(tmp_path, *objects, policy({"podSelector": {}}))
        if r["destination"].startswith("another pod of ") and r["destination"].endswith(f" {r['source']}")
    }
    because = f"egress: no policy selects a/w[{objects[0]['kind']}]; ingress: denied by a/n"
    assert mine == ({(protocol, "none", because) for protocol in ("TCP", "UDP", "SCTP")} if several else set())


@pytest.mark.parametrize(
    ("version", "kind", "told"),
    [
        ("policy.networking.k8s.io/v1alpha1", "AdminNetworkPolicy", True),
        ("policy.networking.k8s.io/v1alpha1", "BaselineAdminNetworkPolicy", True),
        ("policy.networking.k8s.io/v1alpha2", "ClusterNetworkPolicy", True),
        ("projectcalico.org/v3", "NetworkPolicy", True),
        ("cilium.io/v2", "CiliumNetworkPolicy", True),
        ("extensions/v1beta1", "NetworkPolicy", True),
        ("example.com/v1", "NetworkPolicies", False),
        ("v1", "ConfigMap", False),
    ],
)
def test_a_policy_of_another_kind_is_named(tmp_path: Path, capsys: Any, version: str, kind: str, told: bool) -> None:
    """It is not computed, so the table alone would mislead; the table itself stays as it is."""
    other = {"apiVersion": version, "kind": kind, "metadata": {"name": "other", "namespace": "a"}, "spec": {}}
    found = rows(tmp_path, POD, TWIN, policy({"podSelector": {}}), other)
    line = f"launchbook: {kind} other is not computed: it may open or close what is said here.\n"
    assert capsys.readouterr().err == (line * 2 if told else "")  # the file was named twice
    assert found == rows(tmp_path, POD, TWIN, policy({"podSelector": {}}))


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"policyTypes": ["Ingress"], "egress": [{}]}, "launchbook: policy a/n egress[0] is ignored, since the policy's policyTypes leave Egress out.\n"),
        ({"policyTypes": ["Egress"], "ingress": [{}]}, "launchbook: policy a/n ingress[0] is ignored, since the policy's policyTypes leave Ingress out.\n"),
        ({"policyTypes": ["Egress"], "ingress": []}, ""),
        ({"egress": [{}]}, ""),
        ({"policyTypes": ["Ingress", "Egress"], "ingress": [{}], "egress": [{}]}, ""),
    ],
)  # fmt: skip
def test_a_rule_that_is_ignored_is_named(tmp_path: Path, capsys: Any, spec: Any, told: str) -> None:
    """Kubernetes says nothing of it, and who wrote it thinks that it holds."""
    rows(tmp_path, POD, TWIN, policy({"podSelector": {}, **spec}))
    assert capsys.readouterr().err == told


TEAM = {"matchLabels": {"team": "x"}}
NAMED = {"matchLabels": {"kubernetes.io/metadata.name": "b"}}
EXCEPT = {"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["x"]}]}


@pytest.mark.parametrize(
    ("selector", "labelled", "told"),
    [(TEAM, False, True), (EXCEPT, False, True), (NAMED, False, False), ({}, False, False), (TEAM, True, False)],
)
def test_a_namespace_whose_labels_nobody_gives(
    tmp_path: Path, capsys: Any, selector: Any, labelled: bool, told: bool
) -> None:
    """A rule by labels would read as closed, or open, to a namespace that may carry them on the cluster."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a", "labels": {}}}
    ingress = [{"from": [{"namespaceSelector": selector}]}]
    rows(tmp_path, POD, TWIN, policy({"podSelector": {}, "ingress": ingress}), *([namespace] * labelled))
    line = (
        "launchbook: there is no manifest of namespace a, which is taken for one without labels: a namespaceSelector "
        "that asks for some may name it all the same.\n"
    )
    assert capsys.readouterr().err == line * told


@pytest.mark.parametrize(
    ("twice", "name"),
    [
        ((POD, policy({"podSelector": {}}), policy({"podSelector": {}, "ingress": [{}]})), "NetworkPolicy a/n"),
        ((POD, {**POD, "spec": {"containers": [], "hostNetwork": True}}), "Pod a/p"),
    ],
)
def test_two_of_one_name_that_differ_are_refused(tmp_path: Path, twice: Any, name: str) -> None:
    """A base beside its overlay: the last would be computed, and nobody be told."""
    with pytest.raises(ParametersError) as refused:
        rows(tmp_path, *twice)
    assert str(refused.value) == (
        f"{name} is there twice, and not the same: name the manifests of one system, such as overlays/prod, not its base "
        "beside it."
    )


def test_an_empty_namespace_is_the_default_one(tmp_path: Path) -> None:
    """As kubectl has it; a policy of no namespace would govern nobody."""
    empty = {"metadata": {"name": "n", "namespace": ""}}
    pods = [{**POD, "metadata": {"name": name, "namespace": namespace}} for name, namespace in (("p", ""), ("q", None))]
    found = rows(tmp_path, *pods, {**policy({"podSelector": {}}), **empty})
    into = {r["ports"] for r in found if r["destination"] == "default/p[Pod]"}
    assert into == {"none"}


def test_a_sidecars_port_has_a_name_too() -> None:
    """An init container that restarts always runs beside the others; one that ends serves nobody."""
    ports = lambda name, number: {"ports": [{"name": name, "containerPort": number, "protocol": "UDP"}]}  # noqa: E731
    spec = {
        "containers": [{"ports": [{"containerPort": 80}]}],
        "initContainers": [{**ports("mesh", 15001), "restartPolicy": "Always"}, ports("once", 1)],
    }
    assert ports_of(spec) == (("", "TCP", 80), ("mesh", "UDP", 15001))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (None, "has no spec"),
        ({"podSelectors": {}}, "spec.podSelectors: unknown field; did you mean 'podSelector'"),
        ({"ingress": [{"from": [{"podSelectr": {}}]}]}, "did you mean 'podSelector'"),
        ({"podSelector": {"matchExpressions": [{"key": "a", "operator": "Equals", "values": ["b"]}]}}, "operator"),
        ({"ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0/8"}}]}]}, "10.0.0/8"),
        ({"ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["11.0.0.0/16"]}}]}]}, "not inside"),
        ({"ingress": [{"ports": [{"port": 90, "endPort": 80}]}]}, "endPort 80"),
        ({"ingress": [{"ports": [{"port": 70000}]}]}, "70000 is no port"),
        ({"ingress": [{"ports": [{"port": "80"}]}]}, "'80' is no name of a port"),
        ({"ingress": [{"ports": [{"port": "Web"}]}]}, "'Web' is no name of a port"),
        ({"ingress": [{"ports": [{"port": "a-name-of-sixteen"}]}]}, "is no name of a port"),
        ({"ingress": [{"ports": [{"port": True}]}]}, "port"),
        ({"policytypes": ["Egress"]}, "did you mean 'policyTypes'"),
    ],
)
def test_a_policy_that_the_api_would_refuse(tmp_path: Path, spec: Any, message: str) -> None:
    """A mistyped field must not read as an answer."""
    with pytest.raises(ParametersError, match=message):
        rows(tmp_path, POD, policy(spec))


def test_no_workload_is_no_answer(tmp_path: Path) -> None:
    """An empty table would read as "nobody reaches anybody"."""
    with pytest.raises(ParametersError, match="no workload was found"):
        rows(tmp_path, policy({"podSelector": {}}))
