"""Which policies change while something is done, and when: looked at ten times a second."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from typing import Any

from launchbook.cluster import Cluster
from launchbook.errors import ClusterError
from launchbook.isolation.reach import Pod, selects
from launchbook.isolation.spec import policy_types
from launchbook.run import RUN_LABEL

LOOK = 0.1  # s, between two looks at the policies
_API = "networking.k8s.io/v1"
Object = dict[str, Any]


class Changes:
    """Looks from start() until stop(). Policies of runs are left out.

    when: namespace/name of each policy that was created, changed or deleted -> the last look before it, in seconds of
    time.monotonic(), so that no lag is told too short. problem: why looking broke off, "" where it did not.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._last = time.monotonic()
        self._policies = self._listed()
        self._forms: dict[str, list[Object]] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.when: dict[str, float] = {}
        self.problem = ""

    def start(self) -> None:
        """Begins to look. What changed since this object was made is found too."""
        self._thread.start()

    def stop(self) -> None:
        """Looks once more, so that nothing is missed that was done before, and ends; may be repeated."""
        if self._stop.is_set() or not self._thread.ident:
            return
        self._stop.set()
        self._thread.join()
        self._try()

    def governing(self, source: Pod, destinations: Iterable[Pod]) -> list[str]:
        """The changed policies, as they were or are, that govern an end of these connections; the earliest first."""
        ends = [(source, "Egress"), *((pod, "Ingress") for pod in destinations)]
        found = [
            (when, name)
            for name, when in self.when.items()
            if any(word in policy_types(p) and selects(p, end) for p in self._forms[name] for end, word in ends)
        ]
        return [name for _, name in sorted(found)]

    def _look(self) -> None:
        while not self._stop.wait(LOOK) and not self.problem:
            self._try()

    def _try(self) -> None:
        try:
            looked, now = time.monotonic(), self._listed()
        except ClusterError as error:
            self.problem = str(error)
            return
        for name in sorted({*now, *self._policies}):
            old, new = self._policies.get(name), now.get(name)
            if name not in self.when and _version(old) != _version(new):
                self._forms[name] = [one for one in (old, new) if one]
                self.when[name] = self._last
        self._policies, self._last = now, looked

    def _listed(self) -> dict[str, Object]:
        return {
            f"{p['metadata']['namespace']}/{p['metadata']['name']}": p
            for p in self._cluster.list("NetworkPolicy", api_version=_API)
            if RUN_LABEL not in (p["metadata"].get("labels") or {})
        }


def _version(policy: Object | None) -> tuple[str, int] | None:
    return (policy["metadata"]["uid"], policy["metadata"]["generation"]) if policy else None
