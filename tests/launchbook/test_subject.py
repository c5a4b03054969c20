"""What a verdict holds for: what is read of the namespaces under launch, and when it counts as another thing."""

from __future__ import annotations

from typing import Any

import pytest

from launchbook.errors import ClusterError
from launchbook.subject import images, observe, spec_hash


def item(kind: str, name: str = "x", **fields: Any) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": name, "namespace": "shop"}, **fields}


WEB = item("Deployment", "web", spec={"replicas": 2, "template": {"spec": {}}})
SPACE = {
    "kind": "Namespace",
    "metadata": {"name": "shop", "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
}
WIDE = {
    "kind": "Namespace",
    "metadata": {"name": "shop", "labels": {"pod-security.kubernetes.io/enforce": "privileged"}},
}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (WEB, item("Deployment", "web", spec={"replicas": 9, "template": {"spec": {}}}), True),
        (WEB, item("Deployment", "web", spec={"replicas": 0, "template": {"spec": {}}}), False),
        (WEB, item("Deployment", "web", spec={"replicas": 2, "template": {"spec": {"x": 1}}}), False),
        (WEB, {**WEB, "status": {"replicas": 2}}, True),
        (item("Service", spec={"clusterIP": "10.0.0.1"}), item("Service", spec={"clusterIP": "10.0.0.2"}), True),
        (item("ConfigMap", data={"a": "1"}), item("ConfigMap", data={"a": "2"}), False),
        (item("RoleBinding", roleRef={"name": "view"}), item("RoleBinding", roleRef={"name": "admin"}), False),
        (SPACE, WIDE, False),
    ],
)  # fmt: skip
def test_another_thing(one: Any, other: Any, same: bool) -> None:
    """By what was asked for, not by what the cluster fills in; scaled to nothing is another thing."""
    assert (spec_hash(one) == spec_hash(other)) is same


def test_every_container_of_a_pod_counts() -> None:
    """One that was started in it, and one that prepared it, too."""
    status = {"name": "c", "image": "i:1", "imageID": "i@sha256:1"}
    pod = item(
        "Pod",
        "p",
        status={
            f"{kind}Statuses": [{**status, "name": kind}]
            for kind in ("container", "initContainer", "ephemeralContainer")
        },
    )
    assert images(pod) == {
        ("image", f"shop/p {kind} i:1"): "sha256:1" for kind in ("container", "initContainer", "ephemeralContainer")
    }


def test_a_tag_that_means_another_image_on_one_node_is_another_thing() -> None:
    """Whichever pod is listed last: a moving tag is pulled anew where a pod is replaced."""
    owned = [{"kind": "StatefulSet", "name": "db"}]
    pods = [
        {"kind": "Pod", "metadata": {"name": f"db-{n}", "namespace": "shop", "ownerReferences": owned},
         "status": {"containerStatuses": [{"name": "c", "image": "i:1", "imageID": f"i@sha256:{digest}"}]}}
        for n, digest in enumerate("121")
    ]  # fmt: skip
    (only,) = observe(Listing(*pods[::2]), ["shop"]).values()  # type: ignore[arg-type]
    (mixed,) = observe(Listing(*pods), ["shop"]).values()  # type: ignore[arg-type]
    assert (only, mixed) == ("sha256:1", "sha256:1, sha256:2")


class Listing:
    """A cluster that lists what it is given, and may be forbidden to list some kinds."""

    def __init__(self, *items: dict[str, Any], forbidden: tuple[str, ...] = ()) -> None:
        self.items, self.forbidden = items, forbidden

    def list(self, kind: str, namespace: str, api_version: str = "v1") -> list[dict[str, Any]]:
        if kind in self.forbidden:
            raise ClusterError(f"may not list {kind}")
        return [one for one in self.items if one["kind"] == kind and namespace == "shop"]

    def get(self, kind: str, name: str) -> dict[str, Any] | None:
        return next((one for one in self.items if one["kind"] == kind), None)


def test_what_is_read() -> None:
    """What surrounds the workloads too, as far as it may be read; what the cluster puts into every namespace isn't."""
    items = (
        WEB,
        SPACE,
        item("ConfigMap", "c"),
        item("ConfigMap", "kube-root-ca.crt"),
        item("Role", "r"),
        item("NetworkPolicy", spec={}),
    )
    everything = {("manifest", "Deployment/shop/web"), ("manifest", "Namespace/shop"), ("manifest", "ConfigMap/shop/c"),
                  ("manifest", "Role/shop/r"), ("policy", "NetworkPolicy/shop/x")}  # fmt: skip
    assert set(observe(Listing(*items), ["shop"])) == everything  # type: ignore[arg-type]
    less = observe(Listing(*items, forbidden=("Role",)), ["shop"])  # type: ignore[arg-type]
    assert set(less) == everything - {("manifest", "Role/shop/r")}
    with pytest.raises(ClusterError):
        observe(Listing(*items, forbidden=("NetworkPolicy",)), ["shop"])  # type: ignore[arg-type]
