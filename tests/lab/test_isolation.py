"""Isolation and budgets on a real cluster: what probes may claim, and what they leave to nobody else's counting."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from launchbook import disruption, isolation
from launchbook.parameters_file import load
from launchbook.run import Run
from launchbook.words import Check, Status

pytestmark = pytest.mark.lab

ROOT = Path(__file__).parents[2]
API = {"namespace": "kgents-triad", "labels": {"app.kubernetes.io/name": "api"}}
NATS = {"namespace": "kgents-agents", "labels": {"app.kubernetes.io/name": "nats"}}
CLIENT = {"namespace": "default", "labels": {"app": "client"}}
# A door by address beside the sample's own.
BLOCKS = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: by-address, namespace: kgents-triad}
spec:
  podSelector: {matchLabels: {app.kubernetes.io/name: redis}}
  ingress:
    - from: [{ipBlock: {cidr: 0.0.0.0/0}}]
      ports: [{port: 6379}]
"""
OUTER_BLOCK = BLOCKS.replace("0.0.0.0/0", "203.0.113.0/24")
GLOBAL = """
apiVersion: crd.projectcalico.org/v1
kind: GlobalNetworkPolicy
metadata: {name: default.planted}
spec: {selector: has(nobody), types: [Ingress], order: 1}
"""


def edge(source: Any, namespace: str, service: str, port: int, expect: str) -> dict[str, Any]:
    destination = {"namespace": namespace, "service": service, "port": port}
    return {"source": source, "destination": destination, "expect": expect}


REDIS_OPEN = edge(API, "kgents-triad", "redis", 6379, "open")
REDIS_CLOSED = edge(CLIENT, "kgents-triad", "redis", 6379, "closed")
Prepare = Callable[..., Run]


@pytest.fixture
def prepare(system: Any, eventually: Any, tmp_path: Path) -> Iterator[Prepare]:
    """`prepare(edges, **disruption)`: a run of its own on the lab, whose parameters declare these edges."""
    runs: list[Run] = []

    def make(edges: list[Any], **budgets: Any) -> Run:
        shutil.copytree(ROOT / "parameters" / "kgents", tmp_path / "kgents", dirs_exist_ok=True)
        text = yaml.safe_load((ROOT / "parameters" / "lab.yaml").read_text())
        text["cluster"] = {"context": system.name, "kubeconfig": str(system.runbook)}
        text["isolation"]["edges"] = edges
        text["disruption"] = budgets
        path = tmp_path / "lab.yaml"
        path.write_text(yaml.safe_dump(text))
        runs.append(Run.create(load(path), tmp_path / "outputs"))
        return runs[-1]

    system.apply(ROOT / "parameters" / "launchbook-role.yaml")
    yield make
    for run in runs:
        run._leave()
    eventually(lambda: not system.get("pods", "-A", "-l", "launchbook.io/run")["items"])


def judged(run: Run) -> dict[str, Check]:
    """Edge -> its check, from everything that a notebook does for it."""
    canary = isolation.enforcement(run)
    computed, observed = isolation.compute(run), isolation.probe(run)
    return {c.subject: c for c in isolation.judge.edges(run.parameters.isolation.edges, computed, observed, canary)}


@pytest.fixture
def planted(system: Any) -> Iterator[Callable[[str], None]]:
    """Applies manifests, gone afterwards."""
    texts: list[str] = []

    def plant(text: str) -> None:
        texts.append(text)
        system.apply(text)

    yield plant
    for text in texts:
        system.kubectl("delete", "--ignore-not-found", "-f", "-", stdin=text)


def test_what_tcp_probes_of_pods_and_names_can_tell(prepare: Prepare) -> None:
    """Open and closed by address and by a name without a domain; UDP by nobody; no prober where clients would meet it."""
    checks = judged(
        prepare(
            [
                REDIS_OPEN,
                REDIS_CLOSED,
                edge(CLIENT, "kube-system", "kube-dns", 53, "open"),
                edge(NATS, "kgents-agents", "nats-headless", 6222, "open"),
                edge(API, "kgents-agents", "nats-headless", 6222, "closed"),
            ]
        )
    )
    told = {subject: (check.status, check.because) for subject, check in checks.items()}
    reached = told["kgents-triad[name=api] -> kgents-triad/redis:6379"]
    assert reached[0] is Status.PASS
    assert reached[1].endswith("the Service's address, the Service's name.")
    assert told["default[app=client] -> kgents-triad/redis:6379"][0] is Status.PASS
    status, because = told["default[app=client] -> kube-system/kube-dns:53"]
    assert status is Status.UNKNOWN
    assert because.startswith("The Service's port is UDP, which probes do not speak")
    status, because = told["kgents-agents[name=nats] -> kgents-agents/nats-headless:6222"]
    assert status is Status.UNKNOWN
    assert "Service nats-headless publishes pods that aren't ready" in because
    # Nobody may reach 6222 but NATS itself, whose labels no prober may wear.
    status, because = told["kgents-triad[name=api] -> kgents-agents/nats-headless:6222"]
    assert status is Status.UNKNOWN
    assert "nobody reached nats-" in because


def test_an_ip_block_beyond_the_pods_addresses_decides_nothing(prepare: Prepare, planted: Any) -> None:
    """The nodes hand out the pods' addresses, and it holds none of them."""
    planted(OUTER_BLOCK)
    assert {check.status for check in judged(prepare([REDIS_OPEN, REDIS_CLOSED])).values()} == {Status.PASS}


def test_what_an_ip_block_opens_between_pods_is_unknown(prepare: Prepare, planted: Any) -> None:
    """This network plugin lets them in; another, or another address, may not."""
    planted(BLOCKS)
    anybody = edge({"namespace": "default"}, "kgents-triad", "redis", 6379, "open")
    opened, failed, unknown = judged(prepare([REDIS_OPEN, REDIS_CLOSED, anybody])).values()
    assert (opened.status, failed.status, unknown.status) == (Status.PASS, Status.FAIL, Status.UNKNOWN)
    assert "What the policies say can't be told" in failed.because
    assert "kgents-triad/by-address ingress[0]" in unknown.because


def test_other_policies_are_seen_and_leave_it_to_the_probes(prepare: Prepare, planted: Any) -> None:
    """Calico's own kind is there: nothing is computed, and the check says so."""
    planted(GLOBAL)
    checks = judged(prepare([REDIS_OPEN, REDIS_CLOSED]))
    assert {check.status for check in checks.values()} == {Status.PASS}
    for check in checks.values():
        assert "GlobalNetworkPolicy.crd.projectcalico.org: 1" in check.because
        assert check.measured.startswith("policies: unknown")


def uncovered(run: Run) -> dict[str, tuple[Status, str]]:
    checks = isolation.judge.landscape(isolation.landscape(run))
    assert {c.id for c in checks} == {"A.coverage"}
    return {c.subject: (c.status, c.because) for c in checks if c.status is not Status.PASS}


def test_what_the_policies_leave_out(system: Any, prepare: Prepare, planted: Any) -> None:
    """Nothing of the sample once the load generator's namespace is there; of each planted fault its own line."""
    run = prepare([edge({"namespace": "launchbook-load"}, "kgents-triad", "api", 80, "open")])
    isolation.probe(run)
    assert uncovered(run) == {}
    planted(GLOBAL)
    planted(BLOCKS.replace("ingress:", "policyTypes: [Ingress, Egress]\n  ingress:"))
    system.kubectl("-n", "kgents-agents", "delete", "networkpolicy", "--all")
    found = uncovered(run)
    assert {subject: status for subject, (status, _) in found.items()} == {
        "pods": Status.FAIL,
        "dns": Status.FAIL,
        "other policies": Status.UNKNOWN,
    }
    assert found["pods"][1] == "No policy covers any pod of namespace kgents-agents."
    assert "may send nothing to DNS (egress: denied by kgents-triad/by-address)" in found["dns"][1]
    assert found["other policies"][1] == "GlobalNetworkPolicy.crd.projectcalico.org: 1, which is not computed."


def test_budgets_are_judged_without_the_probe_pods(prepare: Prepare) -> None:
    """A prober in the API's labels fits api-pdb; right after probing its status counts the two pods of the API."""
    run = prepare([REDIS_OPEN], budgets=["kgents-triad/api-pdb"])
    isolation.probe(run)
    found = disruption.budgets(run)
    [one] = found["budgets"]
    assert one["budget"]["status"]["expectedPods"] == len(one["pods"]) == 2
    [check] = disruption.judge.budgets(found)
    assert (check.status, check.because) == (Status.PASS, "1 of 2 pods may go at a time.")
