"""A real cluster for the tests of this folder: one lab a session, under a name of its own, gone afterwards.

`LAUNCHBOOK_TEST_LAB` names it (default `tests`), so that two sessions can run at once.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from environments import ROOT, lab_environment

from lab.lab import Lab
from launchbook.parameters_file import load
from launchbook.run import Run

MANIFESTS = ROOT / "parameters" / "kgents" / "manifests"
READY_TIMEOUT = 90.0  # s, from apply until everything is ready
LOAD_NAMESPACE = "launchbook-load"

_REQUEST = """
import json, sys, urllib.error, urllib.request
method, url, body, timeout = json.loads(sys.argv[1])
data = None if body is None else json.dumps(body).encode()
request = urllib.request.Request(url, data, {"content-type": "application/json"}, method=method)
try:
    with urllib.request.urlopen(request, timeout=timeout) as answer:
        print(json.dumps([answer.status, json.loads(answer.read())]))
except urllib.error.HTTPError as error:
    print(json.dumps([error.code, json.loads(error.read())]))
except OSError as error:
    print(json.dumps([0, str(error)]))
"""


@dataclass(frozen=True)
class LabCluster:
    """A running lab, driven as its admin. `kubeconfig` is the admin's, `runbook` that of the user launchbook."""

    name: str
    program: Path
    kubeconfig: Path
    runbook: Path

    def kubectl(self, *arguments: str | Path, stdin: str | None = None, timeout: float = 120) -> str:
        """Run kubectl and give what it printed; a failure fails the test with kubectl's own words."""
        done = subprocess.run(
            [self.program, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig)},
        )
        if done.returncode:
            pytest.fail(f"kubectl {' '.join(map(str, arguments))}: {done.stderr.strip()}")
        return done.stdout

    def get(self, *arguments: str) -> dict[str, Any]:
        """An object, or a list of them, as kubectl gives it in JSON."""
        found: dict[str, Any] = json.loads(self.kubectl("get", *arguments, "-o", "json"))
        return found

    def apply(self, source: Path | str) -> None:
        """Apply a kustomization's folder, a file, or YAML text, by server-side apply."""
        options = ("apply", "--server-side", "--force-conflicts")
        if isinstance(source, str):
            self.kubectl(*options, "-f", "-", stdin=source)
        else:
            self.kubectl(*options, "-k" if source.is_dir() else "-f", source)

    def await_ready(self, timeout: float = READY_TIMEOUT) -> None:
        """Wait until every workload of the sample has all its replicas ready, of the newest revision."""
        deadline = time.monotonic() + timeout
        for namespace, workload in (
            ("kgents-agents", "statefulset/nats"),
            ("kgents-triad", "deployment/redis"),
            ("kgents-triad", "deployment/api"),
        ):
            left = max(1, int(deadline - time.monotonic()))
            self.kubectl("-n", namespace, "rollout", "status", workload, f"--timeout={left}s")

    @contextmanager
    def forwarded(self, namespace: str, pod: str, port: int) -> Iterator[Callable[[str], Any]]:
        """Give a function that reads JSON from a path of the pod's port, through the kubelet and past policies."""
        options = ("-n", namespace, "port-forward", "--address", "127.0.0.1")
        command = [str(self.program), *options, f"pod/{pod}", f":{port}"]
        environment = {**os.environ, "KUBECONFIG": str(self.kubeconfig)}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
            assert process.stdout
            line = process.stdout.readline()  # Forwarding from 127.0.0.1:PORT -> 8222
            try:
                address = line.split()[2]
                yield lambda path: json.load(urlopen(f"http://{address}{path}", timeout=10))
            finally:
                process.terminate()


@pytest.fixture(scope="session")
def eventually() -> Callable[..., Any]:
    """`eventually(condition, timeout=60)`: the condition's first true value, awaited."""
    return _eventually


def _eventually(condition: Callable[[], Any], timeout: float = 60, every: float = 0.5) -> Any:
    """Give the condition's first true value; fail with its last value when there is none in time."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f"still {value!r} after {timeout:.0f} s")
        time.sleep(every)
    return value


@pytest.fixture(scope="session")
def lab() -> Iterator[LabCluster]:
    """A lab as `lab up` makes it, three nodes, brought up at first use and removed at the end of the session."""
    started = Lab(os.environ.get("LAUNCHBOOK_TEST_LAB", "tests"))
    status = started.up()
    try:
        program, kubeconfig = started.kubectl()
        yield LabCluster(started.name, program, kubeconfig, Path(status["kubeconfig"]["launchbook"]))
    finally:
        started.down()


@pytest.fixture
def system(lab: LabCluster) -> LabCluster:
    """The lab with the whole sample applied and ready, whatever the test before did to it."""
    lab.apply(MANIFESTS)
    lab.await_ready()
    return lab


@pytest.fixture
def own_run(system: LabCluster, eventually: Callable[..., Any], tmp_path: Path) -> Iterator[Callable[..., Run]]:
    """`own_run(changes)`: a run of its own on the lab, its parameters changed as lab_environment() does; one at a time.

    Nothing with a run's label is left at the end.
    """
    runs: list[Run] = []

    def make(changes: dict[str, Any]) -> Run:
        while runs:
            runs.pop()._leave()
        environment = lab_environment(tmp_path, system.name, system.runbook, changes)
        runs.append(Run.create(load(environment), tmp_path / "outputs"))
        return runs[-1]

    system.apply(ROOT / "parameters" / "launchbook-role.yaml")
    yield make
    for run in runs:
        run._leave()
    eventually(lambda: not system.get("pods", "-A", "-l", "launchbook.io/run")["items"])


@pytest.fixture(scope="session")
def manifests() -> Path:
    """The sample's kustomization."""
    return MANIFESTS


Http = Callable[..., tuple[int, Any]]


@pytest.fixture(scope="session")
def http(lab: LabCluster) -> Iterator[Http]:
    """`http(method, url, body=None, timeout=5)` from a pod in the load generator's namespace: (status, JSON).

    The status is 0 where no connection came about; the second value is then the error.
    """
    lab.apply(_CLIENT)
    lab.kubectl("-n", LOAD_NAMESPACE, "wait", "pod/client", "--for=condition=Ready", "--timeout=60s")

    def request(method: str, url: str, body: Any = None, timeout: float = 5) -> tuple[int, Any]:
        arguments = json.dumps([method, url, body, timeout])
        program = ("python3", "-c", _REQUEST, arguments)
        status, answer = json.loads(lab.kubectl("-n", LOAD_NAMESPACE, "exec", "client", "--", *program))
        return status, answer

    yield request
    lab.kubectl("-n", LOAD_NAMESPACE, "delete", "pod", "client", "--now")


_CLIENT = f"""
apiVersion: v1
kind: Namespace
metadata:
  name: {LOAD_NAMESPACE}
---
apiVersion: v1
kind: Pod
metadata:
  name: client
  namespace: {LOAD_NAMESPACE}
spec:
  automountServiceAccountToken: false
  activeDeadlineSeconds: 3600
  terminationGracePeriodSeconds: 1
  securityContext:
    runAsNonRoot: true
    seccompProfile: {{type: RuntimeDefault}}
  containers:
    - name: client
      image: lab.local/locust:1
      imagePullPolicy: IfNotPresent
      command: [python3, -c, "import signal; signal.pause()"]
      resources:
        requests: {{cpu: 10m, memory: 32Mi}}
        limits: {{cpu: 500m, memory: 128Mi}}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {{drop: [ALL]}}
"""
