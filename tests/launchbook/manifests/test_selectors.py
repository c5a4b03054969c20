"""Polluted selectors, found by effect in real renders of kustomize."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from launchbook.errors import ParametersError
from launchbook.manifests.selectors import command, mended_text, polluted
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


def test_mending_touches_nothing_else() -> None:
    """Line by line, the rest is as it was."""
    text = "# top\nresources:\n  - a.yaml  # keep\nlabels:\n  - pairs:\n      x: y\n    includeSelectors: true\n# end\n"
    assert mended_text(text) == (
        "# top\nresources:\n  - a.yaml  # keep\nlabels:\n  - pairs:\n      x: y\n    includeSelectors: false\n"
        "    includeTemplates: true\n# end\n"
    )


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
