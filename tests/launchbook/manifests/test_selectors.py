"""Polluted selectors, found by effect in real renders of kustomize."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from launchbook.errors import ParametersError
from launchbook.manifests.labels import mended
from launchbook.manifests.selectors import command, mend, polluted
from launchbook.render import render

pytestmark = pytest.mark.lab  # kubectl, which renders kustomizations, comes with the lab's programs

POLICIES = Path(__file__).parents[3] / "parameters" / "kgents" / "manifests" / "policies"


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    """The sample's policies, to be spoilt."""
    return Path(shutil.copytree(POLICIES, tmp_path / "policies"))


def add(folder: Path, text: str) -> None:
    file = folder / "kustomization.yaml"
    file.write_text(file.read_text() + text)


COMMON = "\n# why\ncommonLabels:\n  team: platform\n"
INCLUDED = "\nlabels:\n  - pairs:\n      team: platform\n    includeSelectors: true\n"


@pytest.mark.parametrize("spoilt", [COMMON, INCLUDED])
def test_a_label_in_a_policys_peers_is_found_with_what_it_breaks(policies: Path, spoilt: str) -> None:
    """The peers live in other manifests and don't carry the label."""
    add(policies, spoilt)
    found = {(p.object, p.where): p.effect for p in polluted(policies) if p.effect}
    assert ("NetworkPolicy/kgents-agents/nats-access", "spec.ingress[0].from[0].podSelector") in found
    text, code = command([policies], output="json")
    assert code == 1
    assert json.loads(text)["polluted"][0]["labels"] == {"team": "platform"}


def test_clean_manifests_are_clean(policies: Path) -> None:
    """No false alarm, neither on the policies nor on labels that stay out of selectors."""
    assert polluted(policies) == []
    add(policies, "\nlabels:\n  - pairs:\n      team: platform\n")
    assert command([policies]) == ("No label transformer changes a selector.", 0)


@pytest.mark.parametrize("spoilt", [COMMON, INCLUDED])
def test_fix_restores_every_selector_and_keeps_the_label(policies: Path, spoilt: str) -> None:
    """The mended kustomization renders the author's selectors; comments stay."""
    clean = {item["metadata"]["name"]: item["spec"] for item in render(policies)}
    add(policies, spoilt)
    text, code = command([policies], fix=True)
    assert code == 0
    assert "mended:" in text
    mended = render(policies)
    assert {item["metadata"]["name"]: item["spec"] for item in mended} == clean
    assert all(item["metadata"]["labels"]["team"] == "platform" for item in mended)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "# top\nresources:\n  - a.yaml  # keep\nlabels:\n  - pairs:\n      x: y\n    includeSelectors: true\n# end\n",
            "# top\nresources:\n  - a.yaml  # keep\nlabels:\n  - pairs:\n      x: y\n    includeSelectors: false\n    includeTemplates: true\n# end\n",
        ),
        (
            "labels:\n- pairs: {x: y}\n  'includeSelectors': yes # why\n",
            "labels:\n- pairs: {x: y}\n  'includeSelectors': false\n  includeTemplates: true # why\n",
        ),
        (
            "labels: [{pairs: {x: y}, includeSelectors: True}]\n",
            "labels: [{pairs: {x: y}, includeSelectors: false, includeTemplates: true}]\n",
        ),
        (
            "labels:\n  - includeTemplates: false\n    includeSelectors: true\n    pairs: {x: y}\n",
            "labels:\n  - includeTemplates: true\n    includeSelectors: false\n    pairs: {x: y}\n",
        ),
        (
            "commonLabels:\n  a: b # one\n  # two\n  c: d\n# three\nresources: [a.yaml]\n",
            "labels:\n  - pairs:\n      a: b # one\n      # two\n      c: d\n    includeTemplates: true\n# three\nresources: [a.yaml]\n",
        ),
        (
            "commonLabels: {a: b}\nresources: [a.yaml]\n",
            "labels:\n  - pairs: {a: b}\n    includeTemplates: true\nresources: [a.yaml]\n",
        ),
        (
            "commonLabels:\n  a: b\nlabels:\n- pairs: {x: y}\n",
            "labels:\n- pairs:\n    a: b\n  includeTemplates: true\n- pairs: {x: y}\n",
        ),
        (
            "labels:\n  - pairs: {x: y}\n    includeSelectors: true\ncommonLabels:\n  a: b\n# end\n",
            "labels:\n  - pairs:\n      a: b\n    includeTemplates: true\n  - pairs: {x: y}\n    includeSelectors: false\n    includeTemplates: true\n# end\n",
        ),
    ],
)  # fmt: skip
def test_mending_touches_nothing_else(tmp_path: Path, before: str, after: str) -> None:
    """Line by line, the rest is as it was, however the labels are spelled."""
    file = tmp_path / "kustomization.yaml"
    file.write_text(before)
    assert mended(file) == after


@pytest.mark.parametrize(
    "text",
    [
        "labels: [{pairs: {x: y}}]\ncommonLabels: {a: b}\n",
        "commonLabels: &all\n  a: b\nbuildMetadata: *all\n",
    ],
)
def test_what_cannot_be_mended_by_lines_is_refused(tmp_path: Path, text: str) -> None:
    """With what to write by hand; a guess would be worse."""
    file = tmp_path / "kustomization.yaml"
    file.write_text(text)
    with pytest.raises(
        ParametersError, match=r"can't be mended line by line; write it as .*labels.*Nothing was written"
    ):
        mended(file)


TRANSFORMER = """
apiVersion: builtin
kind: LabelTransformer
metadata: {name: x}
labels: {team: platform}
fieldSpecs:
  - {path: spec/ingress/from/podSelector/matchLabels, kind: NetworkPolicy, create: false}
"""


@pytest.mark.parametrize(
    "spoilt",
    [
        "\nlabels: [{pairs: {team: platform}, includeSelectors: True}]\n",
        "\n\"labels\":\n- pairs: {team: platform}\n  'includeSelectors': yes\n",
        "\ntransformers: [x.yaml]\n",
        "\ntransformers: [folder]\n",
        "\ntransformers:\n  - |" + TRANSFORMER.replace("\n", "\n    ") + "\n",
    ],
)
def test_every_spelling_of_a_transformer_is_seen(policies: Path, spoilt: str) -> None:
    """YAML has more than one `true`, and kustomize more than one way to label."""
    (policies / "folder").mkdir()
    (policies / "folder" / "kustomization.yaml").write_text("resources: [x.yaml]\n")
    for place in (policies, policies / "folder"):
        (place / "x.yaml").write_text(TRANSFORMER)
    add(policies, spoilt)
    assert any(p.effect and "from[0]" in p.where for p in polluted(policies))


def test_a_label_transformer_is_never_mended(policies: Path) -> None:
    """What it may touch is a list of its own."""
    (policies / "x.yaml").write_text(TRANSFORMER)
    add(policies, "\ntransformers: [x.yaml]\n")
    with pytest.raises(ParametersError, match="a LabelTransformer can't be mended"):
        mend(policies)


OTHERS = """
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web, namespace: shop}
spec: {minAvailable: 1, selector: {matchLabels: {app: web}}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress: [{from: [{podSelector: {matchLabels: {app: jobs}}}]}]
"""
CRON = """
apiVersion: batch/v1
kind: CronJob
metadata: {name: jobs, namespace: shop}
spec:
  schedule: "0 0 * * *"
  jobTemplate:
    spec: {template: {metadata: {labels: {app: jobs}}, spec: {restartPolicy: Never, containers: [{name: a, image: i}]}}}
"""


DENY_WEB = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny, namespace: shop}
spec: {podSelector: {matchLabels: {tier: all}}, policyTypes: [Ingress]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web, tier: all}}, spec: {containers: [{name: a, image: i}]}}
"""


def test_pods_of_other_manifests_that_run_count_in_a_run(tmp_path: Path) -> None:
    """They never get the label, so a deny that is narrowed by it lets go of them; what is rendered here keeps its own."""
    owner = [{"kind": "ReplicaSet", "name": "web-1", "controller": True}]
    labels = {"app": "web", "tier": "all", "pod-template-hash": "1"}
    ours = {"metadata": {"name": "web-1-a", "namespace": "shop", "labels": labels, "ownerReferences": owner}}
    other = {"metadata": {"name": "other", "namespace": "shop", "labels": {"tier": "all"}}}
    assert effects(tmp_path, {"a.yaml": DENY_WEB})["NetworkPolicy spec.podSelector"] == ""
    for live, effect in (([ours], ""), ([ours, other], "it no longer selects Pod/shop/other")):
        found = {p.object: p.effect for p in polluted(tmp_path, live=lambda live=live: live)}  # type: ignore[misc]
        assert found["NetworkPolicy/shop/deny"] == effect


def effects(folder: Path, resources: dict[str, str]) -> dict[str, str]:
    for name, text in resources.items():
        (folder / name).write_text(text)
    named = ", ".join(resources)
    (folder / "kustomization.yaml").write_text(f"resources: [{named}]\ncommonLabels: {{team: shop}}\n")
    return {f"{p.object.partition('/')[0]} {p.where}": p.effect for p in polluted(folder)}


def test_pods_of_other_manifests_count(tmp_path: Path) -> None:
    """A selector whose pods are not rendered here stands for the pods that it describes."""
    found = effects(tmp_path, {"others.yaml": OTHERS})
    assert set(found) == {
        "Service spec.selector", "PodDisruptionBudget spec.selector", "NetworkPolicy spec.podSelector",
        "NetworkPolicy spec.ingress[0].from[0].podSelector",
    }  # fmt: skip
    assert found["Service spec.selector"] == (
        'it no longer selects pods labelled {"matchLabels": {"app": "web"}}; it selects only pods labelled '
        '{"matchLabels": {"app": "web", "team": "shop"}}'
    )


def test_pods_rendered_here_carry_the_label_too(tmp_path: Path) -> None:
    """A CronJob's pods are pods; a peer without a namespaceSelector means the policy's own namespace."""
    found = effects(tmp_path, {"others.yaml": OTHERS, "cron.yaml": CRON})
    assert found["NetworkPolicy spec.ingress[0].from[0].podSelector"] == ""
    elsewhere = effects(
        tmp_path, {"others.yaml": OTHERS, "cron.yaml": CRON.replace("namespace: shop", "namespace: other")}
    )
    assert "it no longer selects" in elsewhere["NetworkPolicy spec.ingress[0].from[0].podSelector"]


@pytest.mark.parametrize(
    ("scope", "same"),
    [
        ("{matchLabels: {kubernetes.io/metadata.name: shop}}", True),
        ("{matchLabels: {kubernetes.io/metadata.name: elsewhere}}", False),
        ("{matchLabels: {team: shop}}", False),
        ("{}", False),
    ],
)
def test_a_peer_in_namespaces_of_others_is_not_seen_whole(tmp_path: Path, scope: str, same: bool) -> None:
    """Pods of the same name there don't carry the label, though one rendered here does."""
    spoilt = OTHERS.replace("from: [{pod", f"from: [{{namespaceSelector: {scope}, pod")
    found = effects(tmp_path, {"others.yaml": spoilt, "cron.yaml": CRON})
    assert (found["NetworkPolicy spec.ingress[0].from[0].podSelector"] == "") is same


def test_a_remote_base_is_refused(tmp_path: Path) -> None:
    """What it holds tomorrow isn't what was judged today."""
    (tmp_path / "kustomization.yaml").write_text("resources:\n  - https://example.com/base?ref=main\n")
    with pytest.raises(ParametersError, match="names the remote base"):
        render(tmp_path)


def test_what_is_not_yaml_is_named_with_its_line(tmp_path: Path) -> None:
    """File and line, and that nothing was touched."""
    (tmp_path / "a.yaml").write_text("kind: [\n")
    with pytest.raises(ParametersError, match=r"a\.yaml:\d+: is not YAML.*Nothing was touched"):
        render(tmp_path)
