"""Load on a real cluster from outside it, and from a pod that runs k6's wrapper."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from launchbook.batch import run_batch
from launchbook.cluster import Cluster
from launchbook.load import pod
from launchbook.load.k6 import K6
from launchbook.load.result import Result
from launchbook.pages import render
from launchbook.parameters import Cluster as Where
from launchbook.parameters import Load
from launchbook.parameters_file import load as resolve

pytestmark = pytest.mark.lab

ROOT = Path(__file__).parents[2]
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
    text = yaml.safe_load((ROOT / "parameters" / "lab.yaml").read_text())
    text["cluster"] = {"context": lab.name, "kubeconfig": str(lab.runbook)}
    text["manifests"]["path"] = str(ROOT / "parameters" / "kgents" / "manifests")
    text["launch"]["checklist"] = str(ROOT / "parameters" / "kgents" / "checklist.yaml")
    text["load"]["scenario"] |= {"duration": "6s", "warmup": "2s"}
    text["load"]["target"] |= {"service": "kgents-triad/api-outside", "url": url}
    text["load"]["generator"] = {"where": "here"}
    text["logs"]["idle_window"] = "2s"
    path = folder / "here.yaml"
    path.write_text(yaml.safe_dump(text))
    resolved = resolve(path)
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
case "$1" in version) echo "k6 v1.3.0"; exit 0 ;; esac
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
        start = f"cp {code}/program {out}/k6; chmod +x {out}/k6; exec sh {code}/k6.sh {out}/k6 run"
        return ["sh", "-c", start]

    def ask(self, code: str) -> list[str]:
        return ["true"]


@dataclass
class FakeRun:
    """What pod.send() needs of a run."""

    cluster: Cluster
    parameters: Any
    label: Any

    def now(self) -> datetime:
        return datetime(2026, 11, 24, tzinfo=UTC)

    def progress(self, text: str, fraction: float | None = None) -> None:
        assert text

    def at_exit(self, clean_up: Any) -> None:
        """Nothing: send() cleans up."""


def test_a_pod_runs_k6s_wrapper_and_gives_its_files(lab: Any) -> None:
    """busybox's shell reads CPU and clock, the files come back, and the pod is gone afterwards."""
    lab.apply(ROOT / "parameters" / "launchbook-role.yaml")
    image = "lab.local/busybox:1"
    generator = {"k6_image": image, "namespace": "launchbook-k6"}
    scenario = {"requests": [{"name": "a", "path": "/"}], "duration": "3s", "warmup": "0s"}
    given = Load.model_validate({"target": {"service": "ns/api"}, "scenario": scenario, "generator": generator})
    cluster = Cluster.connect(Where(context=lab.name, kubeconfig=lab.runbook))
    result = Result("k6")
    run = FakeRun(cluster, type("P", (), {"load": given}), {"app.kubernetes.io/instance": "test"})
    pod.send(run, StandIn(given, "http://x"), 3.0, result)  # type: ignore[arg-type]
    assert (result.complete, result.problem, result.version, result.reasons) == (True, None, "k6 v1.3.0", [])
    assert result.samples["start"].tolist() == [0.995, 1.995, 2.995]
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
