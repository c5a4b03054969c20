"""Isolation judged by table: what was declared, computed and observed in, verdict and exact sentence out."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from launchbook.isolation import judge
from launchbook.isolation.connect import outcome
from launchbook.isolation.observe import COMPUTED
from launchbook.parameters import Destination, Edge, Source
from launchbook.words import Status

ENFORCED = {
    "problem": None,
    "nodes": [{"node": "n1", "open": True, "blocked": True, "lag": 0.4, "because": "Open, then denied."}],
}
NOT_ENFORCED = {
    "problem": None,
    "nodes": [{"node": "n1", "open": True, "blocked": False, "lag": None, "because": "It still answered."}],
}


def edge(expect: Any) -> Edge:
    return Edge(
        source=Source(namespace="s"), destination=Destination(namespace="d", service="x", port=80), expect=expect
    )


def target(outcomes: list[str], answers: bool | None = True, kind: str = "pod") -> dict[str, Any]:
    return {
        "target": "x-0",
        "kind": kind,
        "host": "10.0.0.1",
        "port": 80,
        "protocol": "TCP",
        "outcomes": outcomes,
        "answers": answers,
    }


def observed(
    *targets: Any, control: tuple[bool, bool] = (True, True), problem: str | None = None, failed: str = ""
) -> dict[str, Any]:
    seen = {
        "problem": problem,
        "failed": failed,
        "confirmations": 3,
        "targets": list(targets),
        "control": list(control),
    }
    return {"problem": None, "edges": {edge("open").name: seen}}


def computed(*allowed: bool | None, unsure: str = "") -> pd.DataFrame:
    rows = [
        [edge("open").name, f"x-{n}", "TCP", 80, one, "ingress: denied by d/p", unsure] for n, one in enumerate(allowed)
    ]
    return pd.DataFrame(rows, columns=COMPUTED).astype({"allowed": "boolean"})


UDP = {**target([], None), "protocol": "UDP"}
UNASKED = "The Service's port is UDP, which probes do not speak: without a handshake, silence and a block look alike."
OPEN, BLOCKED = target(["ALLOWED"]), target(["DROPPED"] * 3)


@pytest.mark.parametrize(
    ("expect", "rules", "seen", "canary", "status", "because"),
    [
        ("open", [True], observed(OPEN), ENFORCED, "PASS", "Reached x-0."),
        ("closed", [False], observed(BLOCKED), ENFORCED, "PASS", "Blocked from x-0, 3 times each, with the controls open before and after."),
        ("closed", [False], observed(BLOCKED), NOT_ENFORCED, "UNKNOWN", "It is closed, but the network plugin was not seen to enforce policies on every node."),
        ("closed", [False], observed(OPEN), NOT_ENFORCED, "FAIL", "Reached x-0. The policies say closed: they are not what the network does."),
        ("closed", [True], observed(OPEN), ENFORCED, "FAIL", "Reached x-0. The policies say the same (ingress: denied by d/p): mend them, or the declaration."),
        ("open", [False], observed(BLOCKED), ENFORCED, "FAIL", "Blocked from x-0, 3 times each, with the controls open before and after. The policies say the same (ingress: denied by d/p): mend them, or the declaration."),
        ("closed", [True], observed(BLOCKED), ENFORCED, "UNKNOWN", "Blocked from x-0, 3 times each, with the controls open before and after. But the policies say open (ingress: denied by d/p), so something else decides."),
        ("closed", [False], observed(target(["DNS_FAIL"] * 3)), ENFORCED, "UNKNOWN", "Neither open nor blocked: x-0 (pod): DNS_FAIL, DNS_FAIL, DNS_FAIL."),
        ("closed", [False], observed(target([])), ENFORCED, "UNKNOWN", "Neither open nor blocked: x-0 (pod): not probed."),
        ("closed", [False], observed(target(["DROPPED", "PROBE_ERROR"])), ENFORCED, "UNKNOWN", "Neither open nor blocked: x-0 (pod): DROPPED, PROBE_ERROR."),
        ("closed", [False], observed(target(["DROPPED"])), ENFORCED, "UNKNOWN", "Neither open nor blocked: x-0 (pod): DROPPED."),
        ("closed", [False], observed(BLOCKED, control=(True, False)), ENFORCED, "UNKNOWN", "The probe pod did not reach its control before and after, so its own network may be broken."),
        ("closed", [False], observed(target(["DROPPED"] * 3, answers=False)), ENFORCED, "UNKNOWN", "Blocked, but nobody reached x-0 before and after, so it may be down: declare an edge that is open to it."),
        ("closed", [False], observed(problem="quota"), ENFORCED, "UNKNOWN", "The probe pod could not be started: quota"),
        ("closed", [], observed(), ENFORCED, "UNKNOWN", "The Service is absent, has no such port or has no pod, so nothing could be probed."),
        ("closed", [False, False], observed(OPEN, BLOCKED), ENFORCED, "FAIL", "Reached x-0, blocked from x-0. The policies say closed: they are not what the network does."),
        ("open", [False], observed(target(["DROPPED"] * 3, answers=False)), ENFORCED, "FAIL", "Not reached: x-0 DROPPED. The policies say the same (ingress: denied by d/p): mend them, or the declaration."),
        ("open", [True], observed(target(["REFUSED"] * 3, answers=False)), ENFORCED, "FAIL", "Not reached: x-0 REFUSED. The policies say open: they are not what the network does."),
        ("open", [True], observed(target(["DROPPED"] * 3, answers=False), control=(False, True)), ENFORCED, "UNKNOWN", "The probe pod did not reach its control before and after, so its own network may be broken."),
        ("open", [True], {"problem": "This run may not probe.", "edges": {}}, ENFORCED, "UNKNOWN", "This run may not probe."),
    ],
)  # fmt: skip
def test_an_edge(expect: str, rules: list[bool], seen: Any, canary: Any, status: str, because: str) -> None:
    """Only a block with all its controls is closed; what was reached is open whatever the policies say."""
    [found] = judge.edges([edge(expect)], computed(*rules), seen, canary)
    assert (found.status, found.because) == (Status(status), because)


@pytest.mark.parametrize(
    ("expect", "unsure", "seen", "status", "because"),
    [
        ("closed", "address", BLOCKED, "UNKNOWN", "Blocked from x-0, 3 times each, with the controls open before and after. But another pod has another address, and may be let in or kept out (ingress: denied by d/p): name pods by their labels."),
        ("open", "address", OPEN, "UNKNOWN", "Reached x-0. But another pod has another address, and may be let in or kept out (ingress: denied by d/p): name pods by their labels."),
        ("closed", "address", OPEN, "FAIL", "Reached x-0. What the policies say can't be told (ingress: denied by d/p)."),
        ("open", "address", BLOCKED, "FAIL", "Blocked from x-0, 3 times each, with the controls open before and after. What the policies say can't be told (ingress: denied by d/p)."),
        ("closed", "others", BLOCKED, "PASS", "Blocked from x-0, 3 times each, with the controls open before and after. Probes alone say so: what the policies say can't be told (ingress: denied by d/p)."),
        ("open", "others", OPEN, "PASS", "Reached x-0. Probes alone say so: what the policies say can't be told (ingress: denied by d/p)."),
        ("closed", "others", OPEN, "FAIL", "Reached x-0. What the policies say can't be told (ingress: denied by d/p)."),
    ],
)  # fmt: skip
def test_an_edge_whose_policies_can_not_be_told(expect: Any, unsure: str, seen: Any, status: str, because: str) -> None:
    """What hangs on an address holds for the probe pod's alone; what other policies decide, a probe meets as any pod."""
    [found] = judge.edges([edge(expect)], computed(None, unsure=unsure), observed(seen), ENFORCED)
    assert (found.status, found.because) == (Status(status), because)
    assert found.measured.startswith("policies: unknown")


@pytest.mark.parametrize(
    ("expect", "targets", "status", "because"),
    [
        ("closed", [UDP], "UNKNOWN", UNASKED),
        ("open", [UDP], "UNKNOWN", UNASKED),
        ("closed", [UDP, BLOCKED], "UNKNOWN", UNASKED),
        ("open", [UDP, OPEN], "UNKNOWN", UNASKED),
        ("closed", [UDP, OPEN], "FAIL", "Reached x-0. The policies say closed: they are not what the network does."),
        ("open", [UDP, BLOCKED], "FAIL", "Blocked from x-0, 3 times each, with the controls open before and after."),
    ],
)
def test_a_port_that_is_not_tcp(expect: Any, targets: list[Any], status: str, because: str) -> None:
    """A TCP probe says nothing of UDP: it can contradict a declaration, never fulfil it."""
    [found] = judge.edges([edge(expect)], computed(False), observed(*targets), ENFORCED)
    assert found.status is Status(status)
    assert found.because.startswith(because)


@pytest.mark.parametrize(
    ("expect", "seen", "status", "because"),
    [
        ("closed", observed(target([]), failed="exec refused"), "UNKNOWN", "The probe pod could not be asked: exec refused."),
        ("open", observed(target([]), control=(False, False), failed="exec refused."), "UNKNOWN", "The probe pod could not be asked: exec refused."),
        ("closed", observed(BLOCKED, control=(True, False), failed="gone"), "UNKNOWN", "The probe pod could not be asked: gone."),
        ("open", observed(OPEN, control=(True, False), failed="gone"), "UNKNOWN", "The probe pod could not be asked: gone."),
        ("closed", observed(OPEN, control=(True, False), failed="gone"), "FAIL", "Reached x-0. The policies say the same (ingress: denied by d/p): mend them, or the declaration."),
        ("closed", observed(OPEN, BLOCKED, control=(True, False)), "FAIL", "Reached x-0, blocked from x-0. The policies say open: they are not what the network does."),
        ("open", observed(OPEN, BLOCKED, control=(True, False)), "UNKNOWN", "The probe pod did not reach its control before and after, so its own network may be broken."),
    ],
)  # fmt: skip
def test_a_probe_pod_that_failed(expect: Any, seen: Any, status: str, because: str) -> None:
    """Why it failed is told, and only a connection that stood counts."""
    [found] = judge.edges([edge(expect)], computed(True), seen, ENFORCED)
    assert (found.status, found.because) == (Status(status), because)


def test_no_declared_edge_is_no_pass() -> None:
    """Nothing asked, nothing known."""
    [found] = judge.edges([], computed(), {"problem": None, "edges": {}}, ENFORCED)
    assert found.status is Status.UNKNOWN


@pytest.mark.parametrize(
    ("row", "status"),
    [
        ({"open": True, "blocked": True, "lag": 1.0}, "PASS"),
        ({"open": True, "blocked": False, "lag": None}, "FAIL"),
        ({"open": False, "blocked": None, "lag": None}, "FAIL"),
        ({"open": None, "blocked": None, "lag": None}, "UNKNOWN"),
    ],
)
def test_a_node(row: dict[str, Any], status: str) -> None:
    """A node that drops everything is no better than one that drops nothing."""
    [found] = judge.enforcement({"problem": None, "nodes": [{"node": "n", "because": "b", **row}]})
    assert found.status is Status(status)


def test_a_canary_that_was_not_tried_is_unknown() -> None:
    """Without the right to probe nothing is known of enforcement."""
    [found] = judge.enforcement({"problem": "no", "nodes": []})
    assert (found.status, found.because) == (Status.UNKNOWN, "no")


@pytest.mark.parametrize(
    ("code", "said", "expected"),
    [
        ("0", "", "ALLOWED"),
        ("1", "nc: timed out", "DROPPED"),
        ("1", "nc: can't connect to remote host (10.0.0.1): Connection refused", "REFUSED"),
        ("1", "nc: bad address 'x'", "DNS_FAIL"),
        ("1", "nc: can't connect to remote host (10.0.0.1): No route to host", "PROBE_ERROR"),
        ("137", "", "PROBE_ERROR"),
    ],
)
def test_an_attempt(code: str, said: str, expected: str) -> None:
    """A failure of unknown kind is never a block."""
    assert outcome(code, said) == expected
