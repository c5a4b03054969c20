"""Which containers' logs are followed while a load runs."""

from __future__ import annotations

from typing import Any

from launchbook.followers import open_followers


class Listed:
    """A cluster that lists the given pods in each namespace."""

    def __init__(self, *pods: dict[str, Any]) -> None:
        self.pods = list(pods)

    def list(self, kind: str, namespace: str) -> list[dict[str, Any]]:
        assert kind == "Pod"
        return [pod for pod in self.pods if pod["metadata"]["namespace"] == namespace]


def pod(name: str, phase: str = "Running", **metadata: Any) -> dict[str, Any]:
    containers = [{"name": "web"}, {"name": "proxy"}]
    return {
        "metadata": {"name": name, "namespace": "shop", **metadata},
        "status": {"phase": phase},
        "spec": {"containers": containers},
    }


def test_pods_that_are_gone_before_the_load_are_not_missed() -> None:
    """One on its way out when the load begins takes no part in it, nor do those that ended or are a run's own."""
    pods = Listed(
        pod("stays"),
        pod("leaves", deletionTimestamp="2026-01-01T00:00:00Z"),
        pod("ended", phase="Succeeded"),
        pod("ours", labels={"launchbook.io/run": "r"}),
    )
    followers = open_followers(pods, ["shop", "empty"], "launchbook.io/run")  # type: ignore[arg-type]
    assert followers.unfollowed(["shop", "empty"], "launchbook.io/run") == []
    pods.pods.append(pod("came"))
    assert followers.unfollowed(["shop"], "launchbook.io/run") == [
        "shop/came web: it started later", "shop/came proxy: it started later",
    ]  # fmt: skip
