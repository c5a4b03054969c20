"""Which rule could be deleted unnoticed: by table with the exact reason, and against leaving each out for real."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from typer.testing import CliRunner
from worlds import PODS, worlds

from launchbook.cli import app
from launchbook.errors import ParametersError
from launchbook.isolation.blocks import outside
from launchbook.isolation.explain import NEEDS_COLUMNS, needed
from launchbook.isolation.needs import Use, needs
from launchbook.isolation.reach import PROTOCOLS, End, Pod, World
from launchbook.isolation.spec import DIRECTIONS, policy_name, rules
from launchbook.isolation.table import Table

Object = Mapping[str, Any]
WEB, DB, OTHER = (Pod(f"a/{name}", "a", {"app": name}, (("main", "TCP", 80),)) for name in ("web", "db", "other"))
FROM_WEB = {"from": [{"podSelector": {"matchLabels": {"app": "web"}}}], "ports": [{"port": 80}]}
FROM_ALL = {"from": [{"podSelector": {}}], "ports": [{"port": 80, "endPort": 90}]}
FROM_NOBODY = {"from": [{"namespaceSelector": {"matchLabels": {"no": "such"}}}]}
SAME_POLICY, SAME_RULE = "other policies say the same", "other rules open the same"


def policy(name: str, app: str = "db", **spec: Any) -> dict[str, Any]:
    meta = {"name": name, "namespace": "a"}
    whole = {"podSelector": {"matchLabels": {"app": app}} if app else {}, **spec}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta, "spec": whole}


@pytest.mark.parametrize(
    ("policies", "expected"),
    [
        ([policy("p", ingress=[FROM_WEB])], {("p", ""): None, ("p", "ingress[0]"): None}),
        ([policy("deny", "")], {("deny", ""): None}),
        ([policy("p", ingress=[FROM_WEB]), policy("deny", "")], {("p", ""): None, ("p", "ingress[0]"): None, ("deny", ""): None}),
        ([policy("p", ingress=[FROM_WEB]), policy("deny")], {("p", ""): None, ("p", "ingress[0]"): None, ("deny", ""): SAME_POLICY}),
        ([policy("p", ingress=[FROM_WEB]), policy("q", ingress=[FROM_WEB])], {("p", ""): SAME_POLICY, ("p", "ingress[0]"): SAME_RULE, ("q", ""): SAME_POLICY, ("q", "ingress[0]"): SAME_RULE}),
        ([policy("p", ingress=[FROM_WEB, FROM_ALL])], {("p", ""): None, ("p", "ingress[0]"): SAME_RULE, ("p", "ingress[1]"): None}),
        ([policy("p", "none", ingress=[FROM_WEB])], {("p", ""): "it selects nobody", ("p", "ingress[0]"): "its policy selects nobody"}),
        ([policy("p", ingress=[FROM_NOBODY])], {("p", ""): None, ("p", "ingress[0]"): "it opens no port to anybody who is given here, though it may serve others"}),
        ([policy("p", ingress=[{"ports": [{"port": "absent"}]}])], {("p", ""): None, ("p", "ingress[0]"): "it opens no port to anybody who is given here, though it may serve others"}),
        ([policy("p", policyTypes=["Ingress"], egress=[{}])], {("p", ""): None, ("p", "egress[0]"): "its policy's policyTypes leave egress out"}),
        ([policy("open", "", ingress=[{}])], {("open", ""): "other policies say the same", ("open", "ingress[0]"): None}),
        (
            [policy("p", ingress=[FROM_WEB]), policy("shut", "web", policyTypes=["Egress"])],
            {("p", ""): None, ("p", "ingress[0]"): "the policies of the other ends open none of it", ("shut", ""): None},
        ),
        (
            [policy("mesh", "web", ingress=[FROM_WEB])],
            {("mesh", ""): None, ("mesh", "ingress[0]"): None},
        ),
    ],
)  # fmt: skip
def test_what_each_is_there_for(policies: list[Any], expected: Any) -> None:
    """None: it is needed. A rule for pods of the same workload is needed though only one of them is listed."""
    found = needs(Table(World(tuple(policies)), [WEB, DB, OTHER, *outside(policies)]))
    assert {(n.policy.removeprefix("a/"), n.rule): n.because or None for n in found} == expected
    assert all((n.use is Use.NEEDED) == (n.notice is not None) == (not n.because) for n in found)


def test_somebody_would_notice() -> None:
    """The pair, and its ports with the rule and without."""
    [_, rule] = needs(Table(World((policy("p", ingress=[FROM_WEB]),)), [WEB, DB]))
    assert rule.notice
    assert (rule.notice.source, rule.notice.destination, rule.notice.protocol) == (WEB, DB, "TCP")
    assert (rule.notice.before, rule.notice.after) == ((((80, 80),), ()), ((), ()))


def everybody(world: World, addresses: Sequence[End]) -> list[Any]:
    """The ports of each pair; each pod stands twice, since two pods of one class are a pair."""
    pods = [replace(pod, name=f"{pod.name}{twin}") for pod in PODS for twin in ("", "-twin")]
    ends = [*pods, *addresses]
    table = Table(world, ends)
    return [
        table.ports(i, j, protocol)
        for protocol in PROTOCOLS
        for i in range(len(ends))
        for j in range(len(ends))
        if i != j
    ]  # fmt: skip


def without(policy: Object, direction: str, number: int) -> Object:
    spec = policy["spec"]
    left = [rule for n, rule in enumerate(spec[direction]) if n != number]
    types = spec.get("policyTypes") or (["Ingress", "Egress"] if spec.get("egress") else ["Ingress"])
    return {**policy, "spec": {**spec, direction: left, "policyTypes": types}}


@settings(max_examples=40)
@given(worlds())
def test_left_out_for_real(world: World) -> None:
    """What is called needed changes some pair, and what is called unneeded changes none."""
    addresses = outside(world.policies)  # cut as they are before anything is left out
    whole = everybody(world, addresses)
    found = {(n.policy, n.rule): n for n in needs(Table(world, [*PODS, *addresses]))}
    for at, policy in enumerate(world.policies):
        others = [*world.policies[:at], *world.policies[at + 1 :]]
        name = policy_name(policy)
        cases = {"": others} | {
            f"{direction}[{n}]": [*others, without(policy, direction, n)]
            for direction in DIRECTIONS
            for n in range(len(rules(policy, direction)))
        }
        for rule, left in cases.items():
            noticed = everybody(replace(world, policies=tuple(left)), addresses) != whole
            assert noticed is (found.pop((name, rule)).use is Use.NEEDED), (name, rule)
    assert not found


def test_of_files(tmp_path: Path) -> None:
    """A row for each policy and rule, needed or not, and for whom."""
    pods = [
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": p.labels["app"], "namespace": "a"}, "spec": {"template": {"metadata": {"labels": p.labels}, "spec": {"containers": []}}}}
        for p in (WEB, DB)
    ]  # fmt: skip
    file = tmp_path / "all.yaml"
    block = {"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}
    file.write_text(
        yaml.safe_dump_all(
            [*pods, policy("p", ingress=[FROM_WEB, FROM_WEB]), policy("self", "web", ingress=[FROM_WEB, block])]
        )
    )
    found = list(csv.reader(io.StringIO(needed([file]))))
    web, db = "a/web[Deployment]", "a/db[Deployment]"
    assert found == [
        list(NEEDS_COLUMNS),
        ["a/p", "", "yes", f"without it {web} -> {db}, TCP: all instead of 80"],
        ["a/p", "ingress[0]", "no", SAME_RULE],
        ["a/p", "ingress[1]", "no", SAME_RULE],
        ["a/self", "", "yes", f"without it {web} -> another pod of {web}, TCP: all instead of 80 and perhaps 1-79,81-65535"],
        ["a/self", "ingress[0]", "yes", f"without it {web} -> another pod of {web}, TCP: none and perhaps all instead of 80 and perhaps 1-79,81-65535"],
        ["a/self", "ingress[1]", "yes", f"without it 10.0.0.0-10.255.255.255 -> {web}, TCP: none instead of all"],
    ]  # fmt: skip


def test_at_a_prompt(tmp_path: Path) -> None:
    """`launchbook reach --needs`; with another question at once it is refused."""
    file = tmp_path / "all.yaml"
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "a"}, "spec": {"containers": []}}
    file.write_text(yaml.safe_dump_all([pod, policy("deny", "")]))
    said = CliRunner().invoke(app, ["reach", "--needs", str(file)])
    assert said.exit_code == 0
    assert said.stdout == (
        "policy,rule,needed,because\n"
        'a/deny,,yes,"without it a/p[Pod] -> another pod of a/p[Pod], TCP: all instead of none"\n'
    )
    for more in (["--explain", "a", "b", str(file)], ["--diff", str(file), str(file)]):
        refused = CliRunner().invoke(app, ["reach", "--needs", *more])
        assert isinstance(refused.exception, ParametersError)
