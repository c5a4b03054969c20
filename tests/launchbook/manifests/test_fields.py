"""Who owns which field: the API server's managedFields in; what is extracted, left behind, or changed since out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launchbook.manifests.fields import applied_by, changed_since, extract, in_force, left_behind, union

WEB = {
    "apiVersion": "apps/v1", "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web", "team": "x"}, "uid": "u"},
    "spec": {
        "replicas": 2,
        "template": {"spec": {"containers": [
            {"name": "web", "image": "web:1", "ports": [{"containerPort": 80, "protocol": "TCP"}]},
            {"name": "sidecar", "image": "s:1"},
        ]}},
    },
    "status": {"replicas": 2},
}  # fmt: skip
CONTAINER = 'k:{"name":"web"}'
PORT = 'k:{"containerPort":80,"protocol":"TCP"}'
OURS = {
    "f:metadata": {"f:labels": {"f:app": {}}},
    "f:spec": {"f:template": {"f:spec": {"f:containers": {
        CONTAINER: {".": {}, "f:name": {}, "f:image": {}, "f:ports": {PORT: {".": {}, "f:containerPort": {}}}},
    }}}},
}  # fmt: skip


def test_what_a_manager_applied_is_extracted() -> None:
    """Nothing else: neither the other container nor replicas, and an item with the keys that tell it."""
    assert extract(WEB, OURS) == {
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web"}},
        "spec": {"template": {"spec": {"containers": [
            {"name": "web", "image": "web:1", "ports": [{"containerPort": 80, "protocol": "TCP"}]},
        ]}}},
    }  # fmt: skip
    bare = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"}}
    assert extract(WEB, {}) == bare


def test_items_are_told_by_value_too() -> None:
    """A set of plain values."""
    item = {"apiVersion": "v1", "kind": "X", "metadata": {"name": "x", "finalizers": ["a", "b"]}}
    assert extract(item, {"f:metadata": {"f:finalizers": {'v:"b"': {}}}})["metadata"]["finalizers"] == ["b"]


def test_only_an_apply_of_ones_own_counts() -> None:
    """Not somebody else's, not an update, not the status."""
    entries = [
        {"manager": "launchbook", "operation": "Update", "fieldsV1": {"f:a": {}}},
        {"manager": "other", "operation": "Apply", "fieldsV1": {"f:b": {}}},
        {"manager": "launchbook", "operation": "Apply", "subresource": "status", "fieldsV1": {"f:c": {}}},
        {"manager": "launchbook", "operation": "Apply", "fieldsV1": {"f:d": {}}},
    ]
    assert applied_by({"metadata": {"managedFields": entries}}, "launchbook") == {"f:d": {}}
    assert applied_by({"metadata": {}}, "launchbook") == {}


PORTS = "f:ports"
POLICY = {"podSelector": {}, "ingress": [{"ports": [{"port": 80, "protocol": "TCP"}]}]}
POLICY_FIELDS = {"f:podSelector": {}, "f:ingress": {}}


def held(spec: Any, fields: Any, **changed: Any) -> dict[str, Any]:
    """An object on the cluster, whose fields under spec launchbook applied."""
    entry = {"manager": "launchbook", "operation": "Apply", "apiVersion": "v1", "fieldsV1": {"f:spec": fields}}
    meta = {"name": "x", "managedFields": [{**entry, **changed}]}
    return {"apiVersion": "v1", "kind": "X", "metadata": meta, "spec": spec, "status": {}}


def asked(spec: Any, **meta: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "X", "metadata": {"name": "x", **meta}, "spec": spec}


def listed(*names: str) -> dict[str, Any]:
    keys = {f'k:{{"name":"{name}"}}': {".": {}, "f:name": {}, "f:v": {}} for name in names}
    return {"f:items": keys}


def items(*names: str, v: int = 1) -> dict[str, Any]:
    return {"items": [{"name": name, "v": v} for name in names]}


@pytest.mark.parametrize(
    ("wanted", "live", "same"),
    [
        (asked({"a": 1}), held({"a": 1, "b": 2}, {"f:a": {}}), True),
        (asked({"a": 2}), held({"a": 1}, {"f:a": {}}), False),
        (asked({"a": 1, "b": 2}), held({"a": 1, "b": 2}, {"f:a": {}}), False),  # b is somebody else's
        (asked({"a": 1}), held({"a": 1, "b": 2}, {"f:a": {}, "f:b": {}}), False),  # b would go
        (asked({"a": 1}), held({"b": 2}, {"f:a": {}}), False),  # somebody took it away
        (asked({"a": 1}, labels={"l": "x"}), held({"a": 1}, {"f:a": {}}), False),
        (asked({"a": 1}), held({"a": 1}, {"f:a": {}}, manager="other"), False),
        (asked({"a": 1}), held({"a": 1}, {"f:a": {}}, operation="Update"), False),
        (asked({"a": 1}), held({"a": 1}, {"f:a": {}}, apiVersion="v2"), False),  # its names may be another version's
        (asked({"cpu": "1000m"}), held({"cpu": "1"}, {"f:cpu": {}}), False),  # the same, as only the API server knows
        (asked(items("p", "q")), held(items("p", "q"), listed("p", "q")), True),
        (asked(items("q", "p")), held(items("p", "q"), listed("p", "q")), False),
        (asked(items("p")), held(items("p", "q"), listed("p")), False),
        (asked(items("p")), held(items("p", "q"), listed("p", "q")), False),
        (asked(items("p", v=2)), held(items("p"), listed("p")), False),
        (asked(items("p", "p")), held(items("p", "q"), listed("p", "q")), False),
        (asked({"s": ["a", "b"]}), held({"s": ["a", "b"]}, {"f:s": {'v:"a"': {}, 'v:"b"': {}}}), True),
        (asked({"s": ["a"]}), held({"s": ["a", "b"]}, {"f:s": {'v:"a"': {}, 'v:"b"': {}}}), False),
        (asked({"podSelector": {}, "ingress": [{"ports": [{"port": 80}]}]}), held(POLICY, POLICY_FIELDS), True),
        (asked({"podSelector": {}, "ingress": [{"ports": [{"port": 80, "protocol": "UDP"}]}]}), held(POLICY, POLICY_FIELDS), False),
        (asked({"podSelector": {}, "ingress": [{"ports": []}]}), held(POLICY, POLICY_FIELDS), False),
        (asked({"m": {}}), held({"m": {"protocol": "TCP"}}, {"f:m": {}}), False),  # a selector's own label
        (asked({PORTS[2:]: [{"port": 80}]}), held({"ports": [{"port": 80, "protocol": "TCP"}]}, {PORTS: {'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:port": {}}}}), True),
    ],
)  # fmt: skip
def test_what_applying_again_would_not_change(wanted: Any, live: Any, same: bool) -> None:
    """Only where exactly these fields are its own and hold exactly this."""
    assert in_force(wanted, live, "launchbook") is same


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ({"f:a": {}}, {"f:b": {}}, {"f:a": {}, "f:b": {}}),
        ({"f:a": {"f:b": {}}}, {"f:a": {"f:c": {}}}, {"f:a": {"f:b": {}, "f:c": {}}}),
        ({"f:a": {}}, {"f:a": {"f:b": {}}}, {"f:a": {".": {}, "f:b": {}}}),
    ],
)
def test_a_union(one: Any, other: Any, both: Any) -> None:
    """A field that is owned as a whole in one set and in part in the other is owned as both."""
    assert union(one, other) == both == union(other, one)


_SETS = st.recursive(
    st.just({}), lambda below: st.dictionaries(st.sampled_from(["f:a", "f:b", "f:c"]), below, min_size=1), max_leaves=6
)


@given(_SETS, _SETS, _SETS)
def test_a_union_is_one_of_sets(a: Any, b: Any, c: Any) -> None:
    """Whatever the order, and once is enough."""
    assert union(a, b) == union(b, a)
    assert union(union(a, b), c) == union(a, union(b, c))
    assert union(union(a, b), b) == union(a, b)


def client_side(fields: Any, annotation: bool = True) -> Any:
    whole = {"f:metadata": {"f:annotations": {"f:kubectl.kubernetes.io/last-applied-configuration": {}}}}
    entry = {
        "manager": "kubectl-client-side-apply",
        "operation": "Update",
        "fieldsV1": {**(whole if annotation else {}), **fields},
    }
    meta = {
        **WEB["metadata"],
        "managedFields": [entry],
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"},
    }
    return {**WEB, "metadata": meta}  # fmt: skip


SPEC = {"f:replicas": {}, **OURS["f:spec"]}


@pytest.mark.parametrize(
    ("wanted", "left"),
    [
        (WEB, []),
        ({**WEB, "spec": {"template": WEB["spec"]["template"]}}, ["spec.replicas"]),
        ({**WEB, "spec": {"replicas": 2}}, ["spec.template"]),
        (
            {**WEB, "spec": {"replicas": 2, "template": {"spec": {"containers": [{"name": "web", "image": "web:2", "ports": [{"containerPort": 80}]}]}}}},
            [],
        ),
        (
            {**WEB, "spec": {"replicas": 2, "template": {"spec": {"containers": [{"name": "web", "image": "web:2"}]}}}},
            ['spec.template.spec.containers[{"name":"web"}].ports'],
        ),
    ],
)  # fmt: skip
def test_what_a_client_side_apply_leaves_behind(wanted: Any, left: list[str]) -> None:
    """A field that the manifests dropped stays, since another manager owns it; a changed value is no matter."""
    assert left_behind(client_side({"f:spec": SPEC}), wanted) == left
    assert left_behind(client_side({"f:spec": SPEC}, annotation=False), wanted) == []


THEN = {"manager": "launchbook", "operation": "Apply", "time": "1", "fieldsV1": {"f:a": {}}}


@pytest.mark.parametrize(
    ("now", "who"),
    [
        ([THEN], []),
        ([{**THEN, "time": "2"}], ["launchbook"]),
        ([THEN, {"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {}}], ["kubectl-edit"]),
        ([THEN, {"manager": "kubelet", "operation": "Update", "subresource": "status"}], []),
        ([THEN, {"manager": "kube-controller-manager", "operation": "Update"}], []),
        ([THEN, {"manager": "someone", "operation": "Update", "subresource": "scale"}], ["someone"]),
        ([], []),
    ],
)
def test_who_has_changed_an_object_since(now: Any, who: list[str]) -> None:
    """By name; status and the cluster's own controllers don't count."""
    assert changed_since([THEN], now) == who
