"""The ends of a declared edge as the cluster has them."""

from __future__ import annotations

from typing import Any

import pytest

from launchbook.isolation.observe import source_of
from launchbook.parameters import Source


def pod(namespace: str, host: bool, **labels: str) -> dict[str, Any]:
    return {
        "metadata": {"name": "p", "namespace": namespace, "labels": labels},
        "spec": {"containers": [], "hostNetwork": host},
    }


@pytest.mark.parametrize(
    ("labels", "pods", "expected"),
    [
        ({"app": "x"}, [], False),
        ({"app": "x"}, [pod("a", True, app="x", more="y")], True),
        ({"app": "x"}, [pod("a", False, app="x"), pod("a", True, app="x")], True),
        ({"app": "x"}, [pod("a", False, app="x")], False),
        ({"app": "x"}, [pod("a", True, app="y")], False),
        ({"app": "x"}, [pod("b", True, app="x")], False),
        ({}, [pod("a", True, app="x")], False),
    ],
)  # fmt: skip
def test_a_source_on_its_nodes_network(labels: Any, pods: Any, expected: bool) -> None:
    """A probe pod with its labels is not, so what the policies say of it must not stand for those that are."""
    assert source_of(Source(namespace="a", labels=labels), pods).host_network is expected
