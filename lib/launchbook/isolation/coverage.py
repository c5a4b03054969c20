"""What policies leave out or can't mean: pods that none covers, selectors and ports that name nothing, names cut off.

Pure. Each finder gives one line for each finding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from launchbook.home import home
from launchbook.isolation.blocks import outside
from launchbook.isolation.needs import Use, needs
from launchbook.isolation.reach import Pod, World, namespace_labels, naming, selects
from launchbook.isolation.spec import DIRECTIONS, Direction, every_peer, peers, policy_name, policy_types, rules
from launchbook.isolation.table import Table
from launchbook.selector import matches

Object = Mapping[str, Any]


def uncovered(policies: Sequence[Object], pods: Sequence[Pod]) -> list[str]:
    """The pods that no policy selects for ingress, and the namespaces in which none covers any. pods: in scope."""
    governed = [pod for pod in pods if not pod.host_network]
    open_ = [pod for pod in governed if not any("Ingress" in policy_types(p) and selects(p, pod) for p in policies)]
    found = []
    for namespace in dict.fromkeys(pod.namespace for pod in governed):
        here = [pod.name for pod in open_ if pod.namespace == namespace]
        if len(here) == sum(pod.namespace == namespace for pod in governed):
            found.append(f"no policy covers any pod of namespace {namespace}")
        else:
            found += [f"no policy covers {name}" for name in here]
    return found


def idle(policies: Sequence[Object], namespaces: Mapping[str, Mapping[str, str]], pods: Sequence[Pod]) -> list[str]:
    """The policies that select no pod, and the peers whose namespaceSelector names no namespace."""
    world = World((), namespaces)
    found = []
    for policy in policies:
        if not any(selects(policy, pod) for pod in pods):
            found.append(f"policy {policy_name(policy)} selects no pod")
        for _, where, peer in every_peer([policy]):
            wanted = peer.get("namespaceSelector")
            if wanted is not None and not any(matches(wanted, namespace_labels(world, one)) for one in namespaces):
                found.append(f"policy {policy_name(policy)} {where} names no namespace")
    return found


def ignored(policies: Sequence[Object]) -> list[str]:
    """The rules of a direction that their policy's own policyTypes leave out: they open nothing, nor do they close."""
    return [
        f"policy {name} is ignored, since the policy's policyTypes leave {direction.capitalize()} out"
        for policy in policies
        for direction in DIRECTIONS
        if direction.capitalize() not in policy_types(policy)
        for name, _ in rules(policy, direction)
    ]


def unexposed(policies: Sequence[Object], pods: Sequence[Pod]) -> list[str]:
    """The ports of rules that no pod which they lead to declares. A range is taken by one port in it.

    An ingress rule leads to the pods that its policy selects. An egress rule is asked where its peers are pods of the
    policy's own namespace alone, all of which are known.
    """
    found = []
    for policy in policies:
        mine = [pod for pod in pods if selects(policy, pod)]
        for direction in DIRECTIONS:
            if direction.capitalize() not in policy_types(policy):
                continue
            for name, rule in rules(policy, direction):
                reached = mine if direction == "ingress" else _own(policy, rule, pods)
                whose = "that it selects" if direction == "ingress" else "that it names"
                for one in rule.get("ports") or ():
                    if reached and one.get("port") is not None and not any(_declares(pod, one) for pod in reached):
                        wanted = f"{one.get('protocol') or 'TCP'} {one['port']}"
                        found.append(f"policy {name} opens {wanted}, which no pod {whose} declares")
    return found


def doubled(policies: Sequence[Object], namespaces: Mapping[str, Any], pods: Sequence[Pod]) -> list[str]:
    """The rules that open nothing but what other rules open too, each left out alone.

    Asked of rules whose peers are pods of the policy's own namespace alone: who else is there isn't known.
    """
    table = Table(World(tuple(policies), namespaces), [*pods, *outside(policies)])
    local = {
        name
        for policy in policies
        for direction in DIRECTIONS
        for name, rule in rules(policy, direction)
        if _is_local(rule, direction)
    }
    names = [f"{need.policy} {need.rule}" for need in needs(table) if need.use is Use.DOUBLED]
    return [f"policy {name} opens what other rules open too" for name in names if name in local]


def nameless(
    policies: Sequence[Object], namespaces: Mapping[str, Any], pods: Sequence[Pod], dns: Sequence[tuple[Pod, str, int]]
) -> list[str]:
    """The pods whose egress is closed to every port of the cluster's DNS: to them a name is a block.

    dns: its pods, each with the protocol and number of a port. An opening that is unsure is taken for one.
    """
    servers = {server.name: server for server, _, _ in dns}
    at = {name: len(pods) + number for number, name in enumerate(servers)}
    table = Table(World(tuple(policies), namespaces), [*pods, *servers.values()])
    found = []
    for number, pod in enumerate(pods):
        outs = [(table.side("egress", number, at[server.name], protocol), port) for server, protocol, port in dns]
        if outs and not any(_within(port, (*out.ports, *out.unsure)) for out, port in outs):
            found.append(f"pod {pod.name} may send nothing to DNS ({outs[0][0].because})")
    return found


def cuts_egress(policies: Sequence[Object], pods: Sequence[Pod]) -> bool:
    """Whether some policy governs the egress of one of these pods."""
    return any("Egress" in policy_types(policy) and selects(policy, pod) for policy in policies for pod in pods)


def _within(port: int, ranges: Sequence[tuple[int, int]]) -> bool:
    return any(first <= port <= last for first, last in ranges)


def _declares(pod: Pod, wanted: Object) -> bool:
    port, protocol = wanted["port"], wanted.get("protocol") or "TCP"
    if isinstance(port, int):
        last = wanted.get("endPort") or port
        return any(proto == protocol and port <= number <= last for _, proto, number in pod.ports)
    return any((name, proto) == (port, protocol) for name, proto, _ in pod.ports)


def _own(policy: Object, rule: Object, pods: Sequence[Pod]) -> list[Pod]:
    """The pods that an egress rule names, where all its peers are pods of the policy's own namespace."""
    if not _is_local(rule, "egress"):
        return []
    here, world = home(policy), World(())
    return [pod for pod in pods if any(naming(world, here, peer, pod) is not None for peer in peers(rule, "egress"))]


def _is_local(rule: Object, direction: Direction) -> bool:
    return bool(peers(rule, direction)) and all(set(peer) == {"podSelector"} for peer in peers(rule, direction))
