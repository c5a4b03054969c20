"""What somebody put beside the system on a real cluster: found, with what it does, and the load isn't sent astray."""

from __future__ import annotations

from typing import Any

import pytest

from launchbook import load, manifests
from launchbook.words import Status

pytestmark = pytest.mark.lab

POLICY = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: backdoor, namespace: kgents-agents, labels: {launchbook.io/run: another}}
spec: {podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: anybody}}}]}]}
"""
SHADOW = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: shadow, namespace: kgents-triad}
spec:
  replicas: 0
  selector: {matchLabels: {app.kubernetes.io/name: api, shadow: "yes"}}
  template:
    metadata: {labels: {app.kubernetes.io/name: api, shadow: "yes"}}
    spec: {containers: [{name: shadow, image: "lab.local/busybox:1"}]}
"""
SLICE = """
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: api-extra, namespace: kgents-triad, labels: {kubernetes.io/service-name: api}}
addressType: IPv4
ports: [{name: http, port: 8080, protocol: TCP}]
endpoints: [{addresses: [198.19.255.250], conditions: {ready: true}}]
"""
TOOL = """
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly, namespace: kgents-triad}
spec:
  schedule: "0 0 1 1 *"
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: job, image: "lab.local/busybox:1"}]}}}}
"""
PLANTS = (
    (POLICY, "A.foreign", "NetworkPolicy/kgents-agents/backdoor admits what the manifests don't: policies add up."),
    (SHADOW, "A.foreign", "Deployment/kgents-triad/shadow has pods that "),
    (SLICE, "A.foreign", "Service/kgents-triad/api sends requests to 198.19.255.250 in EndpointSlice api-extra, which is no pod"),
    (TOOL, "A.unlisted", "CronJob/kgents-triad/nightly is not in the manifests."),
)  # fmt: skip


# What names the system's own workloads as its owners, of whom none made it.
FORGED = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: forged
  namespace: kgents-agents
  ownerReferences: [{{apiVersion: apps/v1, kind: StatefulSet, name: nats, uid: {nats}}}]
spec: {{podSelector: {{}}, ingress: [{{}}]}}
"""
POSED = """
apiVersion: v1
kind: Pod
metadata:
  name: posed
  namespace: kgents-triad
  labels: {{app.kubernetes.io/name: api}}
  ownerReferences: [{{apiVersion: apps/v1, kind: Deployment, name: api, uid: {api}, controller: true}}]
spec:
  nodeSelector: {{nowhere: "true"}}
  securityContext: {{runAsNonRoot: true, runAsUser: 1000, seccompProfile: {{type: RuntimeDefault}}}}
  containers:
    - name: posed
      image: lab.local/busybox:1
      resources: {{requests: {{cpu: 1m, memory: 4Mi}}, limits: {{cpu: 10m, memory: 16Mi}}}}
      securityContext: {{allowPrivilegeEscalation: false, capabilities: {{drop: [ALL]}}}}
"""


def judged(run: Any) -> dict[str, Any]:
    rendered = manifests.render(run)
    found = manifests.judge.foreign(manifests.present(run, rendered), rendered.objects, run.parameters.manifests.known)
    return {check.id: check for check in found}


def test_what_is_beside_the_manifests_is_found(system: Any, own_run: Any) -> None:
    """Each alone, by its own check; the healthy sample has nothing beside it, before and after."""
    run = own_run({})
    assert {check.status for check in judged(run).values()} == {Status.PASS}
    for text, id, because in PLANTS:
        system.apply(text)
        try:
            found = judged(run)
            assert {one for one, check in found.items() if check.status == Status.FAIL} == {id}
            assert found[id].because.startswith(because), found[id]
        finally:
            system.kubectl("delete", "-f", "-", "--wait=true", stdin=text)
    assert {check.status for check in judged(run).values()} == {Status.PASS}


def test_an_owner_excuses_only_what_it_made(system: Any, own_run: Any) -> None:
    """Whoever may write an object may write an owner into it."""
    run = own_run({})
    nats = system.get("-n", "kgents-agents", "statefulset", "nats")["metadata"]["uid"]
    api = system.get("-n", "kgents-triad", "deployment", "api")["metadata"]["uid"]
    for text, because in (
        (
            FORGED.format(nats=nats),
            "NetworkPolicy/kgents-agents/forged admits what the manifests don't: policies add up.",
        ),
        (POSED.format(api=api), "Pod/kgents-triad/posed has pods that "),
    ):
        system.apply(text)
        try:
            found = judged(run)["A.foreign"]
            assert (found.status, found.because[: len(because)]) == (Status.FAIL, because)
        finally:
            system.kubectl("delete", "-f", "-", "--wait=true", stdin=text)


def test_no_load_is_sent_where_a_service_leads_elsewhere(system: Any, own_run: Any) -> None:
    run = own_run({})
    assert load.target(run)["problem"] is None
    system.apply(SLICE)
    try:
        found = load.target(run)
        assert (found["problem"], found["unproven"]) == (
            "Service kgents-triad/api would send requests to 198.19.255.250 in EndpointSlice api-extra, which is no pod that "
            "it selects. Nothing was sent.", False,
        )  # fmt: skip
    finally:
        system.kubectl("delete", "-f", "-", stdin=SLICE)
