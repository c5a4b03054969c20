"""Plan, readiness and policies read back on a real cluster, each with its fault planted."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.lab.fake_run import FakeRun, run_with

from launchbook import manifests
from launchbook.manifests import Rendered
from launchbook.manifests.judge import name
from launchbook.words import Status

pytestmark = pytest.mark.lab

NAMESPACE = "launchbook-plan"


@pytest.fixture
def run(lab: Any, tmp_path: Path) -> Iterator[FakeRun]:
    """As the cluster's admin, in a namespace of its own."""
    lab.kubectl("create", "namespace", NAMESPACE)
    yield run_with(lab, tmp_path, NAMESPACE)
    lab.kubectl("delete", "namespace", NAMESPACE, timeout=180)


def rendered(*objects: dict[str, Any]) -> Rendered:
    placed = [{**item, "metadata": {**item["metadata"], "namespace": NAMESPACE}} for item in objects]
    return Rendered(tuple(placed), names=tuple(name(item) for item in placed))


def secret(value: str) -> dict[str, Any]:
    data = {"password": base64.b64encode(value.encode()).decode()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": data}


def test_a_changed_secret_is_in_the_plan_and_its_value_is_not(run: Any) -> None:
    """Of the same length as before."""
    run.cluster.apply(rendered(secret("one111")).objects[0])
    assert manifests.plan(run, rendered(secret("one111"))).frame["action"].tolist() == ["unchanged"]
    changed = manifests.plan(run, rendered(secret("two222")))
    assert changed.frame[["action", "diff"]].to_dict("records") == [
        {"action": "changed", "diff": "values differ: data.password\n"}
    ]
    manifests.apply(run, rendered(secret("two222")), changed)
    (row,) = manifests.undo(run).to_dict("records")
    assert (row["action"], row["because"]) == (
        "not undone", "A Secret's former values are never written down; apply them from their source.",
    )  # fmt: skip
    values = [base64.b64encode(v).decode() for v in (b"one111", b"two222")]
    assert not [v for v in values if v in json.dumps(run.kept)]


def deployment(image: str, *command: str, replicas: int = 1) -> dict[str, Any]:
    labels = {"app": "web"}
    container = {"name": "web", "image": image, "imagePullPolicy": "IfNotPresent", "command": list(command)}
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {
            "replicas": replicas, "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"terminationGracePeriodSeconds": 0, "containers": [container]}},
        },
    }  # fmt: skip


@pytest.mark.parametrize(
    ("item", "cause"),
    [
        (deployment("lab.local/busybox:1", "sh", "-c", "sleep 2; exit 3"), "exit code 3"),
        (deployment("lab.local/busybox:1", "sleep", "60", replicas=0), "0 replicas are asked for: nothing runs."),
    ],
)
def test_what_does_not_run_is_not_ready(run: Any, item: dict[str, Any], cause: str) -> None:
    """A pod that ends again and again counts as ready in between; none at all is never missed."""
    whole = rendered(item)
    run.cluster.apply(whole.objects[0])
    if "0 replicas" not in cause:

        def looping(pod: Any) -> bool:
            told = ((pod or {}).get("status") or {}).get("containerStatuses") or [{}]
            return bool(told[0].get("restartCount", 0) >= 3 and "waiting" in told[0].get("state", {}))

        (pod,) = _its_pods(run)
        run.cluster.wait("Pod", pod, NAMESPACE, looping, timeout=120)
    (check,) = manifests.judge.ready(manifests.wait(run, whole))
    assert check.status is Status.FAIL
    assert cause in check.because


def _its_pods(run: Any) -> list[str]:
    run.cluster.wait(
        "Deployment", "web", NAMESPACE, lambda d: bool(((d or {}).get("status") or {}).get("replicas")),
        api_version="apps/v1", timeout=30,
    )  # fmt: skip
    return [pod["metadata"]["name"] for pod in run.cluster.list("Pod", NAMESPACE)]


def test_a_policy_that_somebody_changed_is_found(run: Any, lab: Any) -> None:
    """Its direction alone is enough: it then admits everybody."""
    policy = {
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "deny"},
        "spec": {"podSelector": {}},
    }  # fmt: skip
    whole = rendered(policy)
    run.cluster.apply(whole.objects[0])
    pods = [{"metadata": {"name": "p", "namespace": NAMESPACE, "labels": {}}}]
    (check,) = manifests.judge.policies(whole.objects, manifests.policies(run, whole), pods)
    assert check.status is Status.PASS, check.because
    patch = '{"spec": {"policyTypes": ["Egress"], "egress": [{}]}}'
    lab.kubectl("-n", NAMESPACE, "patch", "networkpolicy", "deny", "--type=merge", "-p", patch)
    (check,) = manifests.judge.policies(whole.objects, manifests.policies(run, whole), pods)
    assert (check.status, check.because) == (
        Status.FAIL, "On the cluster policyTypes, egress is not what the manifests say.",
    )  # fmt: skip


def _without_its_config(item: dict[str, Any]) -> dict[str, Any]:
    item["spec"]["template"]["spec"]["containers"][0]["envFrom"] = [{"secretRef": {"name": "absent"}}]
    return item


def _with_a_failing_init(item: dict[str, Any]) -> dict[str, Any]:
    container = item["spec"]["template"]["spec"]["containers"][0]
    item["spec"]["template"]["spec"]["initContainers"] = [{**container, "name": "init", "command": ["false"]}]
    return item


_QUOTA = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}}


@pytest.mark.parametrize(
    ("objects", "cause"),
    [
        ((_without_its_config(deployment("lab.local/busybox:1", "sleep", "60")),), 'CreateContainerConfigError, its configuration is wrong (lab.local/busybox:1): secret "absent" not found'),
        ((_with_a_failing_init(deployment("lab.local/busybox:1", "sleep", "60")),), "container init: "),
        ((_QUOTA, deployment("lab.local/busybox:1", "sleep", "60")), "exceeded quota: none"),
    ],
    ids=["config error", "init crash loop", "quota"],
)  # fmt: skip
def test_what_cannot_start_fails_long_before_its_deadline(run: Any, objects: Any, cause: str) -> None:
    """With its cause, as a Deployment's progress deadline of ten minutes never says it."""
    whole = rendered(*objects)
    for item in whole.objects:
        run.cluster.apply(item)
    states = manifests.wait(run, whole).set_index("object")
    found = states.loc[f"Deployment/{NAMESPACE}/web"]
    assert found["state"] == "failed", found["because"]
    assert cause in found["because"]
    assert found["seconds"] < run.parameters.manifests.ready_timeout
