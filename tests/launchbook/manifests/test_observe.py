"""What is seen of manifests before anything is kept: Secrets masked, rights asked for, what is left awaited."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from launchbook.discovery import Resource
from launchbook.errors import ClusterError
from launchbook.manifests import observe
from launchbook.manifests.diff import diff, masked, veiled
from launchbook.manifests.observe import Rendered, left, rights

SECRET = {
    "kind": "Secret",
    "metadata": {"name": "s", "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{hunter22}"}},
}


@pytest.mark.parametrize(
    ("item", "shown"),
    [
        ({**SECRET, "data": {"a": "hunter22", "b": None}}, {"data": {"a": "(masked, 8 characters)", "b": "(masked, 4 characters)"}}),
        ({**SECRET, "stringData": {"a": "hunter22"}, "data": None}, {"stringData": {"a": "(masked, 8 characters)"}, "data": None}),
        ({**SECRET, "type": "Opaque"}, {"type": "Opaque"}),
    ],
)  # fmt: skip
def test_a_secret_is_shown_without_its_values(item: dict[str, Any], shown: dict[str, Any]) -> None:
    """Nor in the annotation that repeats them; the object itself stays as it was."""
    assert masked(item) == {"kind": "Secret", "metadata": {"name": "s"}, **shown}
    assert "annotations" in item["metadata"]


def test_what_is_no_secret_is_shown_whole() -> None:
    """Annotations too."""
    item = {"kind": "ConfigMap", "metadata": {"name": "c", "annotations": {"a": "b"}}, "data": {"a": "b"}}
    assert masked(item) == item


HIDDEN = "(masked, 8 characters)"


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        ({"name": "DB_PASSWORD", "value": "hunter22"}, HIDDEN),
        ({"name": "URL", "value": "redis://u:hunter22@redis"}, "(masked, 24 characters)"),
        ({"name": "KEY", "value": f"ghp_{'a1' * 18}"}, "(masked, 40 characters)"),
        ({"name": "PASSWORD", "value": 12345678}, HIDDEN),
        ({"name": "DB_PASSWORD", "value": "$(OTHER)"}, "$(OTHER)"),
        ({"name": "DB_PASSWORD_FILE", "value": "/run/secrets/db"}, "/run/secrets/db"),
        ({"name": "LOG_LEVEL", "value": "debug"}, "debug"),
        ({"name": "EMPTY"}, None),
        ({"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}, None),
    ],
)  # fmt: skip
def test_a_value_of_env_that_looks_like_a_secret_is_masked(entry: dict[str, Any], value: Any) -> None:
    """As the audit of disclosed secrets has it, in a pod's template and in a foreign kind's; the object stays as it was."""
    container = {"name": "c", "env": [dict(entry)]}
    for spec in ({"template": {"spec": {"containers": [container]}}}, {"runner": container}):
        item = {"kind": "Deployment", "metadata": {"name": "d"}, "spec": spec}
        shown = veiled(item)["spec"]
        [found] = (shown.get("runner") or shown["template"]["spec"]["containers"][0])["env"]
        assert found.get("value") == value
        assert {k: v for k, v in found.items() if k != "value"} == {k: v for k, v in entry.items() if k != "value"}
        assert container["env"] == [entry]


def test_the_copy_that_kubectl_keeps_goes_with_a_masked_value() -> None:
    """It repeats the value; one that repeats none stays."""
    copy = {"kubectl.kubernetes.io/last-applied-configuration": "{hunter22}", "a": "b"}
    for name, kept in (("DB_PASSWORD", {"a": "b"}), ("COLOUR", copy)):
        env = [{"name": name, "value": "hunter22"}]
        item = {"kind": "Pod", "metadata": {"name": "p", "annotations": copy}, "spec": {"containers": [{"env": env}]}}
        assert veiled(item)["metadata"]["annotations"] == kept


def test_rendered_manifests_are_kept_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is applied is whole."""
    env = [{"name": "DB_PASSWORD", "value": "hunter22"}]
    pod = {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "a"}, "spec": {"containers": [{"env": env}]},
    }  # fmt: skip
    kept: dict[str, Any] = {}
    monkeypatch.setattr("launchbook.render.render", lambda *_, **__: [pod])
    monkeypatch.setattr(observe, "polluted", lambda *_, **__: [])
    given = SimpleNamespace(path=Path("m/manifests"), allow_remote=False)
    run: Any = SimpleNamespace(parameters=SimpleNamespace(manifests=given), evidence=kept.__setitem__)
    rendered = observe.render(run)
    assert [item["spec"]["containers"][0]["env"] for item in kept["manifests/rendered.json"]] == [
        [{"name": "DB_PASSWORD", "value": HIDDEN}]
    ]
    assert rendered.objects == (pod,)


def test_a_diff_tells_no_secret_of_env() -> None:
    """Another of the same length is a change all the same."""
    old, new, longer = (
        {"kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [{"env": [{"name": "TOKEN", "value": v}]}]}}
        for v in ("hunter22", "hunter33", "hunter4444")
    )
    assert diff(old, new) == "values differ: env\n"
    assert "+      value: (masked, 10 characters)" in diff(old, longer)
    assert "hunter" not in diff(old, longer)


class Cluster:
    """Grants what `granted` says; knows every kind but Unknown."""

    def __init__(self, granted: Any) -> None:
        self.granted = granted

    def can(self, verb: str, resource: str, **where: Any) -> bool:
        answer = self.granted(verb, resource)
        if answer is None:
            raise ClusterError("no answer")
        return bool(answer)

    def resource(self, api_version: str, kind: str) -> Resource:
        if kind == "Unknown":
            raise ClusterError("unknown")
        return Resource(f"{kind.lower()}s", kind != "Namespace", "")


def run(*allowed: str, granted: Any = lambda *_: True, where: str = "pod") -> Any:
    source, there = SimpleNamespace(namespace="outside"), SimpleNamespace(namespace="shop")
    edge = SimpleNamespace(source=source, destination=there, expect="open")
    parameters = SimpleNamespace(
        manifests=SimpleNamespace(namespaces=("shop",)),
        disruption=SimpleNamespace(evict=("shop/b",)),
        isolation=SimpleNamespace(scratch_namespace="scratch", edges=(edge,)),
        load=SimpleNamespace(
            generator=SimpleNamespace(where=where, namespace="gen"), target=SimpleNamespace(service="shop/web")
        ),
    )
    return SimpleNamespace(cluster=Cluster(granted), parameters=parameters, allowed=lambda act: act in allowed)


def asked(of: Any, *objects: dict[str, Any]) -> set[tuple[str, str, str]]:
    rows = rights(of, Rendered(objects)).to_dict("records")
    assert len(rows) == len({(r["verb"], r["resource"], r["namespace"]) for r in rows}), "asked twice"
    return {(r["verb"], r["resource"], r["namespace"]) for r in rows if r["verb"] != "list"}


def thing(kind: str, namespace: str = "shop") -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": "x", "namespace": namespace}}


def test_every_kind_that_is_rendered_is_asked_for() -> None:
    """Where it goes; a kind that the cluster doesn't know is the plan's to tell."""
    objects = [thing("Deployment"), thing("Deployment"), thing("Namespace"), thing("Unknown")]
    assert asked(run(), *objects) == set()
    verbs = ("get", "patch", "create")
    assert asked(run("apply"), *objects) == {
        *((verb, "deployments", "shop") for verb in verbs), *((verb, "namespaces", "") for verb in verbs),
    }  # fmt: skip


def test_what_a_drain_is_simulated_from_is_asked_for() -> None:
    """Nodes in the whole cluster; workloads and autoscalers where the system is."""
    rows = rights(run(), Rendered()).to_dict("records")
    listed = {(r["resource"], r["namespace"]) for r in rows if r["verb"] == "list"}
    kinds = ("deployments", "statefulsets", "replicasets", "replicationcontrollers", "horizontalpodautoscalers")
    assert {("nodes", ""), *((kind, "shop") for kind in kinds)} <= listed


def test_each_act_needs_its_own_rights() -> None:
    """Probes in the scratch namespace and in each edge's source, evictions where budgets are, the load where it runs."""
    assert asked(run("evict")) == {("create", "pods/eviction", "shop")}
    assert asked(run("load", where="here")) == {("get", "pods/log", "shop")}
    assert {("create", "configmaps", "gen"), ("create", "pods", "gen")} <= asked(run("load"))
    sending = {(verb, "pods", where) for verb in ("create", "delete") for where in ("outside", "gen")}
    sending |= {("get", "pods/log", where) for where in ("outside", "gen")}
    assert sending <= asked(run("evict", "load", where="here"))
    probing = asked(run("probe"))
    assert {("create", "pods/exec", "outside"), ("create", "pods/exec", "scratch")} <= probing
    assert {("create", "networkpolicies", "scratch"), ("delete", "namespaces", "")} <= probing


@pytest.mark.parametrize(("answer", "allowed"), [(True, True), (False, False), (None, None)])
def test_what_the_server_does_not_say_is_neither_granted_nor_refused(answer: Any, allowed: Any) -> None:
    """Three answers."""
    found = rights(run(granted=lambda *_: answer), Rendered())["allowed"]
    assert found.isna().all() if allowed is None else found.eq(allowed).all()


def test_what_is_ending_has_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is still there afterwards is named, of every kind that a run makes."""
    monkeypatch.setattr(observe, "_END", 0.0)
    there = {"Pod": [thing("Pod")], "Namespace": [{"kind": "Namespace", "metadata": {"name": "scratch"}}]}
    cluster = SimpleNamespace(list=lambda kind, **_: there.get(kind, []))
    assert left(SimpleNamespace(cluster=cluster, label={"a": "b"})) == ["Pod/shop/x", "Namespace/scratch"]  # type: ignore[arg-type]


def test_only_what_is_a_policy_somewhere_is_looked_for() -> None:
    """One of another group means something else, one without a namespace has failed A.render."""
    asked: list[tuple[Any, ...]] = []

    def get(*where: Any, api_version: str) -> dict[str, Any]:
        asked.append((*where, api_version))
        return {}

    own = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "p", "namespace": "shop"},
    }
    objects = (own, {**own, "apiVersion": "projectcalico.org/v3"}, {**own, "metadata": {"name": "p"}})
    of = SimpleNamespace(cluster=SimpleNamespace(get=get))
    assert observe.policies(of, Rendered(objects)) == {"NetworkPolicy/shop/p": {}}  # type: ignore[arg-type]
    assert asked == [("NetworkPolicy", "p", "shop", "networking.k8s.io/v1")]
