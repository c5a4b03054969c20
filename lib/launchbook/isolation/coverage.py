"""What policies leave out or can't mean: pods that none covers, selectors and ports that name nothing, names cut off.

Pure. Each finder gives one line for each finding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from launchbook.isolation.reach import Pod, World, namespace_labels, selects
from launchbook.isolation.spec import every_peer, policy_name, policy_types
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


def unexposed(policies: Sequence[Object], pods: Sequence[Pod]) -> list[str]:
    """The ports of ingress rules that no pod which the policy selects declares. A range is taken by one port in it."""
    found = []
    for policy in policies:
        mine = [pod for pod in pods if selects(policy, pod)]
        if not mine or "Ingress" not in policy_types(policy):
            continue
        for number, rule in enumerate(policy["spec"].get("ingress") or ()):
            for one in (rule or {}).get("ports") or ():
                if one.get("port") is not None and not any(_declares(pod, one) for pod in mine):
                    wanted = f"{one.get('protocol') or 'TCP'} {one['port']}"
                    found.append(
                        f"policy {policy_name(policy)} ingress[{number}] opens {wanted}, which no pod that it selects declares"
                    )
    return found


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
