"""Policies of other kinds: they change what networking.k8s.io/v1 alone would say, and are not computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from launchbook.cluster import Cluster
from launchbook.errors import ClusterError
from launchbook.isolation.spec import OTHER_KINDS


def beyond(cluster: Cluster) -> dict[str, list[str]]:
    """{"present": ["Kind.group: 2"], "unread": ["Kind.group: reason"]}: other kinds of policies, and those unread.

    Raises ClusterError where the API's groups can't be listed.
    """
    found: dict[str, list[str]] = {"present": [], "unread": []}
    for group in cluster.raw("/apis")["groups"]:
        for kind in OTHER_KINDS.get(group["name"], ()):
            name = f"{kind}.{group['name']}"
            try:
                # A kind may live on in one version alone.
                counts = [len(cluster.list(kind, api_version=version["groupVersion"])) for version in group["versions"]]
            except ClusterError as error:
                found["unread"].append(f"{name}: {error}")
            else:
                if any(counts):
                    found["present"].append(f"{name}: {max(counts)}")
    return found


def told(found: Mapping[str, Sequence[str]]) -> str:
    """What stands in the way of computing, as a clause; "" where nothing does."""
    clauses = []
    if found["present"]:
        clauses.append(f"there are other policies too, which are not computed ({', '.join(found['present'])})")
    if found["unread"]:
        clauses.append(f"other policies could not be read ({'; '.join(found['unread'])})")
    return " and ".join(clauses)
