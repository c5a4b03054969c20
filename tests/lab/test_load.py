"""Load on a real cluster from outside it, and from a pod that runs k6's wrapper."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest
from environments import ROOT, lab_environment

from launchbook.batch import run_batch
from launchbook.cluster import Cluster
from launchbook.errors import ClusterError
from launchbook.folder import RunFolder
from launchbook.load import jobs, judge, kept, pod
from launchbook.load.k6 import K6
from launchbook.load.locust import Locust
from launchbook.load.plan import planned
from launchbook.load.result import Result
from launchbook.load.stream import Stream
from launchbook.pages import render
from launchbook.parameters import Cluster as Where
from launchbook.parameters import Load
from launchbook.parameters_file import load as resolve
from launchbook.record import read_evidence, write_evidence
from launchbook.thresholds import parse
from launchbook.words import Status

pytestmark = pytest.mark.lab

PORT = 30180
OUTSIDE = f"""
apiVersion: v1
kind: Service
metadata: {{name: api-outside, namespace: kgents-triad}}
spec:
  type: NodePort
  externalTrafficPolicy: Local
  selector: {{app.kubernetes.io/name: api}}
  ports: [{{name: http, port: 80, targetPort: http, nodePort: {PORT}}}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: api-from-outside, namespace: kgents-triad}}
spec:
  podSelector: {{matchLabels: {{app.kubernetes.io/name: api}}}}
  ingress: [{{from: [{{ipBlock: {{cidr: 198.18.0.0/15}}}}]}}]
"""


@pytest.fixture
def outside(system: Any) -> Iterator[Any]:
    """The sample with its API published on a port of each node."""
    system.apply(ROOT / "parameters" / "launchbook-role.yaml")
    system.apply(OUTSIDE)
    yield system
    system.kubectl("delete", "-f", "-", stdin=OUTSIDE)


def _node(lab: Any) -> str:
    """The address of a node on which an API pod runs."""
    pods = lab.get("pods", "-n", "kgents-triad", "-l", "app.kubernetes.io/name=api")["items"]
    return str(next(p["status"]["hostIP"] for p in pods if p["status"]["phase"] == "Running"))


def _verdict(folder: Path, lab: Any, url: str) -> dict[str, Any]:
    """{check: (status, because)} of track B alone, sent from this machine."""
    changes = {
        "load.scenario.duration": "6s", "load.scenario.warmup": "2s", "logs.idle_window": "2s",
        "load.target.service": "kgents-triad/api-outside", "load.target.url": url, "load.generator": {"where": "here"},
    }  # fmt: skip
    resolved = resolve(lab_environment(folder, lab.name, lab.runbook, changes))
    verdict = run_batch(
        resolved, Cluster.connect(resolved.environment.cluster), notebooks=ROOT / "notebooks",
        outputs=folder / "outputs", tracks=["B"], read_only=False, say=print, render=render,
    )  # fmt: skip
    return {c["id"]: (c["status"], c["because"]) for c in verdict["checks"] if c["id"].startswith("B.")}


def test_load_from_this_machine_through_a_nodeport(outside: Any, tmp_path: Path) -> None:
    """The way is proven, the target answers, and the engine's figures are believed."""
    checks = _verdict(tmp_path, outside, f"http://{_node(outside)}:{PORT}")
    assert checks["B.target"] == (
        "PASS",
        f"It answered first; the load came from this machine through nodePort {PORT} of Service kgents-triad/api-outside.",
    )
    assert checks["B.validity"][0] == "PASS", checks["B.validity"]
    assert checks["B.logs"][0] == "PASS", checks["B.logs"]


def test_a_url_that_leads_elsewhere_gets_no_load(outside: Any, tmp_path: Path) -> None:
    """The node answers on its kubelet's port as well, which is not the audited Service."""
    checks = _verdict(tmp_path, outside, f"http://{_node(outside)}:10250")
    assert checks["B.target"][0] == "UNKNOWN"
    assert "No Ingress, load balancer or nodePort of Service kgents-triad/api-outside" in checks["B.target"][1]
    assert checks["B.validity"][0] == "UNKNOWN"


PROGRAM = """#!/bin/sh
case "$1" in version) echo "k6 v1.3.0"; exit 0 ;; inspect) exit 0 ;; esac
case "$*" in *floor.js) echo 'LB {"floor": {"med": 0.5, "p(95)": 0.9, "p(99)": 1.5, "count": 500}}'; exit 0 ;; esac
echo metric_name,timestamp,metric_value,error,name,status > /tmp/samples.csv
for n in 1 2 3; do
  echo "http_req_duration,${n}000000,5.0,,a,200" >> /tmp/samples.csv
  echo "http_req_failed,${n}000000,0,,a,200" >> /tmp/samples.csv
  sleep 1
done
gzip /tmp/samples.csv
echo '{"metrics": {"http_reqs": {"values": {"count": 3}}}}' > /tmp/summary.json
"""


class StandIn(K6):
    """k6's wrapper around a shell script: no k6 is shipped. Everything else is as with k6."""

    def files(self, out: str) -> dict[str, str]:
        return {**super().files(out), "program": PROGRAM}

    def in_pod(self, code: str, out: str) -> list[str]:
        start = f"cp {code}/program {out}/k6; chmod +x {out}/k6; exec sh {code}/k6.sh {code} {out}/k6 run generator.js"
        return ["sh", "-c", start]

    def ask(self, code: str) -> list[str]:
        return ["true"]


@dataclass
class FakeRun:
    """What pod.send() needs of a run."""

    cluster: Cluster
    parameters: Any
    label: Any
    files: RunFolder

    def now(self) -> datetime:
        return datetime(2026, 11, 24, tzinfo=UTC)

    def progress(self, text: str, fraction: float | None = None) -> None:
        assert text

    def evidence(self, name: str, data: Any) -> None:
        write_evidence(self.files.evidence / name, data)

    def at_exit(self, clean_up: Any) -> None:
        """Nothing: send() cleans up."""


def test_a_pod_runs_k6s_wrapper_and_gives_its_files(lab: Any, tmp_path: Path) -> None:
    """busybox's shell reads CPU and clock, the files come back, and the pod is gone afterwards."""
    lab.apply(ROOT / "parameters" / "launchbook-role.yaml")
    image = "lab.local/busybox:1"
    generator = {"k6_image": image, "image": "lab.local/locust:1", "namespace": "launchbook-k6"}
    scenario = {"requests": [{"name": "a", "path": "/"}], "duration": "3s", "warmup": "0s"}
    given = Load.model_validate({"target": {"service": "ns/api"}, "scenario": scenario, "generator": generator})
    cluster = Cluster.connect(Where(context=lab.name, kubeconfig=lab.runbook))
    result = Result("k6")
    run = FakeRun(cluster, type("P", (), {"load": given}), {"app.kubernetes.io/instance": "test"}, RunFolder(tmp_path))
    pod.send(run, StandIn(given, "http://x"), 3.0, result)  # type: ignore[arg-type]
    assert (result.complete, result.problem, result.version, result.reasons) == (True, None, "k6 v1.3.0", [])
    assert result.samples.whole()["start"].tolist() == [0.995, 1.995, 2.995]
    assert result.floor == {"med": 0.5, "p(95)": 0.9, "p(99)": 1.5, "count": 500}
    assert len(result.health.dropna(subset=["cpu", "lag"])) >= 2
    assert (
        json.loads(
            lab.kubectl(
                "get", "pods,configmaps", "-n", "launchbook-k6", "-l", "app.kubernetes.io/instance=test", "-o", "json"
            )
        )["items"]
        == []
    )
    lab.kubectl("delete", "namespace", "launchbook-k6", timeout=120)


SECRET = "pl4nted-s3cret"


@dataclass
class ApiRun(FakeRun):
    """A run that calls `during` at the first line of progress that tells of load."""

    during: Any = None

    def progress(self, text: str, fraction: float | None = None) -> None:
        super().progress(text, fraction)
        if self.during and "requests/s" in text:
            during, self.during = self.during, None
            during()


def _api(lab: Any, folder: Path, duration: str, **generator: Any) -> tuple[ApiRun, Load]:
    """A run of a short load on the sample's API, with a header from a Secret."""
    header = {"Authorization": {"secret": "api-token/token", "prefix": "Bearer "}}
    scenario = {
        "requests": [{"name": "agents", "path": "/v1/agents", "headers": header}],
        "vus": 10, "duration": duration, "warmup": "1s", "think_time": "50ms",
    }  # fmt: skip
    given = {"image": "lab.local/locust:1", "cpu": "500m", "fetch_every": "2s", **generator}
    target = {"service": "kgents-triad/api", "probe_path": "/ready"}
    load = Load.model_validate({"target": target, "scenario": scenario, "generator": given})
    cluster = Cluster.connect(Where(context=lab.name, kubeconfig=lab.runbook))
    parameters = type("P", (), {"load": load})
    return ApiRun(cluster, parameters, {"launchbook.io/run": "test-load"}, RunFolder(folder)), load


def _judged(result: Result, load: Load) -> tuple[str, list[str]]:
    """(outcome, ids of the reasons that make it so) of thresholds that everything measured keeps."""
    tally, asked = (
        result.counted(load.scenario.warmup)[0],
        parse({"http_reqs": ["rate>=1"], "http_req_failed": ["rate<0.5"]}),
    )
    found = judge.findings(tally, asked)
    assert {one.status for one in found} == {Status.PASS}
    reasons = judge.reasons(tally, planned(load.scenario), asked, found, result.sender)
    outcome = judge.outcome(tally.count, reasons, found)
    return outcome, [r.id for r in reasons if r.makes == outcome]


def _kill(lab: Any, name: str) -> None:
    """SIGKILL to the generator of a pod, from outside it, as the kernel does where memory runs out."""
    uid = lab.get("pod", name, "-n", "launchbook-load")["metadata"]["uid"]
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            command = " ".join(process.cmdline())
            if "generator.py" in command and uid in Path(f"/proc/{process.pid}/cgroup").read_text().replace("_", "-"):
                process.kill()


@pytest.fixture
def token(system: Any) -> Iterator[Any]:
    """The sample, and a Secret in the generator's namespace that the runbook itself may not read."""
    system.apply(ROOT / "parameters" / "launchbook-role.yaml")
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "launchbook-load"}}
    system.kubectl("apply", "-f", "-", stdin=json.dumps(space))
    secret = {
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "api-token", "namespace": "launchbook-load"},
        "stringData": {"token": SECRET},
    }  # fmt: skip
    system.kubectl("apply", "-f", "-", stdin=json.dumps(secret))
    yield system
    system.kubectl("delete", "secret", "-n", "launchbook-load", "api-token")


def test_a_generator_that_is_killed_in_its_pod_costs_nothing_that_it_wrote(token: Any, tmp_path: Path) -> None:
    """And while it runs, nobody finds the value of its header in the pod, its configuration, its log or the run."""
    seen: list[str] = []

    def look_and_kill() -> None:
        for what in ("pods", "configmaps"):
            seen.append(json.dumps(token.get(what, "-n", "launchbook-load")))
        seen.append(token.kubectl("logs", "-n", "launchbook-load", "launchbook-load", "-c", "generator"))
        _kill(token, "launchbook-load")

    run, load = _api(token, tmp_path, "60s")
    run.during = look_and_kill
    result = Result("locust")
    pod.send(run, Locust(load, "http://api.kgents-triad.svc"), 61.0, result)  # type: ignore[arg-type]
    assert not result.complete
    assert "ended early with exit code 137" in str(result.problem)
    assert result.count > 50
    assert _judged(result, load) == ("INVALID", ["truncated"])
    assert not result.samples.whole()["failed"].any()
    assert result.floor
    assert len(seen) == 3
    assert SECRET not in "".join(seen) + str(result)
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert SECRET.encode() not in path.read_bytes() + b"".join(Stream(path).blocks())


def test_a_generator_ends_once_its_run_is_dead(token: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing looks at it here, so that it ends long before its load would."""
    monkeypatch.setattr(pod, "RENEW_WITHIN", 5)
    monkeypatch.setattr(kept, "_RENEW", 3600.0)
    run, load = _api(token, tmp_path, "60s", fetch_every="1h")
    result, began = Result("locust"), time.monotonic()
    pod.send(run, Locust(load, "http://api.kgents-triad.svc"), 61.0, result)  # type: ignore[arg-type]
    assert time.monotonic() - began < 50
    assert not result.complete
    assert "exit code 75: nobody looked at it for too long" in str(result.problem)


def test_a_secret_that_is_not_there_is_named(token: Any, tmp_path: Path) -> None:
    """By the kubelet, which is the only one to look for it."""
    run, load = _api(token, tmp_path, "5s")
    token.kubectl("delete", "secret", "-n", "launchbook-load", "api-token")
    with pytest.raises(ClusterError, match='secret "api-token" not found'):
        pod.send(run, Locust(load, "http://api.kgents-triad.svc"), 6.0, Result("locust"))  # type: ignore[arg-type]
    token.kubectl("create", "secret", "generic", "-n", "launchbook-load", "api-token", f"--from-literal=token={SECRET}")


def test_workers_in_several_pods_are_one_run_and_a_lost_one_is_seen(token: Any, tmp_path: Path) -> None:
    """Master and workers in Jobs: the samples of both put together; without one the result is not whole."""
    run, load = _api(token, tmp_path / "whole", "6s", pods=2, cpu="300m")
    engine = Locust(load, "http://api.kgents-triad.svc")
    result = Result("locust")
    jobs.send(run, engine, 7.0, result)  # type: ignore[arg-type]
    assert (result.problem, result.complete, result.answered) == (None, True, True)
    assert set(result.processes["worker"]) == {"0", "1", "master"}
    each = result.processes[result.processes["worker"] != "master"].groupby("worker")["requests"].sum()
    assert each.min() > 100
    assert each.sum() == pytest.approx(result.count, rel=0.1)
    assert result.health["users"].max() == 10
    (digests,) = read_evidence(run.files.evidence / "load" / "images.json").values()
    assert [digest.partition(":")[0] for digest in digests] == ["sha256"]

    run, load = _api(token, tmp_path / "lost", "8s", pods=2, cpu="300m")
    pods = ("pods", "-n", "launchbook-load", "-l", "batch.kubernetes.io/job-name=launchbook-load-worker")
    run.during = lambda: _kill(token, token.get(*pods)["items"][0]["metadata"]["name"])
    result = Result("locust")
    jobs.send(run, engine, 9.0, result)  # type: ignore[arg-type]
    assert not result.complete
    assert "1 of 2 Locust processes did not come to their end" in str(result.problem)
    assert "exit code 137" in str(result.problem)
    assert result.count > 100
    outcome, why = _judged(result, load)
    assert (outcome, "truncated" in why) == ("INVALID", True)
    left = token.get("jobs,pods,configmaps", "-n", "launchbook-load", "-l", "launchbook.io/run=test-load")["items"]
    assert left == []
