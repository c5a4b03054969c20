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
        ({"kind": "Group", "name": "system:serviceaccounts:n"}, True),
        ({"kind": "Group", "name": "system:serviceaccounts:other"}, False),
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
        (rule(apiGroups=["*"]), "has a wildcard"),
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


NOBODY = "anybody, even without a login"
EVERYBODY = {
    ("User", "system:anonymous"): NOBODY,
    ("Group", "system:unauthenticated"): NOBODY,
    ("Group", "system:authenticated"): "every user and account of the cluster",
    ("Group", "system:serviceaccounts"): "every service account of the cluster",
}


@pytest.mark.parametrize(("subject", "whom"), EVERYBODY.items())
def test_a_right_that_everybody_has_is_said_so(subject: tuple[str, str], whom: str) -> None:
    """Wherever it is bound; and the Role of its own that gives it is named."""
    given = {"kind": subject[0], "name": subject[1]}
    secrets = {**role(rule(resources=["secrets"]), kind="Role"), "metadata": {"name": "r", "namespace": "n"}}
    within = {**binding(given, kind="RoleBinding"), "roleRef": {"kind": "Role", "name": "r"}}
    within["metadata"] = {"name": "b", "namespace": "n"}
    assert too_wide(["n"], [], [WILD], [], [binding(given)]) == [
        f"ClusterRoleBinding b gives r, which has a wildcard, to {whom}"
    ]
    assert too_wide(["n"], [secrets], [], [within], []) == [
        f"RoleBinding n/b gives Role r, which may read every Secret, to {whom}"
    ]


@pytest.mark.parametrize(
    ("subject", "given", "told"),
    [
        (("User", "system:anonymous"), rule(), [f"ClusterRoleBinding b gives r to {NOBODY}"]),
        (("Group", "system:unauthenticated"), rule(), [f"ClusterRoleBinding b gives r to {NOBODY}"]),
        # As Kubernetes binds them itself: its version, its health, what a user may ask about himself.
        (("Group", "system:unauthenticated"), {"nonResourceURLs": ["/healthz", "/version/"], "verbs": ["get"]}, []),
        (("Group", "system:authenticated"), {"nonResourceURLs": ["/api/*"], "verbs": ["get"]}, []),
        (
            ("Group", "system:authenticated"),
            rule(apiGroups=["authorization.k8s.io"], resources=["selfsubjectaccessreviews"], verbs=["create"]), [],
        ),
        (("Group", "system:serviceaccounts"), rule(), []),
    ],
)  # fmt: skip
def test_without_a_login_any_right_on_objects_is_too_wide(subject: Any, given: Any, told: list[str]) -> None:
    """What Kubernetes itself gives to everybody is none."""
    assert too_wide(["n"], [], [role(given)], [], [binding({"kind": subject[0], "name": subject[1]})]) == told


START = "may start pods"
PAST = "may reach pods past every network policy"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (rule(resources=["secrets"]), "may read every Secret"),
        (rule(resources=["configmaps", "secrets"], verbs=["list"]), "may read every Secret"),
        (rule(resources=["secrets"], verbs=["watch"]), "may read every Secret"),
        (rule(resources=["secrets"], resourceNames=["tls"]), None),
        (rule(resources=["secrets"], verbs=["delete"]), None),
        (rule(resources=["secrets"], apiGroups=["example.org"]), None),
        (rule(resources=["serviceaccounts/token"], verbs=["create"]), "may make tokens of every service account"),
        (rule(resources=["serviceaccounts/token"], verbs=["create"], resourceNames=["api"]), None),
        (rule(resources=["serviceaccounts"]), None),
        (rule(resources=["pods/exec"], verbs=["create"]), "may run commands in pods"),
        (rule(resources=["pods/exec"]), "may run commands in pods"),
        (rule(resources=["*/exec"], verbs=["create"]), "may run commands in pods"),
        (rule(resources=["pods/attach"], verbs=["create"], resourceNames=["a"]), "may run commands in pods"),
        (rule(resources=["pods/ephemeralcontainers"], verbs=["patch"]), "may put containers into running pods"),
        (rule(resources=["pods/portforward"], verbs=["create"]), PAST),
        (rule(resources=["services/proxy"]), PAST),
        (rule(resources=["pods/log"]), None),
        (rule(verbs=["create"]), START),
        (rule(verbs=["get", "list", "watch", "patch", "delete"]), None),
        (rule(apiGroups=["apps"], resources=["deployments"], verbs=["patch"]), START),
        (rule(apiGroups=["apps"], resources=["deployments/scale"], verbs=["patch"]), None),
        (rule(apiGroups=["batch"], resources=["jobs"], verbs=["create"]), START),
        (rule(apiGroups=["batch"], resources=["cronjobs"], verbs=["update"]), START),
        (rule(resources=["namespaces"], verbs=["patch"]), "may change a namespace's labels"),
        (rule(resources=["namespaces"]), None),
    ],
)
def test_a_right_that_gets_its_holder_at_more(given: Any, why: str | None) -> None:
    """In the hands of an account of the namespaces, through either kind of binding; not of one user who needs it."""
    expected = [f"ClusterRoleBinding b gives r, which {why}"] if why else []
    assert too_wide(["n"], [], [role(given)], [], [binding(ACCOUNT)]) == expected
    within = binding(ACCOUNT, kind="RoleBinding")
    assert too_wide(["n"], [], [role(given)], [within], []) == [line.replace("Cluster", "") for line in expected]
    user = binding({"kind": "User", "name": "deployer"}, kind="RoleBinding")
    assert too_wide(["n"], [], [role(given)], [user], []) == []


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (rule(resources=["nodes/proxy"]), "may speak to the kubelets, and so run commands in every pod"),
        (
            rule(resources=["persistentvolumes"], verbs=["create"]),
            "may create PersistentVolumes, those of a node's own files too",
        ),
        (
            rule(
                apiGroups=["certificates.k8s.io"], resources=["certificatesigningrequests/approval"], verbs=["update"]
            ),
            "may approve certificates for any name",
        ),
        (
            rule(
                apiGroups=["admissionregistration.k8s.io"], resources=["mutatingwebhookconfigurations"],
                verbs=["patch"],
            ),
            "may change what is admitted to the cluster",
        ),
    ],
)  # fmt: skip
def test_a_right_on_what_belongs_to_no_namespace(given: Any, why: str) -> None:
    """Only a ClusterRoleBinding gives it: within a namespace there is no such object."""
    told = too_wide(["n"], [], [role(given)], [], [binding(ACCOUNT)])
    assert told == [f"ClusterRoleBinding b gives r, which {why}"]
    assert too_wide(["n"], [], [role(given)], [binding(ACCOUNT, kind="RoleBinding")], []) == []


def test_a_role_that_is_wide_is_said_once_however_it_is_bound() -> None:
    """At the Role; its binding is said too only where everybody gets it."""
    wild = role(rule(verbs=["*"]), kind="Role")
    within = {**binding(ACCOUNT, kind="RoleBinding"), "roleRef": {"kind": "Role", "name": "r"}}
    assert too_wide(["n"], [wild], [], [within], []) == ["Role r has a wildcard"]


def test_a_clusters_role_is_not_taken_for_the_namespaces_own() -> None:
    """Two of one name, and the binding says which."""
    own = role(rule(resources=["secrets"]), kind="Role")
    assert too_wide(["n"], [own], [role(rule())], [binding(ACCOUNT, kind="RoleBinding")], []) == []
