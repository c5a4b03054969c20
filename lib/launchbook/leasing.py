"""The Leases that keep two runs apart: one for each namespace that a run changes, or starts something of its own in.

They are named after what is changed, so that two environments of one system exclude each other whatever they are
called. A holder that died is followed after its time ran out.
"""

from __future__ import annotations

import getpass
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from launchbook.errors import ClusterError, ConflictError
from launchbook.parameters import Environment

if TYPE_CHECKING:
    from launchbook.cluster import Cluster

_API = "coordination.k8s.io/v1"
_ACTOR = "launchbook.io/actor"
_SECONDS = 30  # for which a Lease holds unless it is renewed
_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"
Object = dict[str, Any]


@dataclass(frozen=True)
class Holder:
    """Who holds a Lease. run: also the value of the run's label; actor: `user@host`."""

    run: str
    actor: str

    @classmethod
    def here(cls, run: str) -> Holder:
        return cls(run, f"{getpass.getuser()}@{socket.gethostname()}")


def names(environment: Environment) -> tuple[str, ...]:
    """What a run of this environment leases, in the order in which it is taken."""
    allow = environment.allow
    changed = set(environment.manifests.namespaces)
    if "load" in allow:
        changed |= {environment.load.target.service.split("/")[0], environment.load.generator.namespace}
    if "evict" in allow:
        changed |= {budget.split("/")[0] for budget in environment.disruption.evict}
    if "probe" in allow or "evict" in allow:  # the pods that ask from there have the same names in every run
        changed |= {edge.source.namespace for edge in environment.isolation.edges}
    whole = ["cluster"] if environment.manifests.cluster_objects else []
    return (*whole, *sorted(f"ns-{name}" for name in changed))


@contextmanager
def leased(cluster: Cluster, environment: Environment, holder: Holder, *, shared: bool = False) -> Iterator[None]:
    """Holds all Leases of an environment for the length of the block, or none of them.

    shared: whether this holder may hold them already, as the notebooks of a run that a person steps through do.
    Raises ClusterError that names who holds which, or where their namespace is missing. Nothing was touched then.
    """
    space, wanted = environment.cluster.lease_namespace, names(environment)
    _acquire(cluster, space, wanted, holder, shared)
    done = threading.Event()
    renewing = threading.Thread(
        target=_renew, args=(cluster, space, wanted, holder, done), name=f"Leases of {holder.run}", daemon=True
    )
    renewing.start()
    try:
        yield
    finally:
        done.set()
        renewing.join(timeout=_SECONDS)
        _release(cluster, space, wanted, holder)


def running(cluster: Cluster, namespace: str) -> set[str]:
    """The runs that hold a Lease which is still good. Raises ClusterError."""
    found = cluster.list("Lease", namespace, api_version=_API)
    return {_holder(item).run for item in found if _left(item) > 0}


def _acquire(cluster: Cluster, space: str, wanted: Sequence[str], holder: Holder, shared: bool) -> None:
    found = {name: cluster.get("Lease", name, space, api_version=_API) for name in wanted}
    held = {
        name: item
        for name, item in found.items()
        if item and _left(item) > 0 and not (shared and _holder(item) == holder)
    }
    if held:
        raise ClusterError(
            f"{_who(space, held)}. Wait for the end, or for as long as that if it was killed. Nothing was touched."
        )
    taken: list[str] = []
    try:
        for name, item in found.items():
            _take(cluster, _object(space, name, holder), item)
            taken.append(name)
    except BaseException as error:
        _release(cluster, space, taken, holder)
        if isinstance(error, ConflictError):
            raise ClusterError(
                f"another run took the Lease {space}/{wanted[len(taken)]} at this moment. Nothing was touched."
            ) from None
        raise


def _take(cluster: Cluster, mine: Object, found: Object | None) -> None:
    if found is None:
        cluster.create(mine)
        return
    annotations = {**(found["metadata"].get("annotations") or {}), **mine["metadata"]["annotations"]}
    cluster.replace({**found, "metadata": {**found["metadata"], "annotations": annotations}, "spec": mine["spec"]})


def _renew(cluster: Cluster, space: str, wanted: Sequence[str], holder: Holder, done: threading.Event) -> None:
    while not done.wait(_SECONDS / 3):
        for name in wanted:
            with suppress(ClusterError):  # the next try is soon; a Lease that was lost is found by who took it
                found = cluster.get("Lease", name, space, api_version=_API)
                if found and _holder(found) == holder:
                    cluster.replace({**found, "spec": {**found["spec"], "renewTime": _now()}})


def _release(cluster: Cluster, space: str, taken: Sequence[str], holder: Holder) -> None:
    for name in taken:
        with suppress(ClusterError):
            found = cluster.get("Lease", name, space, api_version=_API)
            if found and _holder(found) == holder:
                cluster.replace({**found, "spec": {**found["spec"], "holderIdentity": ""}})


def _object(space: str, name: str, holder: Holder) -> Object:
    now = _now()
    return {
        "apiVersion": _API,
        "kind": "Lease",
        "metadata": {"name": name, "namespace": space, "annotations": {_ACTOR: holder.actor}},
        "spec": {
            "holderIdentity": holder.run,
            "leaseDurationSeconds": _SECONDS,
            "acquireTime": now,
            "renewTime": now,
        },
    }


def _holder(item: Object) -> Holder:
    annotations = item["metadata"].get("annotations") or {}
    return Holder(item["spec"].get("holderIdentity") or "", annotations.get(_ACTOR, ""))


def _left(item: Object) -> float:
    """Seconds for which the holder still counts; none where nobody holds it."""
    spec = item["spec"]
    if not spec.get("holderIdentity") or not spec.get("renewTime"):
        return 0.0
    until = datetime.fromisoformat(spec["renewTime"]) + timedelta(seconds=spec.get("leaseDurationSeconds") or 0)
    return (until - datetime.now(UTC)).total_seconds()


def _who(space: str, held: dict[str, Object]) -> str:
    """Each holder once, with what it holds, since when, and for how long unless it is renewed."""
    by: dict[Holder, list[str]] = {}
    for name, item in held.items():
        by.setdefault(_holder(item), []).append(name)
    told = []
    for holder, theirs in by.items():
        since = min((held[name]["spec"].get("acquireTime") or "") for name in theirs)
        left = max(_left(held[name]) for name in theirs)
        actor = f" of {holder.actor}" if holder.actor else ""
        began = f" since {since[:19]}Z" if since else ""
        told.append(
            f"run {holder.run}{actor} is at work{began} (Leases in {space}: {', '.join(theirs)}; {left:.0f} s to go)"
        )
    return "; ".join(told)


def _now() -> str:
    return datetime.now(UTC).strftime(_TIME)
