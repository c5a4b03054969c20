"""Which rights of a namespace's accounts are wider than any use: pure, from Roles, ClusterRoles and their bindings.

Two measures. A wildcard and the right to become somebody else are too wide whoever holds them. The rights of _RISKS
somebody may need (who deploys starts pods), so they count only in the hands of the namespaces' own service accounts,
as whose pods an attacker speaks first, and of everybody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from launchbook.workloads import Object, name_of

_ADMIN = ("cluster-admin", "admin")
# Each lets its holder become somebody else: https://kubernetes.io/docs/concepts/security/rbac-good-practices/
_ESCALATING = ("escalate", "bind", "impersonate")
_NOBODY_KNOWN = "anybody, even without a login"
# From the widest on.
_EVERYBODY = {
    ("User", "system:anonymous"): _NOBODY_KNOWN,
    ("Group", "system:unauthenticated"): _NOBODY_KNOWN,
    ("Group", "system:authenticated"): "every user and account of the cluster",
    ("Group", "system:serviceaccounts"): "every service account of the cluster",
}


@dataclass(frozen=True)
class _Risk:
    """A right by which its holder gets at more. why: what it lets do, after "which".

    nameable: harmless where resourceNames names the objects; of_cluster: its objects belong to no namespace, so that a
    binding within a namespace gives nothing.
    """

    why: str
    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    nameable: bool = False
    of_cluster: bool = False


# "Privilege escalation risks" of the page above, and the ways into running pods.
_RISKS = (
    _Risk("may read every Secret", "", ("secrets",), ("get", "list", "watch"), nameable=True),
    _Risk("may make tokens of every service account", "", ("serviceaccounts/token",), ("create",), nameable=True),
    _Risk("may run commands in pods", "", ("pods/exec", "pods/attach"), ("create", "get")),
    _Risk("may put containers into running pods", "", ("pods/ephemeralcontainers",), ("update", "patch")),
    _Risk(
        "may reach pods past every network policy", "",
        ("pods/portforward", "pods/proxy", "services/proxy"), ("create", "get", "update", "patch", "delete"),
    ),
    _Risk("may start pods", "", ("pods",), ("create",)),
    _Risk("may start pods", "", ("replicationcontrollers",), ("create", "update", "patch")),
    _Risk(
        "may start pods", "apps",
        ("deployments", "statefulsets", "daemonsets", "replicasets"), ("create", "update", "patch"),
    ),
    _Risk("may start pods", "batch", ("jobs",), ("create",)),
    _Risk("may start pods", "batch", ("cronjobs",), ("create", "update", "patch")),
    _Risk("may change a namespace's labels", "", ("namespaces",), ("update", "patch")),
    _Risk(
        "may speak to the kubelets, and so run commands in every pod", "", ("nodes/proxy",),
        ("get", "create", "update", "patch", "delete"), of_cluster=True,
    ),
    _Risk(
        "may create PersistentVolumes, those of a node's own files too", "", ("persistentvolumes",), ("create",),
        of_cluster=True,
    ),
    _Risk(
        "may approve certificates for any name", "certificates.k8s.io", ("certificatesigningrequests/approval",),
        ("update", "patch"), of_cluster=True,
    ),
    _Risk(
        "may change what is admitted to the cluster", "admissionregistration.k8s.io",
        ("validatingwebhookconfigurations", "mutatingwebhookconfigurations"), ("create", "update", "patch"),
        of_cluster=True,
    ),
)  # fmt: skip


def too_wide(
    namespaces: Sequence[str],
    roles: Sequence[Object],
    cluster_roles: Sequence[Object],
    bindings: Sequence[Object],
    cluster_bindings: Sequence[Object],
) -> list[str]:
    """One line for each Role of these namespaces that is too wide, and each binding that gives more than any use.

    bindings are those of the namespaces; of cluster_bindings those count that reach one of their service accounts, by
    name or with everybody else.
    """
    known = {(role["kind"], role["metadata"].get("namespace"), role["metadata"]["name"]): role for role in roles}
    known |= {("ClusterRole", None, role["metadata"]["name"]): role for role in cluster_roles}
    told = [f"{name_of(role)} {why}" for role in roles if (why := _wide(role))]
    reaching = [b for b in cluster_bindings if _reaches(b, namespaces)]
    return told + [line for b in (*bindings, *reaching) if (line := _given(b, known, namespaces))]


def _given(binding: Object, known: Mapping[Any, Object], namespaces: Sequence[str]) -> str | None:
    """What is wrong with a binding: what it gives, and to whom where that is everybody."""
    kind, name = binding["roleRef"]["kind"], binding["roleRef"]["name"]
    place = binding["metadata"].get("namespace") if kind == "Role" else None
    role = known.get((kind, place, name), {})
    everybody = _everybody(binding)
    why = "is the administrator's" if kind == "ClusterRole" and name in _ADMIN else _wide(role)
    if why and kind == "Role" and not everybody:
        return None  # said of the Role itself
    if not why and _reaches(binding, namespaces):
        why = _risky(role, of_cluster=binding["kind"] == "ClusterRoleBinding")
    # Whoever has no login reads the API's own pages by Kubernetes's defaults, and no object.
    open_to_all = everybody == _NOBODY_KNOWN and any(rule.get("resources") for rule in role.get("rules") or ())
    if not why and not open_to_all:
        return None
    gives = f"{name_of(binding)} gives {name if kind == 'ClusterRole' else f'Role {name}'}"
    which = f", which {why}" if why else ""
    return f"{gives}{which}{',' if which and everybody else ''}{f' to {everybody}' if everybody else ''}"


def _wide(role: Mapping[str, Any]) -> str | None:
    for rule in role.get("rules") or ():
        verbs = rule.get("verbs") or ()
        if any("*" in (rule.get(field) or ()) for field in ("verbs", "apiGroups", "resources", "nonResourceURLs")):
            return "has a wildcard"
        if found := [verb for verb in _ESCALATING if verb in verbs]:
            return f"may {found[0]}"
    return None


def _risky(role: Mapping[str, Any], *, of_cluster: bool) -> str | None:
    rules = role.get("rules") or ()
    risks = [risk for risk in _RISKS if of_cluster or not risk.of_cluster]
    return next((risk.why for risk in risks if any(_allows(rule, risk) for rule in rules)), None)


def _allows(rule: Mapping[str, Any], risk: _Risk) -> bool:
    # `*/exec` is the subresource of whatever has one.
    resources = {*risk.resources, *(f"*/{r.partition('/')[2]}" for r in risk.resources if "/" in r)}
    return (
        risk.group in (rule.get("apiGroups") or ())
        and not resources.isdisjoint(rule.get("resources") or ())
        and not set(risk.verbs).isdisjoint(rule.get("verbs") or ())
        and not (risk.nameable and rule.get("resourceNames"))
    )


def _everybody(binding: Object) -> str | None:
    subjects = {(subject["kind"], subject["name"]) for subject in binding.get("subjects") or ()}
    return next((whom for subject, whom in _EVERYBODY.items() if subject in subjects), None)


def _reaches(binding: Object, namespaces: Sequence[str]) -> bool:
    return bool(_everybody(binding)) or any(_is_here(s, namespaces) for s in binding.get("subjects") or ())


def _is_here(subject: Mapping[str, Any], namespaces: Sequence[str]) -> bool:
    if subject["kind"] == "ServiceAccount":
        return subject.get("namespace") in namespaces
    if subject["kind"] == "Group":
        return subject["name"] in [f"system:serviceaccounts:{name}" for name in namespaces]
    return any(subject["name"].startswith(f"system:serviceaccount:{name}:") for name in namespaces)
