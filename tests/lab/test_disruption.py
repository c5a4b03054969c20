"""Budgets on a real cluster: a drain does what the simulation says, and a proof sees what clients meet meanwhile."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from launchbook import disruption
from launchbook.disruption.drain import Drain
from launchbook.disruption.drain import drains as simulated
from launchbook.disruption.requests import Target, finish, sending
from launchbook.run import Run
from launchbook.thresholds import parse
from launchbook.words import Status

pytestmark = pytest.mark.lab

NATS, BUDGET = "kgents-agents", "kgents-agents/nats-pdb"
NATS_PODS = ("-n", NATS, "-l", "app.kubernetes.io/name=nats")
API, REDIS = (("-n", "kgents-triad", "-l", f"app.kubernetes.io/name={name}") for name in ("api", "redis"))
Prepare = Callable[..., Run]


@pytest.fixture
def prepare(own_run: Callable[..., Run]) -> Prepare:
    """`prepare(evict=…, namespaces=…, target=…)`: a run of its own on the lab, with the lab's own edges and thresholds."""

    def make(evict: str = BUDGET, namespaces: tuple[str, ...] = (), **target: Any) -> Run:
        changes: dict[str, Any] = {f"load.target.{name}": value for name, value in target.items()}
        if namespaces:
            changes["manifests.namespaces"] = ["kgents-agents", "kgents-triad", *namespaces]
        return own_run({"disruption": {"evict": [evict]}, **changes})

    return make


# ── a drain ───────────────────────────────────────────────────────────────────────────────────────────────────


def _kubectl(lab: Any, *arguments: str) -> subprocess.CompletedProcess[str]:
    """kubectl as the lab's users run it."""
    command = [Path(sys.prefix, "bin", "lab"), "kubectl", "--name", lab.name, "--", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def _drain(lab: Any, node: str, *options: str) -> subprocess.CompletedProcess[str]:
    return _kubectl(lab, "drain", node, "--ignore-daemonsets", "--delete-emptydir-data", *options)


def _nodes_of(lab: Any, *select: str) -> set[str]:
    return {p["spec"]["nodeName"] for p in lab.get("pods", *select)["items"] if "nodeName" in p["spec"]}


def _on(lab: Any, node: str) -> set[str]:
    pods = lab.get("pods", "-A", "--field-selector", f"spec.nodeName={node}")["items"]
    return {
        f"{p['metadata']['namespace']}/{p['metadata']['name']}"
        for p in pods
        if p["metadata"]["namespace"].startswith("kgents") and not p["metadata"].get("deletionTimestamp")
    }


@pytest.fixture
def node(system: Any) -> Iterator[str]:
    """A node with NATS, with the API too where it can be, and without Redis and DNS, which have one pod each."""
    nodes = {n["metadata"]["name"] for n in system.get("nodes")["items"]}
    assert len(nodes) == 3, "a drain that is to end needs somewhere to go"
    [dns] = _nodes_of(system, "-n", "kube-system")
    if _nodes_of(system, *REDIS) != {dns}:
        _restart_on(system, dns, nodes, *REDIS)
    api, nats = _nodes_of(system, *API), _nodes_of(system, *NATS_PODS)
    chosen = max(sorted(nodes - {dns}), key=lambda name: (name in nats, name in api))
    if chosen not in nats:
        _restart_on(system, chosen, nodes, "-n", NATS, "nats-0")
    yield chosen
    system.kubectl("uncordon", *nodes)
    system.await_ready()


def _restart_on(lab: Any, node: str, nodes: set[str], *pod: str) -> None:
    """Deletes a pod, whose next one can go to that node alone."""
    lab.kubectl("cordon", *(nodes - {node}))
    namespace, *which = pod[1:]
    lab.kubectl("-n", namespace, "delete", "pod", *which)
    lab.await_ready()
    lab.kubectl("uncordon", *(nodes - {node}))


def _simulated(run: Run, node: str) -> Drain:
    return next(one for one in simulated(disruption.placement(run)) if one.node == node)


class Watch:
    """Each budget's status as it changes while the block runs: name -> [(currentHealthy, desiredHealthy)]."""

    def __init__(self, run: Run) -> None:
        self.run, self.seen, self.over = run, dict[str, list[tuple[int, int]]](), threading.Event()
        self.thread = threading.Thread(target=self._look)

    def __enter__(self) -> Watch:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()

    def _look(self) -> None:
        while not self.over.wait(0.1):
            for namespace in self.run.parameters.manifests.namespaces:
                for one in self.run.cluster.list("PodDisruptionBudget", namespace, api_version="policy/v1"):
                    figures = (one["status"]["currentHealthy"], one["status"]["desiredHealthy"])
                    self.seen.setdefault(f"{namespace}/{one['metadata']['name']}", []).append(figures)


def test_a_drain_under_load_takes_no_budget_below_what_it_promises(
    system: Any, prepare: Prepare, node: str, eventually: Any
) -> None:
    """And what it evicts is what the simulation said; the API answers meanwhile as the scenario asks."""
    run = prepare()
    placement = disruption.placement(run)
    [check] = disruption.judge.drains(placement)
    assert (check.status, check.measured) == (Status.PASS, "3 of 3 nodes drain to the end"), check
    foretold = _simulated(run, node)
    assert foretold.blocked == ()
    assert {step.pod for step in foretold.steps} == _on(system, node)
    address = system.get("service", "api", "-n", "kgents-triad")["spec"]["clusterIP"]
    target = Target("the API", address, 80, "api.kgents-triad", "/v1/agents", "launchbook-load", {})
    # The pod that sends the requests has no controller, and kubectl drains no node that holds such a pod.
    system.kubectl("cordon", node)
    with sending(run, target) as requests, Watch(run) as watch:
        assert requests.problem is None, requests.problem
        began = time.monotonic()
        done = _drain(system, node, "--timeout=100s")
        assert done.returncode == 0, done.stderr
        assert _on(system, node) == set()
        system.kubectl("uncordon", node)
        system.await_ready()
        eventually(lambda: all(seen[-1] in ((3, 2), (2, 1)) for seen in watch.seen.values()), timeout=20)
        finish(run, requests)
        met = requests.since(began)
    assert set(watch.seen) == {BUDGET, "kgents-triad/api-pdb"}
    for name, figures in watch.seen.items():
        assert all(healthy >= desired > 0 for healthy, desired in figures), (name, figures)
    assert any(healthy == 2 for healthy, _ in watch.seen[BUDGET]), "a pod of NATS was gone for a while"
    assert met["problem"] is None
    assert met["count"] > 20
    [bound] = parse({"http_req_failed": run.parameters.load.thresholds["http_req_failed"]})
    assert bound.holds(met["failed"] / met["count"]), (met["failed"], met["count"], met["errors"])


def test_a_budget_of_all_pods_blocks_the_drain_as_foretold(system: Any, prepare: Prepare, node: str) -> None:
    """minAvailable 3 of 3: the simulation, the judge, kubectl drain and the API server's own cause name the same."""
    system.kubectl("-n", NATS, "patch", "pdb", "nats-pdb", "--type=merge", "-p", '{"spec": {"minAvailable": 3}}')
    try:
        run = prepare()
        blocked = dict(_simulated(run, node).blocked)
        why = f"budget {BUDGET} needs all 3 of its pods"
        assert set(blocked.values()) == {why}
        [check] = disruption.judge.drains(disruption.placement(run))
        assert check.status == Status.FAIL
        assert check.because.count(f" is never evicted: {why}") == 3
        pod = min(blocked)
        done = _drain(system, node, "--timeout=8s")
        assert done.returncode != 0
        assert f'"{pod.partition("/")[2]}"' in done.stderr
        assert "Cannot evict pod as it would violate the pod's disruption budget" in done.stderr
        assert set(blocked) <= _on(system, node)
        answer = run.cluster.evict(NATS, pod.partition("/")[2], dry_run=True)
        causes = [cause["message"] for cause in answer.body["details"]["causes"]]
        assert causes == ["The disruption budget nats-pdb needs 3 healthy pods and has 3 currently"]
    finally:
        system.kubectl("-n", NATS, "patch", "pdb", "nats-pdb", "--type=merge", "-p", '{"spec": {"minAvailable": 2}}')


# ── a proof under requests ────────────────────────────────────────────────────────────────────────────────────


def test_a_proof_asks_the_service_along_an_open_edge(prepare: Prepare) -> None:
    """NATS lets the API's pods in alone: the requests come from a pod in their labels, and all are answered."""
    run = prepare()
    found = disruption.evict(run)
    [check] = disruption.judge.evictions(found)
    assert check.status == Status.PASS, check
    [proof] = found["proofs"]
    assert proof["requests"]["to"] == "nats.kgents-agents:4222 (TCP, as kgents-triad[name=api])"
    assert proof["requests"]["count"] > 20
    assert f"{proof['requests']['count']} requests, " in check.measured
    assert "http_req_failed: rate<0.01" in check.expected
    chart = disruption.timeline(found)
    assert "answered" in str(chart.bundle())


@pytest.mark.parametrize("typo", ["kgents-agents/nats-pbd", "kgents-agent/nats-pdb"])
def test_a_mistyped_budget_is_not_proved(prepare: Prepare, typo: str) -> None:
    """And nothing is evicted in its place."""
    [check] = disruption.judge.evictions(disruption.evict(prepare(typo)))
    assert (check.subject, check.status) == (typo, Status.UNKNOWN)
    assert check.because == f"The budget is not on the cluster; did you mean {BUDGET!r}?"


FAULT = "disrupted"
PROGRAM = """
import http.server, os, signal, threading, time
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(("", 8080), Answer)
def end(*_):
    def leave():
        server.shutdown(); server.server_close(); time.sleep(6); os._exit(0)
    threading.Thread(target=leave).start()
signal.signal(signal.SIGTERM, end)
threading.Thread(target=server.serve_forever).start()
signal.pause()
time.sleep(60)
"""
# Its pods stop to listen as soon as they are told to end, while the Service still sends clients to them.
MANIFESTS = f"""
apiVersion: v1
kind: Namespace
metadata: {{name: {FAULT}}}
---
apiVersion: v1
kind: Service
metadata: {{name: web, namespace: {FAULT}}}
spec: {{publishNotReadyAddresses: true, selector: {{app: web}}, ports: [{{port: 80, targetPort: 8080}}]}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {{name: web, namespace: {FAULT}}}
spec: {{minAvailable: 1, selector: {{matchLabels: {{app: web}}}}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, namespace: {FAULT}}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      containers:
        - name: web
          image: lab.local/api:1
          imagePullPolicy: IfNotPresent
          command: [python3, -c, {json.dumps(PROGRAM)}]
          readinessProbe: {{tcpSocket: {{port: 8080}}, periodSeconds: 1}}
"""


def test_a_service_that_loses_requests_fails_its_proof(system: Any, prepare: Prepare) -> None:
    """The budget holds, the replacement is ready, and clients are turned away while the old pod ends: that is no proof."""
    manifests = yaml.safe_load_all(MANIFESTS)
    system.apply(yaml.safe_dump_all(manifests))
    try:
        system.kubectl("-n", FAULT, "rollout", "status", "deployment/web", "--timeout=60s")
        run = prepare(f"{FAULT}/web", (FAULT,), service=f"{FAULT}/web", probe_path="/")
        [check] = disruption.judge.evictions(disruption.evict(run))
        assert check.status == Status.FAIL, check
        assert check.because.startswith("Refused in the budget's name; 1 pod stayed ready meanwhile. But ")
        assert f"% of the requests to http://web.{FAULT}/ failed; the first: " in check.because
    finally:
        system.kubectl("delete", "namespace", FAULT, "--wait=false")
