"""Whole runs on a real cluster: the healthy sample's verdict is pinned, and each planted fault adds its own checks."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.lab import Lab
from launchbook.batch import run_batch
from launchbook.cluster import Cluster
from launchbook.folder import RunFolder
from launchbook.pages import render
from launchbook.parameters_file import load
from launchbook.seal import verify, verify_live

pytestmark = pytest.mark.lab

ROOT = Path(__file__).parents[2]
KGENTS = ROOT / "parameters" / "kgents"
Edit = Callable[[Path], None]
Launch = Callable[..., dict[str, Any]]


def _environment(folder: Path, context: str, kubeconfig: Path, load_changes: dict[str, Any]) -> Path:
    """The lab's environment for another cluster, with a short load, beside a copy of the sample."""
    shutil.copytree(KGENTS, folder / "kgents")
    text = yaml.safe_load((ROOT / "parameters" / "lab.yaml").read_text())
    text["cluster"] = {"context": context, "kubeconfig": str(kubeconfig)}
    text["load"]["scenario"] |= {"duration": "12s", "warmup": "3s"}
    text["load"] |= load_changes
    text["logs"]["idle_window"] = "3s"
    path = folder / "lab.yaml"
    path.write_text(yaml.safe_dump(text))
    return path


def _launch(
    folder: Path, context: str, kubeconfig: Path, edit: Edit | None, tracks: str, **load_changes: Any
) -> dict[str, Any]:
    path = _environment(folder, context, kubeconfig, load_changes)
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
def fresh(lab: Any) -> Any:
    """The lab without the sample: what other tests applied belongs to another field manager."""
    lab.kubectl("delete", "namespace", "kgents-agents", "kgents-triad", "--ignore-not-found", timeout=180)
    lab.apply(ROOT / "parameters" / "launchbook-role.yaml")
    return lab


@pytest.fixture
def launch(fresh: Any, tmp_path: Path) -> Launch:
    """`launch(edit=None, tracks="ABCD")`: verdict.json of a run on the lab, the sample's manifests edited before."""
    return lambda edit=None, tracks="ABCD", **load: _launch(tmp_path, fresh.name, fresh.runbook, edit, tracks, **load)


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


# What the sample honestly lacks: none of it stops a launch.
LACKS = {
    "D.secrets-rotation", "D.default-deny-egress", "D.limit-range", "D.metrics", "D.alerts", "D.replicas",
    "D.persistent-state", "D.restore-rehearsed", "D.soak", "D.image-digests", "D.runbook", "D.on-call",
}  # fmt: skip


def test_the_healthy_sample_is_conditional_for_its_accepted_deferral(launch: Launch, tmp_path: Path) -> None:
    """The whole way on a real cluster: pinned verdict, pinned checks that aren't PASS, a run that verifies."""
    launch(tracks="A")  # the first install has no dry run of what its new namespaces hold
    shutil.rmtree(tmp_path / "kgents")
    verdict = launch()
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
    assert summary["metrics"]["http_reqs"]["values"]["rate"] >= 100
    for name in ("index.html", "A-manifests.html", "plotly.min.js"):
        assert (folder.path / name).stat().st_size > 1000


def test_polluted_selectors_are_found_before_anything_is_applied(launch: Launch) -> None:
    """commonLabels in the policies' kustomization."""

    def pollute(folder: Path) -> None:
        file = folder / "policies" / "kustomization.yaml"
        file.write_text(file.read_text() + "\ncommonLabels:\n  team: platform\n")

    verdict = launch(pollute, "A")
    assert verdict["verdict"] == "NO-GO"
    subject = "NetworkPolicy/kgents-agents/nats-access"
    assert bad(verdict)[("A.selectors", subject)] == "FAIL"
    assert "spec.ingress[0].from[0].podSelector" in because(verdict, "A.selectors", subject)
    assert bad(verdict)[("A.apply", "manifests")] == "UNKNOWN"
    assert "selectors are polluted" in because(verdict, "A.apply", "manifests")


def test_a_missing_policy_is_an_outage_with_its_cause(launch: Launch, lab: Any) -> None:
    """Without nats-access the API can't reach NATS."""
    lab.kubectl("-n", "kgents-agents", "delete", "networkpolicy", "nats-access", "--ignore-not-found")
    verdict = launch(replace("policies/kustomization.yaml", "  - nats-access.yaml\n", ""), "A")
    assert verdict["verdict"] == "NO-GO"
    edge = "kgents-triad[name=api] -> kgents-agents/nats:4222"
    assert bad(verdict)[("A.isolation", edge)] == "FAIL"
    assert "denied by kgents-agents/default-deny-ingress" in because(verdict, "A.isolation", edge)
    assert ("A.enforcement", f"node/{lab.name}-node-1") not in bad(verdict)


def test_a_policy_that_admits_every_namespace_is_found(launch: Launch) -> None:
    """The closed edges to NATS are open, and the policies say so: all of them and nothing else."""
    everybody = "  ingress:\n    - from:\n        - namespaceSelector: {}\n      ports:\n        - {protocol: TCP, port: 4222}\n"
    verdict = launch(replace("policies/nats-access.yaml", "  ingress:\n", everybody), "A")
    assert verdict["verdict"] == "NO-GO"
    edges = [f"{source} -> kgents-agents/nats:4222" for source in ("default", "launchbook-load", "kgents-triad")]
    assert bad(verdict) == {("A.isolation", edge): "FAIL" for edge in edges}
    assert "The policies say the same" in because(verdict, "A.isolation", edges[0])


def test_a_budget_that_blocks_every_drain_is_found(launch: Launch) -> None:
    """minAvailable 3 of 3."""
    verdict = launch(replace("nats/nats.yaml", "minAvailable: 2", "minAvailable: 3"), "A")
    assert verdict["verdict"] == "NO-GO"
    assert bad(verdict) == {
        ("A.budget", "kgents-agents/nats-pdb"): "FAIL",
        ("A.eviction", "kgents-agents/nats-pdb"): "UNKNOWN",
    }
    assert "It needs 3 of 3 pods" in because(verdict, "A.budget", "kgents-agents/nats-pdb")


def test_an_image_that_cannot_be_pulled_is_found_in_seconds(launch: Launch) -> None:
    """Not after the ready timeout, and with the image's name."""
    verdict = launch(replace("redis/redis.yaml", "lab.local/redis:1", "lab.local/redis:absent"), "A")
    assert verdict["verdict"] == "NO-GO"
    check = next(c for c in verdict["checks"] if c["subject"] == "Deployment/kgents-triad/redis")
    assert check["status"] == "FAIL"
    assert "the image can't be pulled (lab.local/redis:absent)" in check["because"]
    assert float(check["measured"].split()[2]) < 60


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
    verdict = launch(None, "AB", generator={"image": "lab.local/locust:1", "cpu": "150m"})
    found = bad(verdict)
    assert found[("B.validity", "load")] == "UNKNOWN"
    assert "The generator" in because(verdict, "B.validity", "load")
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
    """Its name is in the check, and no closed edge counts."""
    verdict = _launch(tmp_path, *blind, None, "A")
    assert verdict["verdict"] == "NO-GO"
    assert bad(verdict)[("A.enforcement", "node/blind-node-2")] == "FAIL"
    assert ("A.enforcement", "node/blind-node-1") not in bad(verdict)
    closed = [c for c in verdict["checks"] if c["id"] == "A.isolation" and c["expected"] == "closed"]
    assert closed
    assert "PASS" not in {c["status"] for c in closed}
