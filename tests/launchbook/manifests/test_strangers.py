"""Live pods of other manifests: pods and what is rendered in, those that nobody rendered out."""

from __future__ import annotations

from typing import Any

import pytest

from launchbook.manifests.strangers import strangers

RENDERED = [
    {"kind": kind, "metadata": {"name": "web", "namespace": "shop"}}
    for kind in ("Deployment", "StatefulSet", "DaemonSet", "CronJob", "Pod")
]


def pod(name: str, owner: str = "", namespace: str = "shop", phase: str = "Running", **labels: str) -> dict[str, Any]:
    kind, _, own = owner.partition("/")
    owners = [{"kind": kind, "name": own, "controller": True}] if owner else []
    meta = {"name": name, "namespace": namespace, "ownerReferences": owners, "labels": labels}
    return {"metadata": meta, "status": {"phase": phase}}


HASH = {"pod-template-hash": "5d4f"}


@pytest.mark.parametrize(
    ("live", "strange"),
    [
        (pod("web-5d4f-x", "ReplicaSet/web-5d4f", **HASH), False),
        (pod("web-0", "StatefulSet/web"), False),
        (pod("web-x", "DaemonSet/web"), False),
        (pod("web-123-x", "Job/web-123"), False),
        (pod("web"), False),
        (pod("web-admin-5d4f-x", "ReplicaSet/web-admin-5d4f", **HASH), True),
        (pod("web-0", "StatefulSet/web", "other"), True),
        (pod("other"), True),
        (pod("other", "ReplicaSet/web"), True),
        (pod("other", phase="Succeeded"), False),
    ],
)
def test_whose_pods_these_are(live: Any, strange: bool) -> None:
    """By the names that controllers give, so that a rendered workload's pods of today don't count."""
    assert bool(strangers([live], RENDERED)) is strange


def test_what_is_said_of_one() -> None:
    found = strangers([pod("other", app="other")], RENDERED)
    assert found == {"Pod/shop/other": {"namespace": "shop", "labels": {"app": "other"}}}
