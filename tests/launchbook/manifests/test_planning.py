"""A plan and its digest, and applying it phase by phase, with no cluster."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from launchbook.discovery import Resource
from launchbook.errors import ClusterError, ConflictError
from launchbook.manifests import act
from launchbook.manifests.answers import Answer
from launchbook.manifests.observe import Rendered
from launchbook.manifests.order import phases
from launchbook.manifests.planning import Plan, Step, _may_force, read


def thing(kind: str, name: str = "x", version: str = "v1", **fields: Any) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": "s"}, **fields}


def live(item: dict[str, Any], version: str = "1", status: str = "a") -> dict[str, Any]:
    return {**item, "metadata": {**item["metadata"], "resourceVersion": version, "uid": version}, "status": status}


def digest(*steps: Step, cluster: str = "uid") -> str:
    return Plan(steps, cluster).digest


CONFIG = thing("ConfigMap", data={"a": "1"})
SECRET = thing("Secret", data={"a": "MQ=="})


def test_a_digest_names_one_plan() -> None:
    """What is wanted, what is there and what becomes of it, on this cluster; not its status or version."""
    plan = digest(Step(CONFIG, "changed", live=live(CONFIG)))
    assert plan == digest(Step(CONFIG, "changed", live=live(CONFIG, "2", "b")))
    others = [
        digest(Step(CONFIG, "changed", live=live(CONFIG)), cluster="other"),
        digest(Step(CONFIG, "forced", live=live(CONFIG))),
        digest(Step(CONFIG, "changed", live=live({**CONFIG, "data": {"a": "2"}}))),
        digest(Step({**CONFIG, "data": {"a": "2"}}, "changed", live=live(CONFIG))),
        digest(Step(CONFIG, "changed", live=live(CONFIG)), Step(SECRET, "created")),
        digest(),
    ]
    assert len({plan, *others}) == 7


def test_a_secrets_values_are_part_of_what_is_approved() -> None:
    """Wanted and live, and its annotations that repeat them."""
    steps = [
        Step(SECRET, "changed", live=live(SECRET)),
        Step({**SECRET, "data": {"a": "Mg=="}}, "changed", live=live(SECRET)),
        Step(SECRET, "changed", live=live({**SECRET, "data": {"a": "Mg=="}})),
        Step({**SECRET, "stringData": {"a": "2"}}, "changed", live=live(SECRET)),
    ]
    assert len({digest(step) for step in steps}) == 4


@pytest.mark.parametrize(
    ("force", "fields", "may"),
    [
        ((), (".a",), False),
        (("ConfigMap/s/x",), (".a", ".b"), True),
        (("ConfigMap/s/x .a",), (".a",), True),
        (("ConfigMap/s/x .a",), (".a", ".b"), False),
        (("ConfigMap/s/x .a .b",), (".a", ".b"), True),
        (("ConfigMap/s/x .a", "ConfigMap/s/x .b"), (".a", ".b"), True),
        (("ConfigMap/s/y",), (".a",), False),
    ],
)
def test_force_is_for_what_it_names(force: Any, fields: Any, may: bool) -> None:
    """An object, or fields of it, all of them."""
    assert _may_force(force, "ConfigMap/s/x", Answer("conflict", "", fields)) is may


def test_phases() -> None:
    """Policies, of other APIs too, stand before the pods; what is not known comes last with them."""
    kinds = [
        "Deployment",
        "Widget",
        "CiliumNetworkPolicy",
        "Service",
        "ConfigMap",
        "Namespace",
        "Role",
        "CustomResourceDefinition",
    ]
    assert [[o["kind"] for o in part] for part in phases([thing(kind) for kind in kinds])] == [
        ["Namespace", "CustomResourceDefinition"], ["ConfigMap", "Role"], ["CiliumNetworkPolicy", "Service"], ["Deployment", "Widget"],
    ]  # fmt: skip


class Cluster:
    """Applies what it is told, and remembers in which order; refuses the names in `refusing`."""

    def __init__(self, *refusing: str, there: dict[str, Any] | None = None) -> None:
        self.refusing, self.there, self.order, self._lock = refusing, there or {}, [], threading.Lock()

    def get(self, kind: str, name: str, namespace: str | None = None, *, api_version: str = "v1") -> Any:
        return self.there.get(name)

    def resource(self, api_version: str, kind: str) -> Resource:
        return Resource(f"{kind.lower()}s", True, "")

    def list(self, kind: str, *_: Any, **__: Any) -> list[Any]:
        raise ClusterError("not allowed to list")

    def apply(self, item: dict[str, Any], *, dry_run: bool = False, force: bool = False, tried: bool = False) -> Any:
        with self._lock:
            self.order.append((item["kind"], item["metadata"]["name"], force))  # type: ignore[attr-defined]
        if item["metadata"]["name"] in self.refusing:
            raise ConflictError("somebody was quicker")
        return live(item)


def run(cluster: Cluster, approved: str | None = None, interactive: bool = False) -> Any:
    """Of a protected environment."""
    kept: dict[str, Any] = {}
    given = SimpleNamespace(namespaces=("s",), cluster_objects=(), force=(), approved_plan=approved)
    return SimpleNamespace(
        cluster=cluster, parameters=SimpleNamespace(manifests=given, cluster=SimpleNamespace(protected=True)),
        interactive=interactive, allowed=lambda act: True, require=lambda act: None,
        evidence=kept.__setitem__, read=kept.get, progress=lambda *_: None, kept=kept,
    )  # fmt: skip


OBJECTS = [
    thing("ConfigMap", "c"),
    thing("NetworkPolicy", "n"),
    thing("Service", "s"),
    thing("Deployment", "d", "apps/v1"),
]


def applied(cluster: Cluster, *steps: Step, approved: str | None = None) -> tuple[act.Applied, Any]:
    given = run(cluster, approved)
    return act.apply(given, Rendered(tuple(step.item for step in steps)), Plan(steps, "uid")), given


def test_no_pod_starts_without_its_policy() -> None:
    """A phase in which something is refused is ended, the later ones are not begun."""
    cluster = Cluster("n")
    done, given = applied(cluster, *(Step(item, "created") for item in OBJECTS))
    assert done.frame["action"].tolist() == ["created", "refused", "created", "not tried"]
    assert next(kind for kind, *_ in cluster.order) == "ConfigMap"
    assert "Deployment" not in [kind for kind, *_ in cluster.order]
    journal = given.kept["manifests/undo.json"]["steps"]
    assert {o.rpartition("/")[2]: bool(step["after"]) for o, step in journal.items()} == {
        "c": True,
        "n": False,
        "s": True,
        "d": False,
    }


def test_only_what_differs_is_sent_and_only_what_may_be_is_forced() -> None:
    """Nothing is forced beside what was planned so."""
    there = {"c": live(OBJECTS[0]), "n": live(OBJECTS[1]), "s": live(OBJECTS[2])}
    cluster = Cluster(there=there)
    steps = [
        Step(OBJECTS[0], "unchanged", live=there["c"]),
        Step(OBJECTS[1], "forced", live=there["n"]),
        Step(OBJECTS[2], "changed", live=there["s"]),
    ]
    done, _ = applied(cluster, *steps)
    assert done.frame["action"].tolist() == ["unchanged", "forced", "changed"]
    assert sorted(cluster.order) == [("NetworkPolicy", "n", True), ("Service", "s", False)]


@pytest.mark.parametrize(
    ("steps", "approved", "there", "why"),
    [
        ([Step(OBJECTS[0], "created")], "sha256:0", {}, "The plan that was approved is sha256:0, this one is sha256:"),
        ([Step(OBJECTS[0], "created"), Step(OBJECTS[1], "refused", "no", blocks=True)], None, {}, "1 object can't be applied, the first is NetworkPolicy/s/n: no"),
        ([Step(OBJECTS[0], "created")], None, {"c": live(OBJECTS[0])}, "ConfigMap/s/c was changed since the plan was made. Make the plan again, and read it."),
        ([Step(thing("Pod", "p") | {"metadata": {"name": "p", "namespace": "s", "labels": {"launchbook.io/run": "x"}}}, "created")], None, {}, "Pod/s/p holds the label launchbook.io/run, by which it would be taken for the run's own."),
        ([Step(thing("Role", "r") | {"metadata": {"name": "r", "namespace": "other"}}, "created")], None, {}, "Role/other/r is outside the namespaces under launch."),
        ([Step(thing("ClusterRole", "r") | {"metadata": {"name": "r"}}, "created")], None, {}, "ClusterRole/r is outside the namespaces under launch."),
    ],
)  # fmt: skip
def test_what_stands_against_it_is_said_and_nothing_is_sent(steps: Any, approved: Any, there: Any, why: str) -> None:
    """Before the first object."""
    cluster = Cluster(there=there)
    done, given = applied(cluster, *steps, approved=approved)
    assert done.refusal is not None
    assert done.refusal.startswith(why)
    assert (cluster.order, done.frame.empty, given.kept) == ([], True, {})


def test_a_person_who_reads_a_plan_is_asked_before_it_is_applied() -> None:
    """In JupyterLab, of a protected environment: by a tick below the plan, or by the parameter."""
    step = Step(OBJECTS[0], "created")
    plan, rendered = Plan([step], "uid"), Rendered((step.item,))
    said = "The plan was not approved. Read it, tick the box below it, and run this cell again. Nothing was changed."
    cluster = Cluster()
    asking = run(cluster, interactive=True)
    approval = act.approve(asking, plan)
    assert act.apply(asking, rendered, plan, approval).refusal == said
    assert act.apply(asking, rendered, plan).refusal == said
    assert cluster.order == []
    approval._ipython_display_()
    approval._widget.value = True
    later = Plan([Step(OBJECTS[1], "created")], "uid")
    assert act.apply(asking, Rendered((OBJECTS[1],)), later, approval).refusal == said
    assert act.apply(asking, rendered, plan, approval).refusal is None
    other = act.approve(run(Cluster(), approved="sha256:0", interactive=True), plan)
    assert not other.given
    assert act.approve(run(Cluster(), approved=plan.digest, interactive=True), plan).given
    assert act.approve(run(Cluster()), plan).given


def test_what_can_not_be_listed_is_read_one_by_one() -> None:
    """The right to list is asked for nowhere else."""
    objects = [thing("ConfigMap", f"c{n}") for n in range(9)]
    there = read(Cluster(there={"c3": live(objects[3])}), objects)  # type: ignore[arg-type]
    assert {o for o, item in there.items() if item} == {"ConfigMap/s/c3"}
    assert len(there) == 9
