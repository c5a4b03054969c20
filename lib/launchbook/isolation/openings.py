"""Every opening that policies allow into the pods under launch, each with what declares it. Pure.

A source is a workload of the namespaces under launch, a pod without labels in each other namespace, and each pod there
that gets further than that one. A pod on its node's network is no source: no policy keeps a node from its pods. The
pods of one workload may reach each other by what a Service of their own leads to, which declares it. A port that no
container declares and no Service leads to is not asked for: A.coverage names the policies that open one.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import yaml

from launchbook.counted import some
from launchbook.endpoints import target_port
from launchbook.home import home
from launchbook.isolation.classes import asked_labels
from launchbook.isolation.reach import PROTOCOLS, Answer, Pod, World, allows, freedom
from launchbook.isolation.spec import Object
from launchbook.isolation.table import Table
from launchbook.parameters import WORKLOADS
from launchbook.selector import matches

ANYBODY, ANY_OTHER = "anybody", "any other namespace"
_SHOWN = 3  # sources that a line lists
OWN_SERVICE = "a Service of its own"
Port = tuple[str, int]  # protocol, number
Lead = tuple[str, int]  # a Service's name, and its port


@dataclass(frozen=True)
class Opening:
    """One way in. unsure: whether the network plugin decides; declared: by which edge, "" where by none.

    because: the rule on the destination's side; write: what declares it, as it stands under isolation.edges, or under
    isolation.open_to_all where the source is anybody's.
    """

    source: str
    destination: str
    protocol: str
    port: int
    unsure: bool
    declared: str
    because: str
    write: str

    @property
    def anybodys(self) -> bool:
        """Whether the source is not one workload or namespace."""
        return self.source == ANYBODY or self.source.startswith(ANY_OTHER)


def effects(openings: Sequence[Opening]) -> list[str]:
    """A line for each port of a workload: who may reach it, and by which rule."""
    found: dict[tuple[str, ...], list[str]] = {}
    for one in openings:
        found.setdefault((f"{one.protocol} {one.port}", one.destination, one.because), []).append(one.source)
    return [
        f"{some(sources, _SHOWN)} may reach {port} of {where} ({because})"
        for (port, where, because), sources in found.items()
    ]


@dataclass(frozen=True)
class _From:
    """A kind of source: the pods of one workload of one class, declared by the same edges."""

    pod: Pod
    at: int  # the first of them among the ends
    edges: tuple[Any, ...]


def bare(namespace: str) -> Pod:
    """A pod without labels, which stands for its namespace."""
    return Pod(f"namespace {namespace}", namespace, {})


def every_opening(
    world: World, mine: Sequence[Pod], others: Sequence[Pod], services: Sequence[Object], isolation: Any
) -> list[Opening]:
    """The openings of a world, those that the parameters declare too.

    mine: the pods under launch, those of one workload by its name; others: pods of other namespaces, of which bare()
    ones come first; services: of the namespaces under launch; isolation: parameters.Isolation. An edge declares the
    openings of every pod that has its labels.
    """
    return _Openings(world, mine, [one for one in others if not one.host_network], services, isolation).all()


class _Openings:
    def __init__(
        self, world: World, mine: Sequence[Pod], others: Sequence[Pod], services: Sequence[Object], isolation: Any
    ) -> None:
        self.ends = [*mine, *others]
        self.mine = range(len(mine))
        self.table = Table(world, self.ends)
        self.asked = asked_labels(world.policies)
        self.edges = [edge for edge in isolation.edges if edge.expect == "open"]
        self.everybody = {(one.name, one.port) for one in isolation.open_to_all}
        self.services: dict[str, list[Object]] = {}
        for service in services:
            self.services.setdefault(home(service), []).append(service)

    def all(self) -> list[Opening]:
        sources = [one for one in self._first(self._source) if not one.pod.host_network]
        return [
            opening
            for at, leads in self._destinations()
            for port in sorted({*leads, *((protocol, number) for _, protocol, number in self.ends[at].ports)})
            if port[0] in PROTOCOLS
            for opening in self._into(at, port, leads.get(port, ()), sources)
        ]

    def _first(self, make: Callable[[int], tuple[Hashable, _From]]) -> list[_From]:
        found: dict[Hashable, _From] = {}
        for at in range(len(self.ends)):
            key, one = make(at)
            found.setdefault(key, one)
        return list(found.values())

    def _source(self, at: int) -> tuple[Hashable, _From]:
        pod = self.ends[at]
        edges = tuple(
            edge
            for edge in self.edges
            if edge.source.namespace == pod.namespace and edge.source.labels.items() <= pod.labels.items()
        )
        name = pod.name if at in self.mine or not pod.labels else pod.namespace
        return (name, int(self.table.classes.of[at]), tuple(edge.name for edge in edges)), _From(pod, at, edges)

    def _destinations(self) -> list[tuple[int, dict[Port, tuple[Lead, ...]]]]:
        """The first pod of each workload, class and set of Services in front of it, with where those lead."""
        found: dict[Hashable, tuple[int, dict[Port, tuple[Lead, ...]]]] = {}
        for at in self.mine:
            pod, leads = self.ends[at], self._leads(self.ends[at])
            key = (pod.name, int(self.table.classes.of[at]), pod.ports, tuple(sorted(leads.items())))
            found.setdefault(key, (at, leads))
        return list(found.values())

    def _leads(self, pod: Pod) -> dict[Port, tuple[Lead, ...]]:
        found: dict[Port, tuple[Lead, ...]] = {}
        for service in self.services.get(pod.namespace, ()):
            selector = service["spec"].get("selector")
            if not selector or not matches({"matchLabels": selector}, pod.labels):
                continue
            for port in service["spec"].get("ports") or ():
                if (number := target_port(port, pod.ports)) is not None:
                    key = (port.get("protocol") or "TCP", number)
                    found[key] = (*found.get(key, ()), (service["metadata"]["name"], port["port"]))
        return found

    def _into(self, at: int, port: Port, leads: Sequence[Lead], sources: Sequence[_From]) -> list[Opening]:
        """The openings of one port. Other namespaces that are all alike are one source; so is everybody."""
        of = self.table.classes.of
        column = self.table.answers(port[0]).allowed(port[1])[:, of[at]]
        states = [int(column[of[one.at]]) for one in sources]
        shown: list[Opening] = []
        for state in (1, -1):
            let_in = [one for one, its in zip(sources, states, strict=True) if its == state]
            shown += self._told(at, port, leads, let_in, sources, unsure=state < 0)
        return shown

    def _told(
        self, at: int, port: Port, leads: Sequence[Lead], let_in: list[_From], sources: Sequence[_From], *, unsure: bool
    ) -> list[Opening]:
        declared = {one.at: self._declared(at, port, one, leads) for one in let_in}

        def say(one: _From, source: str = "") -> Opening:
            because = self._because(at, one, port)
            write = self._write(at, port, leads, None if source else one.pod)
            name = source or one.pod.name
            return Opening(name, self.ends[at].name, *port, unsure, "" if source else declared[one.at], because, write)

        undeclared = [one for one in let_in if not declared[one.at]]
        its_own = sum(its == OWN_SERVICE for its in declared.values())
        if undeclared and len(undeclared) + its_own == len(sources):
            return [say(undeclared[0], ANYBODY)]
        bares = [one for one in let_in if self._is_bare(one)]
        covered = {one.pod.namespace for one in bares}
        let_in = [one for one in let_in if one in bares or one.pod.namespace not in covered]
        everywhere = len(bares) > 1 and len(bares) == sum(map(self._is_bare, sources))
        alike = [one for one in bares if not declared[one.at]] if everywhere else []
        if not alike:
            return [say(one) for one in let_in]
        but = [one.pod.namespace for one in bares if declared[one.at]]
        first = say(alike[0], ANY_OTHER + (f" but {', '.join(but)}" if but else ""))
        return [first, *(say(one) for one in let_in if one not in alike)]

    def _because(self, at: int, source: _From, port: Port) -> str:
        """The rules of the destination's side that open this very port."""
        side = self.table.side("ingress", at, source.at, port[0])
        if side.free:
            return freedom(self.ends[at])
        mine = tuple(one for one in side.openings if allows(Answer(one.ports, ""), port[1]))
        return replace(side, openings=mine).because

    def _is_bare(self, one: _From) -> bool:
        return one.at not in self.mine and not one.pod.labels

    def _declared(self, at: int, port: Port, source: _From, leads: Sequence[Lead]) -> str:
        """The edge that declares an opening, "" where none does."""
        there = self.ends[at]
        if leads and source.pod.name == there.name:
            return OWN_SERVICE
        kind, _, name = there.name.split("/")
        names = [(f"{there.namespace}/{service}", number) for service, number in leads]
        names.append((f"{there.namespace}/{kind}/{name}", port[1]))
        if not self.everybody.isdisjoint(names):
            return "isolation.open_to_all"
        return next((e.name for e in source.edges if (e.destination.name, e.destination.port) in names), "")

    def _write(self, at: int, port: Port, leads: Sequence[Lead], source: Pod | None) -> str:
        """What would declare an opening, as YAML of one line; "" where neither a Service nor a workload leads there."""
        kind, namespace, name = self.ends[at].name.split("/")
        destination: dict[str, Any] = {"namespace": namespace}
        if leads:
            destination |= {"service": leads[0][0], "port": leads[0][1]}
        elif kind in WORKLOADS:
            destination |= {"workload": f"{kind}/{name}", "port": port[1]}
        else:
            return ""
        if source is None:
            return _yaml(destination)
        labels = {k: v for k, v in sorted(source.labels.items()) if v in self.asked.get(k, ())}
        start = {"namespace": source.namespace, **({"labels": labels} if labels else {})}
        return _yaml({"source": start, "destination": destination, "expect": "open"})


def _yaml(what: Mapping[str, Any]) -> str:
    return yaml.safe_dump(what, default_flow_style=True, sort_keys=False, width=float("inf")).strip()
