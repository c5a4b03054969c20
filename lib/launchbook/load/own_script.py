"""What a user's own k6 script says of its run, by k6's summary and log: its thresholds, its checks, what it threw."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from launchbook.load import doubts, summaries, unasked
from launchbook.load.reading import Foreign
from launchbook.load.terms import Outcome, Reason
from launchbook.words import Check, Status

ERRORS = "k6-errors.txt"  # how many errors k6 logged, and on the next line the first of them
_ID = "script-threshold"
_KEPT = 400  # characters of the first error
_PROTOCOLS = {"ws_": "WebSocket", "grpc_": "gRPC", "browser_": "a browser"}


def all_but(addresses: Sequence[str]) -> list[str]:
    """The ranges (CIDR) that together hold every address of the internet but these: what k6 is to refuse."""
    kept = [ipaddress.ip_network(one) for one in addresses]
    left: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = [
        ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"),
    ]  # fmt: skip
    for one in kept:
        left = [part for whole in left for part in _without(whole, one)]
    return [str(one) for one in left]


def _without(whole: Any, one: Any) -> list[Any]:
    if whole.version != one.version or not whole.supernet_of(one):
        return [whole]
    return list(whole.address_exclude(one))


def is_error(line: str) -> bool:
    """Whether a line of k6's log tells of an error of the run's: not the script's own words, and not a threshold."""
    return "level=error" in line and "source=console" not in line and "thresholds on metrics" not in line


def condensed(log: Path) -> str:
    """ERRORS of k6's log, which a script that throws in each iteration makes a long one. k6.sh writes the same."""
    count, first = 0, ""
    with log.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if is_error(line):
                first = first or line.strip()[:_KEPT]
                count += 1
    return f"{count}\n{first}\n"


def uncaught(path: Path) -> list[Reason]:
    """What ERRORS says against the samples: k6 ends with 0 even where each iteration throws (grafana/k6#6480)."""
    try:
        count, _, first = path.read_text(encoding="utf-8").partition("\n")
        many = int(count)
    except (OSError, ValueError):
        return [
            Reason("uncaught", "k6's log could not be read, so it is not known whether the script threw exceptions.")
        ]
    if not many:
        return []
    said = f"k6 logged {many} errors of the script: an iteration ends where it throws, and what it had still to send is missing"
    return [Reason("uncaught", f"{said}. The first: {first.strip()}")]


def of_summary(path: Path, checks: int, held: int) -> list[Reason]:
    """Its own thresholds, which k6 judged over the whole test, its warm-up included, its checks, and what else it sent."""
    try:
        whole = json.loads(path.read_bytes())
        reading = summaries.k6_summary(path, whole)
    except (OSError, ValueError, KeyError, TypeError, Foreign):
        return []  # said already: without a summary it isn't known whether the samples are whole
    # One that isn't understood here is k6's to judge all the same; one without a figure or samples is nobody's.
    found = [
        Reason(one.id, f"Of the script's own thresholds: {one.message}")
        for one in reading.unjudged
        if one.id != "threshold-unclear"
    ]
    found += [
        Reason(_ID, f"The script's own threshold {name} does not hold over the whole test, says k6.", "FAIL", name)
        for name in _broken(whole["metrics"])
    ]
    failed = any(one.makes == "FAIL" for one in found)
    found += unasked.none_held(checks, held) if not held and not failed else doubts.checks_broken(checks, held)
    return [*found, *_elsewise(whole["metrics"])]


def _broken(metrics: Mapping[str, Any]) -> list[str]:
    """`metric: expression` of those that --summary-export calls true: crossed."""
    given = {name: one.get("thresholds") or {} for name, one in metrics.items() if isinstance(one, dict)}
    return [f"{name}: {text}" for name, texts in given.items() for text, crossed in texts.items() if crossed is True]


def _elsewise(metrics: Mapping[str, Any]) -> list[Reason]:
    used = [name for start, name in _PROTOCOLS.items() if any(str(one).startswith(start) for one in metrics)]
    if not used:
        return []
    said = f"The script also used {' and '.join(used)}, which no figure here contains."
    return [Reason("other-protocols", said, "NOTE")]


def checks(reasons: Sequence[Reason], result: Outcome) -> list[Check]:
    """B.threshold for each of the script's own thresholds that does not hold."""
    made = []
    for one in (one for one in reasons if one.id == _ID):
        believed = result in ("PASS", "FAIL")
        because = one.message if believed else f"The result is {result}, so this says nothing of the target."
        status = Status.FAIL if believed else Status.UNKNOWN
        evidence = ("evidence/load/samples.parquet",)
        expected = one.about.partition(": ")[2]
        made.append(
            Check("B.threshold", f"script: {one.about}", status, "broken, says k6", expected, because, evidence)
        )
    return made
