"""`launchbook reach --explain`, `--diff` and `--needs`: which rules decide, what a change does, what could be deleted."""

from __future__ import annotations

import csv
import io
import ipaddress
from collections.abc import Iterator, Sequence
from pathlib import Path

from launchbook.errors import ParametersError
from launchbook.isolation.blocks import Outside, outside
from launchbook.isolation.files import another, load, others, pairs, ports_text, words
from launchbook.isolation.needs import Notice, needs
from launchbook.isolation.ranges import Range, intersect, subtract, union
from launchbook.isolation.reach import PROTOCOLS, Answer, End, Pod, Side, World, reach, selects, sides
from launchbook.isolation.table import Table
from launchbook.strict_yaml import nearest

NEEDS_COLUMNS = ("policy", "rule", "needed", "because")
DIFF_COLUMNS = ("source", "destination", "protocol", "opened", "closed", "unknown", "because")


def explain(paths: Sequence[Path], source: str, destination: str, networks: Sequence[str] = ()) -> str:
    """Text: for each protocol the ports, and each rule of each policy on either side with what it says.

    source, destination: a workload as the table names it, its kind left out where one has the name, or addresses
    outside the cluster; paths, networks: see files.load().
    Raises ParametersError where an end is unknown or ambiguous, where an ipBlock divides it, or both are outside.
    """
    world, found = load(paths, networks)
    start, end = (_end(name, found, outside(world.policies)) for name in (source, destination))
    if isinstance(start, Outside) and isinstance(end, Outside):
        raise ParametersError("both ends are outside the cluster, where no policy decides: name a workload.")
    if isinstance(end, Pod) and start == end:
        end = another(end)
    texts = []
    for protocol in PROTOCOLS:
        ports, _ = words(reach(world, start, end, protocol))
        lines = [line for side in sides(world, start, end, protocol) for line in _side(side, start, end)]
        texts.append("\n".join([f"{start.name} -> {end.name}, {protocol}: {ports}", *lines, ""]))
    return "\n".join(texts)


def _side(side: Side, start: End, end: End) -> Iterator[str]:
    whose = start if side.direction == "egress" else end
    yield f"  {side.direction} of {whose.name}: {side.free or 'governed by ' + ', '.join(side.policies)}"
    for opening in side.openings:
        perhaps = f" perhaps: {opening.doubt}" if opening.doubt else ""
        yield f"    {opening.rule}: {opening.refusal or 'opens ' + ports_text(opening.ports) + perhaps}"
    if side.doubt and side.unsure:
        yield f"    perhaps open whatever the rules say: {side.doubt}"
    if not side.ports and not side.unsure:
        yield "    denied, since no rule opens it"


def _end(name: str, pods: Sequence[Pod], parts: Sequence[Outside]) -> End:
    if found := [pod for pod in pods if pod.name == name] or [p for p in pods if p.name.partition("[")[0] == name]:
        if len(found) > 1:
            raise ParametersError(f"{name!r} is one of {', '.join(pod.name for pod in found)}: say which.")
        return found[0]
    first, _, last = name.partition("-")
    try:
        a, b = ipaddress.ip_address(first), ipaddress.ip_address(last or first)
    except ValueError:
        known = nearest(name, [known for pod in pods for known in (pod.name.partition("[")[0], pod.name)])
        example = f"; write one such as {pods[0].name.partition('[')[0]!r}." if pods else "."
        raise ParametersError(f"{name!r} is no address, and no workload's name{known or example}") from None
    same = [part for part in parts if ipaddress.ip_address(part.first).version == a.version]
    within = [p for p in same if int(ipaddress.ip_address(p.first)) <= int(a) and int(b) <= _number(p.last)]
    if a.version != b.version or int(b) < int(a) or (same and not within):
        raise ParametersError(
            f"{name!r} is not one range that no ipBlock divides, such as {(within or same or parts)[0].name}."
        )
    return Outside(str(a), str(b))


def _number(address: str) -> int:
    return int(ipaddress.ip_address(address))


def needed(paths: Sequence[Path], networks: Sequence[str] = ()) -> str:
    """CSV text with a row for each policy (`rule` is empty) and for each of its rules: NEEDS_COLUMNS.

    needed: `yes` where some pair's answer would be another without it alone, and one such pair; else `no`, and why.
    paths, networks: see files.load(), which says too what is raised.
    """
    world, pods = load(paths, networks)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(NEEDS_COLUMNS)
    for need in needs(Table(world, [*pods, *outside(world.policies)])):
        because = f"without it {_notice(need.notice)}" if need.notice else need.because
        writer.writerow([need.policy, need.rule, "yes" if need.notice else "no", because])
    return text.getvalue()


def _notice(notice: Notice) -> str:
    source, destination = notice.source.name, notice.destination.name
    other = f"another pod of {destination}" if source == destination else destination
    before, after = (
        f"{ports_text(sure)}{f' and perhaps {ports_text(unsure)}' if unsure else ''}"
        for sure, unsure in (notice.before, notice.after)
    )
    return f"{source} -> {other}, {notice.protocol}: {after} instead of {before}"


def diff(old: Path, new: Path, networks: Sequence[str] = ()) -> str:
    """CSV text with a row for each ordered pair and protocol whose ports change: DIFF_COLUMNS.

    unknown: ports that the change may open or close, as the network plugin has it. A workload that is on one side only
    reaches nobody on the other. networks: see files.load(). Raises ParametersError as load() does.
    """
    (before, old_pods), (after, new_pods) = load([old], networks), load([new], networks)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(DIFF_COLUMNS)
    addresses = outside((*before.policies, *after.policies))
    olds, news = (
        _State(world, [*pods, *others(pods), *addresses]) for world, pods in ((before, old_pods), (after, new_pods))
    )
    # Of a workload on both sides either will do here, but one of several pods goes before.
    workloads = sorted([*old_pods, *new_pods], key=lambda pod: pod.several)
    everyone = sorted({pod.name: pod for pod in workloads}.values(), key=lambda pod: pod.name)
    for source, destination in pairs([*everyone, *sorted(addresses, key=lambda part: part.name)]):
        same = all(olds.rules.get(name, []) == news.rules.get(name, []) for name in (source, destination))
        for protocol in PROTOCOLS:
            asked = (source, destination, protocol)
            was, now = olds.answer(*asked), news.answer(*asked)
            changed = _changed(was, now, [] if same else [*olds.doubtful(*asked), *news.doubtful(*asked)])
            if any(changed):
                because = f"before: {was.because}; after: {now.because}"
                writer.writerow([source, destination, protocol, *map(ports_text, changed), because])
    return text.getvalue()


class _State:
    """One side of a change. rules: of each pod the policies that select it, so that what is unsure stays as it is."""

    def __init__(self, world: World, ends: Sequence[End]) -> None:
        self.table = Table(world, ends)
        self.rules = {e.name: [p["spec"] for p in world.policies if selects(p, e)] for e in ends if isinstance(e, Pod)}
        self._number = {end.name: number for number, end in enumerate(ends)}

    def answer(self, source: str, destination: str, protocol: str) -> Answer:
        for name, word in ((source, "source"), (destination, "destination")):
            if name not in self._number:
                return Answer((), f"there is no such {word}")
        return self.table.answer(self._number[source], self._number[destination], protocol)

    def doubtful(self, source: str, destination: str, protocol: str) -> list[Range]:
        """The ports that some rule opens between two ends as the network plugin has it."""
        one, other = self._number.get(source), self._number.get(destination)
        if one is None or other is None:
            return []
        both = self.table.side("egress", one, other, protocol), self.table.side("ingress", other, one, protocol)
        return [part for side in both for opening in side.openings if opening.doubt for part in opening.ports]


def _changed(one: Answer, two: Answer, doubtful: Sequence[Range]) -> tuple[tuple[Range, ...], ...]:
    """The ports opened, closed, and those of which it can't be told.

    doubtful: those that rules which are not the same before and after may open; what is unsure whatever rules say stays.
    """
    opened = subtract(subtract(two.ports, one.ports), one.unsure)
    closed = subtract(subtract(one.ports, two.ports), two.unsure)
    unknown = [*subtract(one.unsure, two.unsure), *subtract(two.unsure, one.unsure)]
    unknown += intersect(intersect(one.unsure, two.unsure), doubtful)
    return opened, closed, union(unknown)
