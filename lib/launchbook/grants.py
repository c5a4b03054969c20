"""Which rights of a namespace's accounts are wider than any use: pure, from Roles, ClusterRoles and their bindings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from launchbook.workloads import Object, name_of

_ADMIN = ("cluster-admin", "admin")
# Each lets its holder become somebody else: https://kubernetes.io/docs/concepts/security/rbac-good-practices/
_ESCALATING = ("escalate", "bind", "impersonate")
_EVERY_ACCOUNT = ("system:serviceaccounts", "system:authenticated", "system:unauthenticated")


def too_wide(
    namespaces: Sequence[str],
    roles: Sequence[Object],
    cluster_roles: Sequence[Object],
    bindings: Sequence[Object],
    cluster_bindings: Sequence[Object],
) -> list[str]:
    """One line for each Role of these namespaces that is too wide, and each binding that gives such a ClusterRole.

    bindings are those of the namespaces; of cluster_bindings those count that name one of their service accounts.
    """
    known = {role["metadata"]["name"]: role for role in cluster_roles}
    told = [f"{name_of(role)} {why}" for role in roles if (why := _wide(role))]
    reaching = [b for b in cluster_bindings if any(_is_here(s, namespaces) for s in b.get("subjects") or ())]
    for binding in (*bindings, *reaching):
        name = binding["roleRef"]["name"]
        if binding["roleRef"]["kind"] != "ClusterRole":
            continue
        why = "is the administrator's" if name in _ADMIN else _wide(known.get(name, {}))
        if why:
            told.append(f"{name_of(binding)} gives {name}, which {why}")
    return told


def _wide(role: Mapping[str, Any]) -> str | None:
    for rule in role.get("rules") or ():
        verbs = rule.get("verbs") or ()
        if any("*" in (rule.get(field) or ()) for field in ("verbs", "resources", "nonResourceURLs")):
            return "has a wildcard"
        if found := [verb for verb in _ESCALATING if verb in verbs]:
            return f"may {found[0]}"
    return None


def _is_here(subject: Mapping[str, Any], namespaces: Sequence[str]) -> bool:
    if subject["kind"] == "ServiceAccount":
        return subject.get("namespace") in namespaces
    if subject["kind"] == "Group":
        own = [f"system:serviceaccounts:{name}" for name in namespaces]
        return subject["name"] in (*_EVERY_ACCOUNT, *own)
    return any(subject["name"].startswith(f"system:serviceaccount:{name}:") for name in namespaces)
