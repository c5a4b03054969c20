"""Manifests judged by table: what was seen in, verdict and message out."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from launchbook.manifests import judge
from launchbook.manifests.diff import diff as _diff
from launchbook.manifests.selectors import Pollution
from launchbook.words import Check, Status

PASS, FAIL, UNKNOWN = Status.PASS, Status.FAIL, Status.UNKNOWN


def said(check: Check | list[Check]) -> tuple[Status, str]:
    one = check[0] if isinstance(check, list) else check
    return one.status, one.because


SEEN = {"context": "lab", "server": "https://x", "uid": "u1", "version": "v1", "user": "me"}


@pytest.mark.parametrize(
    ("context", "uid", "expected"),
    [
        ("lab", None, (PASS, "The parameters name this context; they pin no UID.")),
        ("lab", "u1", (PASS, "The parameters name this context and this UID.")),
        ("lab", "u2", (FAIL, "This is another cluster.")),
        ("prod", None, (FAIL, "This is another cluster.")),
    ],
)
def test_the_cluster_is_the_one_that_is_named(context: str, uid: str | None, expected: Any) -> None:
    """By context, and by UID where it is pinned."""
    assert said(judge.target(SEEN, context, uid)) == expected


def rights(*allowed: bool | None) -> pd.DataFrame:
    rows = [
        {"verb": "get", "resource": "pods", "namespace": "n" if n else "", "allowed": a} for n, a in enumerate(allowed)
    ]
    return pd.DataFrame(rows, columns=["verb", "resource", "namespace", "allowed"]).astype({"allowed": "boolean"})


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (rights(True, True), (PASS, "The API server grants each.")),
        (rights(True, False), (FAIL, "Missing: get pods in n.")),
        (rights(False, None), (FAIL, "Missing: get pods in the cluster.")),
        (rights(True, None), (UNKNOWN, "The API server did not say.")),
        (rights(), (UNKNOWN, "The API server did not say.")),
    ],
)
def test_rights(asked: pd.DataFrame, expected: Any) -> None:
    """One that is missing fails; one that nobody answered is not known."""
    assert said(judge.rights(asked)) == expected


def thing(kind: str = "Service", name: str = "a", namespace: str | None = "shop") -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": name, **({"namespace": namespace} if namespace else {})}}


MARK = {"launchbook.io/run": "x"}
MARKED = "The label launchbook.io/run marks what a run made for itself, to be left out and swept; it is on"


@pytest.mark.parametrize(
    ("objects", "problem", "expected"),
    [
        ([thing(), thing("Namespace", "shop", None)], None, (PASS, "Each is in a namespace under launch.")),
        ([thing(namespace="other")], None, (FAIL, "Outside the namespaces under launch: Service/other/a.")),
        ([thing("ClusterRole", namespace=None)], None, (FAIL, "Outside the namespaces under launch: ClusterRole/a.")),
        (
            [thing(name=n, namespace="o") for n in "abcdef"],
            None,
            (
                FAIL,
                "Outside the namespaces under launch: Service/o/a; Service/o/b; Service/o/c; Service/o/d; Service/o/e; and 1 more.",
            ),
        ),
        ([thing(), thing()], None, (FAIL, "Rendered twice: Service/shop/a.")),
        ([thing(), {**thing(name="b"), "metadata": {**thing(name="b")["metadata"], "labels": MARK}}], None,
         (FAIL, f"{MARKED} Service/shop/b.")),
        ([{**thing("Deployment"), "spec": {"template": {"metadata": {"labels": MARK}}}}], None,
         (FAIL, f"{MARKED} Deployment/shop/a.")),
        ([{**thing("Deployment"), "spec": {"template": {}}}], None, (PASS, "Each is in a namespace under launch.")),
        ([], None, (FAIL, "Nothing was rendered.")),
        ([], "a.yaml:3: is not YAML", (FAIL, "a.yaml:3: is not YAML")),
    ],
)  # fmt: skip
def test_a_render(objects: Any, problem: str | None, expected: Any) -> None:
    """Everything stays where it may go."""
    assert said(judge.render(objects, ["shop"], "m", problem)) == expected


def test_polluted_selectors_are_told_by_object() -> None:
    """Those that select the same are counted, not failed."""
    bad = Pollution("NetworkPolicy/s/a", "spec.podSelector", {"t": "p"}, "k.yaml", "it no longer selects Pod/s/x")
    same = Pollution("Service/s/b", "spec.selector", {"t": "p"}, "k.yaml", "")
    assert said(judge.selectors([], "m")) == (PASS, "None was changed.")
    assert said(judge.selectors([same], "m")) == (PASS, "1 selector was changed and selects the same.")
    assert said(judge.selectors([same, bad], "m")) == (
        FAIL, "spec.podSelector: it no longer selects Pod/s/x. t=p was added by k.yaml.",
    )  # fmt: skip
    assert said(judge.selectors([], "m", "no")) == (UNKNOWN, "The manifests don't render.")


def frame(*actions: str) -> pd.DataFrame:
    rows = [{"object": f"Service/s/{n}", "action": a, "because": "why", "kept": ""} for n, a in enumerate(actions)]
    return pd.DataFrame(rows, columns=["object", "action", "because", "kept"])


@pytest.mark.parametrize(
    ("actions", "expected"),
    [
        (("created", "unchanged"), (PASS, "The API server said what each would do.")),
        (("created", "not shown"), (UNKNOWN, "1 could not be tried, the first is Service/s/1: why")),
        (("not shown", "refused"), (FAIL, "1 would be refused, the first is Service/s/1: why")),
        (("created", "immutable"), (FAIL, "1 would be refused, the first is Service/s/1: why")),
        ((), (UNKNOWN, "Nothing was rendered.")),
    ],
)
def test_a_plan(actions: Any, expected: Any) -> None:
    """What would be refused is no plan; its digest stands in the record."""
    assert judge.plan(frame("created"), "sha256:1").measured == "1 created; plan sha256:1"
    assert said(judge.plan(frame(*actions), "sha256:1")) == expected


@pytest.mark.parametrize(
    ("applied", "refusal", "planned", "expected"),
    [
        (("created",), None, ("created",), (PASS, "The API server holds each as rendered.")),
        (("created", "refused"), None, (), (FAIL, "why")),
        ((), None, (), (UNKNOWN, "There was nothing to apply.")),
        ((), "They are polluted.", ("unchanged",), (UNKNOWN, "They are polluted.")),
        ((), judge.MAY_NOT, ("changed", "unchanged"), (UNKNOWN, judge.MAY_NOT)),
        ((), judge.MAY_NOT, (), (UNKNOWN, judge.MAY_NOT)),
        ((), judge.MAY_NOT, ("unchanged",), (PASS, "Nothing was applied, and nothing had to be: the dry run of each object changes nothing.")),
    ],
)  # fmt: skip
def test_applying(applied: Any, refusal: str | None, planned: Any, expected: Any) -> None:
    """A run that only looks may find everything in place; one that finds nothing to apply knows nothing."""
    assert said(judge.apply(frame(*applied), refusal, frame(*planned))) == expected


def test_fields_that_stay_are_no_success() -> None:
    """The object is applied, and is not what the manifests say."""
    kept = frame("changed", "unchanged").assign(kept=["data.b would stay.", ""])
    assert said(judge.plan(kept)) == (FAIL, "1 would keep fields, the first is Service/s/0: data.b would stay.")
    (check,) = judge.apply(frame("changed", "unchanged"), None, kept)
    assert (check.subject, said(check)) == ("Service/s/0", (FAIL, "data.b would stay."))
    unchanged = frame("unchanged").assign(kept="data.b would stay.")
    assert said(judge.apply(frame(), judge.MAY_NOT, unchanged)) == (UNKNOWN, judge.MAY_NOT)


def test_what_was_not_tried_is_not_applied() -> None:
    """Each object of a later phase is named beside what was refused."""
    found = judge.apply(frame("created", "refused", "not tried"), None, frame())
    assert [(c.subject, c.status, c.measured) for c in found] == [
        ("Service/s/1", FAIL, "refused"), ("Service/s/2", FAIL, "not tried"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("state", "status"), [("ready", PASS), ("failed", FAIL), ("waiting", FAIL), ("unread", UNKNOWN)]
)
def test_readiness(state: str, status: Status) -> None:
    """What could not be read is not known."""
    states = pd.DataFrame([{"object": "Pod/s/a", "state": state, "because": "it is so", "seconds": 1.25}])
    (check,) = judge.ready(states)
    assert (check.status, check.because, check.measured) == (status, "It is so.", f"{state} after 1.2 s")
    assert said(judge.ready(states.iloc[:0]))[0] is UNKNOWN


def policy(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "p", "namespace": "shop"},
        "spec": {"podSelector": {}, **spec},
    }


PODS = [{"metadata": {"name": "a", "namespace": "shop", "labels": {"app": "a"}}}]
FROM_A = [{"from": [{"podSelector": {"matchLabels": {"app": "a"}}}], "ports": [{"port": 80}]}]
LIVE_A = [{"from": [{"podSelector": {"matchLabels": {"app": "a"}}}], "ports": [{"port": 80, "protocol": "TCP"}]}]


@pytest.mark.parametrize(
    ("wanted", "live", "expected"),
    [
        (policy(ingress=FROM_A), policy(ingress=LIVE_A, policyTypes=["Ingress"]), (PASS, "Its selectors select live pods.")),
        (policy(ingress=[]), policy(policyTypes=["Ingress"]), (PASS, "Its selectors select live pods.")),
        (policy(podSelector={"matchLabels": {}}), policy(policyTypes=["Ingress"]), (PASS, "Its selectors select live pods.")),
        (policy(egress=[{}]), policy(egress=[{}], policyTypes=["Egress", "Ingress"]), (PASS, "Its selectors select live pods.")),
        (policy(egress=[]), policy(policyTypes=["Ingress", "Egress"]), (FAIL, "On the cluster policyTypes is not what the manifests say.")),
        (policy(), policy(policyTypes=["Egress"]), (FAIL, "On the cluster policyTypes is not what the manifests say.")),
        (policy(policyTypes=["Ingress"], ingress=FROM_A), policy(policyTypes=["Egress"], ingress=[{}]), (FAIL, "On the cluster policyTypes, ingress is not what the manifests say.")),
        (policy(), policy(ingress=[{}]), (FAIL, "On the cluster ingress is not what the manifests say.")),
        (policy(ingress=[{"from": [{"podSelector": {}}]}]), policy(ingress=[{"from": [{}]}]), (FAIL, "On the cluster ingress is not what the manifests say.")),
        (policy(podSelector={"matchLabels": {"app": "b"}}), policy(podSelector={"matchLabels": {"app": "b"}}), (FAIL, "Its podSelector selects none of the 1 pods of its namespace.")),
        (
            policy(ingress=[{"from": [{"podSelector": {"matchLabels": {"app": "b"}}}]}]),
            policy(ingress=[{"from": [{"podSelector": {"matchLabels": {"app": "b"}}}]}]),
            (UNKNOWN, "No pod, live or rendered, is what ingress[0].from[0] names: whom it means can't be told."),
        ),
        (policy(), None, (FAIL, "It is not on the cluster.")),
    ],
)  # fmt: skip
def test_a_policy_on_the_cluster(wanted: Any, live: Any, expected: Any) -> None:
    """Compared by what it means: the API server's defaults are no difference, its direction is one."""
    assert said(judge.policies([wanted], {"NetworkPolicy/shop/p": live}, PODS)) == expected


CRON = {
    "apiVersion": "batch/v1",
    "kind": "CronJob",
    "metadata": {"name": "c", "namespace": "shop"},
    "spec": {"jobTemplate": {"spec": {"template": {"metadata": {"labels": {"app": "cron"}}}}}},
}


@pytest.mark.parametrize(
    ("peer", "status"),
    [
        ({"podSelector": {"matchLabels": {"app": "cron"}}}, PASS),
        ({"podSelector": {"matchLabels": {"app": "b"}}}, UNKNOWN),
        ({"podSelector": {}, "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}}, PASS),
        ({"podSelector": {"matchLabels": {"app": "b"}}, "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}}, UNKNOWN),
        ({"podSelector": {"matchLabels": {"app": "b"}}, "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "other"}}}, PASS),
        ({"podSelector": {"matchLabels": {"app": "b"}}, "namespaceSelector": {}}, PASS),
        ({"namespaceSelector": {}}, PASS),
        ({"ipBlock": {"cidr": "10.0.0.0/8"}}, PASS),
    ],
)  # fmt: skip
@pytest.mark.parametrize(("direction", "side"), [("ingress", "from"), ("egress", "to")])
def test_a_peer_that_is_nobody(peer: Any, status: Status, direction: str, side: str) -> None:
    """Not known where it means somebody in the manifests' namespaces; a CronJob's pods are rarely there."""
    one = policy(**{direction: [{side: [peer]}]})
    assert said(judge.policies([one, CRON], {"NetworkPolicy/shop/p": one}, PODS))[0] is status


def test_no_policy_is_no_isolation() -> None:
    """Nothing to compare is nothing proven."""
    assert said(judge.policies([], {}, PODS)) == (FAIL, "The manifests hold no NetworkPolicy, so nothing is isolated.")


def test_a_policy_of_another_group_is_not_taken_for_one() -> None:
    """An absent podSelector would be everybody. Beside one that is computed, A.coverage says it."""
    calico = {**policy(selector="app == 'a'", types=["Ingress"]), "apiVersion": "projectcalico.org/v3"}
    because = (
        "NetworkPolicy/shop/p is of another group than networking.k8s.io, and what such a policy does is not computed."
    )
    assert said(judge.policies([calico], {"NetworkPolicy/shop/p": calico}, PODS)) == (UNKNOWN, because)
    checks = judge.policies([calico, policy()], {"NetworkPolicy/shop/p": policy()}, PODS)
    assert [(check.subject, check.status) for check in checks] == [("NetworkPolicy/shop/p", PASS)]


def test_a_policy_without_a_namespace_is_nowhere() -> None:
    nowhere = {**policy(), "metadata": {"name": "p"}}
    assert said(judge.policies([nowhere], {}, PODS)) == (FAIL, "It names no namespace.")


def test_policies_that_were_never_rendered_are_unknown() -> None:
    """Nobody knows which there are; a system that runs may be isolated all the same."""
    because = "The manifests don't render, so it isn't known which policies they hold."
    assert said(judge.policies([], {}, PODS, "not YAML")) == (UNKNOWN, because)


def secret(**data: str) -> dict[str, Any]:
    return {"kind": "Secret", "metadata": {"name": "s"}, "data": data}


def test_a_secret_is_compared_before_it_is_masked() -> None:
    """Another value of the same length is a change; neither value is shown."""
    assert _diff(secret(a="one1"), secret(a="one1")) == ""
    found = _diff(secret(a="one1", b="x"), secret(a="two2", b="x"))
    assert found == "values differ: data.a\n"
    assert "one1" not in _diff(secret(a="one1"), secret(a="longer")) + found


def test_what_is_left_is_named() -> None:
    """And nothing left passes."""
    assert said(judge.cleanup([])) == (PASS, "Every probe and scratch object is gone.")
    assert said(judge.cleanup(["Pod/s/x"])) == (FAIL, "Left: Pod/s/x.")
