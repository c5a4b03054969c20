"""Plan, approve, apply and undo on a real API server: what it says of each object, and that nothing else is done."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from environments import ROOT
from tests.lab.fake_run import FakeRun, run_with

from launchbook import manifests
from launchbook.cluster import Cluster
from launchbook.errors import BadCredentials, ClusterError, ParametersError
from launchbook.manifests import planning
from launchbook.manifests.diff import shown
from launchbook.parameters import Cluster as Where

pytestmark = pytest.mark.lab
SPACE = "launchbook-undo"
PLURAL = "widgets.launchbook.example"


def item(kind: str, name: str, version: str = "v1", namespace: str | None = SPACE, **fields: Any) -> dict[str, Any]:
    place = {"namespace": namespace} if namespace else {}
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, **place}, **fields}


def space(name: str = SPACE) -> dict[str, Any]:
    return item("Namespace", name, namespace=None)


def config(name: str, **data: str) -> dict[str, Any]:
    return item("ConfigMap", name, data=data)


def web(replicas: int | None = 1, app: str = "web", **env: str) -> dict[str, Any]:
    container = {
        "name": "web", "image": "lab.local/busybox:1", "imagePullPolicy": "IfNotPresent", "command": ["sleep", "3600"],
        "env": [{"name": k, "value": v} for k, v in env.items()],
    }  # fmt: skip
    labels = {"app": app}
    spec = {
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"terminationGracePeriodSeconds": 0, "containers": [container]}},
    }  # fmt: skip
    return item("Deployment", "web", "apps/v1", spec=spec if replicas is None else {"replicas": replicas, **spec})


def write(folder: Path, *objects: dict[str, Any]) -> Path:
    (folder / "all.yaml").write_text(yaml.safe_dump_all(objects))
    return folder


def planned(run: Any, *objects: dict[str, Any]) -> Any:
    """(rendered, plan) of these objects, through their file."""
    write(run.parameters.manifests.path, *objects)
    rendered = manifests.render(run)
    assert rendered.problem is None, rendered.problem
    return rendered, manifests.plan(run, rendered)


def applied(run: Any, *objects: dict[str, Any]) -> Any:
    rendered, plan = planned(run, *objects)
    done = manifests.apply(run, rendered, plan)
    return done.refusal or dict(zip(done.frame["object"], done.frame["action"], strict=True))


@pytest.fixture
def folder(lab: Any, tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    lab.kubectl("delete", "namespace", SPACE, "--ignore-not-found", timeout=180)
    lab.kubectl("delete", "customresourcedefinition", PLURAL, "--ignore-not-found")


@pytest.fixture
def run(lab: Any, folder: Path) -> Any:
    return run_with(lab, folder, SPACE)


def test_a_plan_says_what_becomes_of_each_object(run: Any, lab: Any, folder: Path) -> None:
    """Changed, unchanged, immutable, in conflict, forced, left behind: each with its reason, and nothing is applied."""
    applied(run, space(), config("same", a="1"), config("other", a="1"), web())
    lab.kubectl("-n", SPACE, "create", "configmap", "theirs", "--from-literal=a=1", "--field-manager=somebody")
    old = yaml.safe_dump({**config("old", a="1", b="1")})
    lab.kubectl("apply", "-f", "-", stdin=old)
    objects = [
        space(),
        config("same", a="1"),
        config("other", a="2"),
        config("theirs", a="2"),
        config("old", a="1"),
        web(app="x"),
    ]
    rendered, plan = planned(run, *objects)
    rows = {r["object"]: r for r in plan.frame.to_dict("records")}
    actions = {o.rpartition("/")[2]: r["action"] for o, r in rows.items()}
    assert actions == {
        SPACE: "unchanged", "same": "unchanged", "other": "changed", "theirs": "refused", "old": "changed", "web": "immutable",
    }  # fmt: skip
    assert "-  a: '1'\n+  a: '2'" in rows[f"ConfigMap/{SPACE}/other"]["diff"]
    assert ".data.a is owned by somebody, who says something else." in rows[f"ConfigMap/{SPACE}/theirs"]["because"]
    assert rows[f"Deployment/{SPACE}/web"]["because"].startswith(
        ".spec.selector can't be changed once the object is there"
    )
    assert (
        "client-side, and data.b, which the manifests no longer hold, would stay"
        in rows[f"ConfigMap/{SPACE}/old"]["kept"]
    )
    refused = manifests.apply(run, rendered, plan)
    assert refused.refusal is not None
    assert "2 objects can't be applied" in refused.refusal
    assert run.cluster.get("ConfigMap", "other", SPACE)["data"] == {"a": "1"}
    forcing = run_with(lab, folder, SPACE, force=(f"ConfigMap/{SPACE}/theirs .data.a",))
    assert applied(forcing, space(), config("theirs", a="2")) == {
        f"Namespace/{SPACE}": "unchanged",
        f"ConfigMap/{SPACE}/theirs": "forced",
    }
    (row,) = manifests.undo(forcing).to_dict("records")
    assert (row["action"], run.cluster.get("ConfigMap", "theirs", SPACE)["data"]) == ("restored", {"a": "1"})
    assert "launchbook owns what it took: By manifests.force: .data.a is owned by somebody" in row["because"]
    mistyped = run_with(lab, folder, SPACE, force=(f"ConfigMap/{SPACE}/their",))
    assert f"did you mean ConfigMap/{SPACE}/theirs?" in str(applied(mistyped, space(), config("theirs", a="3")))


def test_what_is_in_force_is_told_without_a_dry_run(system: Any, folder: Path, monkeypatch: Any) -> None:
    """The sample as launchbook applied it: the API server would change none of it, and is hardly asked."""
    given = run_with(system, ROOT / "parameters" / "kgents" / "manifests", "kgents-agents", "kgents-triad")
    rendered = manifests.render(given)
    asked: list[str] = []
    original = Cluster.apply

    def counted(self: Cluster, item: dict[str, Any], **options: Any) -> Any:
        asked.append(f"{item['kind']}/{item['metadata']['name']}")
        return original(self, item, **options)

    try:
        manifests.apply(given, rendered, manifests.plan(given, rendered))
        monkeypatch.setattr(Cluster, "apply", counted)
        plan = manifests.plan(given, rendered)
        assert set(plan.frame["action"]) == {"unchanged"}
        assert len(asked) < len(plan.steps) / 2, asked
        monkeypatch.setattr(planning, "in_force", lambda *_: False)
        assert set(manifests.plan(given, rendered).frame["action"]) == {"unchanged"}
    finally:
        monkeypatch.undo()
        manifests.undo(given)


CRD = {
    "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": PLURAL},
    "spec": {
        "group": "launchbook.example", "scope": "Namespaced",
        "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
        "versions": [{
            "name": "v1", "served": True, "storage": True,
            "schema": {"openAPIV3Schema": {"type": "object", "properties": {"size": {"type": "integer"}}}},
        }],
    },
}  # fmt: skip
WIDGET = item("Widget", "w", "launchbook.example/v1", size=1)


def test_a_first_install_and_its_undo(lab: Any, folder: Path) -> None:
    """Namespace and definition first; the rest is tried before it is applied; undone, not one of them is left."""
    run = run_with(lab, folder, SPACE, cluster_objects=(f"CustomResourceDefinition/{PLURAL}",))
    _rendered, plan = planned(run, space(), CRD, WIDGET, config("a", a="1"), web())
    assert set(plan.frame["action"]) == {"created", "not shown"}
    assert manifests.judge.plan(plan.frame).because.startswith("3 could not be tried, the first is ConfigMap")
    bad = run_with(lab, folder, SPACE, cluster_objects=(f"CustomResourceDefinition/{PLURAL}",))
    found = applied(bad, space(), CRD, {**WIDGET, "size": "large"}, config("a", a="1"), web())
    assert (found[f"Widget/{SPACE}/w"], found[f"Deployment/{SPACE}/web"]) == ("refused", "not tried")
    assert run.cluster.get("ConfigMap", "a", SPACE) is None
    manifests.undo(bad)
    found = applied(run, space(), CRD, WIDGET, config("a", a="1"), web())
    assert set(found.values()) == {"created"}
    undone = manifests.undo(run)
    assert set(undone["action"]) == {"deleted"}, undone.to_dict("records")
    assert run.cluster.get("Namespace", SPACE) is None
    assert run.cluster.get("CustomResourceDefinition", PLURAL, api_version="apiextensions.k8s.io/v1") is None


def test_only_the_plan_that_was_approved_is_applied(run: Any, lab: Any, folder: Path) -> None:
    """Another one is refused with both digests; the same one, made again, is not."""
    _, plan = planned(run, space(), config("a", a="1"))
    approved = run_with(lab, folder, SPACE, approved_plan=plan.digest)
    refused = applied(approved, space(), config("a", a="2"))
    assert plan.digest in refused
    assert "pass `approved_plan` with its digest. Nothing was changed." in refused
    assert run.cluster.get("Namespace", SPACE) is None
    assert set(applied(approved, space(), config("a", a="1")).values()) == {"created"}
    rendered, later = planned(run, space(), config("a", a="3"))
    lab.kubectl("-n", SPACE, "patch", "configmap", "a", "-p", '{"data": {"a": "4"}}')
    moved = manifests.apply(run, rendered, later)
    assert (
        moved.refusal == f"ConfigMap/{SPACE}/a was changed since the plan was made. Make the plan again, and read it."
    )


def live(run: Any) -> dict[str, Any]:
    kinds = (("v1", "ConfigMap"), ("apps/v1", "Deployment"), ("v1", "Service"))
    items = [one for version, kind in kinds for one in run.cluster.list(kind, SPACE, api_version=version)]
    plain = {f"{one['kind']}/{one['metadata']['name']}": shown(one) for one in items}
    for one in plain.values():
        one["metadata"].get("annotations", {}).pop("deployment.kubernetes.io/revision", None)  # type: ignore[index]
    return plain


def test_undo_leaves_what_was_there_before(run: Any, lab: Any, folder: Path) -> None:
    """Changed, added, dropped and defaulted fields of two versions; what the second created is gone."""
    service = item("Service", "web", spec={"selector": {"app": "web"}, "ports": [{"port": 80}]})
    applied(run, space(), config("a", a="1", b="1"), web(replicas=None, A="1", B="1"), service)
    manifests.wait(run, manifests.render(run))
    before = live(run)
    second = run_with(lab, folder, SPACE)
    changed = item("Service", "web", spec={"selector": {"app": "web"}, "ports": [{"port": 81}]})
    found = applied(second, space(), config("a", a="2", c="1"), config("new", a="1"), web(replicas=2, A="2"), changed)
    assert (found[f"ConfigMap/{SPACE}/a"], found[f"ConfigMap/{SPACE}/new"]) == ("changed", "created")
    assert live(run) != before
    lab.kubectl("-n", SPACE, "annotate", "configmap", "a", "by=hand")
    with pytest.raises(
        ClusterError, match=rf"ConfigMap/{SPACE}/a was changed since by kubectl-annotate.*Nothing was changed"
    ):
        manifests.undo(second)
    undone = manifests.undo(second, even_if_changed=True).set_index("object")
    assert undone.loc[f"ConfigMap/{SPACE}/a", "because"].endswith("differs from what it was: metadata.annotations")
    rest = undone.drop(f"ConfigMap/{SPACE}/a")
    assert set(rest["action"]) == {"restored", "deleted"}, rest.to_dict("index")
    lab.kubectl("-n", SPACE, "annotate", "configmap", "a", "by-")
    assert live(run) == before
    with pytest.raises(ParametersError, match="changed nothing that could be undone"):
        manifests.undo(run_with(lab, folder, SPACE))
    another = run_with(lab, folder, SPACE)
    another.kept["manifests/undo.json"] = {**second.kept["manifests/undo.json"], "cluster": "another"}
    with pytest.raises(ClusterError, match=r"the run changed another\. Nothing was changed"):
        manifests.undo(another)


def test_what_cannot_take_it_is_said_before_anything_is_changed(run: Any, lab: Any, folder: Path) -> None:
    """A kind that isn't installed, a namespace that isn't there or is going, credentials that ran out."""
    said = applied(run, space(), WIDGET)
    assert "knows no Widget of launchbook.example/v1; is its CustomResourceDefinition installed?" in said
    assert run.cluster.get("Namespace", SPACE) is None
    assert f'namespaces "{SPACE}" not found' in applied(run, config("a"))
    lab.apply(yaml.safe_dump(space()))
    pod = item("ConfigMap", "held", data={})
    lab.apply(yaml.safe_dump({**pod, "metadata": {**pod["metadata"], "finalizers": ["launchbook.example/held"]}}))
    lab.kubectl("delete", "namespace", SPACE, "--wait=false")
    try:
        said = applied(run, space(), config("a"))
        assert f"Namespace/{SPACE}: It is being deleted since" in said
        assert "because it is being terminated" in applied(run, config("a"))
    finally:
        lab.kubectl(
            "-n", SPACE, "patch", "configmap", "held", "--type=merge", "-p", '{"metadata": {"finalizers": null}}'
        )
        lab.kubectl("wait", "--for=delete", f"namespace/{SPACE}", "--timeout=60s")
    stale = folder / "stale.kubeconfig"
    given = yaml.safe_load(lab.kubeconfig.read_text())
    given["users"][0]["user"] = {"token": "long-expired"}
    stale.write_text(yaml.safe_dump(given))
    with pytest.raises(BadCredentials, match=r"refuses our credentials \(401\); renew them"):
        Cluster.connect(Where(context=lab.name, kubeconfig=stale))
    stale.unlink()
    lost = FakeRun(Cluster(_without_certificate(run.cluster), "lost"), run.parameters)
    lost.cluster.identity = run.cluster.identity
    assert "refuses our credentials (401); renew them" in applied(lost, config("a"))


def _without_certificate(cluster: Cluster) -> Any:
    configuration = cluster._configuration
    configuration.cert_file = configuration.key_file = None
    configuration.api_key = {"BearerToken": "Bearer long-expired"}
    return configuration


def test_an_invalid_selector_is_refused_before_anything_is_changed(run: Any) -> None:
    """On a first install too, but for the namespace, without which the server tries nothing that goes into it."""
    odd = item(
        "NetworkPolicy", "odd", "networking.k8s.io/v1",
        spec={"podSelector": {"matchExpressions": [{"key": "app", "operator": "Inn", "values": ["a"]}]}},
    )  # fmt: skip
    other = web()
    other["spec"]["selector"] = {"matchLabels": {"app": "another"}}
    new, here = (f"{kind}/{SPACE}/{name}" for kind, name in (("ConfigMap", "a"), ("NetworkPolicy", "odd")))
    assert applied(run, space(), config("a"), odd, other) == {
        f"Namespace/{SPACE}": "created", new: "not tried", here: "refused", f"Deployment/{SPACE}/web": "refused",
    }  # fmt: skip
    assert 'Invalid value: "Inn": not a valid selector operator' in _because(run, here)
    assert "`selector` does not match template `labels`" in _because(run, f"Deployment/{SPACE}/web")
    said = applied(run, space(), config("a"), odd, other)
    assert f"2 objects can't be applied, the first is {here}: " in said
    assert 'spec.podSelector.matchExpressions[0].operator: Invalid value: "Inn"' in said
    assert run.cluster.get("ConfigMap", "a", SPACE) is None


def _because(run: Any, object: str) -> str:
    return next(str(row["because"]) for row in run.kept["manifests/applied.json"] if row["object"] == object)
