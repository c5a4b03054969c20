"""Connection attempts from inside a pod: one session for all of them, each attempt with its own outcome.

Where the pod's image has Python, connections.py makes them; else a shell does. busybox' `nc -e true` ends as soon as the
connection stands, so a server that says nothing isn't taken for a block. `nslookup` asks a question over UDP, to which
any answer will do.

The attempts at a target that ought to be blocked begin STAGGER seconds apart and overlap, so it costs about one timeout
however many confirmations are asked for. They are several distinct, consecutive results all the same: each is a
connection of its own, with a source port of its own (the kernel gives no two open sockets the same one to one
destination), and each sends its SYN again a second after the first (RFC 6298, 2.1 and 5.7), so that one lost packet is
no block. What a short outage could feign is told by the controls, which stand before, meanwhile and after.
"""

from __future__ import annotations

import heapq
import math
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files

from launchbook.cluster import Cluster
from launchbook.errors import ClusterError
from launchbook.execing import Session

ALLOWED, DROPPED, REFUSED, DNS_FAIL, PROBE_ERROR = "ALLOWED", "DROPPED", "REFUSED", "DNS_FAIL", "PROBE_ERROR"
STAGGER = 0.2  # s, between the beginnings of two attempts at one target
# Attempts of one pod that run at the same time, within the 96 MiB that a prober may have: a shell's are two processes
# each, 52 MiB in all, and Python's a thread each.
PARALLEL = {"sh": 160, "python": 500}
_RESOLVER = 6.0  # s, that a resolver may take beside the attempt
_GREETING = 15.0  # s, for a pod to say which of the two it has
_START = 'command -v python3 >/dev/null && exec python3 -S -c "$0"\n'
# What attempts say is kept until it is asked for: each message passes four programs on its way here, at a cost that is
# more than that of the attempt.
_SHELL = """\
echo sh
sh | { n='
'; k=; while read -r a; do if [ "$a" = send ]; then printf %s "$k"; k=; else k="$k$a$n"; fi; done; }
"""
_ASK = 0.1  # s, between two times that it is asked for
# The question is one that a cluster's DNS answers itself, in whatever domain it has.
_SCRIPT = """\
set -f
T() { ( said=$(nc -w $1 "$4" "$5" -e /bin/true 2>&1 </dev/null); echo "$2|$3|$?|$said" ) & }
D=$(sed -n 's/^search [^ ]* *\\([^ ]*\\).*/\\1/p' /etc/resolv.conf)
U() { ( said=$(nslookup -type=a -retry=1 -timeout=$1 -port=$5 "kubernetes.default.$D" "$4" 2>&1 </dev/null); code=$?; \
echo "$2|$3|$code|"$said ) & }
"""


@dataclass(frozen=True)
class Target:
    """One thing to connect to.

    id: unique in a round; attempts: how often at most, ended by the first success; every: seconds between two;
    after: seconds from the round's beginning to the first.
    """

    id: str
    host: str
    port: int
    attempts: int
    protocol: str = "TCP"
    every: float = STAGGER
    after: float = 0.0


@dataclass(frozen=True)
class Attempt:
    """One attempt that ended. number: from 1; began, ended: seconds of time.monotonic(), as seen from here."""

    target: Target
    number: int
    outcome: str
    began: float
    ended: float


class Prober:
    """What attempts connections in a pod. Made by prober(); used by one thread at a time.

    kind: `python` or `sh`; parallel: attempts that may run at the same time; seconds: of one attempt.
    """

    def __init__(self, session: Session, timeout: float) -> None:
        """Raises ClusterError where the pod does not say that it is ready."""
        self._session = session
        self.kind = self._greeting()
        self.parallel = PARALLEL[self.kind]
        self.seconds = max(1, math.ceil(timeout))  # nc knows whole seconds only
        self._running: dict[int, tuple[Target, int, float]] = {}
        self._started = 0
        if self.kind == "sh":
            session.write(_SCRIPT)

    def _greeting(self) -> str:
        lines, until = [""], time.monotonic() + _GREETING
        while lines[-1] not in PARALLEL and (left := until - time.monotonic()) > 0:
            lines += self._session.lines(left)
        if lines[-1] not in PARALLEL:
            raise ClusterError(
                f"the probe pod did not say within {_GREETING:g} s whether it has python or sh, but: {' '.join(lines)[:200]!r}"
            )
        return lines[-1]

    def start(self, asked: Sequence[tuple[Target, int]]) -> None:
        """Starts attempts, each a target and the attempt's number. Raises ClusterError where the shell is gone."""
        now, lines = time.monotonic(), []
        for target, number in asked:
            self._started += 1
            self._running[self._started] = (target, number, now)
            command = "U" if target.protocol == "UDP" else "T"
            host = shlex.quote(target.host)
            lines.append(f"{command} {self.seconds} {self._started} {number} {host} {target.port}\n")
        if lines:
            self._session.write("".join(lines))

    def ended(self, timeout: float) -> list[Attempt]:
        """The attempts that ended, after a wait of at most `timeout` seconds for the first of them."""
        lines, now = self._said(time.monotonic() + timeout), time.monotonic()
        found = []
        for line in lines:
            key, _, code, said = (*line.split("|", 3), "", "", "")[:4]
            if key.isdigit() and int(key) in self._running:
                target, number, began = self._running.pop(int(key))
                read = answer if target.protocol == "UDP" else outcome
                found.append(Attempt(target, number, read(code, said), began, now))
        return found

    def _said(self, until: float) -> list[str]:
        while True:
            left = until - time.monotonic()
            asking = self.kind == "sh" and bool(self._running)
            if asking:
                self._session.write("echo send\n")
            lines = self._session.lines(min(_ASK, left) if asking else left)
            if lines or left <= 0:
                return lines

    def round(self, targets: Sequence[Target]) -> dict[str, list[str]]:
        """Target id -> the outcome of each attempt that ended, in order; what was reached is not waited for any longer.

        Raises ClusterError where they could not be run to their end: a skipped probe is never a pass.
        """
        found: dict[str, dict[int, str]] = {target.id: {} for target in targets}
        began = time.monotonic()
        due = [(began + t.after + t.every * n, n, place) for place, t in enumerate(targets) for n in range(t.attempts)]
        heapq.heapify(due)
        longest = (1 + len(due) / self.parallel) * (self.seconds + _RESOLVER) + 10
        while due or self._unsettled(began, found):
            now = time.monotonic()
            batch: list[tuple[Target, int]] = []
            if now > began + longest:
                raise ClusterError(f"{len(self._running)} attempts did not end within {longest:.0f} s")
            while due and due[0][0] <= now and len(self._running) + len(batch) < self.parallel:
                _, n, place = heapq.heappop(due)
                batch.append((targets[place], n + 1))
            self.start(batch)
            full = len(self._running) >= self.parallel
            for attempt in self.ended(0.5 if full or not due else min(0.5, due[0][0] - time.monotonic())):
                if attempt.began >= began:  # not of a round before, whose targets may have the same ids
                    found[attempt.target.id][attempt.number] = attempt.outcome
                    if attempt.outcome == ALLOWED:
                        due = [one for one in due if targets[one[2]].id != attempt.target.id]
                        heapq.heapify(due)
        return {key: [outcomes[n] for n in sorted(outcomes)] for key, outcomes in found.items()}

    def _unsettled(self, began: float, found: Mapping[str, Mapping[int, str]]) -> bool:
        """Whether an attempt still runs that tells something: of this round, at what was not reached yet."""
        return any(
            since >= began and ALLOWED not in found[target.id].values() for target, _, since in self._running.values()
        )


@contextmanager
def prober(cluster: Cluster, namespace: str, pod: str, timeout: float) -> Iterator[Prober]:
    """A Prober in a running pod. timeout: seconds of one attempt, at least 1. Raises ClusterError."""
    program = files("launchbook.isolation").joinpath("connections.py").read_text()
    with cluster.session(namespace, pod, ["sh", "-c", _START + _SHELL, program]) as session:
        yield Prober(session, timeout)


def outcome(code: str, said: str) -> str:
    """What nc's exit code and message mean. A failure of unknown kind is PROBE_ERROR, never a block."""
    if code == "0":
        return ALLOWED
    if "timed out" in said:
        return DROPPED
    if "onnection refused" in said:
        return REFUSED
    if "bad address" in said:
        return DNS_FAIL
    return PROBE_ERROR


def answer(code: str, said: str) -> str:
    """What nslookup's exit code and message mean: a name that isn't known is an answer too.

    An ICMP "port unreachable" is REFUSED: the datagram arrived, or a policy says so in its place.
    """
    if code == "0" or "can't find" in said:
        return ALLOWED
    if "onnection refused" in said:
        return REFUSED
    if "bad address" in said:
        return DNS_FAIL
    if "timed out" in said and "Server:" not in said:
        return DROPPED
    return PROBE_ERROR
