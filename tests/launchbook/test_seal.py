"""What is done to a run's folder after its end is named; what a seal can't prove is said."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from runs import environment
from typer.testing import CliRunner

from launchbook import versions
from launchbook.batch import close_by_hand
from launchbook.cli import app
from launchbook.contents import FILE, contents
from launchbook.errors import ParametersError
from launchbook.folder import RunFolder
from launchbook.pages import render
from launchbook.record import Log, write_evidence
from launchbook.rules import rules_of
from launchbook.run import Run
from launchbook.seal import SIGNED_BY_NOBODY, digest, hold, verify
from launchbook.sealed import sha256
from launchbook.tracks import TRACKS
from launchbook.verdict import fold
from launchbook.words import Check, Status


def sealed(tmp_path: Path, render: Callable[[Path], Any] = lambda folder: None, **overrides: Any) -> RunFolder:
    """A run that was stepped through, with every check passed, closed and sealed."""
    resolved = environment(tmp_path / "parameters", **overrides)
    first = Run.create(resolved, tmp_path / "outputs", tracks="ABCD", mode="interactive")
    first.evidence("manifests/plan.json", {})
    for track in TRACKS:
        run = Run(first.files, track, resolved)
        rules = rules_of(resolved.environment).values()
        run.check([Check(rule.id, "s", Status.PASS, "m", "e", "b") for rule in rules if rule.track == track.id])
        run.finish()
    close_by_hand(first.files, render)
    return first.files


def test_a_run_that_was_not_touched_has_no_difference(tmp_path: Path) -> None:
    """Hidden files that JupyterLab had left before the seal are sealed like any other."""

    def leave(folder: Path) -> None:
        (folder / ".ipynb_checkpoints").mkdir()
        (folder / ".ipynb_checkpoints" / "A.ipynb").write_text("{}")

    folder = sealed(tmp_path, leave)
    assert verify(folder) == []
    (folder.path / ".ipynb_checkpoints" / "A.ipynb").write_text("{ }")
    assert verify(folder) == [".ipynb_checkpoints/A.ipynb: was changed after the run"]


def _link(folder: RunFolder) -> None:
    log = folder.evidence / "A.jsonl"
    shutil.move(log, folder.path.parent.parent / "elsewhere")
    log.symlink_to(folder.path.parent.parent / "elsewhere")


def _pipe(folder: RunFolder) -> None:
    (folder.evidence / "A.jsonl").unlink()
    os.mkfifo(folder.evidence / "A.jsonl")


def _hidden(folder: RunFolder) -> None:
    (folder.path / ".ipynb_checkpoints").mkdir()
    (folder.path / ".ipynb_checkpoints" / "index.html").write_text("GO")


def _folder_in_place_of_a_file(folder: RunFolder) -> None:
    (folder.evidence / "manifests" / "plan.json").unlink()
    (folder.evidence / "manifests" / "plan.json").mkdir()


@pytest.mark.parametrize(
    ("act", "differs"),
    [
        (
            _link,
            [
                "evidence/A.jsonl: is a symbolic link, and a run holds regular files alone",
                "the verdict was not computed: evidence/A.jsonl is a symbolic link",
            ],
        ),
        (
            _pipe,
            [
                "evidence/A.jsonl: is a fifo, and a run holds regular files alone",
                "the verdict was not computed: evidence/A.jsonl is a fifo",
            ],
        ),
        (
            lambda folder: (folder.path / "extra").symlink_to("/etc"),
            ["extra: is a symbolic link, and a run holds regular files alone"],
        ),
        (
            lambda folder: os.mkfifo(folder.path / "fifo"),
            ["fifo: is a fifo, and a run holds regular files alone"],
        ),
        (
            _hidden,
            [".ipynb_checkpoints: was added after the run", ".ipynb_checkpoints/index.html: was added after the run"],
        ),
        (lambda folder: (folder.path / "extra").mkdir(), ["extra: was added after the run"]),
        (_folder_in_place_of_a_file, ["evidence/manifests/plan.json: was changed after the run"]),
        (
            lambda folder: (folder.evidence / "manifests" / "plan.json").unlink(),
            ["evidence/manifests/plan.json: is missing"],
        ),
    ],
    ids=["linked log", "log is a fifo", "linked folder", "fifo", "hidden", "folder", "file became folder", "gone"],
)
def test_whatever_is_not_a_sealed_file_is_named(
    tmp_path: Path, act: Callable[[RunFolder], Any], differs: list[str]
) -> None:
    """No link is followed, and nothing blocks."""
    folder = sealed(tmp_path)
    act(folder)
    assert verify(folder) == differs


def test_a_folder_of_links_is_named(tmp_path: Path) -> None:
    """Its files are missing, whatever the link leads to."""
    folder = sealed(tmp_path)
    folder.evidence.rename(tmp_path / "elsewhere")
    folder.evidence.symlink_to(tmp_path / "elsewhere")
    differs = verify(folder)
    assert "evidence: is a symbolic link, and a run holds regular files alone" in differs
    assert "evidence/A.jsonl: is missing" in differs
    assert "the verdict was not computed: evidence is a symbolic link" in differs


@pytest.mark.parametrize("manifest", [Path.symlink_to, lambda path, _: os.mkfifo(path)], ids=["link", "fifo"])
def test_a_manifest_that_is_no_file_is_no_seal(tmp_path: Path, manifest: Callable[[Path, Path], Any]) -> None:
    folder = sealed(tmp_path)
    folder.manifest.rename(tmp_path / "elsewhere")
    manifest(folder.manifest, tmp_path / "elsewhere")
    with pytest.raises(ParametersError, match=r"has no MANIFEST\.json"):
        verify(folder)


@pytest.mark.parametrize(
    ("key", "value", "differs"),
    [
        ("actor", "ceo", 'MANIFEST.json: actor is "ceo", but verdict.json says'),
        ("git", "deadbeef", 'MANIFEST.json: git is "deadbeef", but verdict.json says'),
        ("cluster", {"uid": "x"}, 'MANIFEST.json: cluster is {"uid": "x"}, but verdict.json says null'),
        ("run", "other", 'MANIFEST.json: run is "other", but verdict.json says'),
    ],
)
def test_a_forged_head_is_named(tmp_path: Path, key: str, value: Any, differs: str) -> None:
    """Held against verdict.json, which is held against the logs."""
    folder = sealed(tmp_path)
    forge(folder, **{key: value})
    assert [line[: len(differs)] for line in verify(folder)] == [differs]


def forge(folder: RunFolder, **changed: Any) -> None:
    folder.manifest.write_text(json.dumps(json.loads(folder.manifest.read_text()) | changed))


def test_the_chain_is_held_run_by_run(tmp_path: Path) -> None:
    """A change in the first of three is seen from the last."""
    first, second, third = (sealed(tmp_path) for _ in range(3))
    assert not [line for line in hold(third).unheld if "the run before" in line]
    was = digest(first)
    forge(first, actor="ceo")
    said = (
        f"before: run {second.id} noted {was} as the SHA-256 of {first.id}'s MANIFEST.json, and it is {digest(first)}"
    )
    assert verify(third) == [said]
    assert verify(second) == [said]


def test_a_chain_that_can_not_be_followed_is_said(tmp_path: Path) -> None:
    """A run may have been taken away; that is no difference, and what was before it is not known."""
    first, second = sealed(tmp_path), sealed(tmp_path)
    shutil.rmtree(first.path)
    held = hold(second)
    assert held.differs == []
    assert held.unheld[-1] == (
        f"the run before {second.id}, {first.id}, isn't in {tmp_path / 'outputs'}: what was before it was not held"
    )


def test_a_run_that_was_sealed_anew_has_another_digest(tmp_path: Path) -> None:
    """The one thing that a forger who can write the folder can't mend."""
    folder = sealed(tmp_path)
    noted = digest(folder)
    assert hold(folder, noted).differs == []
    forge(folder, folders=[])
    assert hold(folder, noted).differs == [
        f"MANIFEST.json: its SHA-256 is {digest(folder)}, but {noted} was noted: the run was sealed anew, or is another one"
    ]


def test_verify_says_what_a_seal_does_not_prove(tmp_path: Path) -> None:
    """And gives the digest to be noted; with it, nothing is left to say."""
    folder = sealed(tmp_path)
    call = CliRunner().invoke
    done = call(app, ["verify", str(folder.path)])
    assert done.exit_code == 0
    assert f"SHA-256 of MANIFEST.json: {digest(folder)}\n" in done.output
    assert SIGNED_BY_NOBODY in done.output
    done = call(app, ["verify", str(folder.path), "--manifest-sha256", f"sha256:{digest(folder).upper()}"])
    assert f"SHA-256 of MANIFEST.json: {digest(folder)}, as noted\n" in done.output
    assert SIGNED_BY_NOBODY not in done.output
    assert call(app, ["verify", str(folder.path), "--manifest-sha256", "0" * 64]).exit_code == 1


def test_who_closes_a_run_is_told_what_to_note(tmp_path: Path) -> None:
    """The last line, as at the end of a batch."""
    made = Run.create(environment(tmp_path / "parameters"), tmp_path / "outputs", mode="interactive")
    done = CliRunner().invoke(app, ["close", str(made.folder)])
    assert done.output.endswith(f"\nSHA-256 of MANIFEST.json, to be noted elsewhere: {digest(made.files)}\n")


def test_a_digest_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParametersError) as caught:
        CliRunner().invoke(
            app, ["verify", str(sealed(tmp_path).path), "--manifest-sha256", "abc"], catch_exceptions=False
        )
    assert str(caught.value) == (
        "--manifest-sha256: 'abc' is no SHA-256; write its 64 hexadecimal digits, as `launchbook run` printed them. "
        "Nothing was compared."
    )


def test_a_sealed_run_is_not_closed_again(tmp_path: Path) -> None:
    """It would seal whatever was changed since, and prolong the verdict."""
    folder = sealed(tmp_path)
    with pytest.raises(ParametersError) as caught:
        close_by_hand(folder, lambda path: None)
    assert str(caught.value) == (
        f"{folder.path} is sealed already, and a second seal would cover whatever was changed since. "
        f"`launchbook verify {folder.path}` says what was. Nothing was touched."
    )
    assert verify(folder) == []


def test_the_run_of_a_batch_is_not_closed_by_hand(tmp_path: Path) -> None:
    """It may be at work."""
    made = Run.create(environment(tmp_path / "parameters"), tmp_path / "outputs", mode="batch")
    with pytest.raises(ParametersError, match="was made by `launchbook run`, which closes its own runs"):
        close_by_hand(made.files, lambda path: None)
    assert not made.files.manifest.exists()


def anew(folder: RunFolder) -> None:
    """Seals a changed run anew, as a forger would: verdict, then every hash."""
    write_evidence(folder.verdict, fold(folder))
    names = [name for name, kind in contents(folder.path).items() if kind == FILE and name != "MANIFEST.json"]
    forge(folder, files={name: sha256(folder.path / name) for name in names})


def edit(folder: RunFolder, log: str, change: Callable[[dict[str, Any]], Any]) -> None:
    """`change` to each record of a log."""
    path = folder.evidence / f"{log}.jsonl"
    records = Log(path).read()
    for record in records:
        change(record)
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records))


def _lighter(record: dict[str, Any]) -> None:
    for rule in record.get("rules", ()):
        rule["priority"] = "P2" if rule["id"] == "A.isolation" else rule["priority"]


def _left_out(record: dict[str, Any]) -> None:
    if "check" in record and record["check"]["id"] == "A.isolation":
        record["check"]["status"] = "NA"


@pytest.mark.parametrize(
    ("log", "change", "differs"),
    [
        ("batch", _lighter, "rule A.isolation: priority was P2 in the run, and is P0 in the catalogue"),
        ("A", _left_out, "A.isolation s: is NA, and this check always applies"),
    ],
)
def test_a_log_that_was_changed_and_sealed_anew_is_named(
    tmp_path: Path, log: str, change: Callable[[dict[str, Any]], Any], differs: str
) -> None:
    """By what the catalogue has, though every hash is right."""
    folder = sealed(tmp_path)
    edit(folder, log, change)
    anew(folder)
    assert verify(folder) == [differs]


CANARY = {"problem": None, "nodes": [{"node": "n1", "open": True, "blocked": False, "lag": None, "because": "Open."}]}


def test_evidence_that_was_not_judged_so_is_named(tmp_path: Path) -> None:
    """A node without a check, and a node whose evidence says FAIL where the log says PASS."""
    folder = sealed(tmp_path)
    write_evidence(folder.evidence / "isolation" / "canary.json", CANARY)
    anew(folder)
    unjudged = "A.enforcement node/n1: evidence/isolation/canary.json has this node, and no check judges it"
    assert unjudged in verify(folder)

    def judge(record: dict[str, Any]) -> None:
        if "check" in record and record["check"]["id"] == "A.enforcement":
            record["check"]["subject"] = "node/n1"

    edit(folder, "A", judge)
    anew(folder)
    assert "A.enforcement node/n1: is PASS in the log, and its evidence gives FAIL" in verify(folder)


def write_documents(folder: Path) -> None:
    word = json.loads((folder / "verdict.json").read_text())["verdict"]
    (folder / "documents" / "status.md").write_text(f"# Status: {word}\n")
    render(folder)


@pytest.mark.parametrize(
    ("name", "said", "differs"),
    [
        (
            "index.html",
            "<title>NO-GO · mini</title>",
            [
                "index.html: says NO-GO, but the logs give GO",
                "index.html: is not the page that this run's files give",
            ],
        ),
        ("documents/status.html", "Sound.", ["documents/status.html: is not the page that this run's files give"]),
        (
            "documents/status.md",
            "# Status: NO-GO\n",
            [
                "documents/status.md: says NO-GO, but the logs give GO",
                "documents/status.html: is not the page that this run's files give",
                "index.html: is not the page that this run's files give",
            ],
        ),
    ],
)
def test_a_page_that_was_changed_and_sealed_anew_is_named(
    tmp_path: Path, name: str, said: str, differs: list[str]
) -> None:
    """It is rendered again, and says what the logs say."""
    folder = sealed(tmp_path, write_documents)
    assert verify(folder) == []
    (folder.path / name).write_text(said)
    anew(folder)
    assert sorted(verify(folder)) == sorted(differs)


def test_pages_of_another_launchbook_are_not_rendered_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That they were not compared is said; the verdict on them is."""
    folder = sealed(tmp_path, write_documents)
    here = versions.program()
    monkeypatch.setattr(versions, "program", lambda: here | {"program": "other", "launchbook": "99"})
    held = hold(folder)
    assert held.differs == []
    assert held.unheld[0] == (
        f"rules with the catalogue: the run was made with launchbook {here['launchbook']}, this is 99"
    )
    assert held.unheld[-1] == (
        "pages and evidence in full: the run was made with another program, launchbook; of pages only the verdict was"
    )
