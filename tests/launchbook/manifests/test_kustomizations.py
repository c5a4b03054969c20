"""Polluted selectors in what people really have: overlays, components, nested bases, generators, other selectors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from launchbook.manifests.selectors import command, mend, polluted
from launchbook.render import render

pytestmark = pytest.mark.lab  # kubectl, which renders kustomizations, comes with the lab's programs

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: web}]
      topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {app: cache}}}]
      affinity:
        podAntiAffinity:
          preferredDuringSchedulingIgnoredDuringExecution:
            - {weight: 1, podAffinityTerm: {topologyKey: host, labelSelector: {matchLabels: {app: cache}}}}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress: [{from: [{podSelector: {matchLabels: {app: front}}}]}]
"""
STORE = """
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: store, namespace: shop}
spec:
  serviceName: store
  selector: {matchLabels: {app: store}}
  template: {metadata: {labels: {app: store}}, spec: {containers: [{name: s, image: s}]}}
  volumeClaimTemplates: [{metadata: {name: data}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}]
"""
BARE = "apiVersion: v1\nkind: Service\nmetadata: {name: bare, namespace: shop}\nspec: {ports: [{port: 80}]}\n"
COMMON = "commonLabels: {team: shop}\n"
INCLUDED = "labels: [{pairs: {team: shop}, includeSelectors: true}]\n"
CONFIG = "configMapGenerator: [{name: c, namespace: shop, literals: [a=b]}]\nsecretGenerator: [{name: s, namespace: shop, literals: [a=b]}]\n"
PEER = "NetworkPolicy/shop/web spec.ingress[0].from[0].podSelector"


def tree(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        place = folder / name / "kustomization.yaml" if "." not in name else folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    return folder / "top"


LAYOUTS: dict[str, dict[str, str]] = {
    "overlay": {"base": "resources: [web.yaml]\n", "top": f"resources: [../base]\n{COMMON}"},
    "overlay, labels": {"base": "resources: [web.yaml]\n", "top": f"resources: [../base]\n{INCLUDED}"},
    "nested bases": {"base": f"resources: [web.yaml]\n{COMMON}", "middle": "resources: [../base]\n", "top": "resources: [../middle]\n"},
    "two of them": {"base": f"resources: [web.yaml]\n{COMMON}", "top": "resources: [../base]\ncommonLabels: {stage: prod}\n"},
    "component": {
        "base": "resources: [web.yaml]\n", "part": f"apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n{INCLUDED}",
        "top": "resources: [../base]\ncomponents: [../part]\n",
    },
    "generators": {"base": f"resources: [web.yaml]\n{CONFIG}", "top": f"resources: [../base]\n{COMMON}{CONFIG.replace('name: ', 'name: t')}"},
}  # fmt: skip


def specs(folder: Path) -> dict[str, Any]:
    return {f"{o['kind']}/{o['metadata']['name']}": o.get("spec") for o in render(folder)}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_wherever_the_label_comes_from_it_is_found_and_mended(tmp_path: Path, layout: str) -> None:
    """The peer and the affinities name pods that are not rendered here; workloads' own selectors stay as they were."""
    top = tree(tmp_path, {**LAYOUTS[layout], "base/web.yaml": WEB})
    found = {f"{p.object} {p.where}": p for p in polluted(top)}
    breaking = {where for where, p in found.items() if p.effect}
    assert breaking == {
        PEER,
        "Deployment/shop/web spec.template.spec.topologySpreadConstraints[0].labelSelector",
        "Deployment/shop/web spec.template.spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].podAffinityTerm.labelSelector",
    }  # fmt: skip
    assert found["Service/shop/web spec.selector"].effect == ""
    before = specs(top)
    _, code = command([top], fix=True)
    assert code == 0
    after = specs(top)
    assert after["NetworkPolicy/web"]["ingress"] == [{"from": [{"podSelector": {"matchLabels": {"app": "front"}}}]}]
    assert after["Service/web"]["selector"] == {"app": "web"}
    assert after["Deployment/web"]["selector"] == before["Deployment/web"]["selector"]
    assert after["Deployment/web"]["template"]["metadata"] == before["Deployment/web"]["template"]["metadata"]
    assert set(after) == set(before), "a generated name has another hash"
    assert not [p for p in polluted(top) if p.effect]


@pytest.mark.parametrize("label", [COMMON, INCLUDED, "labels:\n  - includeSelectors: true\n    pairs: {team: shop}\n"])
def test_what_is_immutable_stays(tmp_path: Path, label: str) -> None:
    """A StatefulSet's selector and claims, however the label is written."""
    top = tree(
        tmp_path, {"top": f"resources: [store.yaml, web.yaml]\n{label}", "top/store.yaml": STORE, "top/web.yaml": WEB}
    )
    before = specs(top)
    mend(top)
    after = specs(top)
    for part in ("selector", "volumeClaimTemplates"):
        assert after["StatefulSet/store"][part] == before["StatefulSet/store"][part]
    assert "team" not in str(after["NetworkPolicy/web"])


def test_a_value_that_is_overwritten_is_told(tmp_path: Path) -> None:
    """Beside what it selects now: other manifests that name the old value are not seen here."""
    top = tree(tmp_path, {"top": "resources: [web.yaml]\ncommonLabels: {app: shop}\n", "top/web.yaml": WEB})
    found = {f"{p.object} {p.where}": p.effect for p in polluted(top)}
    assert found["Service/shop/web spec.selector"] == (
        'app=web was overwritten with app=shop; it no longer selects pods labelled {"matchLabels": {"app": "web"}}; '
        "it also selects Deployment/shop/web"
    )
    assert found[PEER].startswith("app=front was overwritten with app=shop; it no longer selects")


def test_a_service_without_a_selector_gains_one(tmp_path: Path) -> None:
    """Its endpoints were somebody else's; the controller now replaces them."""
    top = tree(
        tmp_path, {"top": f"resources: [bare.yaml, web.yaml]\n{COMMON}", "top/bare.yaml": BARE, "top/web.yaml": WEB}
    )
    found = {f"{p.object} {p.where}": p.effect for p in polluted(top)}
    assert found["Service/shop/bare spec.selector"] == (
        "the selector was created; its author wrote none, so it now selects Deployment/shop/web"
    )
    mend(top)
    assert "selector" not in specs(top)["Service/bare"]


def test_empty_selectors_are_no_matter(tmp_path: Path) -> None:
    """`podSelector: {}` selects everybody, before and after."""
    everybody = WEB.replace(
        "{matchLabels: {app: web}}\n  ingress: [{from: [{podSelector: {matchLabels: {app: front}}}]}]",
        "{}\n  policyTypes: [Ingress]",
    )
    top = tree(tmp_path, {"top": f"resources: [web.yaml]\n{COMMON}", "top/web.yaml": everybody})
    assert not [p for p in polluted(top) if p.object.startswith("NetworkPolicy")]
