"""A run without a folder, for tests that plan, apply and undo as the lab's admin."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from launchbook.cluster import Cluster
from launchbook.parameters import Cluster as Where
from launchbook.parameters import Manifests


@dataclass
class FakeRun:
    """What plan(), apply(), undo(), wait() and policies() need of a run."""

    cluster: Cluster
    parameters: Any
    kept: dict[str, Any] = field(default_factory=dict)
    interactive: bool = False

    def evidence(self, file: str, data: Any) -> str:
        self.kept[file] = json.loads(json.dumps(data))
        return file

    def read(self, file: str) -> Any:
        return self.kept.get(file)

    def progress(self, text: str, fraction: float | None = None) -> None:
        assert text

    def allowed(self, act: str) -> bool:
        return act == "apply"

    def require(self, act: str) -> None:
        assert act == "apply"


def run_with(lab: Any, path: Path, *namespaces: str, **given: Any) -> Any:
    """As the cluster's admin."""
    parameters = Manifests(path=path, namespaces=namespaces, ready_timeout="90s", **given)
    cluster = Cluster.connect(Where(context=lab.name, kubeconfig=lab.kubeconfig))
    return FakeRun(cluster, type("P", (), {"manifests": parameters}))
