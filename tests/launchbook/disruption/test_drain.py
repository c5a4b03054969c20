"""A drain of a node, followed eviction by eviction: what is granted in what order, what waits, what never goes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launchbook.disruption import judge
from launchbook.disruption.drain import Drain, covering, drain
from launchbook.words import Status

from .facts import budget, node, placement, pod

NODES = [node("n1"), node("n2"), node("n3")]
SPREAD = [pod("x-0", "n1"), pod("x-1", "n2"), pod("x-2", "n3")]
HUDDLED = [pod("x-0"), pod("x-1"), pod("x-2", "n2")]


def test_each_eviction_uses_the_budget_up_and_the_next_waits_for_a_replacement() -> None:
    """Two of three on one node under minAvailable 2: one goes, the other once the first runs elsewhere."""
    found = drain("n1", HUDDLED, [budget(2)], NODES)
    assert [(s.pod, s.budget, s.healthy, s.left, s.waits, s.replacement) for s in found.steps] == [
        ("a/x-0", "a/p", 2, 0, 0, "n3"),
        ("a/x-1", "a/p", 2, 0, 1, "n2"),
    ]
    assert (found.blocked, found.waits, found.seconds) == ((), 1, 6.0)


def test_budgets_of_others_are_not_used_up() -> None:
    """Each pod asks the budget of its own namespace and labels."""
    others = [pod("y-0", labels={"app": "y"}), pod("x-9", namespace="b")]
    found = drain("n1", [*SPREAD, *others], [budget(2), budget(0, 1, namespace="c", name="c/p")], NODES)
    assert [(s.pod, s.budget, s.left) for s in found.steps] == [
        ("a/x-0", "a/p", 0),
        ("a/y-0", None, None),
        ("b/x-9", None, None),
    ]


@pytest.mark.parametrize(
    ("pods", "budgets", "nodes", "blocked"),
    [
        (SPREAD, [budget(3)], NODES, "budget a/p needs all 3 of its pods"),
        (SPREAD, [budget(1), budget(1, name="a/q")], NODES, "it is in 2 budgets (a/p, a/q), which an eviction refuses (500)"),
        (SPREAD, [budget(1, failed="found no controllers")], NODES, "budget a/p allows nothing, since it can't be computed: found no controllers"),
        ([*SPREAD[:2], pod("x-2", "n3", ready=False, crashing=True)], [budget(2)], NODES, "budget a/p needs 2 healthy pods and has 2; not ready: a/x-2 (crash-looping), which IfHealthyBudget keeps from being evicted too"),
        (SPREAD[:2], [budget(2)], NODES, "budget a/p needs 2 healthy pods and has 2 of the 3 that should be there"),
        ([pod("x-0", owner=None), pod("x-1"), pod("x-2", "n2")], [budget(2)], NODES, "budget a/p needs 2 healthy pods, and a/x-0: nobody recreates it"),
        (HUDDLED, [budget(2)], NODES[:1], "budget a/p needs 2 healthy pods, and a/x-0: there is no other node"),
        (HUDDLED, [budget(2)], [NODES[0], node("n2", cordoned=True), node("n3", taints=("gpu=yes:NoSchedule",))], "budget a/p needs 2 healthy pods, and a/x-0: n2 is cordoned; n3 has the taint gpu=yes:NoSchedule"),
    ],
)  # fmt: skip
def test_what_never_goes(pods: Any, budgets: Any, nodes: Any, blocked: str) -> None:
    """With the budget's name and why no replacement helps."""
    assert {why for _, why in drain("n1", pods, budgets, nodes).blocked} == {blocked}


@pytest.mark.parametrize(
    ("one", "policy", "why"),
    [
        (pod("x-0", ready=False, phase="Pending"), "IfHealthyBudget", "Pending: no budget is asked"),
        (pod("x-0", ready=False, phase="Failed"), "IfHealthyBudget", "finished: no budget is asked"),
        (pod("x-0", ending=True), "IfHealthyBudget", "terminating already: no budget is asked"),
        (pod("x-0", ready=False), "AlwaysAllow", "not ready, and AlwaysAllow"),
        (pod("x-0", labels={}), "IfHealthyBudget", "no budget"),
    ],
)
def test_what_goes_past_a_budget(one: Any, policy: str, why: str) -> None:
    """Though it allows nothing."""
    found = drain("n1", [one, *SPREAD[1:]], [budget(3, policy=policy)], NODES)
    assert [(s.pod, s.why) for s in found.steps] == [("a/x-0", why)]
    assert found.blocked == ()


def test_an_unhealthy_pod_goes_where_enough_others_are_healthy() -> None:
    """Nothing is taken from the budget."""
    pods = [pod("x-0", ready=False), pod("x-1", "n2"), pod("x-2", "n3")]
    [step] = drain("n1", pods, [budget(2)], NODES).steps
    assert (step.why, step.healthy, step.left) == ("not ready, and enough others are", 2, 0)


def test_what_kubectl_drain_leaves_out_and_refuses() -> None:
    """Mirror pods and those of DaemonSets stay; a bare pod and an emptyDir each need their flag."""
    pods = [
        pod("agent", owner=["DaemonSet", "agent"], labels={}),
        pod("bare", owner=None, labels={}),
        pod("done", owner=None, labels={}, phase="Succeeded", ready=False, emptydir=True),
        pod("etcd", owner=["Node", "n1"], mirror=True, labels={}),
        pod("scratch", emptydir=True, labels={}),
    ]
    found = drain("n1", pods, [], NODES)
    assert found.left_out == ("a/agent", "a/etcd")
    assert (found.forced, found.emptied) == (("a/bare",), ("a/scratch",))
    assert [s.pod for s in found.steps] == ["a/bare", "a/done", "a/scratch"]


# ── what the judge says of it ─────────────────────────────────────────────────────────────────────────────────

CLAIMED = [pod("x-0", claims=["data-x-0"]), *HUDDLED[1:]]


@pytest.mark.parametrize(
    ("found", "status", "measured", "because"),
    [
        (placement(SPREAD, [budget(2)]), "PASS", "3 of 3 nodes drain to the end", "Each eviction is granted at once."),
        (placement(HUDDLED, [budget(2)]), "PASS", "2 of 2 nodes drain to the end", "n1 waits once until replacements are Ready elsewhere (a/p), about 6 s by its pods' own start, CPU and memory there permitting."),
        (placement([pod("x-3"), *HUDDLED], [budget(3, 4)]), "PASS", "2 of 2 nodes drain to the end", "n1 waits 2 times until replacements are Ready elsewhere (a/p), about 12 s by its pods' own start, CPU and memory there permitting."),
        (placement([{**p, "seconds": None} for p in HUDDLED], [budget(2)]), "PASS", "2 of 2 nodes drain to the end", "n1 waits once until replacements are Ready elsewhere (a/p), CPU and memory there permitting."),
        (placement(SPREAD, [budget(3)]), "FAIL", "0 of 3 nodes drain to the end", "n1: a/x-0 is never evicted: budget a/p needs all 3 of its pods; n2: a/x-1 is never evicted: budget a/p needs all 3 of its pods; n3: a/x-2 is never evicted: budget a/p needs all 3 of its pods."),
        (placement([pod("bare", owner=None)], []), "FAIL", "0 of 1 nodes drain to the end", "n1: drain refuses a/bare without --force, since nobody recreates it."),
        (placement(CLAIMED, [budget(2)]), "UNKNOWN", "2 of 2 nodes drain to the end", "n1 waits for a/x-0: the volume of its claim data-x-0 may be bound to a node or a zone, so it can't be told whether it comes back elsewhere."),
        (placement(SPREAD, [budget(2, unsettled="its status counts 4 pods, but its selector fits 3")]), "UNKNOWN", "not simulated", "Its figures can't be gone by: budget a/p: its status counts 4 pods, but its selector fits 3."),
        (placement([], []), "UNKNOWN", "0 nodes", "No pod of the namespaces under launch runs on a node that was read."),
        (placement([], [], problem="nodes is forbidden"), "UNKNOWN", "not read", "nodes is forbidden"),
    ],
)  # fmt: skip
def test_the_drain_of_each_node(found: Any, status: str, measured: str, because: str) -> None:
    """One check, since a check for each of many nodes would outweigh all others."""
    [check] = judge.drains(found)
    assert (check.subject, check.status, check.measured, check.because) == ("nodes", Status(status), measured, because)


# ── its algebra ───────────────────────────────────────────────────────────────────────────────────────────────

PODS = st.lists(
    st.tuples(st.sampled_from(["n1", "n2", "n3"]), st.booleans(), st.booleans()), min_size=1, max_size=8
)  # node, ready, owned


def _pods(drawn: list[tuple[str, bool, bool]]) -> list[Any]:
    return [
        pod(f"x-{n}", where, ready=ready, owner=["StatefulSet", "x"] if owned else None)
        for n, (where, ready, owned) in enumerate(drawn)
    ]


def _drained(pods: list[Any], desired: int, policy: str) -> Drain:
    return drain("n1", pods, [budget(desired, len(pods), policy=policy)], NODES)


POLICIES = st.sampled_from(["IfHealthyBudget", "AlwaysAllow"])


@given(PODS, st.integers(0, 8), POLICIES)
def test_a_drain_never_passes_what_a_budget_promises(drawn: Any, desired: int, policy: str) -> None:
    """Every eviction of a healthy pod leaves desiredHealthy of them."""
    pods = _pods(drawn)
    for step in _drained(pods, desired, policy).steps:
        if step.why == "within its budget":
            assert step.healthy is not None
            assert step.left is not None
            assert step.healthy >= desired
            assert step.left == step.healthy - desired


@given(PODS, st.integers(0, 8), POLICIES)
def test_every_pod_of_the_node_is_evicted_or_blocked_once(drawn: Any, desired: int, policy: str) -> None:
    """None is forgotten."""
    pods = _pods(drawn)
    found = _drained(pods, desired, policy)
    told = [step.pod for step in found.steps] + [name for name, _ in found.blocked]
    assert sorted(told) == sorted(f"a/{p['name']}" for p in pods if p["node"] == "n1")


@given(PODS, st.integers(0, 8), POLICIES, st.data())
def test_more_healthy_pods_never_block_more(drawn: Any, desired: int, policy: str, data: Any) -> None:
    """A pod that becomes ready on another node, or under IfHealthyBudget on the node itself."""
    pods = _pods(drawn)
    sick = [n for n, p in enumerate(pods) if not p["ready"] and (p["node"] != "n1" or policy == "IfHealthyBudget")]
    if not sick:
        return
    cured = data.draw(st.sampled_from(sick))
    better = [{**p, "ready": True} if n == cured else p for n, p in enumerate(pods)]
    before, after = (_drained(each, desired, policy) for each in (pods, better))
    assert len(after.blocked) <= len(before.blocked)


@given(PODS, st.integers(0, 8), POLICIES)
def test_a_lower_promise_never_blocks_more(drawn: Any, desired: int, policy: str) -> None:
    """minAvailable 1 less; down to 1, since at 0 an unhealthy pod is refused where nothing is healthy."""
    pods = _pods(drawn)
    if desired > 1:
        stricter, laxer = _drained(pods, desired, policy), _drained(pods, desired - 1, policy)
        assert len(laxer.blocked) <= len(stricter.blocked)


def test_an_empty_selector_covers_its_whole_namespace_and_none_covers_nothing() -> None:
    """policy/v1."""
    one = pod("x-0")
    assert covering(one, [budget(1, selector={})]) == [budget(1, selector={})]
    assert covering(one, [budget(1, selector=None)]) == []
