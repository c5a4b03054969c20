"""Isolation and budgets on a real cluster: what probes may claim, and what they leave to nobody else's counting."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from kubernetes.client import Configuration

from lab.lab import Lab
from launchbook import disruption, isolation, manifests
from launchbook.cluster import Cluster
from launchbook.errors import ClusterError
from launchbook.isolation.probers import Probers
from launchbook.isolation.reality import reality_of
from launchbook.run import Run
from launchbook.words import Check, Status

pytestmark = pytest.mark.lab

PROBE, BUSYBOX = "lab.local/probe:1", "lab.local/busybox:1"  # with Python, and without
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
def prepare(own_run: Callable[..., Run]) -> Prepare:
    """`prepare(edges, image, **disruption)`: a run of its own on the lab, whose parameters declare these edges."""
    return lambda edges, image=PROBE, **budgets: own_run(
        {"isolation.edges": edges, "isolation.probe_image": image, "disruption": budgets}
    )


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


@pytest.mark.parametrize("image", [PROBE, BUSYBOX])
def test_what_probes_of_pods_and_names_can_tell(prepare: Prepare, image: str) -> None:
    """Open and closed by address and by a name without a domain; UDP by an answer; no prober that clients would meet."""
    checks = judged(
        prepare(
            [
                REDIS_OPEN,
                REDIS_CLOSED,
                edge(CLIENT, "kube-system", "kube-dns", 53, "open"),
                edge(NATS, "kgents-agents", "nats-headless", 6222, "open"),
                edge(API, "kgents-agents", "nats-headless", 6222, "closed"),
            ],
            image,
        )
    )
    told = {subject: (check.status, check.because) for subject, check in checks.items()}
    reached = told["kgents-triad[name=api] -> kgents-triad/redis:6379"]
    assert reached[0] is Status.PASS
    assert reached[1].endswith("the Service's address, the Service's name.")
    assert told["default[app=client] -> kgents-triad/redis:6379"][0] is Status.PASS
    status, because = told["default[app=client] -> kube-system/kube-dns:53"]
    assert status is Status.PASS
    assert because.startswith("Reached coredns-")
    status, because = told["kgents-agents[name=nats] -> kgents-agents/nats-headless:6222"]
    assert status is Status.UNKNOWN
    assert "Service nats-headless publishes pods that aren't ready" in because
    # Nobody may reach 6222 but NATS itself, whose labels no prober may wear.
    status, because = told["kgents-triad[name=api] -> kgents-agents/nats-headless:6222"]
    assert status is Status.UNKNOWN
    assert "nobody reached nats-" in because


def test_a_mistyped_end_is_found_before_anything_is_done(prepare: Prepare) -> None:
    """With the nearest name, and the run may neither apply nor probe; the sample's own edges are all there."""
    mistyped = edge(API, "kgents-triad", "rediss", 6379, "open")
    told = {}
    for edges in ([REDIS_OPEN, REDIS_CLOSED], [mistyped]):
        run = prepare(edges)
        there = isolation.ends(run, manifests.render(run).objects)
        told[isolation.judge.ends(run.parameters.isolation.edges, there).status] = run.allowed("probe")
    assert told == {Status.PASS: True, Status.FAIL: False}


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


BY_LABEL = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: monitoring, namespace: kgents-triad}
spec:
  podSelector: {matchLabels: {app.kubernetes.io/name: redis}}
  ingress:
    - from: [{namespaceSelector: {}, podSelector: {matchLabels: {app: monitoring}}}]
      ports: [{port: 6379}]
"""


def test_a_label_that_anybody_may_set_is_no_closed_edge(prepare: Prepare, planted: Any) -> None:
    """No pod wears it and every probe is blocked, yet one that wore it would pass; who is declared open is no stranger."""
    anybody = edge({"namespace": "default"}, "kgents-triad", "redis", 6379, "closed")
    others = edge({"namespace": "kgents-triad"}, "kgents-agents", "nats", 4222, "closed")
    api = edge(API, "kgents-agents", "nats", 4222, "open")
    edges = [anybody, REDIS_OPEN, others, api]
    before = judged(prepare(edges))
    planted(BY_LABEL)
    after = judged(prepare(edges))
    assert {check.status for check in before.values()} == {Status.PASS}
    failed = after.pop("default -> kgents-triad/redis:6379")
    assert (failed.status, failed.measured) == (Status.FAIL, "policies: open to a label, probes: closed")
    assert failed.because.startswith("Blocked from redis-")
    assert (
        "any pod of namespace default with the label app=monitoring is admitted "
        "by NetworkPolicy kgents-triad/monitoring ingress[0]"
    ) in failed.because
    assert {check.status for check in after.values()} == {Status.PASS}


def test_other_policies_are_seen_and_leave_it_to_the_probes(prepare: Prepare, planted: Any) -> None:
    """Calico's own kind is there: nothing is computed, and the check says so."""
    planted(GLOBAL)
    checks = judged(prepare([REDIS_OPEN, REDIS_CLOSED]))
    assert {check.status for check in checks.values()} == {Status.PASS}
    for check in checks.values():
        assert "GlobalNetworkPolicy.crd.projectcalico.org: 1" in check.because
        assert check.measured.startswith("policies: unknown")


ROUTES = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: routes, namespace: kgents-agents}
spec:
  podSelector: {matchLabels: {app.kubernetes.io/name: nats}}
  ingress:
    - from: [{namespaceSelector: {}}]
      ports: [{port: 6222}]
"""


def undeclared(run: Run) -> Check:
    return isolation.judge.undeclared(isolation.openings(run))


def test_an_opening_that_no_edge_names(own_run: Callable[..., Run], planted: Any) -> None:
    """The sample declares all of its own; a port opened beside it is named, though no edge asks about it."""
    check = undeclared(own_run({}))
    assert (check.status, check.because) == (Status.PASS, "Every opening is declared.")
    planted(ROUTES)
    check = undeclared(own_run({}))
    assert (check.status, check.because) == (
        Status.FAIL,
        "Anybody may reach TCP 6222 of StatefulSet/kgents-agents/nats (ingress: allowed by kgents-agents/routes ingress[0]). "
        "Close it; what is meant to be open, declare: `- {namespace: kgents-agents, service: nats-headless, port: 6222}` "
        "under isolation.open_to_all.",
    )
    planted(GLOBAL)
    check = undeclared(own_run({}))
    assert check.status is Status.UNKNOWN
    assert "GlobalNetworkPolicy.crd.projectcalico.org: 1" in check.because


def test_a_workload_is_a_destination_without_a_service(prepare: Prepare) -> None:
    """Its pods by address alone, computed and probed; what nobody reaches is not called closed."""

    def to(source: Any, port: int, expect: str) -> dict[str, Any]:
        destination = {"namespace": "kgents-agents", "workload": "StatefulSet/nats", "port": port}
        return {"source": source, "destination": destination, "expect": expect}

    run = prepare([to(API, 4222, "open"), to(CLIENT, 4222, "closed"), to(CLIENT, 8222, "closed")])
    opened, closed, unreached = judged(run).values()
    assert (opened.subject, opened.status) == (
        "kgents-triad[name=api] -> kgents-agents/StatefulSet/nats:4222",
        Status.PASS,
    )
    assert opened.because == "Reached nats-0, nats-1, nats-2."
    assert (closed.status, closed.measured) == (Status.PASS, "policies: closed, probes: closed")
    assert unreached.status is Status.UNKNOWN
    assert "nobody reached nats-0, nats-1, nats-2 before and after" in unreached.because


BY_ACCOUNT = """
apiVersion: crd.projectcalico.org/v1
kind: NetworkPolicy
metadata: {name: default.by-account, namespace: kgents-triad}
spec:
  order: 1
  selector: app.kubernetes.io/name == 'redis'
  types: [Ingress]
  ingress:
    - {action: Allow, source: {serviceAccounts: {names: [api]}, namespaceSelector: "projectcalico.org/name == 'kgents-triad'"}}
    - {action: Deny}
"""


def test_a_probe_pod_has_its_sources_account(prepare: Prepare, planted: Any) -> None:
    """Calico lets in by account alone: the workload's probe pod is met as the workload is, and no other says anything."""
    planted(BY_ACCOUNT)
    opened, closed = judged(prepare([REDIS_OPEN, REDIS_CLOSED])).values()
    assert (opened.status, closed.status) == (Status.PASS, Status.UNKNOWN), (opened, closed)
    assert "the probe pod had the namespace's default account" in closed.because
    assert "NetworkPolicy.crd.projectcalico.org kgents-triad/default.by-account" in closed.because


SENDS = """
apiVersion: crd.projectcalico.org/v1
kind: GlobalNetworkPolicy
metadata: {name: default.sends}
spec: {selector: launchbook.io/canary == 'prober', types: [Egress], order: 1, egress: [{action: Allow}]}
"""


def test_a_plugin_that_lets_pods_send_what_they_may_not(own_run: Callable[..., Run], planted: Any) -> None:
    """It denies what comes in, and nothing that goes out: no node enforces policies."""
    planted(SENDS)
    checks = isolation.judge.enforcement(isolation.enforcement(own_run({"isolation.enforcement_deadline": "4s"})))
    assert len(checks) == 3
    for check in checks:
        assert (check.status, check.measured) == (
            Status.FAIL,
            "denied, but not to send: open under a policy that lets a pod reach nobody",
        )
        assert check.because == (
            "Open, denied, and open again without the policy. Its prober still reached a listener 4 s after a policy denied "
            "it to send."
        )


NO_DNS = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: no-dns, namespace: default}
spec:
  podSelector: {matchLabels: {app: client}}
  policyTypes: [Egress]
  egress:
    - to:
        - namespaceSelector:
            matchExpressions: [{key: kubernetes.io/metadata.name, operator: NotIn, values: [kube-system]}]
"""


@pytest.mark.parametrize("image", [PROBE, BUSYBOX])
def test_silence_over_udp_is_a_block_only_beside_an_answer(prepare: Prepare, planted: Any, image: str) -> None:
    """The same question is answered to somebody else, and the silent prober's own to another address."""
    planted(NO_DNS)
    closed = edge(CLIENT, "kube-system", "kube-dns", 53, "closed")
    run = prepare([closed, edge(API, "kube-system", "kube-dns", 53, "open")], image)
    assert {check.status for check in judged(run).values()} == {Status.PASS}
    silent, answered = (
        {outcome for t in seen["targets"] if t["protocol"] == "UDP" for outcome in t["outcomes"]}
        for seen in run.read("isolation/observed.json")["edges"].values()
    )
    assert (silent, answered) == ({"DROPPED"}, {"ALLOWED"})
    [alone] = judged(prepare([closed], image)).values()
    assert alone.status is Status.UNKNOWN
    assert "nobody reached coredns-" in alone.because


def plan_of(action: str) -> pd.DataFrame:
    return pd.DataFrame([["NetworkPolicy kgents-triad/default-deny-ingress", action]], columns=["object", "action"])


def test_the_lag_from_a_policy_to_its_enforcement(system: Any, prepare: Prepare, manifests: Path) -> None:
    """Measured where the run's own policies close what stood open; else it is said why there is nothing to measure."""
    run = prepare([REDIS_CLOSED, edge(CLIENT, "kgents-agents", "nats", 4222, "closed"), REDIS_OPEN])
    _, stood = isolation.during(run, plan_of("unchanged"), lambda: None)
    _, same = isolation.during(run, plan_of("changed"), lambda: None)
    system.kubectl("-n", "kgents-triad", "delete", "networkpolicy", "--all")
    _, found = isolation.during(run, plan_of("created"), lambda: system.apply(manifests))
    redis, nats = (edge.name for edge in run.parameters.isolation.edges if edge.expect == "closed")
    assert {row["because"] for row in (*stood["edges"].values(), *same["edges"].values())} == {
        "not applied in this run"
    }
    assert (found["edges"][redis]["before"], found["edges"][nats]["because"]) == ("open", "not applied in this run")
    assert 0 <= found["edges"][redis]["lag"] < run.parameters.isolation.enforcement_deadline
    assert "kgents-triad/default-deny-ingress" in found["policies"]
    [na], [passed] = isolation.judge.lags(same), isolation.judge.lags(found)
    assert (na.status, passed.status) == (Status.NA, Status.PASS)
    assert passed.measured.endswith("1 of 2 edges closed by this run")


def test_a_policy_that_is_not_enforced_is_late(system: Any, prepare: Prepare, manifests: Path) -> None:
    """The agent of each node is stopped before the policies come: what stood open stays open."""
    run = prepare([REDIS_CLOSED])
    system.kubectl("-n", "kgents-triad", "delete", "networkpolicy", "--all")
    started = Lab(system.name)
    agents = [f"calico-felix@{node['metadata']['name']}" for node in system.get("nodes")["items"]]

    def act() -> None:
        for agent in agents:
            started.stop(agent)
        system.apply(manifests)

    try:
        _, found = isolation.during(run, plan_of("created"), act)
    finally:
        for agent in agents:
            started.start(agent)
    [check] = isolation.judge.lags(found)
    assert check.status is Status.FAIL
    assert "Still open" in check.because


def test_a_connection_that_stood_when_the_policy_came(prepare: Prepare) -> None:
    """Calico lets it live on: bytes pass both ways long after new connections are denied."""
    run = prepare([REDIS_OPEN])
    canary = isolation.enforcement(run)
    assert {(row["blocked"], row["sends"]) for row in canary["nodes"]} == {(True, False)}
    assert {check.status for check in isolation.judge.enforcement(canary)} == {Status.PASS}
    [check] = isolation.judge.held(canary)
    assert (check.status, {row["held"] for row in canary["nodes"]}) == (Status.PASS, {True}), canary
    assert "restart the pods at one end" in check.because


LEAVING = """
apiVersion: v1
kind: Namespace
metadata: {name: leaving}
---
apiVersion: v1
kind: Service
metadata: {name: last, namespace: leaving, finalizers: [lab.local/kept]}
spec: {selector: {app: last}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Pod
metadata: {name: last, namespace: leaving, labels: {app: last}, finalizers: [lab.local/kept]}
spec:
  terminationGracePeriodSeconds: 1
  containers: [{name: c, image: lab.local/busybox:1, imagePullPolicy: IfNotPresent, command: [nc, -ll, -p, "80", -e, "/bin/true"]}]
"""


def test_a_namespace_that_is_being_deleted(system: Any, prepare: Prepare, eventually: Any) -> None:
    """As a source and as a destination: nothing is started in it, and nothing of it counts as blocked."""
    system.apply(LEAVING)
    system.kubectl("-n", "leaving", "wait", "pod/last", "--for=condition=Ready", "--timeout=60s")
    system.kubectl("delete", "namespace", "leaving", "--wait=false")
    eventually(lambda: system.get("-n", "leaving", "pod", "last")["metadata"].get("deletionTimestamp"))
    try:
        run = prepare(
            [edge({"namespace": "leaving"}, "kgents-triad", "redis", 6379, "closed"), edge(CLIENT, "leaving", "last", 80, "closed"), REDIS_OPEN]
        )  # fmt: skip
        source, destination, other = judged(run).values()
    finally:
        for kind in ("pod", "service"):
            system.kubectl(
                "-n", "leaving", "patch", kind, "last", "--type=merge", "-p", '{"metadata":{"finalizers":null}}'
            )
    assert (source.status, destination.status, other.status) == (Status.UNKNOWN, Status.UNKNOWN, Status.PASS)
    assert source.because.startswith("The probe pod could not be started: namespace leaving is being deleted.")
    assert destination.because.startswith("The destination is absent, has no such port or has no pod")


REFUSING = """
apiVersion: v1
kind: Namespace
metadata: {name: full}
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: none, namespace: full}
spec: {hard: {pods: "0"}}
---
apiVersion: v1
kind: Namespace
metadata: {name: strict}
---
apiVersion: v1
kind: LimitRange
metadata: {name: tiny, namespace: strict}
spec: {limits: [{type: Container, max: {cpu: 50m}}]}
"""


def test_a_probe_pod_that_is_refused(prepare: Prepare, planted: Any) -> None:
    """By a quota and by admission: inconclusive, in the cluster's own words, and never a block."""
    planted(REFUSING)
    refused = [edge({"namespace": name}, "kgents-triad", "redis", 6379, "closed") for name in ("full", "strict")]
    quota, admission, other = judged(prepare([*refused, REDIS_OPEN])).values()
    assert (quota.status, admission.status, other.status) == (Status.UNKNOWN, Status.UNKNOWN, Status.PASS)
    assert quota.because.startswith("The probe pod could not be started:")
    assert "exceeded quota: none" in quota.because
    assert "maximum cpu usage per Container is 50m" in admission.because
    assert quota.measured.endswith("probes: inconclusive")


def test_a_node_that_goes_away_during_probing(system: Any, prepare: Prepare, monkeypatch: Any) -> None:
    """Its prober can't be asked any more: UNKNOWN with the reason, whatever was not reached by then."""
    run = prepare([REDIS_OPEN, REDIS_CLOSED])
    started, stopped = Lab(system.name), []
    ask = Probers.ask

    def breaking(self: Probers, asked: Any) -> Any:
        seen = ask(self, asked)
        if not stopped:
            pods = system.get("pods", "-n", "default", "-l", "launchbook.io/run")["items"]
            stopped.append(f"kubelet@{pods[0]['spec']['nodeName']}")
            started.stop(stopped[0])
        return seen

    monkeypatch.setattr(Probers, "ask", breaking)
    try:
        observed = isolation.probe(run)
    finally:
        started.start(stopped[0])
        system.kubectl("wait", "node", "--all", "--for=condition=Ready", "--timeout=60s")
    reality, why = reality_of(run.parameters.isolation.edges[1], observed)
    assert (reality, why[:36]) == (None, "The probe pod could not be asked: se"), why


def test_credentials_that_ran_out(system: Any, prepare: Prepare, monkeypatch: Any) -> None:
    """The canary and the probes say that they are refused, and nothing counts as blocked."""
    run = prepare([REDIS_CLOSED])
    configuration = Configuration(host=run.cluster.identity.server)
    configuration.ssl_ca_cert = run.cluster._configuration.ssl_ca_cert
    configuration.api_key = {"authorization": "Bearer stale"}
    stale = Cluster(configuration, "stale")
    with monkeypatch.context() as patch:
        patch.setattr(run, "cluster", stale)
        patch.setattr(run, "require", lambda act: None)
        canary, observed = isolation.enforcement(run), isolation.probe(run)
    [enforced] = isolation.judge.enforcement(canary)
    reality, why = reality_of(run.parameters.isolation.edges[0], observed)
    assert (enforced.status, reality) == (Status.UNKNOWN, None)
    for said in (enforced.because, why):
        assert "the cluster refuses our credentials (401); renew them" in said


CILIUM = """
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: other, namespace: kgents-triad}
spec: {endpointSelector: {}}
"""


def test_a_policy_whose_kind_is_not_installed(system: Any, prepare: Prepare) -> None:
    """Applying it is refused with the reason; the other policies are judged as if it were not there, since it is not."""
    run = prepare([REDIS_OPEN, REDIS_CLOSED])
    refused: list[str] = []

    def act() -> None:
        try:
            run.cluster.apply(yaml.safe_load(CILIUM))
        except ClusterError as error:
            refused.append(str(error))

    plan = pd.DataFrame([["CiliumNetworkPolicy kgents-triad/other", "not shown"]], columns=["object", "action"])
    _, found = isolation.during(run, plan, act)
    assert refused == [
        "the cluster knows no CiliumNetworkPolicy of cilium.io/v2; is its CustomResourceDefinition installed?"
    ]
    assert {row["because"] for row in found["edges"].values()} == {"not applied in this run"}
    assert {check.status for check in judged(run).values()} == {Status.PASS}
    assert "other policies" not in uncovered(run)


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
    [one] = [one for one in found["budgets"] if one["name"] == "kgents-triad/api-pdb"]
    assert one["budget"]["status"]["expectedPods"] == len(one["pods"]) == 2
    [check] = [check for check in disruption.judge.budgets(found) if check.subject == one["name"]]
    assert (check.status, check.because) == (Status.PASS, "1 of 2 pods may go at a time.")
