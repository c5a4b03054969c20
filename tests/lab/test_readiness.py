"""The checklist on a real cluster: what the sample has and lacks, faults planted beside it, and rights taken away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from environments import ROOT, lab_environment

from launchbook.batch import run_batch
from launchbook.cluster import Cluster
from launchbook.pages import render
from launchbook.parameters_file import load

pytestmark = pytest.mark.lab

Audit = Callable[..., dict[str, tuple[str, str]]]

# Each is admitted by the sample's own Pod Security level, or runs nothing.
FAULTS = """
apiVersion: v1
kind: ConfigMap
metadata: {name: planted, namespace: kgents-triad, labels: {test: planted}}
data: {DB_PASSWORD: hunter2}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: planted, namespace: kgents-triad, labels: {test: planted}}
spec:
  schedule: "0 0 1 1 *"
  suspend: true
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers:
            - name: root
              image: lab.local/busybox:1
              command: [sh, -c, "redis-cli --password hunter2 ping"]
              securityContext: {runAsUser: 0}
---
apiVersion: v1
kind: Service
metadata: {name: planted, namespace: kgents-triad, labels: {test: planted}}
spec: {type: NodePort, ports: [{port: 80}], selector: {nothing: here}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: planted, labels: {test: planted}}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{kind: ServiceAccount, name: api, namespace: kgents-triad}]
"""


@pytest.fixture(scope="module")
def audited(lab: Any, manifests: Path) -> Any:
    """The lab with the sample ready and the runbook's role."""
    lab.apply(ROOT / "parameters" / "launchbook-role.yaml")
    lab.apply(manifests)
    lab.await_ready()
    return lab


@pytest.fixture
def audit(audited: Any, tmp_path: Path) -> Audit:
    """`audit(namespaces=None)`: track D alone; check id -> (status, because) of each that its checklist added."""

    def run(namespaces: list[str] | None = None) -> dict[str, tuple[str, str]]:
        changes = {"manifests.namespaces": namespaces} if namespaces else {}
        resolved = load(lab_environment(tmp_path, audited.name, audited.runbook, changes))
        verdict = run_batch(
            resolved, Cluster.connect(resolved.environment.cluster), notebooks=ROOT / "notebooks",
            outputs=tmp_path / "outputs", tracks=["D"], read_only=True, say=print, render=render,
        )  # fmt: skip
        assert [track["status"] for track in verdict["tracks"] if track["id"] == "D"] == ["finished"]
        return {c["id"]: (c["status"], c["because"]) for c in verdict["checks"] if c["track"] == "D"}

    return run


@pytest.fixture
def planted(audited: Any) -> Iterator[None]:
    """The faults, gone afterwards."""
    audited.apply(FAULTS)
    yield
    audited.kubectl("-n", "kgents-triad", "delete", "configmap,cronjob,service", "-l", "test=planted")
    audited.kubectl("delete", "clusterrolebinding", "planted")


def statuses(found: dict[str, tuple[str, str]]) -> dict[str, str]:
    return {id: status for id, (status, _) in found.items()}


def test_each_planted_fault_is_found_and_adds_only_its_own_checks(
    audit: Audit, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """A key in a ConfigMap, a root container in a CronJob, a NodePort, an account that is cluster-admin."""
    before = statuses(audit())
    assert before["D.non-root"] == before["D.secrets-not-in-config"] == before["D.least-privilege"] == "PASS"
    request.getfixturevalue("planted")
    found = audit()
    job = "CronJob kgents-triad/planted container root"
    for id, because in {
        "D.secrets-not-in-config": "ConfigMap kgents-triad/planted holds a secret in DB_PASSWORD.",
        "D.secrets-not-in-env": f"{job} has a secret in plain text in argument 3 (password).",
        "D.non-root": f"{job} runs as root.",
        "D.no-public-services": "Service kgents-triad/planted is of type NodePort.",
        "D.least-privilege": "ClusterRoleBinding planted gives cluster-admin, which is the administrator's.",
    }.items():
        assert found[id] == ("FAIL", because)
    added = {id for id, status in statuses(found).items() if status == "FAIL" and before[id] == "PASS"}
    assert added == {
        "D.secrets-not-in-config", "D.secrets-not-in-env", "D.non-root", "D.no-public-services", "D.least-privilege",
        "D.no-default-token", "D.cpu-requests", "D.memory-requests", "D.memory-limits", "D.no-escalation",
        "D.read-only-root",
    }  # fmt: skip
    record = "".join(path.read_text() for path in (tmp_path / "outputs" / "latest").resolve().glob("**/*.jsonl"))
    assert "hunter2" not in record


def test_a_right_that_is_missing_is_unknown_and_named(audited: Any, audit: Audit) -> None:
    """Verb and resource, in each audit that needed it and in no other."""
    rules = audited.get("clusterrole", "launchbook-reader")["rules"]
    at = next(n for n, rule in enumerate(rules) if "batch" in rule["apiGroups"])
    groups = [group for group in rules[at]["apiGroups"] if group != "batch"]
    try:
        patch = f'[{{"op": "replace", "path": "/rules/{at}/apiGroups", "value": {groups!r}}}]'.replace("'", '"')
        audited.kubectl("patch", "clusterrole", "launchbook-reader", "--type=json", "-p", patch)
        found = audit()
    finally:
        audited.apply(ROOT / "parameters" / "launchbook-role.yaml")
    status, because = found["D.non-root"]
    assert status == "UNKNOWN"
    assert because.startswith("CronJob, Job could not be read: ")
    assert 'cannot list resource "cronjobs" in API group "batch"' in because
    assert found["D.secrets-not-in-config"][0] == found["D.default-deny-ingress"][0] == "PASS"


def test_nothing_passes_for_a_namespace_that_is_not_there(audit: Audit) -> None:
    """A mistyped name must not be sound by being empty."""
    found = audit(["kgents-agents", "kgents-traid"])
    audits = {id: said for id, said in found.items() if "could not be read" in said[1]}
    assert len(audits) == 23
    assert {status for status, _ in audits.values()} == {"UNKNOWN"}
    assert "namespace kgents-traid is not on the cluster" in audits["D.non-root"][1]
