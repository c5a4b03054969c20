"""Whole runs on a real cluster: the healthy sample's verdict is pinned, and each planted fault adds its own checks."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from environments import ROOT, lab_environment

from lab.lab import Lab
from launchbook.batch import run_batch
from launchbook.cluster import Cluster
from launchbook.folder import RunFolder
from launchbook.pages import render
from launchbook.parameters_file import load
from launchbook.seal import verify, verify_live

pytestmark = pytest.mark.lab

Edit = Callable[[Path], None]
Launch = Callable[..., dict[str, Any]]


# A short load, and no longer a wait than the sample takes by far.
SHORT = {
    "load.scenario.duration": "12s", "load.scenario.warmup": "3s", "logs.idle_window": "3s",
    "manifests.ready_timeout": "40s",
}  # fmt: skip


def _launch(
    folder: Path, context: str, kubeconfig: Path, edit: Edit | None, tracks: str, changes: dict[str, Any]
) -> dict[str, Any]:
    path = lab_environment(folder, context, kubeconfig, SHORT | changes)
    if edit:
        edit(folder / "kgents" / "manifests")
    resolved = load(path)
    return run_batch(
        resolved,
        Cluster.connect(resolved.environment.cluster),
        notebooks=ROOT / "notebooks",
        outputs=folder / "outputs",
        tracks=list(tracks),
        read_only=False,
        say=print,
        render=render,
    )


@pytest.fixture(scope="module")
def installed(lab: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The lab with the sample as the runbook applied it: what other tests applied belongs to another manager."""
    lab.kubectl("delete", "namespace", "kgents-agents", "kgents-triad", "--ignore-not-found", timeout=180)
    lab.apply(ROOT / "parameters" / "launchbook-role.yaml")
    _launch(tmp_path_factory.mktemp("first"), lab.name, lab.runbook, None, "A", {})
    return lab


@pytest.fixture
def launch(installed: Any, tmp_path: Path) -> Launch:
    """`launch(edit=None, tracks="A", changes={})`: verdict.json of a run on the lab, the manifests edited before."""
    return lambda edit=None, tracks="A", changes=None: _launch(
        tmp_path, installed.name, installed.runbook, edit, tracks, changes or {}
    )


def replace(file: str, old: str, new: str) -> Edit:
    """An edit of one manifest; a text that isn't there is a fault of the test."""

    def edit(folder: Path) -> None:
        text = (folder / file).read_text()
        assert old in text
        (folder / file).write_text(text.replace(old, new, 1))

    return edit


def bad(verdict: dict[str, Any]) -> dict[tuple[str, str], str]:
    """(id, subject) -> status of every check that isn't PASS, those of tracks that didn't run left out."""
    return {
        (c["id"], c["subject"]): c["status"]
        for c in verdict["checks"]
        if c["status"] not in ("PASS", "NA") and c["subject"] != "(run)"
    }


def because(verdict: dict[str, Any], id: str, subject: str) -> str:
    return next(c["because"] for c in verdict["checks"] if (c["id"], c["subject"]) == (id, subject))


POLLUTED = ("kgents-agents/nats-access", "kgents-triad/api-access", "kgents-triad/redis-access")
# What the sample honestly lacks: none of it stops a launch.
LACKS = {
    "D.secrets-rotation", "D.default-deny-egress", "D.limit-range", "D.metrics", "D.alerts", "D.replicas",
    "D.persistent-state", "D.restore-rehearsed", "D.soak", "D.image-digests", "D.runbook", "D.on-call",
}  # fmt: skip


BOUND = "50 VUs with 0.1 s think time can't send more than 500 requests/s"
ROWS = [
    "| http\\_reqs | rate\\>=100 | N /s | N to N /s | PASS |",
    "| http\\_req\\_failed | rate\\<N | N % | N to N % | PASS |",
    "| http\\_req\\_duration | p(95)\\<500 | N ms | N to N ms | PASS |",
]


def test_the_healthy_sample_is_conditional_for_its_accepted_deferral(launch: Launch, tmp_path: Path) -> None:
    """The whole way on a real cluster: pinned verdict, pinned checks that aren't PASS, a run that verifies."""
    verdict = launch(tracks="ABCD")
    assert (verdict["verdict"], verdict["exit_code"]) == ("CONDITIONAL", 3), verdict["because"]
    assert [t["status"] for t in verdict["tracks"]] == ["finished"] * 4
    assert {id for (id, _), status in bad(verdict).items() if status == "FAIL"} == LACKS
    assert {key: status for key, status in bad(verdict).items() if status != "FAIL"} == {
        ("C.decision", "log-aggregation"): "WAIVED"
    }
    folder = RunFolder(tmp_path / "outputs" / "latest")
    assert verify(folder) == []
    resolved = load(folder.parameters)
    cluster = Cluster.connect(resolved.environment.cluster)
    assert verify_live(folder, cluster, resolved.environment.manifests.namespaces, datetime.now(UTC)) == []
    summary = json.loads((folder.documents / "load-test-results.json").read_text())
    assert 100 <= summary["metrics"]["http_reqs"]["values"]["rate"] <= 500
    assert (
        because(verdict, "B.threshold", "http_reqs: rate>=100")
        == f"It holds. {BOUND}: this rate is a floor, not the capacity."
    )
    told = (folder.documents / "load-test-baseline.md").read_text()
    assert (
        "The loop is closed: 50 VUs with 0.1 s think time send at most 500 requests/s. The rate is a floor, not the capacity."
        in told
    )
    assert [
        re.sub(r"\d+\.\d+", "N", " ".join(line.split())) for line in told.splitlines() if "http" in line and "|" in line
    ] == ROWS
    for name in ("index.html", "A-manifests.html", "plotly.min.js"):
        assert (folder.path / name).stat().st_size > 1000


def pollute(folder: Path) -> None:
    file = folder / "policies" / "kustomization.yaml"
    file.write_text(file.read_text() + "\ncommonLabels:\n  team: platform\n")


TO_NATS = "kgents-agents/nats:4222"
FROM_API = f"kgents-triad[name=api] -> {TO_NATS}"
TO_API = "launchbook-load -> kgents-triad/api:80"
STRANGERS = [f"{source} -> {TO_NATS}" for source in ("default", "launchbook-load", "kgents-triad")]
EVERYBODY = (
    "  ingress:\n    - from:\n        - namespaceSelector: {}\n      ports:\n        - {protocol: TCP, port: 4222}\n"
)
# What follows where no pod of the API gets ready.
API_DOWN = {
    ("A.ready", "Service/kgents-triad/api"): "FAIL",
    ("A.ready", "Deployment/kgents-triad/api"): "FAIL",
    ("A.isolation", TO_API): "FAIL",
    ("A.budget", "kgents-triad/api-pdb"): "FAIL",
    ("A.drain", "nodes"): "FAIL",
}


@pytest.mark.parametrize(
    ("edit", "expected", "causes"),
    [
        pytest.param(
            pollute,
            {("A.selectors", f"NetworkPolicy/{name}"): "FAIL" for name in POLLUTED}
            | {("A.policy", f"NetworkPolicy/{name}"): "FAIL" for name in POLLUTED}
            | {("A.apply", "manifests"): "UNKNOWN"},
            {
                (
                    "A.selectors",
                    "NetworkPolicy/kgents-agents/nats-access",
                ): "spec.ingress[0].from[0].podSelector: it no longer selects Deployment/kgents-triad/api",
                ("A.apply", "manifests"): "6 selectors are polluted; applying them would change who reaches whom.",
            },
            id="commonLabels in the policies' kustomization",
        ),
        pytest.param(
            replace("policies/nats-access.yaml", "  ingress:\n", EVERYBODY),
            {("A.isolation", edge): "FAIL" for edge in STRANGERS} | {("A.undeclared", "openings"): "FAIL"},
            {("A.isolation", edge): "allowed by kgents-agents/nats-access ingress[0]" for edge in STRANGERS}
            | {("A.undeclared", "openings"): "Any other namespace"},
            id="a policy that admits every namespace",
        ),
        pytest.param(
            replace("nats/nats.yaml", "minAvailable: 2", "minAvailable: 3"),
            {
                ("A.budget", "kgents-agents/nats-pdb"): "FAIL",
                ("A.drain", "nodes"): "FAIL",
                ("A.eviction", "kgents-agents/nats-pdb"): "UNKNOWN",
            },
            {
                (
                    "A.budget",
                    "kgents-agents/nats-pdb",
                ): "It needs 3 of 3 pods, so no node that runs one can ever be drained.",
                ("A.drain", "nodes"): "is never evicted: budget kgents-agents/nats-pdb needs all 3 of its pods",
            },
            id="a budget that blocks every drain",
        ),
        pytest.param(
            replace("redis/redis.yaml", "lab.local/redis:1", "lab.local/redis:absent"),
            API_DOWN
            | {
                ("A.ready", "Service/kgents-triad/redis"): "FAIL",
                ("A.ready", "Deployment/kgents-triad/redis"): "FAIL",
                ("A.isolation", "kgents-triad[name=api] -> kgents-triad/redis:6379"): "FAIL",
                # Nobody reached a pod that isn't there, so what is blocked from it may be down.
                ("A.isolation", "default -> kgents-triad/redis:6379"): "UNKNOWN",
                ("A.isolation", "launchbook-load -> kgents-triad/redis:6379"): "UNKNOWN",
            },
            {("A.ready", "Deployment/kgents-triad/redis"): "the image can't be pulled (lab.local/redis:absent)"},
            id="an image that can't be pulled",
        ),
    ],
)
def test_a_planted_fault_adds_exactly_its_own_checks(
    launch: Launch, edit: Edit, expected: dict[tuple[str, str], str], causes: dict[tuple[str, str], str]
) -> None:
    """NO-GO, with each cause in its own check, and nothing else that isn't PASS."""
    verdict = launch(edit)
    assert verdict["verdict"] == "NO-GO"
    assert bad(verdict) == expected
    for (id, subject), words in causes.items():
        assert words in because(verdict, id, subject)


RESTRICTED = """
      securityContext: {runAsNonRoot: true, runAsUser: 65532, seccompProfile: {type: RuntimeDefault}}
      automountServiceAccountToken: false
"""
PAUSES = (
    "image: lab.local/pause:1, resources: {requests: {cpu: 5m, memory: 8Mi}, limits: {cpu: 50m, memory: 16Mi}}, "
    "securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}"
)
# An agent on every node, with a sidecar.
BESIDES = f"""
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {{name: agent}}
spec:
  selector: {{matchExpressions: [{{key: app.kubernetes.io/name, operator: In, values: [agent]}}]}}
  template:
    metadata: {{labels: {{app.kubernetes.io/name: agent}}}}
    spec:{RESTRICTED}
      initContainers: [{{name: proxy, restartPolicy: Always, {PAUSES}}}]
      containers: [{{name: agent, {PAUSES}}}]
"""
# Nobody sends anything but to DNS; the API also to what it needs.
SENDING = """
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: default-deny-egress, namespace: kgents-triad}
spec:
  podSelector: {}
  policyTypes: [Egress]
  egress:
    - to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}}]
      ports: [{protocol: UDP, port: dns}, {protocol: TCP, port: dns-tcp}] # the pods' own, which is 1053
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: api-sends, namespace: kgents-triad}
spec:
  podSelector: {matchLabels: {app.kubernetes.io/name: api}}
  policyTypes: [Egress]
  egress:
    - to: [{podSelector: {matchExpressions: [{key: app.kubernetes.io/name, operator: NotIn, values: [api, agent]}]}}]
      ports: [{port: redis}]
    - to: [{namespaceSelector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: In, values: [kgents-agents]}]}}]
      ports: [{port: 4222, endPort: 4222}]
"""


def other_forms(folder: Path) -> None:
    """The sample in forms that a healthy system has as well: nothing of what it is allowed or keeps is another."""
    by_label = "          podSelector:\n            matchLabels:\n              app.kubernetes.io/name: api\n"
    by_rule = "          podSelector:\n            matchExpressions: [{key: app.kubernetes.io/name, operator: In, values: [api]}]\n"
    replace("policies/nats-access.yaml", by_label, by_rule)(folder)
    replace("policies/nats-access.yaml", "port: 4222", "port: client")(folder)
    replace("nats/nats.yaml", "minAvailable: 2", "minAvailable: 60%\n  unhealthyPodEvictionPolicy: AlwaysAllow")(folder)
    for file, more in (("api/api.yaml", BESIDES), ("policies/api-access.yaml", SENDING)):
        (folder / file).write_text((folder / file).read_text() + more)


@pytest.fixture
def cleared(lab: Any) -> Iterator[None]:
    """What the sample has not is gone again, so that the next run doesn't find it beside the manifests."""
    yield
    what = ("daemonset/agent", "networkpolicy/default-deny-egress", "networkpolicy/api-sends")
    lab.kubectl("-n", "kgents-triad", "delete", "--cascade=foreground", "--ignore-not-found", *what, timeout=120)


@pytest.mark.usefixtures("cleared")
def test_a_healthy_system_in_other_forms_raises_no_alarm(launch: Launch) -> None:
    """Egress closed but to DNS, expressions for labels, named ports, percentages, a sidecar, an agent on every node.

    Twice: the second time nothing is left to apply.
    """
    for _ in range(2):
        verdict = launch(other_forms)
        assert {key: because(verdict, *key) for key in bad(verdict)} == {}


def test_a_missing_policy_is_an_outage_with_its_cause(launch: Launch, lab: Any) -> None:
    """Without nats-access no pod of the API that starts gets ready, and the policy that closes the edge is named."""
    lab.kubectl("-n", "kgents-agents", "delete", "networkpolicy", "nats-access")
    # A connection that stands survives its policy under Calico.
    lab.kubectl("-n", "kgents-triad", "delete", "pods", "-l", "app.kubernetes.io/name=api", "--now")
    verdict = launch(replace("policies/kustomization.yaml", "  - nats-access.yaml\n", ""))
    assert verdict["verdict"] == "NO-GO"
    # Nobody else reaches NATS either, so what is blocked from it may be down, and no pod of it is evicted in earnest.
    unsure = {("A.isolation", edge): "UNKNOWN" for edge in STRANGERS}
    unsure[("A.eviction", "kgents-agents/nats-pdb")] = "UNKNOWN"
    assert bad(verdict) == API_DOWN | {("A.isolation", FROM_API): "FAIL"} | unsure
    assert "Nothing was evicted" in because(verdict, "A.eviction", "kgents-agents/nats-pdb")
    assert "ingress: denied by kgents-agents/default-deny-ingress" in because(verdict, "A.isolation", FROM_API)


def test_an_api_that_fails_two_in_a_hundred_is_found(launch: Launch) -> None:
    """The errors' threshold fails with their kind; latency and rate hold."""
    fault = "          env:\n            - {name: FAULT_ERROR_RATE, value: '0.02'}\n"
    verdict = launch(replace("api/api.yaml", "          env:\n", fault), "AB")
    assert verdict["verdict"] == "NO-GO"
    subject = "http_req_failed: rate<0.01"
    assert bad(verdict) == {("B.threshold", subject): "FAIL"}
    assert "status 500" in because(verdict, "B.threshold", subject)


def test_a_starved_generator_is_invalid_and_fails_nobody(launch: Launch) -> None:
    """Its figures are its own: UNKNOWN, with that reason, and no threshold judged."""
    verdict = launch(None, "AB", {"load.generator.cpu": "80m"})
    found = bad(verdict)
    assert found[("B.validity", "load")] == "UNKNOWN"
    cause = (
        r"The generator used \d+ % of its 0\.08 cores in its busiest seconds|The generator's own clock woke \d+ ms late"
    )
    assert re.search(cause, because(verdict, "B.validity", "load"))
    thresholds = {status for (id, _), status in found.items() if id == "B.threshold"}
    assert thresholds == {"UNKNOWN"}


@pytest.fixture
def blind(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A lab on whose second node the policy agent never ran: (context, kubeconfig)."""
    started = Lab("blind")
    status = started.up(2, without=["calico-felix@blind-node-2"])
    try:
        program, kubeconfig = started.kubectl()
        role = ROOT / "parameters" / "launchbook-role.yaml"
        from subprocess import run

        run(
            [program, "--kubeconfig", kubeconfig, "apply", "--server-side", "-f", role], check=True, capture_output=True
        )
        yield "blind", Path(status["kubeconfig"]["launchbook"])
    finally:
        started.down()


def test_a_node_whose_policy_agent_never_ran_is_found(blind: tuple[str, Path], tmp_path: Path) -> None:
    """Its name is in the check, and no closed edge counts; what is declared open stays what it is."""
    verdict = _launch(tmp_path, *blind, None, "A", {})
    assert verdict["verdict"] == "NO-GO"
    found = bad(verdict)
    closed = [c["subject"] for c in verdict["checks"] if c["id"] == "A.isolation" and c["expected"] == "closed"]
    # On a first install there is no dry run of what the new namespaces hold, and nothing cuts a connection there.
    assert set(found) == {
        ("A.enforcement", "node/blind-node-2"), ("A.held", "connections"), ("A.plan", "manifests"),
        *(("A.isolation", edge) for edge in closed),
    }  # fmt: skip
    assert found[("A.enforcement", "node/blind-node-2")] == "FAIL"
    assert "still answered 20 s after a policy denied everybody" in because(
        verdict, "A.enforcement", "node/blind-node-2"
    )
    for edge in closed:
        told = because(verdict, "A.isolation", edge)
        assert "The enforcement is wrong: the policies say closed" in told or "not seen to enforce policies" in told
