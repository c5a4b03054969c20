"""Connection attempts from inside a pod: many targets in one exec, each attempt with its own outcome.

busybox' `nc -e true` ends as soon as the connection stands, so a server that says nothing isn't taken for a block.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from launchbook.cluster import Cluster
from launchbook.errors import ClusterError

ALLOWED, DROPPED, REFUSED, DNS_FAIL, PROBE_ERROR = "ALLOWED", "DROPPED", "REFUSED", "DNS_FAIL", "PROBE_ERROR"
# All attempts of one target follow each other; all targets run at once.
_SCRIPT = """\
try() {
  i=1
  while [ $i -le $4 ]; do
    said=$(nc -w $TIMEOUT "$2" "$3" -e /bin/true 2>&1 </dev/null); code=$?
    echo "$1|$i|$code|$said"
    [ $code -eq 0 ] && break
    i=$((i+1)); sleep 0.1
  done
}
"""


@dataclass(frozen=True)
class Target:
    """One thing to connect to. id: unique in a round; attempts: how often at most, ended by the first success."""

    id: str
    host: str
    port: int
    attempts: int


def connect(
    cluster: Cluster, namespace: str, pod: str, targets: Sequence[Target], timeout: float
) -> dict[str, list[str]]:
    """Target id -> the outcome of each attempt, in order. timeout: seconds of one attempt, at least 1.

    A target whose attempts could not be run has none: the caller counts them, a skipped probe is never a pass.
    Raises ClusterError where the command could not be run at all.
    """
    if not targets:
        return {}
    seconds = max(1, math.ceil(timeout))
    calls = "\n".join(
        f"try {n} {shlex.quote(target.host)} {target.port} {target.attempts} &" for n, target in enumerate(targets)
    )
    longest = max(target.attempts for target in targets) * (seconds + 6.0)  # a resolver may take its own 5 s
    result = cluster.exec(
        namespace, pod, ["sh", "-c", f"TIMEOUT={seconds}\n{_SCRIPT}{calls}\nwait"], timeout=longest + 10
    )
    if result.code != 0:
        raise ClusterError(f"the probe in {namespace}/{pod} ended with exit code {result.code}: {result.stderr[:200]}")
    found: dict[str, list[str]] = {target.id: [] for target in targets}
    for line in result.stdout.splitlines():
        number, _, code, said = (*line.split("|", 3), "", "", "")[:4]
        if number.isdigit() and int(number) < len(targets):
            found[targets[int(number)].id].append(outcome(code, said))
    return found


def outcome(code: str, said: str) -> str:
    """What an attempt's exit code and message mean. A failure of unknown kind is PROBE_ERROR, never a block."""
    if code == "0":
        return ALLOWED
    if "timed out" in said:
        return DROPPED
    if "onnection refused" in said:
        return REFUSED
    if "bad address" in said:
        return DNS_FAIL
    return PROBE_ERROR
