"""A connection that stands while a policy arrives: whether bytes still pass both ways once new ones are blocked.

Kubernetes leaves it to the network plugin what becomes of it (concepts/services-networking/network-policies, "the
impact of a policy on existing connections is implementation-defined"), so it is measured.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from launchbook.cluster import Cluster
from launchbook.errors import ClusterError
from launchbook.execing import Session

_EVERY = 0.2  # s, between two numbers sent
_FIRST = 10.0  # s, for the first echo
_WATCHED = 2.0  # s, for which it is looked at under the policy
_ENDED = "ended"


class Held:
    """One connection, over which a number goes out and comes back every 0.2 s."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._over = False

    def flows(self) -> bool:
        """Whether a number came back within ten seconds. Raises ClusterError."""
        return bool(self._numbers(_FIRST, 1))

    def survives(self) -> bool:
        """Whether numbers still come back, beside those that were under way. Raises ClusterError."""
        while self._numbers(0.0, 1):
            pass
        return len(self._numbers(_WATCHED, 2)) >= 2

    def _numbers(self, seconds: float, enough: int) -> list[str]:
        found: list[str] = []
        until = time.monotonic() + seconds
        while not self._over and len(found) < enough:
            lines = self._session.lines(until - time.monotonic())
            self._over = _ENDED in lines
            found += [line for line in lines if line.isdigit()]
            if not lines and time.monotonic() >= until:
                break
        return found


@contextmanager
def hold(cluster: Cluster, namespace: str, pod: str, host: str, port: int) -> Iterator[Held | None]:
    """A Held from a pod to a listener that echoes, until the end of `with`; None where no byte came back at all."""
    script = f"n=0; while :; do n=$((n+1)); echo $n; sleep {_EVERY}; done 2>/dev/null | nc {host} {port}; echo {_ENDED}; read x"
    try:
        opened = cluster.session(namespace, pod, ["sh", "-c", script])
        session = opened.__enter__()
    except ClusterError:
        yield None
        return
    try:
        held = Held(session)
        try:
            flowing = held.flows()
        except ClusterError:
            flowing = False
        yield held if flowing else None
    finally:
        opened.__exit__(None, None, None)
