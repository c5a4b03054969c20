"""Where a pod's replacement may run, by table."""

from __future__ import annotations

from typing import Any

import pytest

from launchbook.disruption.fit import refuge, unsure

from .facts import node, pod

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def affine(*expressions: dict[str, Any], fields: Any = None) -> dict[str, Any]:
    term = {"matchFields": fields} if fields else {"matchExpressions": list(expressions)}
    return {"affinity": {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [term]}}}}


def wants(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"key": key, "operator": operator, "values": list(values)}


SSD = node("n2", labels={"disk": "ssd", "cores": "8"})
TAINTED = node("n2", taints=("gpu=yes:NoSchedule",))


@pytest.mark.parametrize(
    ("spec", "other", "why"),
    [
        ({}, node("n2"), ""),
        ({}, node("n2", cordoned=True), "n2 is cordoned"),
        ({"tolerations": [{"key": "node.kubernetes.io/unschedulable", "operator": "Exists"}]}, node("n2", cordoned=True), ""),
        ({}, TAINTED, "n2 has the taint gpu=yes:NoSchedule"),
        ({}, node("n2", taints=("slow=:PreferNoSchedule",)), ""),
        ({}, node("n2", taints=("node.kubernetes.io/not-ready=:NoExecute",)), "n2 has the taint node.kubernetes.io/not-ready:NoExecute"),
        ({"tolerations": [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]}, TAINTED, ""),
        ({"tolerations": [{"key": "gpu", "value": "no"}]}, TAINTED, "n2 has the taint gpu=yes:NoSchedule"),
        ({"tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoExecute"}]}, TAINTED, "n2 has the taint gpu=yes:NoSchedule"),
        ({"tolerations": [{"operator": "Exists"}]}, TAINTED, ""),
        ({"nodeSelector": {"disk": "ssd"}}, node("n2"), "n2 lacks the label disk=ssd"),
        ({"nodeSelector": {"disk": "ssd"}}, SSD, ""),
        (affine(wants("disk", "In", "ssd")), SSD, ""),
        (affine(wants("disk", "NotIn", "ssd")), SSD, "n2 is outside its required node affinity"),
        (affine(wants("disk", "Exists")), node("n2"), "n2 is outside its required node affinity"),
        (affine(wants("disk", "DoesNotExist")), node("n2"), ""),
        (affine(wants("cores", "Gt", "4")), SSD, ""),
        (affine(wants("cores", "Lt", "4")), SSD, "n2 is outside its required node affinity"),
        (affine(wants("cores", "Gt", "4")), node("n2"), "n2 is outside its required node affinity"),
        (affine(fields=[wants("metadata.name", "In", "n1")]), node("n2"), "n2 is outside its required node affinity"),
        ({"affinity": {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [{}]}}}}, node("n2"), "n2 is outside its required node affinity"),
    ],
)  # fmt: skip
def test_one_other_node(spec: Any, other: Any, why: str) -> None:
    """Cordon, taints against tolerations, nodeSelector, node affinity."""
    assert refuge(pod("x-0", spec=spec), "n1", [node("n1"), other], []) == ((None, why) if why else ("n2", ""))


APART = {"affinity": {"podAntiAffinity": {REQUIRED: [{"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "x"}}}]}}}  # fmt: skip
ZONED = {
    "affinity": {
        "podAntiAffinity": {REQUIRED: [{"topologyKey": "zone", "labelSelector": {"matchLabels": {"app": "x"}}}]}
    }
}
EVEN = {"topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {"matchLabels": {"app": "x"}}}]}  # fmt: skip
THREE = [node("n1"), node("n2", labels={"zone": "b"}), node("n3", labels={"zone": "b"})]
TAKEN = "n2, n3 has a pod that its anti-affinity keeps away from"


def even(**changed: Any) -> dict[str, Any]:
    return {"topologySpreadConstraints": [{**EVEN["topologySpreadConstraints"][0], **changed}]}


@pytest.mark.parametrize(
    ("spec", "others", "found"),
    [
        (APART, [("n2", {"app": "x"}), ("n3", {"app": "x"})], (None, TAKEN)),
        (APART, [("n2", {"app": "x"}), ("n3", {"app": "y"})], ("n3", "")),
        (ZONED, [("n2", {"app": "x"})], (None, TAKEN)),
        (EVEN, [("n2", {"app": "x"}), ("n3", {"app": "x"})], (None, "n2, n3 would break its topology spread")),
        (even(nodeTaintsPolicy="Honor"), [("n2", {"app": "x"}), ("n3", {"app": "x"})], ("n2", "")),
        (even(maxSkew=2), [("n2", {"app": "x"}), ("n3", {"app": "x"})], ("n2", "")),
        (even(whenUnsatisfiable="ScheduleAnyway"), [("n2", {"app": "x"}), ("n3", {"app": "x"})], ("n2", "")),
        (even(topologyKey="zone"), [("n2", {"app": "x"}), ("n3", {"app": "x"})], ("n2", "")),
        (even(topologyKey="rack"), [], (None, "n2, n3 lacks the label rack of its topology spread")),
        (even(matchLabelKeys=["rev"]), [("n2", {"app": "x", "rev": "1"}), ("n3", {"app": "x", "rev": "1"})], ("n2", "")),
        ({}, [("n2", {"app": "x"}), ("n3", {"app": "y"})], ("n2", "")),
    ],
)  # fmt: skip
def test_beside_other_pods(spec: Any, others: Any, found: Any) -> None:
    """Required anti-affinity and hard spread; the drained node counts as an empty domain unless taints are honoured."""
    placed = [
        pod(f"y-{n}", where, labels=labels, owner=["StatefulSet", f"y-{n}"]) for n, (where, labels) in enumerate(others)
    ]
    one = pod("x-0", spec=spec, labels={"app": "x", "rev": "2"})
    assert refuge(one, "n1", THREE, placed) == found


def test_of_several_nodes_the_one_with_fewest_of_its_owner_is_taken() -> None:
    """As a soft spread has it."""
    assert refuge(pod("x-0"), "n1", THREE, [pod("x-1", "n2")]) == ("n3", "")


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({}, None),
        ({"spec": APART}, None),
        ({"claims": ["data"]}, "the volume of its claim data may be bound to a node or a zone"),
        ({"spec": {"affinity": {"podAffinity": {REQUIRED: [{"topologyKey": "zone"}]}}}}, "its required pod affinity is not computed"),
        ({"spec": {"affinity": {"podAntiAffinity": {REQUIRED: [{"topologyKey": "zone", "namespaces": ["b"]}]}}}}, "namespaces of its pod anti-affinity is not computed"),
        ({"spec": even(minDomains=3)}, "minDomains of its topology spread is not computed"),
    ],
)  # fmt: skip
def test_what_is_not_computed_is_named(changed: Any, why: str | None) -> None:
    """Nobody is told that such a pod finds a node."""
    assert unsure(pod("x-0", **changed)) == why
