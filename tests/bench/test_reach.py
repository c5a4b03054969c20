"""The generated cluster that reach is measured on: its size, and answers that hold for single pairs too."""

from __future__ import annotations

import random

from bench.reach import NAMESPACES, PORTS, cluster

from launchbook.isolation.reach import reach
from launchbook.isolation.table import Table


def test_what_is_measured_is_right() -> None:
    """5,000 pods, 500 policies, 50 namespaces; of 300 pairs each the same sentence and ports as asked alone."""
    world, pods = cluster()
    assert (len(pods), len(world.policies), len(world.namespaces)) == (5000, 500, NAMESPACES)
    assert cluster()[0] == world
    table, chosen = Table(world, pods), random.Random(1)
    for _ in range(300):
        one, other = chosen.sample(range(len(pods)), 2)
        for protocol in {protocol for protocol, _ in PORTS}:
            assert table.answer(one, other, protocol) == reach(world, pods[one], pods[other], protocol)


def test_twice_the_pods_are_no_more_classes() -> None:
    """Replicas differ in their names and a label that no policy looks at."""
    once, twice = (Table(*cluster(times)).classes for times in (1, 2))
    assert len(twice.of) == 2 * len(once.of)
    assert len(twice.ends) == len(once.ends) < 1000
