"""How much each container logs: its log followed as it grows, counted, never kept."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import TracebackType

import pandas as pd

from launchbook.cluster import Cluster
from launchbook.errors import ClusterError
from launchbook.transport import LogStream

# second: whole seconds since the followers were opened; bytes, lines: of the log's text in that second.
COLUMNS = ["namespace", "pod", "container", "second", "bytes", "lines"]
_AGAIN = 1.0  # s, before a stream that ended is opened anew


@dataclass
class _Follower:
    namespace: str
    pod: str
    container: str
    counts: dict[int, list[int]] = field(default_factory=dict)
    stream: LogStream | None = None
    problem: str | None = None


class Followers:
    """Open followers of many containers. Use as a context manager; frame() once it is closed, or meanwhile."""

    def __init__(self, cluster: Cluster, containers: Iterable[tuple[str, str, str]]) -> None:
        self._cluster = cluster
        self._done = threading.Event()
        self._began = time.monotonic()
        self._ended: float | None = None
        self._all = [_Follower(*names) for names in containers]
        self._threads = [threading.Thread(target=self._follow, args=(one,), daemon=True) for one in self._all]

    def __enter__(self) -> Followers:
        self._began = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends every stream; what was counted stays."""
        if self._ended is None:
            self._ended = time.monotonic()
        self._done.set()
        for one in self._all:
            if one.stream:
                one.stream.close()
        for thread in self._threads:
            thread.join(timeout=5)

    def second(self, moment: float) -> float:
        """Seconds from the opening of the followers to a moment of the monotonic clock."""
        return moment - self._began

    def unfollowed(self, namespaces: Iterable[str], leave_out: str) -> list[str]:
        """Containers that run now and were not there at the beginning: one sentence each. See open_followers()."""
        known = {(one.namespace, one.pod, one.container) for one in self._all}
        now = _containers(self._cluster, namespaces, leave_out)
        return [f"{ns}/{pod} {name}: it started later" for ns, pod, name in now if (ns, pod, name) not in known]

    @property
    def problems(self) -> list[str]:
        """Why a container could not be followed to the end: one sentence each."""
        return [f"{one.namespace}/{one.pod} {one.container}: {one.problem}" for one in self._all if one.problem]

    def frame(self) -> pd.DataFrame:
        """COLUMNS, a row for each container and whole second of the window, silent seconds included."""
        window = int((self._ended or time.monotonic()) - self._began)
        rows = [
            [one.namespace, one.pod, one.container, second, *one.counts.get(second, (0, 0))]
            for one in self._all
            if one.problem is None
            for second in range(window)
        ]
        return pd.DataFrame(rows, columns=COLUMNS)

    def _follow(self, one: _Follower) -> None:
        while not self._done.is_set():
            try:
                one.stream = self._cluster.follow(one.namespace, one.pod, one.container, since_seconds=1)
                if self._done.is_set():
                    one.stream.close()
                for chunk in one.stream:
                    self._count(one, chunk)
            except ClusterError as error:
                one.problem = str(error)
                return
            self._done.wait(_AGAIN)

    def _count(self, one: _Follower, chunk: bytes) -> None:
        second = int(time.monotonic() - self._began)
        # What arrives in the very first moment was written before the window: it is left out.
        if time.monotonic() - self._began < 0.5:
            return
        so_far = one.counts.setdefault(second, [0, 0])
        so_far[0] += len(chunk)
        so_far[1] += chunk.count(b"\n")


def open_followers(cluster: Cluster, namespaces: Iterable[str], leave_out: str) -> Followers:
    """Followers of every container of the running pods in `namespaces`.

    Pods that carry label `leave_out`, and those on their way out already, are not followed. Raises ClusterError where the
    pods can't be listed.
    """
    return Followers(cluster, _containers(cluster, namespaces, leave_out))


def _containers(cluster: Cluster, namespaces: Iterable[str], leave_out: str) -> list[tuple[str, str, str]]:
    return [
        (namespace, pod["metadata"]["name"], container["name"])
        for namespace in namespaces
        for pod in cluster.list("Pod", namespace)
        if leave_out not in (pod["metadata"].get("labels") or {})
        and not pod["metadata"].get("deletionTimestamp")
        and pod.get("status", {}).get("phase") == "Running"
        for container in pod["spec"]["containers"]
    ]
