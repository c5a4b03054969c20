"""What undo does of a run's journal, with no cluster: the order, and what it leaves alone."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from launchbook.errors import ClusterError, MissingRight, NotAllowed
from launchbook.manifests.undoing import take_back
from launchbook.parameters import Manifests

APPLIED = [{"manager": "launchbook", "operation": "Apply", "time": "1", "fieldsV1": {"f:data": {"f:a": {}}}}]


def entry(kind: str, name: str, action: str = "created", before: Any = None, uid: str | None = "u") -> dict[str, Any]:
    after = None if uid is None else {"uid": uid, "managedFields": APPLIED}
    place = None if kind == "Namespace" else "s"
    return {"apiVersion": "v1", "kind": kind, "namespace": place, "name": name, "action": action, "because": "", "before": before, "after": after}  # fmt: skip


GIVEN = Manifests(path=Path("m"), namespaces=("s",), cluster_objects=("IngressClass/ours",), ready_timeout=1.0)


class Cluster:
    """Has every object of `there` (name -> uid), and deletes all but those in `keeping`."""

    identity = SimpleNamespace(uid="here")

    def __init__(self, there: dict[str, str], *keeping: str) -> None:
        self.there, self.keeping, self.deleted = there, keeping, list[str]()

    def get(self, kind: str, name: str, namespace: str | None = None, *, api_version: str = "v1") -> Any:
        if name not in self.there:
            return None
        return {"kind": kind, "metadata": {"name": name, "uid": self.there[name], "managedFields": APPLIED}}

    def delete(self, kind: str, name: str, namespace: str | None, **_: Any) -> bool:
        if name in self.keeping:
            raise MissingRight(f"cannot delete {kind}")
        self.deleted.append(f"{kind}/{name}")
        return True

    def resource(self, api_version: str, kind: str) -> Any:
        return SimpleNamespace(namespaced=kind not in ("Namespace", "ClusterRole"))

    def wait(self, *_: Any, **__: Any) -> None:
        """It is gone at once."""

    def listable(self) -> tuple[tuple[str, str], ...]:
        return (("v1", "ConfigMap"), ("v1", "Secret"))

    def list(self, kind: str, namespace: str | None, **_: Any) -> list[Any]:
        found = [name for name in self.there if name.startswith(kind.lower())]
        return [{"metadata": {"name": name}} for name in found]


def undone(
    cluster: Cluster, *entries: dict[str, Any], journal_of: str = "here", **options: Any
) -> dict[str, tuple[str, str]]:
    steps = {f"{e['kind']}/{e['name']}": e for e in entries}
    options = {"even_if_changed": False, "tell": lambda text: None, **options}
    frame = take_back(cluster, {"cluster": journal_of, "steps": steps}, GIVEN, **options)  # type: ignore[arg-type]
    return {r["object"].rpartition("/")[2]: (r["action"], r["because"]) for r in frame.to_dict("records")}


def test_what_was_created_goes_in_reverse() -> None:
    """Pods, then policies, then configuration, the namespace last."""
    names = {"d": "Deployment", "n": "NetworkPolicy", "c": "ConfigMap", "s": "Namespace"}
    cluster = Cluster(dict.fromkeys(names, "u"))
    found = undone(cluster, *(entry(kind, name) for name, kind in names.items()))
    assert {action for action, _ in found.values()} == {"deleted"}
    assert cluster.deleted == ["Deployment/d", "NetworkPolicy/n", "ConfigMap/c", "Namespace/s"]


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"namespace": "kube-system"}, "ConfigMap/kube-system/c"),
        ({"kind": "Namespace", "namespace": None, "name": "default"}, "Namespace/default"),
        ({"kind": "IngressClass", "namespace": None, "name": "theirs"}, "IngressClass/theirs"),
        ({"kind": "ClusterRole"}, "ClusterRole/s/c"),
        ({"action": "changed", "before": {"kind": "ConfigMap", "metadata": {"name": "c", "namespace": "t"}}}, "ConfigMap/s/c"),
        ({"action": "changed", "before": {"kind": "Secret", "metadata": {"name": "c", "namespace": "s"}}}, "ConfigMap/s/c"),
    ],
)  # fmt: skip
def test_a_journal_that_names_what_no_run_could_write_is_refused(changed: dict[str, Any], named: str) -> None:
    """Even with the right UID, and beside what the run did write."""
    cluster = Cluster({"c": "u", "d": "u", "default": "u", "theirs": "u"})
    with pytest.raises(NotAllowed, match=re.escape(f"the journal names {named}, which is outside")):
        undone(cluster, entry("Deployment", "d"), {**entry("ConfigMap", "c"), **changed}, even_if_changed=True)
    assert cluster.deleted == []


def test_policies_outlive_the_pods_that_they_protect() -> None:
    """A workload that can't be deleted keeps them."""
    cluster = Cluster({"d": "u", "n": "u"}, "d")
    found = undone(cluster, entry("Deployment", "d"), entry("NetworkPolicy", "n"))
    assert found["n"] == ("not undone", "Deployment/s/d is not gone, and may need it.")
    assert cluster.deleted == []


@pytest.mark.parametrize("held", ["configmap-theirs", "secret-theirs"])
def test_a_namespace_that_holds_something_else_is_kept(held: str) -> None:
    """Whoever put it there."""
    found = undone(Cluster({"s": "u", held: "x"}), entry("Namespace", "s"))
    assert found["s"][0] == "kept"
    assert found["s"][1].endswith(f"{held}.")


@pytest.mark.parametrize(
    ("step", "there", "said"),
    [
        (entry("PersistentVolumeClaim", "x"), {"x": "u"}, ("kept", "Deleting it would delete the data written since; delete it by hand.")),
        (entry("Secret", "x", "changed", {"metadata": {}}), {"x": "u"}, ("not undone", "A Secret's former values are never written down; apply them from their source.")),
        (entry("ConfigMap", "x"), {"x": "other"}, ("not undone", "Another object has this name now; it is none of the run's.")),
        (entry("ConfigMap", "x"), {}, ("deleted", "It was gone already.")),
        (entry("ConfigMap", "x", "changed", {"metadata": {}}), {}, ("not undone", "Somebody has deleted it since; apply it from its source.")),
        (entry("Job", "x"), {"x": "u"}, ("deleted", "What it has done stays done.")),
    ],
)  # fmt: skip
def test_what_cannot_be_undone_is_said(step: Any, there: Any, said: Any) -> None:
    """And nothing of it is guessed."""
    assert undone(Cluster(there), step)["x"] == said


def test_a_run_that_broke_off_undoes_nothing_by_guess() -> None:
    """Of an object whose outcome was never written, it is not known whose it is."""
    cluster = Cluster({"x": "u"})
    with pytest.raises(ClusterError, match="the run ended before it knew whether it had changed ConfigMap/s/x"):
        undone(cluster, entry("ConfigMap", "x", uid=None))
    told = undone(cluster, entry("ConfigMap", "x", uid=None), even_if_changed=True)
    assert (told["x"][0], cluster.deleted) == ("not undone", [])


def test_another_cluster_is_left_alone() -> None:
    """By the UID that the run has seen."""
    with pytest.raises(ClusterError, match=r"this is cluster here, the run changed there\. Nothing was changed"):
        undone(Cluster({"x": "u"}), entry("ConfigMap", "x"), journal_of="there")
