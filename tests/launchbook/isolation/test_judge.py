"""Isolation judged by table: what was declared, computed and observed in, verdict and exact sentence out."""

from __future__ import annotations

from typing import Any

import pytest
from edges import BLOCKED, ENFORCED, NOT_ENFORCED, OPEN, computed, edge, observed, target

from launchbook.isolation import judge
from launchbook.isolation.connect import answer, outcome
from launchbook.isolation.reality import reality_of
from launchbook.parameters import Edge
from launchbook.words import Status


def udp(outcomes: list[str], answers: bool | None = True) -> dict[str, Any]:
    return {**target(outcomes, answers), "protocol": "UDP"}


SCTP = {**target([], None), "protocol": "SCTP"}
UNASKED = "The Service's port is SCTP, which probes do not speak: prove this edge by other means."
MUTE = "The Service's port is UDP, where silence and a block look alike: "
ONLY = ". Only what answers a DNS question can be told open, and closed where another source gets the answer."
SILENT, ANSWERED = udp(["DROPPED"] * 3), udp(["ALLOWED"])


@pytest.mark.parametrize(
    ("expect", "rules", "seen", "canary", "status", "because"),
    [
        ("open", [True], observed(OPEN), ENFORCED, "PASS", "Reached x-0."),
        ("closed", [False], observed(BLOCKED), ENFORCED, "PASS", "Blocked from x-0, 3 times each, with the controls open before, meanwhile and after."),
        ("closed", [False], observed(BLOCKED), NOT_ENFORCED, "UNKNOWN", "Blocked from x-0, 3 times each, with the controls open before, meanwhile and after. But the network plugin was not seen to enforce policies on every node."),
        ("closed", [False], observed(OPEN), NOT_ENFORCED, "FAIL", "Reached x-0. The enforcement is wrong: the policies say closed (ingress: denied by d/p), and the network does not do it."),
        ("closed", [True], observed(OPEN), ENFORCED, "FAIL", "Reached x-0. The expectation is wrong or the policy is: the policies say open too (ingress: denied by d/p). Mend the one or the other."),
        ("open", [False], observed(BLOCKED), ENFORCED, "FAIL", "Blocked from x-0, 3 times each, with the controls open before, meanwhile and after. The expectation is wrong or the policy is: the policies say closed too (ingress: denied by d/p). Mend the one or the other."),
        ("closed", [True], observed(BLOCKED), ENFORCED, "UNKNOWN", "Blocked from x-0, 3 times each, with the controls open before, meanwhile and after. As declared, but not by the policies: they say open (ingress: denied by d/p), so something beside them blocks, and the policy is wrong or the expectation is."),
        ("closed", [False], observed(target(["DNS_FAIL"] * 3)), ENFORCED, "UNKNOWN", "Neither open nor blocked: x-0 (pod): DNS_FAIL, DNS_FAIL, DNS_FAIL."),
        ("closed", [False], observed(target([])), ENFORCED, "UNKNOWN", "Neither open nor blocked: x-0 (pod): not probed."),
        ("closed", [False], observed(target(["DROPPED", "PROBE_ERROR"])), ENFORCED, "UNKNOWN", "Neither open nor blocked: x-0 (pod): DROPPED, PROBE_ERROR."),
        ("closed", [False], observed(target(["DROPPED"])), ENFORCED, "UNKNOWN", "Neither open nor blocked: x-0 (pod): DROPPED."),
        ("closed", [False], observed(BLOCKED, control=(True, False)), ENFORCED, "UNKNOWN", "The probe pod did not reach its control before, meanwhile and after, so its own network may be broken."),
        ("closed", [False], observed(target(["DROPPED"] * 3, answers=False)), ENFORCED, "UNKNOWN", "Blocked, but nobody reached x-0 before and after, so it may be down: declare an edge that is open to it."),
        ("closed", [False], observed(problem="quota"), ENFORCED, "UNKNOWN", "The probe pod could not be started: quota."),
        ("closed", [], observed(), ENFORCED, "UNKNOWN", "The destination is absent, has no such port or has no pod, so nothing could be probed."),
        ("closed", [False, False], observed(OPEN, BLOCKED), ENFORCED, "FAIL", "Reached x-0, blocked from x-0. The enforcement is wrong: the policies say closed (ingress: denied by d/p), and the network does not do it."),
        ("open", [False], observed(target(["DROPPED"] * 3, answers=False)), ENFORCED, "FAIL", "Not reached: x-0 DROPPED. The expectation is wrong or the policy is: the policies say closed too (ingress: denied by d/p). Mend the one or the other."),
        ("open", [True], observed(target(["REFUSED"] * 3, answers=False)), ENFORCED, "FAIL", "Not reached: x-0 REFUSED. A destination may be down, or something beside the policies blocks: they say open (ingress: denied by d/p)."),
        ("open", [True], observed(target(["DROPPED"] * 3, answers=False), control=(False, True)), ENFORCED, "UNKNOWN", "The probe pod did not reach its control before, meanwhile and after, so its own network may be broken."),
        ("closed", [False], observed(BLOCKED, target(["DROPPED"], None, "name")), ENFORCED, "PASS", "Blocked from x-0, the Service's name, 3 times each, with the controls open before, meanwhile and after."),
        ("closed", [False], observed(BLOCKED, target(["DROPPED"], None, "service")), ENFORCED, "UNKNOWN", "Neither open nor blocked: x-0 (service): DROPPED."),
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
        ("closed", "address", BLOCKED, "UNKNOWN", "Blocked from x-0, 3 times each, with the controls open before, meanwhile and after. But another pod has another address, and may be let in or kept out (ingress: denied by d/p): name pods by their labels."),
        ("open", "address", OPEN, "UNKNOWN", "Reached x-0. But another pod has another address, and may be let in or kept out (ingress: denied by d/p): name pods by their labels."),
        ("closed", "address", OPEN, "FAIL", "Reached x-0. What the policies say can't be told (ingress: denied by d/p), so nor can whether they or their enforcement are wrong."),
        ("open", "address", BLOCKED, "FAIL", "Blocked from x-0, 3 times each, with the controls open before, meanwhile and after. What the policies say can't be told (ingress: denied by d/p), so nor can whether they or their enforcement are wrong."),
        ("closed", "others", BLOCKED, "PASS", "Blocked from x-0, 3 times each, with the controls open before, meanwhile and after. Probes alone say so: what the policies say can't be told (ingress: denied by d/p)."),
        ("open", "others", OPEN, "PASS", "Reached x-0. Probes alone say so: what the policies say can't be told (ingress: denied by d/p)."),
        ("closed", "unread", BLOCKED, "UNKNOWN", "Blocked from x-0, 3 times each, with the controls open before, meanwhile and after. But whether other policies decide here can't be told (ingress: denied by d/p)."),
        ("open", "unread", OPEN, "UNKNOWN", "Reached x-0. But whether other policies decide here can't be told (ingress: denied by d/p)."),
        ("closed", "unread", OPEN, "FAIL", "Reached x-0. What the policies say can't be told (ingress: denied by d/p), so nor can whether they or their enforcement are wrong."),
        ("closed", "accounts", BLOCKED, "UNKNOWN", "Blocked from x-0, 3 times each, with the controls open before, meanwhile and after. But the probe pod had the namespace's default account, and a pod with another may be let in (ingress: denied by d/p): name the source by the labels of a workload, whose account the probe pod then has."),
        ("open", "accounts", OPEN, "PASS", "Reached x-0. Probes alone say so: what the policies say can't be told (ingress: denied by d/p)."),
        ("closed", "others", OPEN, "FAIL", "Reached x-0. What the policies say can't be told (ingress: denied by d/p), so nor can whether they or their enforcement are wrong."),
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
        ("closed", [SCTP], "UNKNOWN", UNASKED),
        ("open", [SCTP], "UNKNOWN", UNASKED),
        ("closed", [SCTP, BLOCKED], "UNKNOWN", UNASKED),
        ("open", [SCTP, OPEN], "UNKNOWN", UNASKED),
        ("closed", [SCTP, OPEN], "FAIL", "Reached x-0. The enforcement is wrong: the policies say closed"),
        ("open", [SCTP, BLOCKED], "FAIL", "Blocked from x-0, 3 times each, with the controls open before, meanwhile"),
    ],
)
def test_a_protocol_that_nobody_probes(expect: Any, targets: list[Any], status: str, because: str) -> None:
    """What was seen of another protocol can contradict a declaration, never fulfil it."""
    [found] = judge.edges([edge(expect)], computed(False), observed(*targets), ENFORCED)
    assert found.status is Status(status)
    assert found.because.startswith(because)


@pytest.mark.parametrize(
    ("expect", "targets", "control", "reality", "why"),
    [
        ("open", [ANSWERED], (False,) * 3, "open", "Reached x-0."),
        ("closed", [ANSWERED], (False,) * 3, "open", "Reached x-0."),
        ("closed", [SILENT], (True,) * 3, "closed", "Blocked from x-0, 3 times each, with the controls open before, meanwhile and after."),
        ("closed", [SILENT], (True, False, True), None, f"{MUTE}the probe pod got no answer from its UDP control before, meanwhile and after{ONLY}"),
        ("closed", [udp(["DROPPED"] * 3, answers=False)], (True,) * 3, None, f"{MUTE}nobody got an answer from x-0 before and after{ONLY}"),
        ("closed", [udp(["DROPPED"] * 2)], (True,) * 3, None, f"{MUTE}x-0 gave DROPPED{ONLY}"),
        ("closed", [udp(["PROBE_ERROR"] * 3)], (True,) * 3, None, f"{MUTE}x-0 gave PROBE_ERROR{ONLY}"),
        ("closed", [udp([])], (True,) * 3, None, f"{MUTE}x-0 was not asked{ONLY}"),
        ("open", [udp(["DROPPED"] * 3, answers=False)], (True,) * 3, None, f"{MUTE}nobody got an answer from x-0 before and after{ONLY}"),
        ("open", [SILENT], (True,) * 3, "closed", "Blocked from x-0, 3 times each, with the controls open before, meanwhile and after."),
        ("closed", [udp(["DROPPED"] * 3, answers=False), BLOCKED], (True,) * 3, None, f"{MUTE}nobody got an answer from x-0 before and after{ONLY}"),
        ("closed", [udp(["DROPPED"] * 3, answers=False), OPEN], (True,) * 3, "open", "Reached x-0."),
        ("closed", [SILENT, BLOCKED], (True,) * 3, "closed", "Blocked from x-0, 3 times each, with the controls open before, meanwhile and after."),
        ("open", [udp(["DROPPED"] * 3, answers=False), OPEN], (True,) * 3, None, f"{MUTE}nobody got an answer from x-0 before and after{ONLY}"),
    ],
)  # fmt: skip
def test_a_port_asked_by_udp(expect: Any, targets: list[Any], control: Any, reality: str | None, why: str) -> None:
    """An answer is open; silence is a block only where the same question is answered elsewhere and to others."""
    seen = observed(*targets)
    seen["edges"][edge("open").name]["udp_control"] = list(control)
    assert reality_of(edge(expect), seen) == (reality, why)


@pytest.mark.parametrize(
    ("expect", "seen", "status", "because"),
    [
        ("closed", observed(target([]), failed="exec refused"), "UNKNOWN", "The probe pod could not be asked: exec refused. The policies say open (ingress: denied by d/p), which is not what is declared."),
        ("open", observed(target([]), control=(False, False), failed="exec refused."), "UNKNOWN", "The probe pod could not be asked: exec refused."),
        ("closed", observed(BLOCKED, control=(True, False), failed="gone"), "UNKNOWN", "The probe pod could not be asked: gone. The policies say open (ingress: denied by d/p), which is not what is declared."),
        ("open", observed(OPEN, control=(True, False), failed="gone"), "UNKNOWN", "The probe pod could not be asked: gone."),
        ("closed", observed(OPEN, control=(True, False), failed="gone"), "FAIL", "Reached x-0. The expectation is wrong or the policy is: the policies say open too (ingress: denied by d/p). Mend the one or the other."),
        ("closed", observed(OPEN, BLOCKED, control=(True, False)), "FAIL", "Reached x-0, blocked from x-0. The expectation is wrong or the policy is, and something beside it may block: the policies say open (ingress: denied by d/p)."),
        ("open", observed(OPEN, BLOCKED, control=(True, False)), "UNKNOWN", "The probe pod did not reach its control before, meanwhile and after, so its own network may be broken."),
    ],
)  # fmt: skip
def test_a_probe_pod_that_failed(expect: Any, seen: Any, status: str, because: str) -> None:
    """Why it failed is told, and only a connection that stood counts."""
    [found] = judge.edges([edge(expect)], computed(True), seen, ENFORCED)
    assert (found.status, found.because) == (Status(status), because)


def test_a_namespace_that_nobody_was_kept_out_of_was_not_asked() -> None:
    """An open edge says nothing of whom it keeps out, nor does a closed one elsewhere."""
    declared = [
        Edge.model_validate(
            {
                "source": {"namespace": "x"},
                "destination": {"namespace": to, "service": "s", "port": 1},
                "expect": expect,
            }
        )
        for to, expect in (("a", "closed"), ("b", "open"), ("elsewhere", "closed"))
    ]
    found = judge.unasked(declared, ["a", "b", "c"])
    assert [(c.id, c.subject, str(c.status)) for c in found] == [
        ("A.isolation", "namespace/b", "UNKNOWN"), ("A.isolation", "namespace/c", "UNKNOWN"),
    ]  # fmt: skip
    assert found[0].because == "No edge into it is declared closed, so whether it keeps anybody out was not asked."


def test_no_declared_edge_is_no_pass() -> None:
    """Nothing asked, nothing known."""
    [found] = judge.edges([], computed(), {"problem": None, "edges": {}}, ENFORCED)
    assert found.status is Status.UNKNOWN


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ((True, True, 1.0, False, 0.5), ("PASS", "denied 1.0 s after the policy, to send 0.5 s")),
        ((True, True, 1.0, True, None),
         ("FAIL", "denied, but not to send: open under a policy that lets a pod reach nobody")),
        ((True, True, 1.0, None, None), ("UNKNOWN", "denied, to send not tried")),
        ((True, False, None, False, 0.5), ("FAIL", "open, and open under a policy that denies everybody")),
        ((True, None, None, False, 0.5), ("UNKNOWN", "not tried")),
        ((False, None, None, None, None), ("FAIL", "never open")),
        ((None, None, None, None, None), ("UNKNOWN", "not tried")),
    ],
)  # fmt: skip
def test_a_node(row: Any, expected: tuple[str, str]) -> None:
    """A node that drops everything is no better than one that drops nothing, or nothing that its pods send."""
    told = dict(zip(("open", "blocked", "lag", "sends", "sends_lag"), row, strict=True))
    [found] = judge.enforcement({"problem": None, "nodes": [{"node": "n", "because": "b", **told}]})
    assert (str(found.status), found.measured) == expected


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


@pytest.mark.parametrize(
    ("code", "said", "expected"),
    [
        ("0", "Server: 10.0.0.1 Address: 10.0.0.1:53 Name: kubernetes.default.svc.cluster.local", "ALLOWED"),
        ("1", "Server: 10.0.0.1 ** server can't find kubernetes.default.svc.cluster.local: NXDOMAIN", "ALLOWED"),
        ("1", ";; connection timed out; no servers could be reached", "DROPPED"),
        ("1", "nslookup: read: Connection refused ;; connection timed out; no servers could be reached", "REFUSED"),
        ("1", "Server: 10.0.0.1 ;; connection timed out; no servers could be reached", "PROBE_ERROR"),
        ("1", "nslookup: bad address 'x'", "DNS_FAIL"),
        ("1", "nslookup: invalid option -- 'port=53'", "PROBE_ERROR"),
    ],
)
def test_an_answer_over_udp(code: str, said: str, expected: str) -> None:
    """A name that isn't known is an answer too; what can't be read is none, and no block either."""
    assert answer(code, said) == expected


@pytest.mark.parametrize(
    ("held", "status", "measured"),
    [
        ([True, True], "PASS", "n0: survived, n1: survived"),
        ([False, False], "PASS", "n0: cut, n1: cut"),
        ([True, False], "PASS", "n0: survived, n1: cut"),
        ([True, None], "UNKNOWN", "n0: survived, n1: not seen"),
    ],
)
def test_a_connection_that_stood(held: list[bool | None], status: str, measured: str) -> None:
    """Either is the plugin's right; what was not seen is not known."""
    [found] = judge.held({"problem": None, "nodes": [{"node": f"n{n}", "held": one} for n, one in enumerate(held)]})
    assert (found.status, found.measured) == (Status(status), measured)
    [untried] = judge.held({"problem": "no", "nodes": []})
    assert (untried.status, untried.because) == (Status.UNKNOWN, "no")


def lag(state: str, seconds: float | None, because: str) -> dict[str, Any]:
    return {"before": "open", "state": state, "lag": seconds, "because": because}


@pytest.mark.parametrize(
    ("found", "status", "measured", "because"),
    [
        ({"problem": "no", "edges": {}}, "UNKNOWN", "not watched", "no"),
        ({"problem": None, "edges": {}}, "NA", "no edge closed by this run", "No lag to measure: no edge is closed."),
        (
            {"problem": None, "edges": {"a": lag("none", None, "not applied in this run")}},
            "NA", "no edge closed by this run", "No lag to measure: not applied in this run.",
        ),
        (
            {"problem": None, "edges": {"a": lag("closed", 0.4, "From d/p on."), "b": lag("closed", 1.25, "From d/p on.")}},
            "PASS", "1.2 s at most, 2 of 2 edges closed by this run", "The slowest was b.",
        ),
        (
            {"problem": None, "edges": {"a": lag("closed", 0.4, "From d/p on."), "b": lag("late", None, "Still open 20 s after d/p (1 of 1 pods).")}},
            "FAIL", "1 of 2 edges still open", "b: Still open 20 s after d/p (1 of 1 pods).",
        ),
        (
            {"problem": None, "edges": {"a": lag("closed", 0.4, "From d/p on."), "b": lag("lost", None, "A pod that it reached is gone, so its silence says nothing.")}},
            "UNKNOWN", "1 of 2 edges not measured", "b: A pod that it reached is gone, so its silence says nothing.",
        ),
    ],
)  # fmt: skip
def test_the_lag(found: Any, status: str, measured: str, because: str) -> None:
    """Measured where the run closed an edge, else not applicable; an edge that stays open is late."""
    [check] = judge.lags(found)
    assert (check.status, check.measured, check.because) == (Status(status), measured, because)


SHUT = "Blocked from x-0, 3 times each, with the controls open before, meanwhile and after."
WORN = "any pod of namespace s with the label app=x is admitted by NetworkPolicy d/p ingress[0]"
WRONG = (
    f"But a probe wears no label, and the policy is wrong: {WORN}. Let the rule name only namespaces whose pods may pass; "
    "if such pods may, declare an edge that is open from them."
)


@pytest.mark.parametrize(
    ("labelled", "unsure", "seen", "canary", "status", "measured", "because"),
    [
        (True, "", observed(BLOCKED), ENFORCED, "FAIL", "policies: open to a label, probes: closed", f"{SHUT} {WRONG}"),
        (True, "", observed(BLOCKED), NOT_ENFORCED, "FAIL", "policies: open to a label, probes: closed", f"{SHUT} {WRONG}"),
        (True, "", observed(problem="quota"), ENFORCED, "UNKNOWN", "policies: open to a label, probes: inconclusive", f"The probe pod could not be started: quota. {WRONG}"),
        (None, "", observed(BLOCKED), ENFORCED, "UNKNOWN", "policies: closed, probes: closed", f"{SHUT} But a probe wears no label, and {WORN}."),
        (None, "others", observed(BLOCKED), ENFORCED, "UNKNOWN", "policies: unknown, probes: closed", f"{SHUT} But a probe wears no label, and {WORN}."),
    ],
)  # fmt: skip
def test_an_edge_that_a_label_opens(
    labelled: bool | None, unsure: str, seen: Any, canary: Any, status: str, measured: str, because: str
) -> None:
    """The probes wear no such label, so what they saw says nothing of it: the policy alone is judged."""
    rules = computed(*[None if unsure else False] * 2, unsure=unsure, labelled=labelled, labels=WORN)
    [found] = judge.edges([edge("closed")], rules, seen, canary)
    assert (found.status, found.measured, found.because) == (Status(status), measured, because)
