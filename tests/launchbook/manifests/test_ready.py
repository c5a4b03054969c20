"""When an object is ready, and when waiting is in vain."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from launchbook.manifests.failing import pod_failure
from launchbook.manifests.ready import covering, serving, state_of


def workload(kind: str, status: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": "x", "generation": 2}, "spec": {"replicas": 2, **spec}, "status": status}


def cond(kind: str, status: str = "True", **said: str) -> dict[str, str]:
    return {"type": kind, "status": status, **said}


UP = {"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2}


@pytest.mark.parametrize(
    ("item", "state", "because"),
    [
        (workload("Deployment", UP), "ready", "2 of 2 pods are ready"),
        (workload("Deployment", {**UP, "readyReplicas": 1}), "waiting", "1 of 2 pods are ready"),
        (workload("Deployment", {**UP, "replicas": 3}), "waiting", "1 pod of an older revision not gone yet"),
        (workload("Deployment", {**UP, "observedGeneration": 1}), "waiting", "its controller has not seen this generation yet"),
        (workload("StatefulSet", {**UP, "currentRevision": "a", "updateRevision": "b"}), "waiting", "2 of 2 pods have the newest revision"),
        (workload("StatefulSet", {**UP, "currentRevision": "a", "updateRevision": "a"}), "ready", "2 of 2 pods are ready"),
        (workload("StatefulSet", {**UP, "currentRevision": "a", "updateRevision": "b", "updatedReplicas": 1}, updateStrategy={"type": "OnDelete"}), "failed", "1 of 2 pods have the newest revision, and its strategy OnDelete replaces none by itself"),
        (workload("StatefulSet", {**UP, "currentRevision": "a", "updateRevision": "b"}, updateStrategy={"type": "OnDelete"}), "ready", "2 of 2 pods are ready"),
        (workload("StatefulSet", {**UP, "currentRevision": "a", "updateRevision": "b", "updatedReplicas": 1}, updateStrategy={"rollingUpdate": {"partition": 1}}), "failed", "1 of 2 pods have the newest revision, and its partition 1 keeps the others as they were"),
        (workload("StatefulSet", {**UP, "currentRevision": "a", "updateRevision": "b", "updatedReplicas": 0}, updateStrategy={"rollingUpdate": {"partition": 3}}), "failed", "0 of 2 pods have the newest revision, and its partition 3 keeps the others as they were"),
        (workload("StatefulSet", {**UP, "currentRevision": "a", "updateRevision": "b", "updatedReplicas": 2}, updateStrategy={"rollingUpdate": {"partition": 1}}), "ready", "2 of 2 pods are ready"),
        (workload("StatefulSet", {**UP, "currentRevision": "a", "updateRevision": "b", "updatedReplicas": 0}, updateStrategy={"rollingUpdate": {"partition": 1}}), "waiting", "0 of 2 pods have the newest revision"),
        (workload("StatefulSet", {**UP, "readyReplicas": 1}), "waiting", "1 of 2 pods are ready"),
        (workload("DaemonSet", {"observedGeneration": 2, "desiredNumberScheduled": 2, "numberReady": 2, "numberAvailable": 1, "updatedNumberScheduled": 2}), "waiting", "1 of 2 pods are ready"),
        (workload("DaemonSet", {"observedGeneration": 2, "desiredNumberScheduled": 2, "numberReady": 2, "numberAvailable": 2, "updatedNumberScheduled": 2}), "ready", "2 of 2 pods are ready"),
        (workload("DaemonSet", {"observedGeneration": 2, "desiredNumberScheduled": 2, "numberReady": 2, "numberAvailable": 2, "updatedNumberScheduled": 1}, updateStrategy={"type": "OnDelete"}), "failed", "1 of 2 pods have the newest revision, and its strategy OnDelete replaces none by itself"),
        (workload("Deployment", {**UP, "conditions": [cond("ReplicaFailure", message="exceeded quota: q")]}), "failed", "its pods are refused: exceeded quota: q"),
        (workload("Deployment", {**UP, "conditions": [{**cond("Progressing", message="timed out"), "reason": "ProgressDeadlineExceeded"}]}), "failed", "timed out"),
        (workload("ReplicaSet", {**UP, "conditions": [cond("ReplicaFailure", message="exceeded quota: q")]}), "failed", "its pods are refused: exceeded quota: q"),
        (workload("Widget", {"conditions": [cond("Stalled", message="no such bucket"), cond("Reconciling")]}), "failed", "it is stalled: no such bucket"),
        (workload("Widget", {"conditions": [cond("Reconciling", message="3 of 4"), cond("Ready")]}), "waiting", "it is being reconciled: 3 of 4"),
        (workload("Widget", {"conditions": [cond("Ready", "False", message="waits for its bucket")]}), "waiting", "it is not ready: waits for its bucket"),
        (workload("Widget", {"conditions": [cond("Ready", "Unknown", reason="Starting")]}), "waiting", "it is not ready: Starting"),
        (workload("Widget", {"conditions": [cond("Ready")]}), "ready", "it is ready"),
        (workload("Widget", {"conditions": [cond("Ready")], "observedGeneration": 1}), "waiting", "its controller has not seen this generation yet"),
        (workload("Gateway", {}), "waiting", "its controller has not seen it yet"),
        (workload("Gateway", {"conditions": [cond("Accepted"), cond("Programmed", "Unknown", message="Waiting for controller")]}), "waiting", "it is not programmed: Waiting for controller"),
        (workload("Gateway", {"conditions": [cond("Accepted"), {**cond("Programmed"), "observedGeneration": 1}]}), "waiting", "its controller has not seen this generation yet"),
        (workload("Gateway", {"conditions": [cond("Accepted"), {**cond("Programmed"), "observedGeneration": 2}]}), "ready", "it is accepted and programmed"),
        (workload("APIService", {}), "waiting", "its controller has not seen it yet"),
        (workload("APIService", {"conditions": [cond("Available", "False", message="no response")]}), "waiting", "it is not available: no response"),
        (workload("APIService", {"conditions": [cond("Available")]}), "ready", "it is available"),
        (workload("Widget", {"conditions": [cond("Ready"), cond("Available", "False")]}), "ready", "it is ready"),
        (workload("Widget", {"conditions": [cond("Degraded", "False")]}), "ready", "it exists"),
        (workload("HTTPRoute", {}, parentRefs=[{"name": "g"}]), "waiting", "no controller has accepted it for each of its Gateways yet"),
        (workload("HTTPRoute", {"parents": [{"parentRef": {"name": "g"}, "conditions": [cond("Accepted"), cond("ResolvedRefs", "False", message="no Service")]}]}, parentRefs=[{"name": "g"}]), "waiting", "g does not take it: no Service"),
        (workload("HTTPRoute", {"parents": [{"parentRef": {"name": "g"}, "conditions": [cond("Accepted"), cond("ResolvedRefs")]}]}, parentRefs=[{"name": "g"}]), "ready", "its Gateways take it"),
        (workload("HorizontalPodAutoscaler", {}), "waiting", "its controller has not seen it yet"),
        (workload("HorizontalPodAutoscaler", {"conditions": [cond("AbleToScale"), cond("ScalingActive")]}), "ready", "it scales"),
        (workload("HorizontalPodAutoscaler", {"conditions": [cond("AbleToScale"), cond("ScalingActive", "False", reason="FailedGetResourceMetric")]}), "waiting", "it does not scale: FailedGetResourceMetric"),
        (workload("HorizontalPodAutoscaler", {"conditions": [cond("AbleToScale", "False", reason="FailedGetScale", message="deployments web not found")]}), "failed", "it does not scale: deployments web not found"),
        (workload("Job", {"conditions": [cond("Complete")]}), "ready", "it is complete"),
        (workload("Job", {"conditions": [cond("Failed", message="backoff limit")]}), "failed", "backoff limit"),
        (workload("Job", {"active": 1}), "waiting", "it runs"),
        (workload("Job", {}, suspend=True), "failed", "it is suspended: it runs once `spec.suspend` is false"),
        (workload("PersistentVolumeClaim", {"phase": "Bound"}), "ready", "it is Bound"),
        (workload("PersistentVolumeClaim", {"phase": "Pending"}), "waiting", "it is Pending"),
        (workload("PersistentVolumeClaim", {"phase": "Lost"}), "failed", "it is Lost"),
        (workload("Service", {}, type="LoadBalancer"), "waiting", "it has no load balancer address"),
        (workload("Service", {"loadBalancer": {"ingress": [{"ip": "10.0.0.1"}]}}, type="LoadBalancer"), "ready", "it has an address"),
        (workload("CustomResourceDefinition", {"conditions": [cond("NamesAccepted", "False")]}), "failed", "its names collide with another definition"),
        (workload("CustomResourceDefinition", {"conditions": [cond("NamesAccepted")]}), "waiting", "it is not established yet"),
        (workload("CustomResourceDefinition", {"conditions": [cond("Established")]}), "ready", "it is established"),
        (workload("Namespace", {"phase": "Terminating"}), "failed", "it is Terminating"),
        (workload("Pod", {"conditions": [cond("Ready")]}), "ready", "it is ready"),
        (workload("Pod", {"phase": "Failed", "reason": "Evicted"}), "failed", "pod x failed: Evicted"),
        (workload("PodDisruptionBudget", {"observedGeneration": 2, "expectedPods": 3}), "ready", "it covers 3 pods"),
        (workload("ReplicaSet", {**UP, "availableReplicas": 1}), "waiting", "1 of 2 pods are ready"),
        (workload("ReplicationController", UP), "ready", "2 of 2 pods are ready"),
        (workload("DaemonSet", {"observedGeneration": 2}), "waiting", "it is scheduled on no node"),
        (workload("Deployment", {"observedGeneration": 2}, replicas=0), "failed", "0 replicas are asked for: nothing runs"),
        (workload("StatefulSet", {"observedGeneration": 2}, replicas=0), "failed", "0 replicas are asked for: nothing runs"),
        (workload("PodDisruptionBudget", {"observedGeneration": 2, "expectedPods": 0}), "waiting", "it selects no pod"),
        (workload("PodDisruptionBudget", {}), "waiting", "the disruption controller has not seen it yet"),
        (workload("ConfigMap", {}), "ready", "it exists"),
        ({"kind": "ConfigMap", "metadata": {"name": "x", "deletionTimestamp": "now"}}, "failed", "it is being deleted"),
    ],
)  # fmt: skip
def test_a_kind(item: Any, state: str, because: str) -> None:
    """By kind as kstatus has it, with its blind spots."""
    found = state_of(item)
    assert (found.state, found.because) == (state, because)


UNPLACED = {
    "metadata": {"name": "p"},
    "status": {"conditions": [{"type": "PodScheduled", "status": "False", "message": "0/2 nodes"}]},
}


def pod(field: str = "containerStatuses", **container: Any) -> dict[str, Any]:
    status = {field: [{"name": "c", "image": "i:1", "restartCount": 0, **container}]}
    return {"metadata": {"name": "p"}, "status": status}


@pytest.mark.parametrize(
    ("item", "cause"),
    [
        (pod(state={"waiting": {"reason": "ContainerCreating"}}), None),
        (pod(state={"waiting": {"reason": "CrashLoopBackOff"}}, restartCount=1), None),
        (pod(state={"waiting": {"reason": "ErrImagePull", "message": "manifest unknown"}}), "pod p, container c: ErrImagePull, the image can't be pulled (i:1): manifest unknown"),
        (pod(state={"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image: ErrImagePull: i:1: not found"}}), "pod p, container c: ImagePullBackOff, the image can't be pulled (i:1): Back-off pulling image: ErrImagePull: i:1: not found"),
        (pod(state={"waiting": {"reason": "ErrImagePull", "message": "dial tcp: i/o timeout"}}), None),
        (pod(state={"waiting": {"reason": "ImagePullBackOff"}}), None),
        (pod(state={"waiting": {"reason": "InvalidImageName"}}), "pod p, container c: InvalidImageName, the image's name is invalid (i:1)"),
        (pod(state={"waiting": {"reason": "CreateContainerConfigError", "message": "secret \"s\" not found"}}), 'pod p, container c: CreateContainerConfigError, its configuration is wrong (i:1): secret "s" not found'),
        (pod(state={}, restartCount=3, ready=False, lastState={"terminated": {"exitCode": 2, "reason": "Error"}}), "pod p, container c: ended 3 times, last with exit code 2 (Error)"),
        (UNPLACED, None),
    ],
)  # fmt: skip
def test_why_a_pod_will_not_start(item: Any, cause: str | None) -> None:
    """In seconds, with the cause, and never for what ordinarily passes."""
    assert pod_failure(item) == cause


@pytest.mark.parametrize("reason", ["ErrImagePull", "CreateContainerConfigError"])
@pytest.mark.parametrize(("age", "failed"), [(29, False), (31, True)])
def test_what_may_come_by_itself_has_half_a_minute(reason: str, age: int, failed: bool) -> None:
    """A registry that doesn't answer, a Secret that an operator writes."""
    item = pod(state={"waiting": {"reason": reason, "message": "i/o timeout"}})
    item["status"]["startTime"] = "2026-11-24T12:00:00Z"
    cause = pod_failure(item, datetime(2026, 11, 24, 12, 0, age, tzinfo=UTC))
    assert bool(cause) is failed


def test_a_deployment_fails_with_its_pods_cause() -> None:
    """The workload says what its pod can't say by itself."""
    broken = pod(state={"waiting": {"reason": "InvalidImageName"}})
    found = state_of(workload("Deployment", {**UP, "readyReplicas": 0}), [broken])
    assert found.state == "failed"
    assert (
        found.because
        == "0 of 2 pods are ready: pod p, container c: InvalidImageName, the image's name is invalid (i:1)"
    )


@pytest.mark.parametrize(
    ("broken", "cause"),
    [
        (UNPLACED, "pod p can't be scheduled: 0/2 nodes"),
        (pod(state={"waiting": {"reason": "ErrImagePull", "message": "i/o timeout"}}), "pod p, container c: ErrImagePull, the image can't be pulled (i:1): i/o timeout"),
        (pod(state={"waiting": {"reason": "CrashLoopBackOff"}}, restartCount=1), "pod p, container c: CrashLoopBackOff, it crashes again and again (i:1)"),
    ],
)  # fmt: skip
def test_what_may_mend_itself_is_waited_for_by_its_cause(broken: Any, cause: str) -> None:
    """A node that is being added, a registry that is slow: the whole time is theirs."""
    found = state_of(workload("Deployment", {**UP, "readyReplicas": 0}), [broken])
    assert (found.state, found.because) == ("waiting", f"0 of 2 pods are ready: {cause}")
    alone = state_of({"kind": "Pod", **broken})
    assert (alone.state, alone.because) == ("waiting", cause)


@pytest.mark.parametrize(("age", "fails"), [(29, False), (31, True)])
@pytest.mark.parametrize("reason", ["CreateContainerConfigError", "CreateContainerError", "RunContainerError"])
def test_what_a_pod_needs_may_come_within_moments_of_its_start(age: int, fails: bool, reason: str) -> None:
    """An operator's Secret; after that, waiting is in vain."""
    now = datetime(2026, 11, 24, 12, tzinfo=UTC)
    item = pod(state={"waiting": {"reason": reason}})
    item["status"]["startTime"] = (now - timedelta(seconds=age)).isoformat()
    assert bool(pod_failure(item, now)) is fails


LOOPING = {
    "restartCount": 4,
    "ready": False,
    "state": {"running": {}},
    "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}},
}


def test_a_workload_that_counts_itself_ready_is_not_while_its_pods_crash() -> None:
    """Between two crashes it is ready for a moment."""
    found = state_of(workload("Deployment", UP), [pod(**LOOPING)])
    assert (found.state, found.because) == (
        "failed", "2 of 2 pods are ready: pod p, container c: ended 4 times, last with exit code 1 (Error)",
    )  # fmt: skip


@pytest.mark.parametrize("field", ["containerStatuses", "initContainerStatuses"])  # a sidecar's is among the latter
@pytest.mark.parametrize(
    ("ran", "runs", "state"),
    [(2, 5, "waiting"), (2, 11, "ready"), (30, 20, "waiting"), (30, 31, "ready"), (999, 61, "ready")],
)
def test_a_restarted_container_must_outlast_its_last_run(field: str, ran: int, runs: int, state: str) -> None:
    """At least 10 s, a minute at most: it may end again as it did before."""
    now = datetime(2026, 11, 24, 12, tzinfo=UTC)
    started = now - timedelta(seconds=runs)
    last = {
        "startedAt": (started - timedelta(seconds=ran + 9)).isoformat(),
        "finishedAt": (started - timedelta(seconds=9)).isoformat(),
        "exitCode": 3,
    }
    again = pod(
        field,
        restartCount=4,
        ready=True,
        state={"running": {"startedAt": started.isoformat()}},
        lastState={"terminated": last},
    )
    found = state_of(workload("Deployment", UP), [again], now=now)
    assert found.state == state
    if state == "waiting":
        assert (
            found.because
            == f"pod p, container c: restarted 4 times, last after exit code 3; it runs for {runs} s and ran for {ran} s before"
        )


def test_what_healed_is_no_failure() -> None:
    """A container that is ready again, an init container that ended well, and a Job's earlier attempt."""
    healed = pod(**{**LOOPING, "ready": True})
    initial = {
        "metadata": {"name": "p"},
        "status": {
            "initContainerStatuses": [
                {
                    "name": "i",
                    "image": "i:1",
                    "restartCount": 5,
                    "ready": False,
                    "state": {"terminated": {"exitCode": 0}},
                }
            ]
        },
    }
    assert state_of(workload("Deployment", UP), [healed, initial]).state == "ready"
    job = {"kind": "Job", "metadata": {"name": "x"}, "status": {"conditions": [{"type": "Complete", "status": "True"}]}}
    failed = {"metadata": {"name": "p"}, "status": {"phase": "Failed"}}
    assert state_of(job, [failed]).state == "ready"


def test_refused_pods_are_told_by_their_event() -> None:
    """A quota leaves no pod to look at."""
    event = {"type": "Warning", "reason": "FailedCreate", "message": "exceeded quota: compute"}
    found = state_of(workload("Deployment", {**UP, "readyReplicas": 0}), [], [event])
    assert found.because == "0 of 2 pods are ready: its pods are refused: exceeded quota: compute"


@pytest.mark.parametrize(("ago", "state"), [(60, "failed"), (600, "waiting")])
def test_what_was_refused_long_ago_may_be_mended(ago: int, state: str) -> None:
    """Events stay for an hour."""
    now = datetime(2026, 11, 24, 12, tzinfo=UTC)
    at = (now - timedelta(seconds=ago)).isoformat()
    event = {"type": "Warning", "reason": "FailedCreate", "message": "exceeded quota", "lastTimestamp": at}
    assert state_of(workload("Deployment", {**UP, "readyReplicas": 0}), [], [event], now).state == state


def test_an_init_container_that_crashes_fails_the_workload() -> None:
    """It is waited for no ten minutes."""
    initial = {
        "name": "i",
        "image": "i:1",
        "restartCount": 3,
        "ready": False,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
    }
    looping = {"metadata": {"name": "p"}, "status": {"initContainerStatuses": [initial]}}
    found = state_of(workload("Deployment", {**UP, "readyReplicas": 0}), [looping])
    assert (found.state, found.because) == (
        "failed", "0 of 2 pods are ready: pod p, container i: CrashLoopBackOff, it crashes again and again (i:1)",
    )  # fmt: skip


def budget(name: str, **labels: str) -> dict[str, Any]:
    return {"kind": "PodDisruptionBudget", "metadata": {"name": name}, "spec": {"selector": {"matchLabels": labels}}}


def test_a_pod_in_two_budgets_can_never_be_evicted() -> None:
    """Two budgets that select different pods are no matter."""
    pods = [
        {"metadata": {"name": "p", "labels": {"app": "a", "tier": "x"}}},
        {"metadata": {"name": "q", "labels": {"app": "b"}}},
    ]
    one, same, other = budget("one", app="a"), budget("same", tier="x"), budget("other", app="b")
    assert covering(one, [one, other], pods).state == "ready"
    found = covering(one, [one, other, same], pods)
    assert (found.state, found.because) == (
        "failed", "p is in the budget same too: no pod in two budgets can be evicted",
    )  # fmt: skip


def leads(*ports: tuple[str, int | None], **conditions: bool) -> dict[str, Any]:
    return {
        "ports": [{"name": name, "port": number, "protocol": "TCP"} for name, number in ports],
        "endpoints": [{"conditions": {"ready": True, **conditions}}],
    }


HTTP = {"port": 80, "name": "http", "targetPort": "web"}
NO_PORT = "no ready endpoint has its port http (80): no container has a port web"


@pytest.mark.parametrize(
    ("ports", "slices", "state", "because"),
    [
        ([HTTP], [], "waiting", "it has no ready endpoint"),
        ([HTTP], [leads(("http", 8080), ready=False)], "waiting", "it has no ready endpoint"),
        ([HTTP], [leads(("http", 8080), serving=False)], "waiting", "it has no ready endpoint"),
        ([HTTP], [leads(("http", 8080), serving=True)], "ready", "1 ready endpoint"),
        ([HTTP], [leads(("http", 8080))], "ready", "1 ready endpoint"),
        ([HTTP], [leads()], "waiting", NO_PORT),
        ([HTTP], [leads(("metrics", 9090))], "waiting", NO_PORT),
        ([HTTP, {"port": 81, "name": "b"}], [leads(("http", 1)), leads(("b", 81), serving=False)], "waiting",
         "no ready endpoint has its port b (81): no container has a port 81"),
        ([{"port": 80}], [leads(("", 80))], "ready", "1 ready endpoint"),
        ([], [leads()], "ready", "1 ready endpoint"),
    ],
)  # fmt: skip
def test_a_service_needs_a_ready_endpoint_of_each_port(ports: Any, slices: Any, state: str, because: str) -> None:
    """An object that exists and sends its callers nowhere isn't ready, nor one that publishes pods that aren't."""
    found = serving({"spec": {"selector": {"a": "b"}, "ports": ports}}, slices)
    assert (found.state, found.because) == (state, because)
