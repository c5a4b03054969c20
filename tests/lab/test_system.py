"""The sample system on a real cluster: it runs, it uses what it says it uses, and its policies are load-bearing."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

pytestmark = pytest.mark.lab

API = "http://api.kgents-triad"
MESSAGE = {"agent": "planner", "text": "hello"}


def pods(system: Any, namespace: str, name: str) -> list[dict[str, Any]]:
    found = system.get("pods", "-n", namespace, "-l", f"app.kubernetes.io/name={name}")["items"]
    return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]


def endpoints(system: Any) -> list[bool]:
    """Whether each endpoint of the Service `api` is ready."""
    slices = system.get("endpointslices", "-n", "kgents-triad", "-l", "kubernetes.io/service-name=api")["items"]
    return [endpoint["conditions"]["ready"] for part in slices for endpoint in part.get("endpoints") or []]


def test_every_pod_is_ready_and_none_was_restarted(system: Any) -> None:
    expected = {("kgents-agents", "nats"): 3, ("kgents-triad", "redis"): 1, ("kgents-triad", "api"): 2}
    for (namespace, name), count in expected.items():
        found = pods(system, namespace, name)
        assert len(found) == count
        for pod in found:
            (status,) = pod["status"]["containerStatuses"]
            assert (status["ready"], status["restartCount"]) == (True, 0), json.dumps(status)


def test_each_nats_server_has_a_route_to_the_two_others(system: Any, eventually: Any) -> None:
    def routes() -> dict[str, set[str]]:
        """Each server's id to the ids at the other ends of its routes."""
        found = {}
        for number in range(3):
            with system.forwarded("kgents-agents", f"nats-{number}", 8222) as read:
                assert read("/varz")["cluster"]["name"] == "kgents"
                answer = read("/routez")
                found[answer["server_id"]] = {route["remote_id"] for route in answer["routes"]}
        return found

    def joined() -> dict[str, set[str]] | None:
        found = routes()
        return found if all(found[server] == set(found) - {server} for server in found) else None

    assert len(eventually(joined, every=2)) == 3


def test_agents_are_read_from_redis(system: Any, http: Any) -> None:
    status, body = http("GET", f"{API}/v1/agents")
    assert status == 200
    assert [agent["name"] for agent in body["agents"]] == ["archivist", "planner", "researcher", "reviewer", "writer"]
    cli = ("-n", "kgents-triad", "exec", "deploy/redis", "--", "redis-cli")
    agent = json.dumps({"name": "translator", "role": "Says it in another language"})
    system.kubectl(*cli, "hset", "agents", "translator", agent)
    _, body = http("GET", f"{API}/v1/agents")
    assert "translator" in [agent["name"] for agent in body["agents"]]
    system.kubectl(*cli, "hdel", "agents", "translator")


def test_a_message_reaches_nats(system: Any, http: Any) -> None:
    def received() -> int:
        total = 0
        for pod in pods(system, "kgents-agents", "nats"):
            with system.forwarded("kgents-agents", pod["metadata"]["name"], 8222) as read:
                connections = read("/connz")["connections"]
                total += sum(c["in_msgs"] for c in connections if c.get("name") == "kgents-api")
        return total

    before = received()
    for _ in range(3):
        status, body = http("POST", f"{API}/v1/messages", MESSAGE)
        assert (status, body["subject"]) == (202, "agents.planner.messages")
    assert received() == before + 3


def test_a_message_for_nobody_is_refused(system: Any, http: Any) -> None:
    status, body = http("POST", f"{API}/v1/messages", {"agent": "No such name!", "text": "hello"})
    assert (status, body["detail"][0]["loc"]) == (422, ["body", "agent"])


@pytest.mark.parametrize(
    ("namespace", "policy", "store"),
    [("kgents-triad", "redis-access", "redis"), ("kgents-agents", "nats-access", "nats")],
)
def test_without_its_policy_the_api_is_out_of_service_until_it_is_back(
    system: Any, http: Any, eventually: Any, manifests: Any, namespace: str, policy: str, store: str
) -> None:
    assert eventually(lambda: endpoints(system) == [True, True])
    system.kubectl("-n", namespace, "delete", "networkpolicy", policy)
    eventually(lambda: endpoints(system) == [False, False])
    eventually(lambda: http("GET", f"{API}/v1/agents")[0] == 0)  # the Service has nobody behind it
    address = pods(system, "kgents-triad", "api")[0]["status"]["podIP"]
    status, body = http("GET", f"http://{address}:8080/ready")
    assert (status, body["store"]) == (503, store)
    assert http("GET", f"http://{address}:8080/health") == (200, {"status": "alive"})
    system.apply(manifests)
    eventually(lambda: http("GET", f"{API}/v1/agents")[0] == 200)


def test_an_api_that_never_reached_nats_answers_messages_with_503(system: Any, http: Any, eventually: Any) -> None:
    system.kubectl("-n", "kgents-agents", "delete", "networkpolicy", "nats-access")
    old = {pod["metadata"]["name"] for pod in pods(system, "kgents-triad", "api")}
    system.kubectl("-n", "kgents-triad", "delete", "pod", min(old), "--wait=false")

    def started() -> dict[str, Any] | None:
        for pod in pods(system, "kgents-triad", "api"):
            statuses = pod["status"].get("containerStatuses", [])
            if pod["metadata"]["name"] not in old and all(status["started"] for status in statuses) and statuses:
                return pod
        return None

    address = eventually(started)["status"]["podIP"]
    status, body = http("POST", f"http://{address}:8080/v1/messages", MESSAGE)
    assert (status, body["store"]) == (503, "nats")
    assert http("GET", f"http://{address}:8080/v1/agents")[0] == 200  # Redis is still there


def test_redis_comes_back_empty_and_is_seeded_again(system: Any, http: Any, eventually: Any) -> None:
    system.kubectl("-n", "kgents-triad", "delete", "pod", "-l", "app.kubernetes.io/name=redis", "--wait=true")
    system.await_ready()
    eventually(lambda: http("GET", f"{API}/v1/agents")[0] == 200)
    assert len(http("GET", f"{API}/v1/agents")[1]["agents"]) == 5


def test_the_system_keeps_to_the_restricted_standard(system: Any) -> None:
    for namespace, name in (("kgents-agents", "nats"), ("kgents-triad", "redis"), ("kgents-triad", "api")):
        labels = system.get("namespace", namespace)["metadata"]["labels"]
        assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
        for pod in pods(system, namespace, name):
            (container,) = pod["spec"]["containers"]
            assert container["securityContext"]["readOnlyRootFilesystem"]
            assert set(container["resources"]["limits"]) == {"cpu", "memory"}


def test_a_process_of_the_system_is_not_root_and_can_write_nowhere(system: Any) -> None:
    program = (
        "import os; print(os.getuid(), os.getgid(), *(os.access(path, os.W_OK) for path in ('/', '/tmp', '/opt/site')))"
    )
    said = system.kubectl("-n", "kgents-triad", "exec", "deploy/api", "--", "python3", "-c", program)
    assert said.split() == ["65532", "65532", "False", "False", "False"]


def test_no_request_is_lost_while_the_api_is_rolled(system: Any, lab: Any, http: Any) -> None:
    status, _ = http("GET", f"{API}/v1/agents")
    assert status == 200
    client = ("-n", "launchbook-load", "exec", "client", "--", "python3", "-c", _REQUESTS, f"{API}/v1/agents")
    with ThreadPoolExecutor() as pool:
        requests = pool.submit(lab.kubectl, *client, "18")
        lab.kubectl("-n", "kgents-triad", "rollout", "restart", "deployment/api")
        lab.await_ready()
        told = json.loads(requests.result())
    assert told["failures"] == []
    assert told["answered"] > 100


_REQUESTS = """
import json, sys, time, urllib.request
url, until = sys.argv[1], time.monotonic() + float(sys.argv[2])
answered, failures = 0, []
while time.monotonic() < until:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            answer.read()
        answered += 1
    except OSError as error:
        failures.append(str(error))
    time.sleep(0.05)
print(json.dumps({"answered": answered, "failures": failures}))
"""


def test_nats_loses_no_more_than_one_server_at_a_time(system: Any) -> None:
    budget = system.get("poddisruptionbudget", "nats-pdb", "-n", "kgents-agents")
    assert budget["spec"]["minAvailable"] == 2
    assert budget["status"]["disruptionsAllowed"] == 1


def test_the_log_of_a_request_is_one_json_line_with_its_outcome(system: Any, http: Any, eventually: Any) -> None:
    http("GET", f"{API}/v1/absent")

    def logged() -> list[dict[str, Any]]:
        text = system.kubectl("-n", "kgents-triad", "logs", "-l", "app.kubernetes.io/name=api", "--tail=50")
        lines = [json.loads(line) for line in text.splitlines()]
        return [line for line in lines if line.get("path") == "/v1/absent"]

    (line,) = eventually(logged)
    assert (line["event"], line["method"], line["status"]) == ("request", "GET", 404)
