"""What is taken as manifests and what is refused, before anything is touched. No kustomize is needed here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from launchbook.errors import ParametersError
from launchbook.render import refuse_remote, render

MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n"


def test_a_folder_and_a_single_file_are_manifests(tmp_path: Path) -> None:
    """Every YAML and JSON file at any depth, lists taken apart, in the order of their names."""
    (tmp_path / "b").mkdir()
    (tmp_path / "a.yaml").write_text(MAP.format(name="one") + "---\n# nothing\n---\n" + MAP.format(name="two"))
    (tmp_path / "b" / "c.json").write_text(
        '{"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "three"}}]}'
    )
    (tmp_path / "notes.txt").write_text("not: [yaml")
    assert [o["metadata"]["name"] for o in render(tmp_path)] == ["one", "two", "three"]
    assert [o["metadata"]["name"] for o in render(tmp_path / "a.yaml")] == ["one", "two"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "holds no manifest"),
        ({"a.yaml": "kind: ["}, r"a\.yaml:\d+: is not YAML"),
        ({"a.yaml": "just text"}, r"a\.yaml: is no Kubernetes object .* it has: str"),
        ({"a.yaml": "kind: Secret\napiVersion: v1\nstringData: {password: hunter22}"}, "it has: kind, apiVersion, stringData"),
        ({"b/kustomization.yaml": "resources: []"}, r"b/kustomization\.yaml is a kustomization, but its folder was not named: name .*b"),
    ],
)  # fmt: skip
def test_what_is_no_manifest_is_named(tmp_path: Path, files: dict[str, str], message: str) -> None:
    """With its file; what may be a Secret's value is not repeated."""
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    with pytest.raises(ParametersError, match=message) as refused:
        render(tmp_path)
    assert "Nothing was touched" in str(refused.value)
    assert "hunter22" not in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "resources: [https://example.com/base]",
        "resources: [github.com/owner/base]",
        "resources: [example.com/owner/base//path]",
        "resources: [git@example.com:owner/base]",
        "resources: ['git::https://example.com/base']",
        "resources: ['owner/base?ref=main']",
        "resources: [base.git/path]",
        "bases: [ssh://example.com/base]",
        "components: [https://example.com/c]",
        "transformers: [https://example.com/t.yaml]",
        "patches: [{path: https://example.com/p.yaml}]",
        "configMapGenerator: [{name: x, files: [a=https://example.com/a]}]",
        "secretGenerator: [{name: x, envs: [https://example.com/a]}]",
        "openapi: {path: https://example.com/o.json}",
        "helmCharts: [{name: x, repo: https://example.com/charts}]",
    ],
)
def test_nothing_is_fetched_unasked(tmp_path: Path, text: str) -> None:
    """Whatever the field and the spelling, in a base below too."""
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "kustomization.yaml").write_text(text)
    (tmp_path / "kustomization.yaml").write_text("resources: [base]")
    with pytest.raises(ParametersError, match=r"names the remote base .*manifests\.allow_remote"):
        render(tmp_path)


def test_a_local_name_that_looks_like_an_address_is_local(tmp_path: Path) -> None:
    """And an inline patch is no address."""
    (tmp_path / "example.com").mkdir()
    (tmp_path / "example.com" / "a.yaml").write_text(MAP.format(name="a"))
    text = "resources: [example.com/a.yaml, b.yaml]\ntransformers:\n  - |\n    kind: LabelTransformer\n    url: https://x\n"
    (tmp_path / "kustomization.yaml").write_text(text)
    refuse_remote(tmp_path)


def test_ten_thousand_objects_are_refused(tmp_path: Path) -> None:
    """Reading stops soon after the limit: what lies beyond is never parsed."""
    for n in range(100):
        text = "".join(f"---\n{MAP.format(name=f'm{n}-{i}')}" for i in range(100))
        (tmp_path / f"{n:03}.yaml").write_text(text)
    (tmp_path / "999.yaml").write_text("kind: [")
    with pytest.raises(ParametersError, match=r"holds more than 5000 objects\. Part it .* Nothing was touched"):
        render(tmp_path, most=5_000)


def test_a_kustomization_of_ten_thousand_objects_is_refused(tmp_path: Path) -> None:
    """Before kustomize is asked, which would take minutes: here it can't even be started."""
    for n in range(100):
        text = "".join(f"---\n{MAP.format(name=f'm{n}-{i}')}" for i in range(100))
        (tmp_path / f"{n:03}.yaml").write_text(text)
    base = tmp_path / "base"
    base.mkdir()
    names = ", ".join(f"../{n:03}.yaml" for n in range(100))
    (base / "kustomization.yaml").write_text(f"resources: [{names}]")
    over = tmp_path / "over"
    over.mkdir()
    (over / "kustomization.yaml").write_text("resources: [../base]")
    with pytest.raises(ParametersError, match=r"over holds more than 5000 objects\. Part it .* Nothing was touched"):
        render(over, most=5_000)


@pytest.mark.lab
def test_a_rendering_that_takes_too_long_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kustomization.yaml").write_text("resources: [a.yaml]")
    (tmp_path / "a.yaml").write_text(MAP.format(name="a"))
    monkeypatch.setattr("launchbook.render._TIMEOUT", 1e-6)
    with pytest.raises(
        ParametersError, match=r"kustomize had not rendered it after 0 s; part it .* Nothing was touched"
    ):
        render(tmp_path)


@pytest.mark.lab  # kubectl comes with the lab
@pytest.mark.parametrize("resources", [("b", "a"), ("b", "b")])
def test_a_kustomization_that_contains_itself_is_refused(tmp_path: Path, resources: Any) -> None:
    """By kustomize, in its own words, and at once."""
    for name, other in zip(("a", "b"), resources, strict=True):
        (tmp_path / name).mkdir()
        (tmp_path / name / "kustomization.yaml").write_text(f"resources: [../{other}]")
    with pytest.raises(ParametersError, match=r"kustomize refuses: .*cycle"):
        render(tmp_path / "a")
