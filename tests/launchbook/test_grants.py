"""Rights that are wider than any use, however they reach an account of the namespaces."""

from __future__ import annotations

from typing import Any

import pytest

from launchbook.grants import too_wide


def rule(**given: list[str]) -> dict[str, list[str]]:
    return {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"], **given}


def role(*rules: Any, kind: str = "ClusterRole", name: str = "r") -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": name}, "rules": list(rules)}


def binding(subject: dict[str, str], name: str = "r", kind: str = "ClusterRoleBinding") -> dict[str, Any]:
    return {
        "kind": kind, "metadata": {"name": "b"}, "roleRef": {"kind": "ClusterRole", "name": name}, "subjects": [subject]
    }  # fmt: skip


ACCOUNT = {"kind": "ServiceAccount", "name": "api", "namespace": "n"}
WILD = role(rule(verbs=["*"]))


@pytest.mark.parametrize(
    ("subject", "reached"),
    [
        (ACCOUNT, True),
        ({**ACCOUNT, "namespace": "kube-system"}, False),
        ({"kind": "Group", "name": "system:serviceaccounts"}, True),
        ({"kind": "Group", "name": "system:serviceaccounts:n"}, True),
        ({"kind": "Group", "name": "system:serviceaccounts:other"}, False),
        ({"kind": "Group", "name": "system:authenticated"}, True),
        ({"kind": "Group", "name": "system:masters"}, False),
        ({"kind": "User", "name": "system:serviceaccount:n:api"}, True),
        ({"kind": "User", "name": "somebody"}, False),
    ],
)
def test_a_cluster_wide_binding_counts_for_who_it_reaches(subject: dict[str, str], reached: bool) -> None:
    """An account by itself, by its groups or by its user name; not what the cluster's own parts are given."""
    told = too_wide(["n"], [], [WILD], [], [binding(subject)])
    assert told == (["ClusterRoleBinding b gives r, which has a wildcard"] if reached else [])


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (rule(), None),
        (rule(verbs=["*"]), "has a wildcard"),
        (rule(resources=["*"]), "has a wildcard"),
        ({"nonResourceURLs": ["*"], "verbs": ["get"]}, "has a wildcard"),
        (rule(verbs=["bind"]), "may bind"),
        (rule(verbs=["escalate"]), "may escalate"),
        (rule(verbs=["impersonate"]), "may impersonate"),
    ],
)
def test_what_is_too_wide(given: Any, why: str | None) -> None:
    """A wildcard, and each right by which its holder becomes somebody else."""
    told = too_wide(["n"], [role(given, kind="Role")], [], [], [])
    assert told == ([f"Role r {why}"] if why else [])


@pytest.mark.parametrize("name", ["cluster-admin", "admin"])
def test_the_administrators_roles_are_known_by_name(name: str) -> None:
    """`admin` lists its verbs one by one, and is as wide."""
    told = too_wide(["n"], [], [role(rule(), name=name)], [binding(ACCOUNT, name, "RoleBinding")], [])
    assert told == [f"RoleBinding b gives {name}, which is the administrator's"]


def test_a_binding_to_a_role_that_is_not_there_gives_nothing() -> None:
    """As Kubernetes has it."""
    assert too_wide(["n"], [], [], [], [binding(ACCOUNT)]) == []
