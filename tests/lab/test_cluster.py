"""The one door to the API, on a real API server: what it gives, and what each refusal says."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from environments import lab_environment

from launchbook.cluster import Cluster
from launchbook.errors import ClusterError, ConflictError, MissingRight, WaitTimeout
from launchbook.leasing import Holder, leased, running
from launchbook.parameters import Cluster as Parameters
from launchbook.parameters_file import load

pytestmark = pytest.mark.lab
ROLE = Path(__file__).parents[2] / "parameters" / "launchbook-role.yaml"
NAMESPACE = "launchbook"


@pytest.fixture
def cluster(lab: Any) -> Cluster:
    """The lab as the user launchbook, with the rights that the runbook asks for."""
    lab.apply(ROLE)
    return Cluster.connect(Parameters(context=lab.name, kubeconfig=lab.runbook))


def config_map(**data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": NAMESPACE}, "data": data}


@pytest.mark.usefixtures("cluster")  # the role must be there
def test_another_cluster_is_refused(lab: Any) -> None:
    """By the UID of its kube-system namespace, before anything is touched."""
    other = Parameters(context=lab.name, kubeconfig=lab.runbook, uid="00000000-0000-0000-0000-000000000000")
    with pytest.raises(ClusterError, match="Nothing was touched"):
        Cluster.connect(other)
    with pytest.raises(ClusterError, match="context 'absent' can't be used"):
        Cluster.connect(Parameters(context="absent", kubeconfig=lab.runbook))


def test_secrets_are_out_of_reach(cluster: Cluster) -> None:
    """The runbook's role can't read them, and the refusal names verb, resource and namespace."""
    assert not cluster.can("get", "secrets", namespace="kube-system")
    with pytest.raises(MissingRight, match=r'cannot list resource "secrets".*namespace "default"'):
        cluster.list("Secret", "default")
    with pytest.raises(MissingRight, match="may not get secrets in namespace default"):
        cluster.require("get", "secrets", namespace="default")


def test_a_conflict_names_owner_and_field(cluster: Cluster, lab: Any) -> None:
    """Somebody else's field is never taken silently."""
    lab.apply(f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c, namespace: {NAMESPACE}}}\ndata: {{a: theirs}}\n")
    with pytest.raises(ConflictError, match=r'conflict with "kubectl".*\.data\.a'):
        cluster.apply(config_map(a="ours"))
    assert cluster.apply(config_map(a="ours"), dry_run=True, force=True)["data"] == {"a": "ours"}
    found = cluster.get("ConfigMap", "c", NAMESPACE)
    assert found is not None
    assert found["data"] == {"a": "theirs"}
    assert cluster.delete("ConfigMap", "c", NAMESPACE)
    assert not cluster.delete("ConfigMap", "c", NAMESPACE)


def test_a_mistyped_field_is_refused(cluster: Cluster) -> None:
    """And not dropped."""
    with pytest.raises(ClusterError, match="dataa"):
        cluster.apply({**config_map(), "dataa": {}})


def test_waiting_sees_what_comes_and_gives_up_in_time(cluster: Cluster) -> None:
    """By watch, not by luck: the object is created while somebody waits."""
    cluster.delete("ConfigMap", "c", NAMESPACE)
    soon = threading.Timer(0.5, cluster.apply, (config_map(a="b"),))
    soon.start()
    found = cluster.wait("ConfigMap", "c", NAMESPACE, lambda item: item is not None, timeout=10)
    assert found is not None
    assert found["data"] == {"a": "b"}
    with pytest.raises(WaitTimeout) as timeout:
        cluster.wait("ConfigMap", "c", NAMESPACE, lambda item: item is None, timeout=1)
    assert timeout.value.last is not None
    cluster.delete("ConfigMap", "c", NAMESPACE)


def test_exec_gives_output_and_exit_code(cluster: Cluster, system: Any) -> None:
    """A command that fails, one that is absent, one that does not end."""
    pod = system.get("pods", "-n", "kgents-triad", "-l", "app.kubernetes.io/name=api")["items"][0]["metadata"]["name"]
    program = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
    result = cluster.exec("kgents-triad", pod, ["python3", "-c", program])
    assert (result.stdout, result.stderr, result.code) == ("out\n", "err\n", 3)
    with pytest.raises(ClusterError, match="executable file not found"):
        cluster.exec("kgents-triad", pod, ["absent"])
    with pytest.raises(ClusterError, match="did not end within 1 s"):
        cluster.exec("kgents-triad", pod, ["python3", "-c", "import signal; signal.pause()"], timeout=1)


def test_leases_keep_two_runs_apart(cluster: Cluster, tmp_path: Path) -> None:
    """The second is told who works; once the first has ended it may begin. The runbook's own role is enough."""
    path = lab_environment(tmp_path, "none", tmp_path / "none", {"allow": ["apply"]})
    environment = load(path, {"manifests.namespaces": ["lease-a", "lease-b"]}).environment
    with leased(cluster, environment, Holder("one", "sre@ci-1")):
        with pytest.raises(ClusterError, match=r"run one of sre@ci-1 is at work since .*ns-lease-a, ns-lease-b"):
            leased(cluster, environment, Holder("two", "sre@ci-2")).__enter__()
        assert running(cluster, NAMESPACE) == {"one"}
    with leased(cluster, environment, Holder("two", "sre@ci-2")):
        assert running(cluster, NAMESPACE) == {"two"}
    assert running(cluster, NAMESPACE) == set()
