"""`launchbook undo` asks for what applying asks for, before it looks at a cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from launchbook.errors import ClusterError, NotAllowed, ParametersError
from launchbook.manifests.undo_command import command
from launchbook.record import write_evidence
from launchbook.sealed import sha256

ENVIRONMENT = """
name: prod
allow: [{allow}]
confirm: prod
cluster: {{context: none, kubeconfig: absent, protected: {protected}}}
manifests: {{path: m, namespaces: [a]}}
load: {{target: {{service: a/b}}, scenario: {{requests: [{{name: x, path: /x}}]}}}}
launch: {{title: T, checklist: c.yaml}}
"""


def undo(folder: Path, allow: str = "apply", protected: bool = True, confirm: str | None = None) -> None:
    (folder / "parameters.yaml").write_text(ENVIRONMENT.format(allow=allow, protected=str(protected).lower()))
    command(folder, confirm=confirm, even_if_changed=False, tell=print)


def test_a_run_that_applied_nothing(tmp_path: Path) -> None:
    """Nor is a folder of something else a run."""
    with pytest.raises(ParametersError, match=r"holds no evidence/manifests/undo\.json.*Nothing was changed"):
        undo(tmp_path)


@pytest.mark.parametrize("changed", ["evidence/manifests/undo.json", "parameters.yaml"])
def test_what_was_changed_after_the_seal_is_not_gone_by(tmp_path: Path, changed: str) -> None:
    """Who may write the folder would choose what is deleted, and where."""
    journal = tmp_path / "evidence" / "manifests" / "undo.json"
    write_evidence(journal, {"cluster": "u", "steps": {}})
    write_evidence(tmp_path / "parameters.yaml", ENVIRONMENT.format(allow="apply", protected="true"))
    files = {n: sha256(tmp_path / n) for n in ("evidence/manifests/undo.json", "parameters.yaml")}
    write_evidence(tmp_path / "MANIFEST.json", {"files": files | {changed: "another"}})
    with pytest.raises(ParametersError, match=rf"{changed} is not what was sealed with the run.*Nothing was changed"):
        undo(tmp_path, confirm="prod")


def test_undo_needs_what_applying_needs(tmp_path: Path) -> None:
    """The permission, and the name typed anew: that it was typed for the run is not enough."""
    write_evidence(tmp_path / "evidence" / "manifests" / "undo.json", {"cluster": "u", "steps": {}})
    with pytest.raises(NotAllowed, match="don't allow `apply` in environment 'prod'"):
        undo(tmp_path, allow="probe", confirm="prod")
    for typed in (None, "prd"):
        with pytest.raises(NotAllowed, match=r"pass `--confirm prod`\. Nothing was changed"):
            undo(tmp_path, confirm=typed)
    with pytest.raises(NotAllowed, match=r"confirm names 'prd', .* of 'prod', .*\. Nothing was changed\."):
        undo(tmp_path, protected=False, confirm="prd")
    for protected, typed in ((True, "prod"), (False, None), (False, "prod")):
        with pytest.raises(ClusterError, match="there is no kubeconfig"):
            undo(tmp_path, protected=protected, confirm=typed)
