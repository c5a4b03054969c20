"""What policies leave out, by table: each finding with its exact line, and no finding on a sound system."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from launchbook.isolation import judge
from launchbook.isolation.reach import Pod
from launchbook.words import Status

WEB = Pod("a/web", "a", {"app": "web"}, (("http", "TCP", 8080),))
DB = Pod("a/db", "a", {"app": "db"}, (("", "TCP", 5432), ("stats", "UDP", 99)))
LONE = Pod("b/lone", "b", {"app": "lone"})
HOST = Pod("a/host", "a", {"app": "host"}, host_network=True)
DNS = Pod("kube-system/dns", "kube-system", {"k8s-app": "kube-dns"}, (("dns", "UDP", 53),))


def policy(namespace: str = "a", selector: Any = None, **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "n", "namespace": namespace},
        "spec": {"podSelector": selector or {}, "policyTypes": ["Ingress"], **spec},
    }


def opens(*ports: Any, **rule: Any) -> dict[str, Any]:
    return policy(ingress=[{"ports": list(ports), **rule}])


def egress(*rules: Any) -> dict[str, Any]:
    return policy(policyTypes=["Ingress", "Egress"], egress=list(rules))


def found(policies: list[Any], pods: list[Pod], dns: bool = True, **beyond: list[str]) -> dict[str, Any]:
    return {
        "problem": None,
        "policies": policies,
        "pods": [asdict(pod) for pod in pods],
        "namespaces": {"a": {"team": "x"}, "b": {}, "kube-system": {}},
        "dns": [[asdict(DNS), "UDP", 53], [asdict(DNS), "TCP", 5353]] if dns else [],
        "beyond": {"present": [], "unread": [], **beyond},
    }


def bad(facts: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {c.subject: (str(c.status), c.because) for c in judge.landscape(facts) if c.status is not Status.PASS}


DENY = policy()
IN_TEAM = {"namespaceSelector": {"matchLabels": {"team": "x"}}}
TO_DNS = {
    "to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}],
    "ports": [{"port": 53, "protocol": "UDP"}],
}
WEB_PODS = {"podSelector": {"matchLabels": {"app": "web"}}}
OUT_HTTP = {"to": [WEB_PODS], "ports": [{"port": "http"}]}
CUT = "Pod a/web may send nothing to DNS (egress: denied by a/n)."


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (found([DENY], [WEB, DB]), {}),
        (found([DENY, policy("b")], [WEB, LONE]), {}),
        (found([policy("b")], [LONE], dns=False), {}),
        (found([DENY], [WEB, LONE]), {"pods": ("FAIL", "No policy covers any pod of namespace b.")}),
        (found([policy(selector={"matchLabels": {"app": "web"}})], [WEB, DB]), {"pods": ("FAIL", "No policy covers a/db.")}),
        (found([], [WEB, DB]), {"pods": ("FAIL", "No policy covers any pod of namespace a.")}),
        (found([policy(policyTypes=["Egress"], egress=[{}])], [WEB]), {"pods": ("FAIL", "No policy covers any pod of namespace a.")}),
        (found([DENY, policy(selector={"matchLabels": {"app": "x"}})], [WEB]), {"selectors": ("FAIL", "Policy a/n selects no pod.")}),
        (found([policy(ingress=[{"from": [IN_TEAM]}])], [WEB]), {}),
        (found([policy(ingress=[{}, {"from": [IN_TEAM, {"namespaceSelector": {"matchLabels": {"team": "y"}}}]}])], [WEB]), {"selectors": ("FAIL", "Policy a/n ingress[1].from[1] names no namespace.")}),
        (found([opens({"port": 8080}, {"port": "http"}, {"port": 99, "protocol": "UDP"}, {})], [WEB, DB]), {}),
        (found([opens({"port": 5000, "endPort": 6000})], [WEB, DB]), {}),
        (found([opens({"port": 80})], [WEB, DB]), {"ports": ("FAIL", "Policy a/n ingress[0] opens TCP 80, which no pod that it selects declares.")}),
        (found([opens({"port": 99})], [WEB, DB]), {"ports": ("FAIL", "Policy a/n ingress[0] opens TCP 99, which no pod that it selects declares.")}),
        (found([opens({"port": "http", "protocol": "UDP"})], [WEB, DB]), {"ports": ("FAIL", "Policy a/n ingress[0] opens UDP http, which no pod that it selects declares.")}),
        (found([egress(OUT_HTTP, TO_DNS)], [WEB, DB]), {}),
        (found([egress({**OUT_HTTP, "ports": [{"port": 9}]}, TO_DNS)], [WEB, DB]), {"ports": ("FAIL", "Policy a/n egress[0] opens TCP 9, which no pod that it names declares.")}),
        (found([egress({"to": [WEB_PODS, IN_TEAM], "ports": [{"port": 9}]}, TO_DNS)], [WEB, DB]), {}),
        (found([egress({"to": [{"podSelector": {"matchLabels": {"app": "later"}}}], "ports": [{"port": 9}]}, TO_DNS)], [WEB, DB]), {}),
        (found([policy(ingress=[{"from": [WEB_PODS]}, {"from": [{"podSelector": {}}]}])], [WEB, DB]), {"rules": ("FAIL", "Policy a/n ingress[0] opens what other rules open too.")}),
        (found([policy(ingress=[{"from": [WEB_PODS]}]), {**policy(ingress=[{"from": [WEB_PODS], "ports": [{"port": "http"}]}]), "metadata": {"name": "m", "namespace": "a"}}], [WEB, DB]), {"rules": ("FAIL", "Policy a/m ingress[0] opens what other rules open too.")}),
        (found([policy(ingress=[{"from": [WEB_PODS]}, {"from": [IN_TEAM]}])], [WEB, DB]), {"rules": ("FAIL", "Policy a/n ingress[0] opens what other rules open too.")}),
        (found([policy(ingress=[{"from": [WEB_PODS, IN_TEAM]}, {"from": [{"podSelector": {}}]}])], [WEB, DB]), {"rules": ("FAIL", "Policy a/n ingress[1] opens what other rules open too.")}),
        (found([policy(ingress=[{"from": [WEB_PODS]}, {"from": [{"podSelector": {"matchLabels": {"app": "later"}}}]}])], [WEB, DB]), {}),
        (found([policy(egress=[TO_DNS])], [WEB]), {"directions": ("FAIL", "Policy a/n egress[0] is ignored, since the policy's policyTypes leave Egress out.")}),
        (found([DENY, policy(policyTypes=["Egress"], ingress=[{}, {}], egress=[{}])], [WEB]), {"directions": ("FAIL", "Policy a/n ingress[0] is ignored, since the policy's policyTypes leave Ingress out; policy a/n ingress[1] is ignored, since the policy's policyTypes leave Ingress out.")}),
        (found([policy(policyTypes=[], egress=[{}])], [WEB]), {}),
        (found([egress()], [WEB]), {"dns": ("FAIL", CUT)}),
        (found([egress({"ports": [{"port": 443}]})], [WEB]), {"dns": ("FAIL", CUT)}),
        (found([egress({"ports": [{"port": 53}]})], [WEB]), {"dns": ("FAIL", CUT)}),
        (found([egress(TO_DNS)], [WEB]), {}),
        (found([egress({"ports": [{"port": 5353}]})], [WEB]), {}),
        (found([egress({"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]})], [WEB]), {}),
        (found([egress({"to": [{"podSelector": {}}]})], [WEB]), {"dns": ("FAIL", CUT)}),
        (found([egress(TO_DNS)], [WEB], dns=False), {"dns": ("UNKNOWN", "Policies close egress, and whether to DNS too can't be told: there is no Service kube-system/kube-dns.")}),
        (found([DENY], [WEB, HOST]), {"host network": ("FAIL", "Pod a/host uses its node's network, which no policy governs.")}),
        (found([DENY], [WEB], present=["AdminNetworkPolicy.policy.networking.k8s.io: 2"], unread=["X: no right"]), {"other policies": ("UNKNOWN", "AdminNetworkPolicy.policy.networking.k8s.io: 2, which is not computed; can't read X: no right.")}),
        (found([DENY], []), {"policies": ("UNKNOWN", "The namespaces under launch have no pod to cover.")}),
        ({**found([DENY], [WEB]), "problem": "no right"}, {"policies": ("UNKNOWN", "no right")}),
    ],
)  # fmt: skip
def test_what_policies_leave_out(facts: Any, expected: Any) -> None:
    """One fault, one finding."""
    assert bad(facts) == expected


def test_a_long_list_is_cut() -> None:
    """Seven pods of which one is covered: five names and how many more."""
    pods = [Pod(f"a/p{n}", "a", {"n": str(n)}) for n in range(7)]
    facts = found([policy(selector={"matchLabels": {"n": "0"}})], pods)
    names = "; ".join(f"no policy covers a/p{n}" for n in range(1, 6))
    assert bad(facts) == {"pods": ("FAIL", f"N{names[1:]}; and 1 more.")}
    [check] = [c for c in judge.landscape(facts) if c.subject == "pods"]
    assert check.measured == "6 found of 1 policies and 7 pods"
