"""Policies of other kinds: they change what networking.k8s.io/v1 alone would say, and are not computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from launchbook.cluster import Cluster
from launchbook.errors import ClusterError
from launchbook.isolation.accounts import asks_for_accounts
from launchbook.isolation.spec import OTHER_KINDS


def beyond(cluster: Cluster) -> dict[str, list[str]]:
    """{"present": ["Kind.group: 2"], "unread": ["Kind.group: reason"], "accounts": ["Kind.group name"]}.

    Other kinds of policies, those kinds that could not be read, and the policies that may select by service account.
    A kind that the cluster doesn't serve is neither. Raises ClusterError where the API's groups can't be listed.
    """
    found: dict[str, list[str]] = {"present": [], "unread": [], "accounts": []}
    for group in cluster.raw("/apis")["groups"]:
        for kind in OTHER_KINDS.get(group["name"], ()):
            name = f"{kind}.{group['name']}"
            try:
                # A kind may live on in one version alone.
                each = [cluster.list(kind, api_version=version["groupVersion"]) for version in group["versions"]]
            except ClusterError as error:
                found["unread"].append(f"{name}: {error}")
            else:
                if most := max(each, key=len, default=[]):
                    found["present"].append(f"{name}: {len(most)}")
                    by_account = [one["metadata"] for one in most if asks_for_accounts(one)]
                    found["accounts"] += [f"{name} {meta.get('namespace', '')}/{meta['name']}" for meta in by_account]
    return found


def told(found: Mapping[str, Sequence[str]]) -> str:
    """What stands in the way of computing, as a clause; "" where nothing does."""
    clauses = []
    if found["present"]:
        clauses.append(f"there are other policies too, which are not computed ({', '.join(found['present'])})")
    if found["unread"]:
        clauses.append(f"other policies could not be read ({'; '.join(found['unread'])})")
    if found["accounts"]:
        clauses.append(f"some may select by service account ({', '.join(found['accounts'])})")
    return " and ".join(clauses)
