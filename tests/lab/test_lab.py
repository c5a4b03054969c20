"""The lab itself, on the real thing: what it says is so, what breaks is named, and nothing of it stays."""

from __future__ import annotations

import ipaddress
import itertools
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import cgroups, parts, state
from lab.errors import ComponentDied, LabError
from lab.lab import Lab
from lab.node import SETTLED
from lab.progress import Steps

from .conftest import LabCluster

pytestmark = pytest.mark.lab

SPARE = f"{os.environ.get('LAUNCHBOOK_TEST_LAB', 'tests')}-2"  # a second lab, for what breaks it
HOST_FOLDERS = ("/var/lib/cni", "/var/lib/calico", "/var/log/pods", "/run/containerd", "/run/netns", "/etc/cni")
Eventually = Callable[..., Any]


@pytest.fixture
def spare() -> Iterator[Lab]:
    """A second lab, not up yet; gone afterwards."""
    lab = Lab(SPARE)
    lab.down()
    yield lab
    lab.down()


def _machine(status: dict[str, Any] | None, name: str) -> dict[str, Any]:
    assert status
    return next(machine for machine in status["machines"] if machine["name"] == name)


def _component(status: dict[str, Any] | None, target: str) -> dict[str, Any]:
    name, _, machine = target.partition("@")
    return next(item for item in _machine(status, machine)["components"] if item["name"] == name)


def _command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([Path(sys.prefix, "bin", "lab"), *arguments], capture_output=True, text=True, timeout=120)


# ── what is up ────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_component_runs_and_status_says_so(lab: LabCluster) -> None:
    shown = _command("status", "--name", lab.name, "--json")
    status = json.loads(shown.stdout)
    assert shown.returncode == 0
    assert status["up"] is True
    found = {machine["name"]: {item["name"] for item in machine["components"]} for machine in status["machines"]}
    workers = {"containerd", "kubelet", "kube-proxy", "calico-felix"}
    assert found == {
        f"{lab.name}-control": {"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"},
        f"{lab.name}-node-1": workers,
        f"{lab.name}-node-2": workers,
        f"{lab.name}-node-3": workers,
    }
    for machine in status["machines"]:
        for item in machine["components"]:
            assert item["state"] == "running"
            assert item["name"][:15] == Path(f"/proc/{item['pid']}/comm").read_text().strip()


def test_every_node_is_ready_at_the_address_that_status_says(lab: LabCluster) -> None:
    nodes = lab.get("nodes")["items"]
    status = Lab(lab.name).status()
    for node in nodes:
        conditions = {item["type"]: item["status"] for item in node["status"]["conditions"]}
        assert conditions["Ready"] == "True"
        addresses = {item["type"]: item["address"] for item in node["status"]["addresses"]}
        assert addresses["InternalIP"] == _machine(status, node["metadata"]["name"])["address"]
    assert len(nodes) == 3


def test_up_again_changes_nothing(lab: LabCluster) -> None:
    before = Lab(lab.name).status()
    after = Lab(lab.name).up()
    assert before
    pids = [[item["pid"] for item in machine["components"]] for machine in before["machines"]]
    assert [[item["pid"] for item in machine["components"]] for machine in after["machines"]] == pids
    assert (after["up"], after["started"]) == (True, before["started"])


def test_fewer_nodes_than_there_are_need_a_new_lab(lab: LabCluster) -> None:
    with pytest.raises(LabError, match="has 3 nodes; to have 1, end it first"):
        Lab(lab.name).up(1)


# ── a working cluster ─────────────────────────────────────────────────────────────────────────────────────────

PEOPLE = "lab-people"
PODS = """
apiVersion: v1
kind: Namespace
metadata: {name: NAMESPACE, labels: {pod-security.kubernetes.io/enforce: restricted}}
---
apiVersion: v1
kind: Service
metadata: {name: two, namespace: NAMESPACE}
spec: {selector: {name: two}, ports: [{port: 80, targetPort: 8080}]}
"""
POD = """
---
apiVersion: v1
kind: Pod
metadata: {name: POD, namespace: NAMESPACE, labels: {name: POD}}
spec:
  nodeName: NODE
  terminationGracePeriodSeconds: 0
  securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
  containers:
  - name: server
    image: lab.local/api:1
    imagePullPolicy: IfNotPresent
    command: [python3, -m, http.server, "8080", --directory, /usr/bin]
    readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}
    securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
"""
FETCH = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=2).status)"
DENY = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny, namespace: NAMESPACE}
spec: {podSelector: {}, policyTypes: [Ingress]}
"""


@contextmanager
def _people(cluster: LabCluster) -> Iterator[dict[str, str]]:
    """Pods `one` on the first node, `two` and `three` on the second, in a restricted namespace: name -> address."""
    places = {"one": "1", "two": "2", "three": "2"}
    text = PODS + "".join(
        POD.replace("POD", pod).replace("NODE", f"{cluster.name}-node-{node}") for pod, node in places.items()
    )
    cluster.apply(text.replace("NAMESPACE", PEOPLE).replace(f"{PEOPLE}:", "namespace:"))
    try:
        cluster.kubectl("-n", PEOPLE, "wait", "pod", "--all", "--for=condition=Ready", "--timeout=30s")
        yield {pod: cluster.get("pod", pod, "-n", PEOPLE)["status"]["podIP"] for pod in places}
    finally:
        cluster.kubectl("delete", "namespace", PEOPLE, "--wait=true")


@pytest.fixture(scope="module")
def people(lab: LabCluster) -> Iterator[dict[str, str]]:
    with _people(lab) as addresses:
        yield addresses


def _fetch(cluster: LabCluster, pod: str, url: str) -> str:
    """The status of an HTTP request from a pod, or the last line of what Python said."""
    command = [str(cluster.program), "-n", PEOPLE, "exec", pod, "--", "python3", "-c", FETCH, url]
    environment = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    said: list[str] = (done.stdout + done.stderr).splitlines()
    return [line for line in said if not line.startswith("command terminated")][-1]


def test_a_pod_has_an_address_of_its_own_nodes_range(lab: LabCluster, people: dict[str, str]) -> None:
    status = Lab(lab.name).status()
    ranges = [ipaddress.ip_network(_machine(status, f"{lab.name}-node-{n}")["pods"]) for n in (1, 2, 3)]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(ranges, 2))
    for pod, node in (("one", 0), ("two", 1), ("three", 1)):
        assert ipaddress.ip_address(people[pod]) in ranges[node]


def test_pods_reach_pods_of_their_own_and_of_another_node(lab: LabCluster, people: dict[str, str]) -> None:
    for source, destination in (("two", "three"), ("one", "two"), ("two", "one")):
        assert _fetch(lab, source, f"http://{people[destination]}:8080/python3") == "200"


@pytest.mark.parametrize("name", ["two", f"two.{PEOPLE}", f"two.{PEOPLE}.svc.cluster.local"])
def test_a_pod_reaches_a_service_by_name(lab: LabCluster, people: dict[str, str], name: str) -> None:
    assert _fetch(lab, "one", f"http://{name}/python3") == "200"


def test_a_name_that_does_not_exist_is_an_error_at_once(lab: LabCluster, people: dict[str, str]) -> None:
    started = time.monotonic()
    assert "Name or service not known" in _fetch(lab, "one", "http://nobody.invalid/")
    assert time.monotonic() - started < 5


def test_this_machine_reaches_pods_and_services(lab: LabCluster, people: dict[str, str]) -> None:
    service = lab.get("service", "two", "-n", PEOPLE)["spec"]["clusterIP"]
    for url in (
        f"http://{people['one']}:8080/python3",
        f"http://{people['two']}:8080/python3",
        f"http://{service}/python3",
    ):
        with urllib.request.urlopen(url, timeout=5) as answer:
            assert answer.status == 200


def test_logs_and_exec_work_through_the_kubelet(lab: LabCluster, people: dict[str, str]) -> None:
    _fetch(lab, "one", f"http://{people['three']}:8080/from-one-to-three")
    assert "GET /from-one-to-three" in lab.kubectl("-n", PEOPLE, "logs", "three")


def test_a_policy_holds_on_its_own_node_and_across(
    lab: LabCluster, people: dict[str, str], eventually: Eventually
) -> None:
    lab.apply(DENY.replace("NAMESPACE", PEOPLE))
    try:
        for source, destination in (("one", "two"), ("three", "two")):
            url = f"http://{people[destination]}:8080/python3"
            eventually(lambda source=source, url=url: "timed out" in _fetch(lab, source, url), timeout=20)
    finally:
        lab.kubectl("-n", PEOPLE, "delete", "networkpolicy", "deny")
    eventually(lambda: _fetch(lab, "one", f"http://{people['two']}:8080/python3") == "200", timeout=20)


def test_a_pods_own_token_is_known_to_the_api_server(lab: LabCluster, people: dict[str, str]) -> None:
    program = """
import json, ssl, urllib.request
folder = "/var/run/secrets/kubernetes.io/serviceaccount/"
review = json.dumps({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}).encode()
headers = {"Authorization": "Bearer " + open(folder + "token").read(), "Content-Type": "application/json"}
url = "https://kubernetes.default.svc/apis/authentication.k8s.io/v1/selfsubjectreviews"
context = ssl.create_default_context(cafile=folder + "ca.crt")
request = urllib.request.Request(url, review, headers)
print(json.load(urllib.request.urlopen(request, context=context, timeout=5))["status"]["userInfo"]["username"])
"""
    said = lab.kubectl("-n", PEOPLE, "exec", "one", "--", "python3", "-c", program)
    assert said.strip() == f"system:serviceaccount:{PEOPLE}:default"


def test_pod_security_is_enforced(lab: LabCluster, people: dict[str, str]) -> None:
    pod = yaml.safe_load(POD.replace("POD", "root").replace("NAMESPACE", PEOPLE).replace("NODE", f"{lab.name}-node-1"))
    pod["spec"]["containers"][0]["securityContext"] = {"privileged": True}
    with pytest.raises(pytest.fail.Exception, match='violates PodSecurity "restricted'):
        lab.apply(yaml.safe_dump(pod))


# ── who may do what ───────────────────────────────────────────────────────────────────────────────────────────


def _as(lab: LabCluster, folder: Path, user: str, *groups: str) -> LabCluster:
    path = folder / f"{user.replace(':', '-')}.kubeconfig"
    path.write_text(Lab(lab.name).kubeconfig(user, groups))
    return replace(lab, kubeconfig=path)


def test_a_certificate_makes_a_user_and_grants_nothing(lab: LabCluster, tmp_path: Path) -> None:
    alice = _as(lab, tmp_path, "alice", "developers")
    said = json.loads(alice.kubectl("auth", "whoami", "-o", "json"))["status"]["userInfo"]
    assert said["username"] == "alice"
    assert "developers" in said["groups"]
    with pytest.raises(pytest.fail.Exception, match='User "alice" cannot list resource "pods"'):
        alice.kubectl("get", "pods")


def test_the_runbooks_kubeconfig_is_the_user_launchbook_in_a_context_of_the_labs_name(lab: LabCluster) -> None:
    runbook = replace(lab, kubeconfig=lab.runbook)
    assert runbook.kubectl("config", "current-context").strip() == lab.name
    assert json.loads(runbook.kubectl("auth", "whoami", "-o", "json"))["status"]["userInfo"]["username"] == "launchbook"


def test_a_kubelet_may_not_change_another_node(lab: LabCluster, tmp_path: Path) -> None:
    kubelet = _as(lab, tmp_path, f"system:node:{lab.name}-node-1", "system:nodes")
    kubelet.kubectl("label", "node", f"{lab.name}-node-1", "lab=own", "--overwrite")
    patch = ("patch", "node", f"{lab.name}-node-2", "--type=merge", "-p", '{"metadata": {"labels": {"lab": "other"}}}')
    with pytest.raises(pytest.fail.Exception, match=rf'nodes "{lab.name}-node-2" is forbidden'):
        kubelet.kubectl(*patch)


def _ask(url: str, kubeconfig: Path | None) -> int:
    """The status of a request, with the client certificate of a kubeconfig or with none; the server is taken as is."""
    context = ssl._create_unverified_context()
    if kubeconfig:
        context.load_cert_chain(kubeconfig.with_suffix(".crt"), kubeconfig.with_suffix(".key"))
    try:
        with urllib.request.urlopen(url, context=context, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_a_kubelet_answers_nobody_without_a_right(lab: LabCluster) -> None:
    address = _machine(Lab(lab.name).status(), f"{lab.name}-node-1")["address"]
    url = f"https://{address}:10250/pods"
    assert _ask(url, None) == 401
    Lab(lab.name).kubeconfig("alice")
    assert _ask(url, state.home(lab.name) / "users" / "alice.kubeconfig") == 403
    assert _ask(url, lab.kubeconfig) == 200


def test_the_api_server_answers_nobody_without_a_name(lab: LabCluster) -> None:
    status = Lab(lab.name).status()
    assert status
    assert _ask(f"{status['server']}/version", None) == 401
    assert _ask(f"{status['server']}/version", lab.kubeconfig) == 200


@pytest.mark.parametrize("port", [2379, 2380, 10255, 10257, 10259])
def test_no_other_port_of_the_control_plane_answers(lab: LabCluster, port: int) -> None:
    address = _machine(Lab(lab.name).status(), f"{lab.name}-control")["address"]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address, port), timeout=5).close()


# ── what breaks ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_component_that_died_is_named_with_the_end_of_its_log_and_up_brings_it_back(
    spare: Lab, eventually: Eventually
) -> None:
    target = f"kube-proxy@{SPARE}-node-1"
    os.kill(_component(spare.up(1), target)["pid"], signal.SIGKILL)
    eventually(lambda: _component(spare.status(), target)["state"] == "exited", timeout=10, every=0.05)
    shown = _command("status", "--name", SPARE)
    log = state.home(SPARE) / f"{SPARE}-node-1" / "log" / "kube-proxy.log"
    assert shown.returncode == 1
    assert f"kube-proxy of {SPARE}-node-1 died" in shown.stdout
    assert f"The end of its log, {log}:" in shown.stdout
    assert log.read_text().splitlines()[-1] in shown.stdout
    assert _component(spare.up(), target)["state"] == "running"


def test_a_component_that_cannot_start_ends_up_at_once_with_its_own_words(spare: Lab) -> None:
    spare.up(1)
    spare.stop(f"kubelet@{SPARE}-node-1")
    settings = state.home(SPARE) / f"{SPARE}-node-1" / "etc" / "kubelet.yaml"
    settings.write_text("kind: Nonsense\n")
    with pytest.raises(ComponentDied, match=rf"(?s)kubelet of {SPARE}-node-1 died .*kubelet\.log:\n.*Nonsense"):
        Lab(SPARE).up()


def test_a_component_is_stopped_and_started_by_name(spare: Lab) -> None:
    target = f"calico-felix@{SPARE}-node-1"
    spare.up(1)
    spare.stop(target)
    stopped = spare.status()
    assert _component(stopped, target)["state"] == "stopped"
    assert stopped
    assert not stopped["up"]
    spare.start(target)
    assert _component(spare.status(), target)["state"] == "running"
    with pytest.raises(LabError, match="'felix@nowhere' names no component: expected COMPONENT@MACHINE"):
        spare.stop("felix@nowhere")


def test_a_node_on_which_felix_never_started_lets_everything_in(spare: Lab, eventually: Eventually) -> None:
    left_out = f"calico-felix@{SPARE}-node-2"
    status = spare.up(2, without=[left_out])
    assert _component(status, left_out)["state"] == "left out"
    assert status["up"]
    program, kubeconfig = spare.kubectl()
    cluster = LabCluster(SPARE, program, kubeconfig, Path(status["kubeconfig"]["launchbook"]))
    with _people(cluster) as addresses:
        cluster.apply(DENY.replace("NAMESPACE", PEOPLE))
        one, two = (f"http://{addresses[pod]}:8080/python3" for pod in ("one", "two"))
        eventually(lambda: "timed out" in _fetch(cluster, "two", one), timeout=20)
        assert _fetch(cluster, "one", two) == "200"
        spare.start(left_out)
        eventually(lambda: "timed out" in _fetch(cluster, "one", two), timeout=20)


def test_a_node_is_added_to_a_lab_that_is_up(spare: Lab) -> None:
    before = _machine(spare.up(1), f"{SPARE}-node-1")
    status = spare.up(2)
    assert _machine(status, f"{SPARE}-node-1")["components"][0]["pid"] == before["components"][0]["pid"]
    assert {item["state"] for item in _machine(status, f"{SPARE}-node-2")["components"]} == {"running"}


@pytest.mark.parametrize("victim", ["control", "node-1"])
def test_a_lab_that_lost_a_machine_is_made_anew(spare: Lab, victim: str, eventually: Eventually) -> None:
    before = spare.up(1)
    _kill_first_process(f"{SPARE}-{victim}")
    eventually(lambda: not _machine(spare.status(), f"{SPARE}-{victim}")["up"], timeout=10, every=0.05)
    assert _command("status", "--name", SPARE).returncode == 1
    after = spare.up(1)
    assert after["up"]
    assert after["started"] > before["started"]


def _kill_first_process(machine: str) -> None:
    record = state.load(SPARE)
    assert record
    init = next(item.init for item in record.machines if item.name == machine)
    assert init
    os.kill(init.pid, signal.SIGKILL)


# ── what stays ────────────────────────────────────────────────────────────────────────────────────────────────


def _left(index: int) -> dict[str, Any]:
    """All that a lab of this name, in this slice, could have left on the machine."""
    ip = ["ip", "-json"]
    links = json.loads(subprocess.run([*ip, "link"], capture_output=True, text=True, check=True).stdout)
    routes = json.loads(subprocess.run([*ip, "route"], capture_output=True, text=True, check=True).stdout)
    home = str(state.home(SPARE))
    commands = {path.parent.name: path.read_bytes() for path in _processes()}
    return {
        "links": [link["ifname"] for link in links if link["ifname"] == f"lablink{index}"],
        "routes": [route["dst"] for route in routes if route.get("dev") == f"lablink{index}"],
        "mounts": [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if home in line],
        "groups": [str(path) for top in cgroups.hierarchies() for path in top.glob(f"lab-{SPARE}")],
        "processes": [pid for pid, command in commands.items() if home.encode() in command],
        "files": [home] if Path(home).exists() else [],
    }


def _processes() -> Iterator[Path]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            path.read_bytes()
        except OSError:
            continue
        yield path


NOTHING: dict[str, list[str]] = {name: [] for name in ("links", "routes", "mounts", "groups", "processes", "files")}


def _settings() -> dict[str, str]:
    return {name: Path("/proc/sys", name).read_text() for name in (*SETTLED, "net/ipv4/ip_forward")}


def test_nothing_stays_but_the_unreachable_route(spare: Lab) -> None:
    settings, folders = _settings(), [Path(path).exists() for path in HOST_FOLDERS]
    index = _index(spare.up(1))
    there = _left(index)
    assert all(there[name] for name in ("links", "routes", "groups", "processes", "files"))
    assert there["mounts"] == []  # a lab's mounts are never the machine's
    assert spare.down()
    assert _left(index) == NOTHING
    assert _settings() == settings
    assert [Path(path).exists() for path in HOST_FOLDERS] == folders
    assert "unreachable 198.18.0.0/15" in subprocess.run(["ip", "route"], capture_output=True, text=True).stdout
    assert not spare.down()


def _index(status: dict[str, Any]) -> int:
    return (int(ipaddress.ip_network(status["slice"]).network_address) >> 13) & 15


def test_nothing_stays_of_a_lab_whose_record_is_lost_as_well(spare: Lab) -> None:
    index = _index(spare.up(1))
    (state.home(SPARE) / "lab.json").unlink()
    assert spare.down()
    assert _left(index) == NOTHING


def test_nothing_stays_after_a_crash_in_the_middle_of_up(spare: Lab, eventually: Eventually) -> None:
    command = [sys.executable, "-c", f"from lab.lab import up; up({SPARE!r}, 1)"]
    with subprocess.Popen(command) as starting:
        eventually(lambda: len(cgroups.processes(SPARE)) > 4, timeout=30, every=0.02)
        starting.kill()
    record = state.load(SPARE)
    assert record
    assert spare.down()
    assert _left(record.slice) == NOTHING


def test_a_lab_from_before_a_reboot_is_recognised_and_made_anew(spare: Lab) -> None:
    """The machine can't be rebooted here: the record is made to be of another boot, whose processes are gone."""
    spare.up(1)
    record = state.load(SPARE)
    assert record
    for machine in record.machines:
        assert machine.init
        machine.init = replace(machine.init, boot="before")
    state.save(replace(record, boot="before"))
    status = spare.status()
    assert status
    assert [machine["up"] for machine in status["machines"]] == [False, False]
    assert spare.up(1)["up"]


def test_two_labs_are_up_at_once_and_apart(lab: LabCluster, people: dict[str, str], spare: Lab) -> None:
    status = spare.up(1)
    mine = Lab(lab.name).status()
    assert mine
    assert status["slice"] != mine["slice"]
    assert set(_command("list").stdout.split()) >= {lab.name, SPARE}
    record = state.load(SPARE)
    assert record
    assert record.nodes[0].init
    inside = ["nsenter", f"--net=/proc/{record.nodes[0].init.pid}/ns/net", sys.executable, "-c", FETCH]
    url = f"http://{people['one']}:8080/python3"
    assert _fetch(lab, "two", url) == "200"
    done = subprocess.run([*inside, url], capture_output=True, text=True, timeout=30)
    assert done.returncode
    assert "unreachable" in done.stderr or "timed out" in done.stderr
    spare.down()
    assert _fetch(lab, "two", url) == "200"


def test_a_call_to_a_lab_that_is_gone_fails_at_once(spare: Lab) -> None:
    server = spare.up(1)["server"].rpartition("/")[2].partition(":")
    spare.down()
    with pytest.raises(OSError, match=r"No route to host|unreachable"):  # and no time limit that has run out
        socket.create_connection((server[0], int(server[2])), timeout=5).close()


def test_no_packet_for_the_range_leaves_the_machine_with_the_lab_up_or_down() -> None:
    """In a network namespace that stands for a machine, whose uplink is listened to; see sealed_machine.py."""
    program = Path(__file__).with_name("sealed_machine.py")
    command = ["unshare", "--net", sys.executable, str(program), f"{SPARE}-sealed"[:20].rstrip("-")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr
    marker = ["192.0.2.2", "203.0.113.9"]  # shows that what leaves is seen
    found = json.loads(done.stdout)
    assert found.pop("down, and somebody removed the route") == [["192.0.2.2", "198.18.0.1"], marker]
    states = [f"{host}: from {where}" for host in ("up", "up, the host routes") for where in ("the host", "a node")]
    assert found == {name: [marker] for name in (*states, "down")}


# ── images ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_image_is_loaded_into_every_node(lab: LabCluster) -> None:
    archive = next(path for path in parts.build(Steps(quiet=True)).images if path.name.startswith("busybox"))
    done = _command("load-image", str(archive), "--name", lab.name)
    assert done.returncode == 0, done.stderr
    for node in lab.get("nodes")["items"]:
        names = {name for image in node["status"]["images"] for name in image["names"]}
        assert "lab.local/busybox:1" in names


def test_an_archive_that_is_not_there_is_named(lab: LabCluster) -> None:
    with pytest.raises(LabError, match=r"none\.tar: no such file; expected OCI archives"):
        Lab(lab.name).load_images([Path("none.tar")])
