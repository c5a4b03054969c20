"""The Lease that keeps two runs on one environment apart. A holder that died is followed after its time ran out."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from launchbook.errors import ClusterError, ConflictError

if TYPE_CHECKING:
    from launchbook.cluster import Cluster

_API = "coordination.k8s.io/v1"


@contextmanager
def lease(cluster: Cluster, namespace: str, name: str, holder: str, seconds: int) -> Iterator[None]:
    """Holds the Lease for the length of the block; renewed every third of `seconds`.

    Raises ClusterError where it is held by somebody else, or its namespace is missing. Nothing was touched then.
    """
    _acquire(cluster, namespace, name, holder, seconds)
    done = threading.Event()
    renewing = threading.Thread(
        target=_renew, args=(cluster, namespace, name, holder, seconds, done), name=f"lease {name}", daemon=True
    )
    renewing.start()
    try:
        yield
    finally:
        done.set()
        renewing.join(timeout=seconds)
        with suppress(ClusterError):
            _release(cluster, namespace, name, holder)


def _acquire(cluster: Cluster, namespace: str, name: str, holder: str, seconds: int) -> None:
    try:
        found = cluster.get("Lease", name, namespace, api_version=_API)
        if found is None:
            cluster.create(_object(namespace, name, holder, seconds))
            return
        held_by = found.get("spec", {}).get("holderIdentity")
        if held_by not in (None, "", holder) and (left := _left(found["spec"])) > 0:
            raise ClusterError(
                f"run {held_by} is at work on this environment (Lease {namespace}/{name}, {left:.0f} s to go). Wait "
                "for its end, or this long if it was killed. Nothing was touched."
            )
        cluster.replace({**found, "spec": _object(namespace, name, holder, seconds)["spec"]})
    except ConflictError:
        raise ClusterError(
            f"another run took the Lease {namespace}/{name} at this moment. Nothing was touched."
        ) from None


def _renew(cluster: Cluster, namespace: str, name: str, holder: str, seconds: int, done: threading.Event) -> None:
    while not done.wait(seconds / 3):
        with suppress(ClusterError):  # the next try is soon; a Lease that was lost is found by who took it
            found = cluster.get("Lease", name, namespace, api_version=_API)
            if found and found["spec"].get("holderIdentity") == holder:
                cluster.replace({**found, "spec": _object(namespace, name, holder, seconds)["spec"]})


def _release(cluster: Cluster, namespace: str, name: str, holder: str) -> None:
    found = cluster.get("Lease", name, namespace, api_version=_API)
    if found and found["spec"].get("holderIdentity") == holder:
        cluster.replace({**found, "spec": {**found["spec"], "holderIdentity": ""}})


def _object(namespace: str, name: str, holder: str, seconds: int) -> dict[str, Any]:
    return {
        "apiVersion": _API,
        "kind": "Lease",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "holderIdentity": holder,
            "leaseDurationSeconds": seconds,
            "renewTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        },
    }


def _left(spec: dict[str, Any]) -> float:
    """Seconds for which the holder still counts."""
    renewed = datetime.fromisoformat(spec["renewTime"])
    until = renewed + timedelta(seconds=spec.get("leaseDurationSeconds", 0))
    return (until - datetime.now(UTC)).total_seconds()
