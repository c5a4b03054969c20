"""What somebody wrote into an applied object on a real cluster: found by who did, and taken out by the command named."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest

from launchbook import manifests
from launchbook.words import Check, Status

pytestmark = pytest.mark.lab

CONTAINER = '.spec.template.spec.containers[name="api"]'
# Object, patch, and the field that is found.
PLANTS = (
    ("Deployment/kgents-triad/api", {"template": {"spec": {"containers": [{"name": "shell", "image": "lab.local/busybox:1", "command": ["sleep", "9"]}]}}},
     '.spec.template.spec.containers[name="shell"]'),
    ("Deployment/kgents-triad/api", {"template": {"spec": {"containers": [{"name": "api", "env": [{"name": "PLANTED", "value": "1"}]}]}}},
     f'{CONTAINER}.env[name="PLANTED"]'),
    ("Service/kgents-triad/api", {"ports": [{"name": "extra", "port": 9999, "protocol": "TCP"}]}, '.spec.ports[port=9999,protocol="TCP"]'),
    ("NetworkPolicy/kgents-triad/default-deny-ingress", {"ingress": [{}]}, ".spec.ingress"),
)  # fmt: skip


def judged(run: Any) -> Check:
    return manifests.judge.drift(manifests.held(run, manifests.render(run)), run.parameters.manifests.known)


def test_what_somebody_wrote_into_an_object_is_found(system: Any, own_run: Any) -> None:
    """Though a plan calls it unchanged; nothing is found in the sample before, after a restart, or once it is out again."""
    run = own_run({})
    rendered = manifests.render(run)
    applied = manifests.apply(run, rendered, manifests.plan(run, rendered))
    assert not applied.refusal
    assert set(applied.frame["action"]) <= {"changed", "unchanged"}
    assert (judged(run).status, judged(run).because) == (
        Status.PASS, "Each applied object holds what its manifest says and no more.",
    )  # fmt: skip
    for object, spec, field in PLANTS:
        kind, namespace, name = object.split("/")
        system.kubectl("-n", namespace, "patch", f"{kind.lower()}/{name}", "-p", json.dumps({"spec": spec}))
        found = judged(run)
        told, _, command = found.because.removesuffix("`.").partition(" To take out the first: `kubectl ")
        assert (found.status, told) == (Status.FAIL, f"{object} holds {field} by kubectl-patch.")
        steps = {step.object: step for step in manifests.plan(run, rendered).steps}
        assert (steps[object].action, steps[object].kept) == ("unchanged", "")
        system.kubectl(*shlex.split(command))
        assert judged(run).status == Status.PASS
    system.kubectl("-n", "kgents-triad", "rollout", "restart", "deployment/api")
    system.kubectl("-n", "kgents-triad", "scale", "deployment/api", "--replicas=3")
    system.await_ready()
    assert judged(run).status == Status.PASS


def test_a_system_that_kubectl_applied_client_side_holds_no_more(system: Any, own_run: Any) -> None:
    """Its defaults count as written by kubectl, and nobody meant anything by them."""
    run = own_run({})
    rendered = manifests.render(run)
    for item in rendered.objects:
        if item["kind"] in ("Service", "NetworkPolicy", "PodDisruptionBudget", "Deployment"):
            system.kubectl(
                "delete", item["kind"], item["metadata"]["name"], "-n", item["metadata"]["namespace"], "--wait=true"
            )
            system.kubectl("apply", "-f", "-", stdin=json.dumps(item))
    applied = manifests.apply(run, rendered, manifests.plan(run, rendered))
    assert not applied.refusal
    assert (judged(run).status, judged(run).because) == (
        Status.PASS, "Each applied object holds what its manifest says and no more.",
    )  # fmt: skip
    assert set(manifests.plan(run, rendered).frame["kept"]) == {""}
