"""The checklist: what it refuses, how each audit can fail, how answers are counted."""

from __future__ import annotations

import copy
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from launchbook.audits import AUDITS, Unread
from launchbook.checklist import Checklist, load, rules
from launchbook.errors import ParametersError
from launchbook.parameters import Launch, Statement
from launchbook.readiness import judge
from launchbook.render import render
from launchbook.words import Status

KGENTS = Path(__file__).parents[2] / "parameters" / "kgents"


def container(**changed: Any) -> dict[str, Any]:
    sound = {
        "name": "c", "image": "r/i:1@sha256:0", "env": [{"name": "PORT", "value": "80"}],
        "resources": {"requests": {"cpu": "1", "memory": "1"}, "limits": {"memory": "1"}},
        "readinessProbe": {}, "livenessProbe": {},
        "securityContext": {"runAsNonRoot": True, "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}},
    }  # fmt: skip
    sound |= {"readinessProbe": {"exec": {}}, "livenessProbe": {"exec": {}}}
    return {**sound, **changed}


def meta(name: str = "x", **labels: str) -> dict[str, Any]:
    return {"name": name, "namespace": "n", "labels": {"app.kubernetes.io/name": name, **labels}}


def workload(*containers: Any, kind: str = "Deployment", replicas: int = 2, **pod: Any) -> dict[str, Any]:
    spec = {
        "containers": list(containers or [container()]),
        "automountServiceAccountToken": False,
        "topologySpreadConstraints": [{}],
        **pod,
    }
    template = {"metadata": {"labels": {"a": "b"}, "annotations": {"prometheus.io/scrape": "true"}}, "spec": spec}
    return {
        "kind": kind,
        "metadata": meta(),
        "spec": {"replicas": replicas, "template": template, "volumeClaimTemplates": [{}]},
    }


def policy(direction: str) -> dict[str, Any]:
    return {"kind": "NetworkPolicy", "metadata": meta(), "spec": {"podSelector": {}, "policyTypes": [direction]}}


SOUND: dict[str, Any] = {
    "Deployment": [workload()],
    "StatefulSet": [workload(kind="StatefulSet")],
    "DaemonSet": [],
    "ConfigMap": [{"kind": "ConfigMap", "metadata": meta(), "data": {"a": "b"}}],
    "Namespace": [
        {"kind": "Namespace", "metadata": {"name": "n", "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    ],
    "NetworkPolicy": [policy("Ingress"), policy("Egress")],
    "Service": [{"kind": "Service", "metadata": meta(), "spec": {}}],
    "ResourceQuota": [{"kind": "ResourceQuota", "metadata": meta()}],
    "LimitRange": [{"kind": "LimitRange", "metadata": meta()}],
    "PodDisruptionBudget": [
        {"kind": "PodDisruptionBudget", "metadata": meta(), "spec": {"selector": {"matchLabels": {"a": "b"}}}}
    ],
    **{kind: [] for kind in ("ReplicaSet", "ReplicationController", "Pod", "CronJob", "Job")},
    **{kind: [] for kind in ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")},
}
FAULTS: dict[str, dict[str, Any]] = {
    "no-plaintext-env": {"Deployment": [workload(container(env=[{"name": "DB_PASSWORD", "value": "hunter2"}]))]},
    "no-plaintext-config": {
        "ConfigMap": [{"kind": "ConfigMap", "metadata": meta(), "data": {"url": "nats://me:pw@nats:4222"}}]
    },
    "no-default-token": {"Deployment": [workload(automountServiceAccountToken=None)]},
    "default-deny-ingress": {"NetworkPolicy": [policy("Egress")]},
    "default-deny-egress": {"NetworkPolicy": [policy("Ingress")]},
    "no-public-services": {"Service": [{"kind": "Service", "metadata": meta(), "spec": {"type": "NodePort"}}]},
    "cpu-requests": {"Deployment": [workload(container(resources={}))]},
    "memory-requests": {"Deployment": [workload(container(resources={}))]},
    "memory-limits": {"Deployment": [workload(container(resources={}))]},
    "quota": {"ResourceQuota": []},
    "limit-range": {"LimitRange": []},
    "readiness-probes": {"Deployment": [workload(container(readinessProbe=None))]},
    "liveness-probes": {"Deployment": [workload(container(livenessProbe=None))]},
    "labels": {"Deployment": [{**workload(), "metadata": {"name": "x", "namespace": "n"}}]},
    "metrics": {
        "Deployment": [{"kind": "Deployment", "metadata": meta(), "spec": {"template": {"metadata": {}, "spec": {}}}}]
    },
    "replicas": {"Deployment": [workload(replicas=1)]},
    "spread": {"Deployment": [workload(topologySpreadConstraints=[])]},
    "budgets": {"PodDisruptionBudget": []},
    "persistent-state": {"StatefulSet": [{"kind": "StatefulSet", "metadata": meta(), "spec": {}}]},
    "pod-security": {"Namespace": [{"kind": "Namespace", "metadata": {"name": "n"}}]},
    "non-root": {"Deployment": [workload(container(securityContext={}))]},
    "no-escalation": {"Deployment": [workload(container(securityContext={"allowPrivilegeEscalation": False}))]},
    "read-only-root": {"Deployment": [workload(container(securityContext={}))]},
    "no-host": {"Deployment": [workload(volumes=[{"hostPath": {"path": "/"}}])]},
    "fixed-tags": {"Deployment": [workload(container(image="registry:5000/i"))]},
    "image-digests": {"Deployment": [workload(container(image="r/i:1"))]},
    "least-privilege": {
        "Role": [{"kind": "Role", "metadata": meta(), "rules": [{"verbs": ["*"], "resources": ["pods"]}]}]
    },
}


@pytest.mark.parametrize("name", AUDITS)
def test_an_audit_passes_fails_and_says_when_it_cannot_tell(name: str) -> None:
    """Sound objects pass, one fault is found, and what could not be read is no pass."""
    audit = AUDITS[name]
    assert audit.judge(SOUND).status is Status.PASS, audit.judge(SOUND).because
    found = audit.judge({**copy.deepcopy(SOUND), **FAULTS[name]})
    assert found.status is Status.FAIL
    assert found.figure is not None
    assert found.figure >= 1
    for kind in audit.needs:
        unread = audit.judge({**SOUND, kind: Unread("User may not list it.")})
        assert (unread.status, unread.because) == (Status.UNKNOWN, f"{kind} could not be read: User may not list it.")


ROOT_CONTAINER = container(securityContext={"runAsNonRoot": False})
OWNED = {"name": "w", "namespace": "n", "ownerReferences": [{"kind": "Deployment", "name": "d", "controller": True}]}
FOREIGN = {"name": "w", "namespace": "n", "ownerReferences": [{"kind": "Rollout", "name": "d", "controller": True}]}


@pytest.mark.parametrize(
    ("kind", "metadata", "found"),
    [
        ("Pod", {"name": "w", "namespace": "n"}, True),
        ("Job", {"name": "w", "namespace": "n"}, True),
        ("CronJob", {"name": "w", "namespace": "n"}, True),
        ("ReplicationController", {"name": "w", "namespace": "n"}, True),
        ("ReplicaSet", OWNED, False),
        ("ReplicaSet", FOREIGN, True),
    ],
)
def test_whatever_runs_pods_is_looked_at_once(kind: str, metadata: dict[str, Any], found: bool) -> None:
    """A bare pod and a Job as much as a Deployment; what a known controller made is judged at its controller."""
    spec: dict[str, Any] = {"containers": [ROOT_CONTAINER]}
    if kind != "Pod":
        spec = {"template": {"spec": spec}}
    if kind == "CronJob":
        spec = {"jobTemplate": {"spec": spec}}
    judged = AUDITS["non-root"].judge({**SOUND, kind: [{"kind": kind, "metadata": metadata, "spec": spec}]})
    because = f"{kind} n/w container c may run as root." if found else "2 looked at, none offends."
    assert judged.because == because


def test_a_job_needs_no_probe() -> None:
    """It ends by itself, and serves nobody."""
    job = {"kind": "Job", "metadata": meta(), "spec": {"template": {"spec": {"containers": [{"name": "c"}]}}}}
    assert AUDITS["readiness-probes"].judge({**SOUND, "Job": [job]}).status is Status.PASS


@pytest.mark.parametrize(
    ("audit", "changed"),
    [
        ("no-plaintext-env", {"Deployment": [workload(container(args=["--db=nats://me:hunter2@nats"]))]}),
        ("no-plaintext-config", {"ConfigMap": [{"kind": "ConfigMap", "metadata": meta(), "data": {"DB_PASSWORD": "x1"}}]}),
        ("no-plaintext-config", {"ConfigMap": [{"kind": "ConfigMap", "metadata": meta(), "binaryData": {"a": "cGFzc3dvcmQ9eDE="}}]}),
        ("no-public-services", {"Service": [{"kind": "Service", "metadata": meta(), "spec": {"externalIPs": ["192.0.2.1"]}}]}),
        ("non-root", {"Deployment": [workload(container(securityContext={"runAsNonRoot": True, "runAsUser": 0}))]}),
    ],
)  # fmt: skip
def test_the_other_ways_to_offend(audit: str, changed: dict[str, Any]) -> None:
    """Each way past an audit that looks at one field only."""
    assert AUDITS[audit].judge({**SOUND, **changed}).status is Status.FAIL


COPY = "kubectl.kubernetes.io/last-applied-configuration"
PROBED = {
    "livenessProbe": {"httpGet": {"httpHeaders": [{"name": "Authorization", "value": "Bearer hunter2Hunter2"}]}},
    "readinessProbe": {"exec": {"command": ["redis-cli", "--pass", "hunter2"]}},
    "lifecycle": {"preStop": {"exec": {"command": ["sh", "-c", "PGPASSWORD=hunter2 psql"]}}, "stopSignal": "SIGTERM"},
}


def noted(kind: str, **changed: Any) -> dict[str, Any]:
    return {"kind": kind, "metadata": {**meta(), **changed}, "spec": {}}


def with_notes(workload: dict[str, Any], pods: Any = None, **changed: Any) -> dict[str, Any]:
    item = copy.deepcopy(workload)
    item["metadata"] |= changed
    item["spec"]["template"]["metadata"]["annotations"] |= pods or {}
    return item


@pytest.mark.parametrize(
    ("audit", "changed", "because"),
    [
        (
            "no-plaintext-env", {"Deployment": [workload(container(**PROBED))]},
            "Deployment n/x container c has a secret in plain text in readinessProbe --pass, "
            "livenessProbe Authorization, preStop argument 3 (PGPASSWORD).",
        ),
        (
            "no-plaintext-env", {"Deployment": [with_notes(workload(), annotations={"password": "hunter2"})]},
            "Deployment n/x has a secret in plain text in annotation password.",
        ),
        (
            "no-plaintext-env", {"Deployment": [with_notes(workload(), pods={"aws": "AKIA" + "A" * 16})]},
            "Deployment n/x has a secret in plain text in its pods' annotation aws.",
        ),
        (
            "no-plaintext-env",
            {"Deployment": [with_notes(workload(), annotations={COPY: '{"name":"DB_PASSWORD","value":"hunter2"}'})]},
            f"Deployment n/x has a secret in plain text in annotation {COPY} (DB_PASSWORD).",
        ),
        (
            "no-plaintext-env", {"Pod": [{**noted("Pod", labels={"token": "hunter2"}), "spec": {"containers": []}}]},
            "Pod n/x has a secret in plain text in label token.",
        ),
        (
            "no-plaintext-config", {"Service": [noted("Service", annotations={"password": "hunter2"})]},
            "Service n/x holds a secret in annotation password.",
        ),
        (
            "no-plaintext-config", {"ConfigMap": [noted("ConfigMap", labels={"pw": "hunter2"})]},
            "ConfigMap n/x holds a secret in label pw.",
        ),
        (
            "no-plaintext-config",
            {"ConfigMap": [{**noted("ConfigMap", annotations={COPY: '{"data":{"PW":"hunter2"}}'}), "data": {"PW": "hunter2"}}]},
            "ConfigMap n/x holds a secret in PW.",
        ),
    ],
)  # fmt: skip
def test_a_secret_past_env_and_data(audit: str, changed: dict[str, Any], because: str) -> None:
    """In what the kubelet does, in labels and annotations; in kubectl's copy only where it is nowhere else."""
    assert AUDITS[audit].judge({**SOUND, **changed}).because == because


def test_a_secret_that_was_found_is_not_repeated() -> None:
    """The record says where it is, never what it is."""
    found = AUDITS["no-plaintext-env"].judge({**SOUND, **FAULTS["no-plaintext-env"]})
    assert "DB_PASSWORD" in found.because
    assert "hunter2" not in found.because + found.measured


def test_the_sample_has_the_missions_44_items() -> None:
    """Eight sections, forty-four items."""
    checklist = load(KGENTS / "checklist.yaml")
    assert len(list(checklist)) == 44


def test_the_sample_is_sound_where_it_must_be() -> None:
    """No P0 audit fails on the manifests as they are written."""
    objects: dict[str, Any] = {kind: [] for kind in SOUND}
    for item in render(KGENTS / "manifests" / "namespaces.yaml"):
        objects[item["kind"]].append(item)
    assert AUDITS["pod-security"].judge(objects).status is Status.PASS


ITEM = "{id: a, title: A, priority: P1, audit: quota}"
SECTIONS = ("Secrets Management", "Network Policies", "Resource Limits", "Observability", "Disaster Recovery", "Load Testing", "Security Review", "Documentation")  # fmt: skip


def written(folder: Path, first: str) -> Path:
    lines = [
        f"  {name}:\n    - {first if n == 0 else ITEM.replace('id: a', f'id: i{n}')}" for n, name in enumerate(SECTIONS)
    ]
    path = folder / "checklist.yaml"
    path.write_text("sections:\n" + "\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ("{id: a, title: A, priority: P1}", "needs exactly one of check, audit, statement, pending"),
        ("{id: a, title: A, audit: quota}", "needs a priority"),
        ("{id: a, title: A, priority: P1, audit: quotas}", "did you mean 'quota'"),
        ("{id: a, title: A, check: A.isolatio}", "did you mean 'A.isolation'"),
        ("{id: a, title: A, priority: P0, check: A.ready}", "takes priority and remedy from A.ready"),
        (
            "{id: documents, title: A, priority: P2, audit: quota}",
            "would take the place of the catalogue's D.documents",
        ),
        ("{id: i1, title: A, priority: P1, audit: quota}", "two items are named 'i1'"),
    ],
)
def test_a_checklist_that_cannot_be_used(tmp_path: Path, item: str, message: str) -> None:
    """Before a run is started."""
    with pytest.raises(ParametersError, match=message):
        load(written(tmp_path, item))


def test_a_statement_for_no_item_is_refused(tmp_path: Path) -> None:
    """A mistyped answer must not be lost."""
    path = written(tmp_path, "{id: asked, title: A, priority: P1, statement: 'Well?'}")
    given = Statement(answer="yes", author="r", given=date(2026, 1, 1), text="t")
    with pytest.raises(ParametersError, match="did you mean 'asked'"):
        rules(Launch(title="t", checklist=path, statements={"askd": given}))


TODAY = date(2026, 11, 24)


@pytest.mark.parametrize(
    ("statement", "status"),
    [
        (None, "UNKNOWN"),
        ({"answer": "yes", "given": date(2026, 11, 1)}, "PASS"),
        ({"answer": "no", "given": date(2026, 11, 1)}, "FAIL"),
        ({"answer": "yes", "given": date(2025, 11, 1)}, "UNKNOWN"),
        ({"answer": "yes", "given": date(2026, 12, 1)}, "UNKNOWN"),
        ({"answer": "yes", "given": date(2026, 11, 1), "expires": date(2026, 11, 23)}, "UNKNOWN"),
    ],
)
def test_a_statement(tmp_path: Path, statement: Any, status: str) -> None:
    """Dated, of today or before, and not too old."""
    checklist = load(written(tmp_path, "{id: asked, title: A, priority: P1, statement: 'Well?'}"))
    given = {} if statement is None else {"asked": Statement(author="role", text="t", **statement)}
    found = judge.items(checklist, SOUND, given, "system", TODAY)[0]
    assert (found.id, found.status) == ("D.asked", Status(status))


def answers(tmp_path: Path, *statuses: str) -> Any:
    checklist: Checklist = load(written(tmp_path, "{id: a, title: A, check: A.ready}"))
    return judge.answers(
        checklist, [{"id": "A.ready", "subject": f"s{n}", "status": s, "because": s} for n, s in enumerate(statuses)]
    )


@pytest.mark.parametrize(
    ("statuses", "status"),
    [
        ((), "UNKNOWN"),
        (("PASS", "PASS"), "PASS"),
        (("PASS", "FAIL", "UNKNOWN"), "FAIL"),
        (("WAIVED", "PASS"), "WAIVED"),
        (("UNKNOWN", "WAIVED"), "UNKNOWN"),
    ],
)
def test_an_item_is_as_good_as_its_worst_check(tmp_path: Path, statuses: Any, status: str) -> None:
    """And one without a record is UNKNOWN."""
    assert answers(tmp_path, *statuses)[0].status == status


def test_counts_keep_waived_and_unknown_apart(tmp_path: Path) -> None:
    """`6/7 · 1 waived`: what was accepted did not pass."""
    assert judge.count(answers(tmp_path, "WAIVED")) == "0/8 · 1 waived · 7 unknown"


def test_a_claim_needs_every_check() -> None:
    """One that failed, or was never recorded, takes the claim away."""
    claim = judge.Claim("It is isolated.", ("A.isolation", "A.enforcement"))
    passed = [{"id": id, "status": "PASS", "because": ""} for id in claim.checks]
    assert judge.unsupported([claim], passed) == []
    assert judge.unsupported([claim], passed[:1]) == [(claim, "A.enforcement has no record")]
    failed = [passed[0], {"id": "A.enforcement", "status": "FAIL", "because": "No."}]
    assert judge.documents([claim], failed, ()).status is Status.FAIL


@pytest.mark.parametrize("status", ["WAIVED", "NA", "UNKNOWN"])
def test_a_claim_is_not_carried_by_what_did_not_pass(status: str) -> None:
    """An accepted risk did not pass, and what doesn't apply proves nothing."""
    claim = judge.Claim("It kept every threshold.", ("B.threshold",))
    weighed = [{"id": "B.threshold", "status": status, "because": "p(95) is 900 ms."}]
    assert judge.unsupported([claim], weighed) != []
