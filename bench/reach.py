"""Computed reachability of a whole cluster: time, memory, and growth with twice the pods.

5,000 pods of 50 namespaces, 500 policies, every ordered pair, three ports. The cluster is generated, the same each time:
ten applications a namespace of ten pods each, in two tiers, of which each policy selects one and names others in every
form that the API has. Each measurement is a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bench.row import Row
from launchbook.isolation.reach import Pod, World
from launchbook.isolation.table import Table

NAMESPACES, APPS, REPLICAS, POLICIES = 50, 10, 10, 500
PORTS = (("TCP", 5432), ("TCP", 8080), ("UDP", 53))
TIME_LIMIT = 10.0  # s
MEMORY_LIMIT = 1024.0  # MiB, the interpreter and its libraries included
GROWTH_LIMIT = 1.5  # of the time, with twice the pods; by pairs it would be 4
TIMES = 3  # measurements, of which the median counts


def rows() -> list[Row]:
    """Time and peak memory against their limits, and twice the pods against once."""
    once, twice = (sorted((_measure(n) for _ in range(TIMES)), key=lambda m: m["seconds"])[1] for n in (1, 2))
    assert (once["pods"], twice["pods"]) == (5000, 10000)
    work = f"reach, {once['pods']:,} pods, {POLICIES} policies, {once['pairs']:,} pairs x {len(PORTS)} ports"
    return [
        Row(f"{work}, {once['classes']} classes", once["seconds"], TIME_LIMIT),
        Row(f"{work}, peak memory", once["mebibytes"], MEMORY_LIMIT, "MiB"),
        Row("reach, twice the pods", twice["seconds"], once["seconds"], peer="once", limit=GROWTH_LIMIT),
    ]


def _measure(times: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.reach", str(times)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[1])
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main(times: int) -> None:
    """Prints what computing a cluster with `times` as many replicas took, as JSON."""
    world, pods = cluster(times)
    began = time.perf_counter()
    table = Table(world, pods)
    sizes = table.classes.sizes
    counts = {}
    for protocol, port in PORTS:
        allowed = table.answers(protocol).allowed(port)
        # Every pair of different pods, by how many of them two classes stand for.
        weights = np.outer(sizes, sizes) - np.diag(sizes)
        counts[f"{protocol} {port}"] = {value: int(weights[allowed == value].sum()) for value in (1, 0, -1)}
    seconds = time.perf_counter() - began
    pairs = len(pods) * (len(pods) - 1)
    assert all(sum(found.values()) == pairs for found in counts.values())
    print(
        json.dumps(
            {
                "seconds": seconds,
                "mebibytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                "pods": len(pods),
                "pairs": pairs,
                "classes": len(sizes),
                "counts": counts,
            }
        )
    )


def cluster(times: int = 1, seed: int = 4) -> tuple[World, list[Pod]]:
    """The world and its pods, with `times` the replicas of each application."""
    chosen = random.Random(seed)
    namespaces = {f"n{n}": {"team": f"t{n % 10}", "stage": ("prod", "test")[n % 2]} for n in range(NAMESPACES)}
    pods = [
        Pod(
            f"{namespace}/a{app}-{replica}",
            namespace,
            {"app": f"a{app}", "tier": ("front", "back")[app % 2], "pod": f"{namespace}-a{app}-{replica}"},
            (("main", "TCP", 8080 if app % 2 else 5432), ("dns", "UDP", 53)),
            host_network=app == 9 and replica % 10 == 9,
        )
        for namespace in namespaces
        for app in range(APPS)
        for replica in range(REPLICAS * times)
    ]
    policies = tuple(_policy(f"p{n}", f"n{n % NAMESPACES}", chosen) for n in range(POLICIES))
    return World(policies, namespaces, ("10.0.0.0/8",)), pods


def _policy(name: str, namespace: str, chosen: random.Random) -> dict[str, Any]:
    def rules(side: str) -> list[dict[str, Any]]:
        return [
            {side: list(_peers(chosen)), "ports": list(_ports(chosen))} if chosen.random() < 0.9 else {}
            for _ in range(chosen.randint(1, 3))
        ]

    spec = {"podSelector": _selector(chosen), "policyTypes": ["Ingress"], "ingress": rules("from")}
    if chosen.random() < 0.3:
        spec |= {"policyTypes": ["Ingress", "Egress"], "egress": rules("to")}
    return {"metadata": {"name": name, "namespace": namespace}, "spec": spec}


def _selector(chosen: random.Random) -> dict[str, Any]:
    app, tier = f"a{chosen.randrange(APPS)}", chosen.choice(["front", "back"])
    return chosen.choice(
        [
            {},
            {"matchLabels": {"app": app}},
            {"matchLabels": {"tier": tier}},
            {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": [app]}]},
            {
                "matchLabels": {"tier": tier},
                "matchExpressions": [{"key": "app", "operator": "In", "values": [app, "a1"]}],
            },
        ]
    )


def _peers(chosen: random.Random) -> Iterator[dict[str, Any]]:
    for _ in range(chosen.randint(1, 3)):
        team = {"namespaceSelector": {"matchLabels": {"team": f"t{chosen.randrange(10)}"}}}
        name = {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": f"n{chosen.randrange(NAMESPACES)}"}}
        }
        block = {"ipBlock": {"cidr": f"{chosen.choice([10, 203])}.0.0.0/8", "except": ["10.1.0.0/16"]}}
        if "203" in block["ipBlock"]["cidr"]:
            del block["ipBlock"]["except"]
        yield chosen.choice(
            [{"podSelector": _selector(chosen)}, team, name, {**team, "podSelector": _selector(chosen)}, block]
        )


def _ports(chosen: random.Random) -> Iterator[dict[str, Any]]:
    for _ in range(chosen.randint(1, 2)):
        yield chosen.choice(
            [
                {"port": 5432},
                {"port": "main"},
                {"port": chosen.randrange(8000, 8100), "endPort": 8100},
                {"port": "dns", "protocol": "UDP"},
                {"port": chosen.randrange(1, 60000)},
            ]
        )


if __name__ == "__main__":
    main(int(sys.argv[1]))
