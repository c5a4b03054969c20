"""What killed runs left is named by the next run and taken away on demand; a running run's is left alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from memory import Memory
from runs import environment

from launchbook.cluster import Cluster
from launchbook.errors import ClusterError, NotAllowed
from launchbook.interactive import left_behind
from launchbook.leasing import Holder, leased
from launchbook.sweep import orphans, sweep, told
from launchbook.sweep_command import command


def item(kind: str, name: str, run: str | None) -> dict[str, Any]:
    labels = {"launchbook.io/run": run} if run else {"app": "theirs"}
    return {"kind": kind, "metadata": {"name": name, "namespace": "load", "labels": labels}}


class Stubborn(Memory):
    """Keeps its ConfigMaps."""

    def delete(self, kind: str, name: str, namespace: str | None = None, **fields: Any) -> bool:
        if kind == "ConfigMap":
            raise ClusterError("it is forbidden")
        return super().delete(kind, name, namespace, **fields)


@pytest.fixture
def memory() -> Memory:
    return planted(Memory())


def planted(memory: Memory) -> Memory:
    """Of a run `dead`, of a run `live`, and of nobody's."""
    for one in (
        item("Pod", "generator", "dead"), item("ConfigMap", "generator", "dead"), item("Pod", "other", "older"),
        item("Pod", "probe", "live"), item("Pod", "api", None),
    ):  # fmt: skip
        memory.create(one)
    return memory


def do(
    monkeypatch: pytest.MonkeyPatch, memory: Memory, tmp_path: Path, run: str | None = None, confirm: str | None = None,
    **changes: Any,
) -> tuple[str, int]:  # fmt: skip
    """The command, while run `live` is at work."""
    monkeypatch.setattr(Cluster, "connect", lambda parameters: memory)
    resolved = environment(tmp_path, **changes)
    path = tmp_path / "environment.yaml"
    path.write_text(resolved.to_yaml())
    with leased(cast(Cluster, memory), environment(tmp_path / "live").environment, Holder("live", "sre@ci-1")):
        return command(path, run=run, confirm=confirm)


def pods(memory: Memory) -> list[str]:
    return [one["metadata"]["name"] for one in memory.list("Pod")]


def test_the_next_run_names_what_was_left(memory: Memory, tmp_path: Path) -> None:
    """With the command that removes it, and not a word of a run that is at work."""
    cluster = cast(Cluster, memory)
    with leased(cluster, environment(tmp_path).environment, Holder("live", "sre@ci-1")):
        assert told(orphans(cluster, "launchbook"), Path("lab.yaml")) == [
            "run dead is over and left Pod/load/generator, ConfigMap/load/generator",
            "run older is over and left Pod/load/other",
            "  `launchbook sweep lab.yaml` removes it",
        ]
    assert told([], Path("lab.yaml")) == []


def test_a_run_by_hand_names_what_was_left(monkeypatch: pytest.MonkeyPatch, memory: Memory, tmp_path: Path) -> None:
    """As a batch does; a cluster that can't be asked is said, and keeps nobody from the notebooks."""
    resolved = environment(tmp_path)
    monkeypatch.setattr(Cluster, "connect", lambda parameters: memory)
    with leased(cast(Cluster, memory), resolved.environment, Holder("live", "sre@ci-1")):
        assert left_behind(resolved, Path("lab.yaml")) == [
            "run dead is over and left Pod/load/generator, ConfigMap/load/generator",
            "run older is over and left Pod/load/other",
            "  `launchbook sweep lab.yaml` removes it",
        ]

    def unreachable(parameters: object) -> Cluster:
        raise ClusterError("no route")

    monkeypatch.setattr(Cluster, "connect", unreachable)
    assert left_behind(resolved, Path("lab.yaml")) == ["what earlier runs left is not known: no route"]


def test_a_run_sweeps_only_its_own(memory: Memory) -> None:
    assert sweep(cast(Cluster, memory), "dead") == ["Pod/load/generator", "ConfigMap/load/generator"]
    assert pods(memory) == ["other", "probe", "api"]


def test_sweep_deletes_what_no_running_run_made(
    monkeypatch: pytest.MonkeyPatch, memory: Memory, tmp_path: Path
) -> None:
    text, code = do(monkeypatch, memory, tmp_path)
    assert (text.splitlines(), code) == (
        [
            "Pod/load/generator of run dead: deleted",
            "Pod/load/other of run older: deleted",
            "ConfigMap/load/generator of run dead: deleted",
        ],
        0,
    )
    assert pods(memory) == ["probe", "api"]
    assert do(monkeypatch, memory, tmp_path) == ("Nothing is left of any run that is over.", 0)


def test_sweep_of_one_run(monkeypatch: pytest.MonkeyPatch, memory: Memory, tmp_path: Path) -> None:
    assert do(monkeypatch, memory, tmp_path, run="older") == ("Pod/load/other of run older: deleted", 0)
    assert do(monkeypatch, memory, tmp_path, run="older") == ("Nothing is left of run older.", 0)
    assert pods(memory) == ["generator", "probe", "api"]


def test_what_can_not_be_deleted_is_exit_1(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The rest goes all the same."""
    memory = planted(Stubborn())
    text, code = do(monkeypatch, memory, tmp_path)
    assert code == 1
    assert "ConfigMap/load/generator of run dead: could not be deleted: it is forbidden" in text.splitlines()
    assert pods(memory) == ["probe", "api"]


@pytest.mark.parametrize(
    ("given", "changes", "said"),
    [
        ({"run": "live"}, {}, "run live is at work: it holds Leases in namespace launchbook. Stop it"),
        ({}, {"allow": []}, "nothing may be done in environment 'mini': its parameters' `allow:` is empty"),
        ({}, {"cluster.protected": True}, "'mini' is protected: pass `--confirm mini`"),
        ({"confirm": "mine"}, {"cluster.protected": True}, "'mini' is protected: pass `--confirm mini`"),
        (
            {"confirm": "prod"},
            {},
            "confirm names 'prod', and these are the parameters of 'mini', which is not protected",
        ),
    ],
    ids=["running", "nothing allowed", "protected", "mistyped", "another"],
)
def test_sweep_is_refused(
    monkeypatch: pytest.MonkeyPatch, memory: Memory, tmp_path: Path, given: dict[str, str], changes: dict[str, Any],
    said: str,
) -> None:  # fmt: skip
    with pytest.raises(NotAllowed) as caught:
        do(monkeypatch, memory, tmp_path, **given, **changes)
    assert said in str(caught.value)
    assert str(caught.value).endswith("Nothing was changed.")
    assert pods(memory) == ["generator", "other", "probe", "api"]
