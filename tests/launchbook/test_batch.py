"""Every way in which a notebook can end, executed for real: none of them may read as a launch."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import nbformat
import psutil
import pytest
from memory import Memory
from runs import environment, notebooks, passing
from tenacity import retry, stop_after_delay, wait_fixed

from launchbook import isolation, manifests
from launchbook.batch import run_batch
from launchbook.cluster import Cluster
from launchbook.errors import ClusterError, NotAllowed, ParametersError
from launchbook.folder import RunFolder
from launchbook.leasing import Holder, leased
from launchbook.run import Run
from launchbook.seal import verify
from launchbook.tracks import TRACKS

A = TRACKS[0]


def run(tmp_path: Path, changed: Mapping[str, list[str]], *, tracks: str = "ABCD", **overrides: Any) -> dict[str, Any]:
    """verdict.json of a batch in which the tracks in `changed` run other cells."""
    return run_batch(
        environment(tmp_path / "parameters", **overrides),
        None,
        notebooks=notebooks(tmp_path / "notebooks", changed),
        outputs=tmp_path / "outputs",
        tracks=list(tracks),
        read_only=False,
        say=lambda line: None,
        render=lambda folder: None,
    )


def track(verdict: Mapping[str, Any], id: str) -> Any:
    return next(t for t in verdict["tracks"] if t["id"] == id)


def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path / "outputs" / "latest")


def test_four_passing_tracks_are_a_go_that_verifies(tmp_path: Path) -> None:
    """The whole way: four kernels, one verdict, a sealed folder that anyone can recompute."""
    verdict = run(tmp_path, {})
    assert verdict["verdict"] == "GO"
    assert [t["status"] for t in verdict["tracks"]] == ["finished"] * 4
    assert json.loads(folder(tmp_path).verdict.read_text()) == verdict
    assert verify(folder(tmp_path)) == []


def test_a_forged_verdict_is_named(tmp_path: Path) -> None:
    """verify() recomputes from the logs, so neither file can be changed alone."""
    run(tmp_path, {"A": [PASS_ONE, FAIL_ONE, "run.finish()"]}, tracks="A")
    path = folder(tmp_path).verdict
    path.write_text(path.read_text().replace('"NO-GO"', '"GO"'))
    assert verify(folder(tmp_path)) == [
        "verdict.json: was changed after the run",
        'verdict.json: verdict is "GO", but the logs give "NO-GO"',
    ]


PASS_ONE = "run.check(Check('A.target', 's', Status.PASS, 'm', 'e', 'b'))"
FAIL_ONE = "run.check(Check('A.ready', 's', Status.FAIL, 'm', 'e', 'Not ready.'))"
JUDGED = passing(A)[0]


@pytest.mark.parametrize(
    ("cells", "because"),
    [
        ([JUDGED, "1 / 0", "run.finish()"], "ended with exit code 1"),
        ([JUDGED, "import os; os.kill(os.getpid(), 9)", "run.finish()"], "ended with exit code"),
        ([JUDGED, "import sys; sys.exit(0)", "run.finish()"], "stopped before its last cell"),
        ([JUDGED], "stopped before its last cell"),
        ([JUDGED, "run.finish()", "run.note('one more thing')"], "stopped before its last cell"),
        (["run.check(Check('A.target', 's', 'PASS', 'm', 'e', object()))", "run.finish()"], "ended with exit code 1"),
        (["def broken(:"], "ended with exit code 1"),
    ],
    ids=["raises", "kernel killed", "exits 0 early", "never finishes", "goes on after", "bad record", "syntax error"],
)
def test_a_notebook_that_does_not_end_well_is_incomplete(tmp_path: Path, cells: list[str], because: str) -> None:
    """All of its checks had passed: still no launch, and the other tracks were judged."""
    verdict = run(tmp_path, {"A": cells})
    assert verdict["verdict"] == "INCOMPLETE"
    assert because in track(verdict, "A")["because"]
    assert [track(verdict, id)["status"] for id in "BCD"] == ["finished"] * 3
    saved = nbformat.read(folder(tmp_path).path / A.notebook, as_version=4)
    assert "Track A did not finish" in saved.cells[0].source


def test_cells_that_never_ran_are_not_called_completed(tmp_path: Path) -> None:
    """papermill says so after a dead kernel; the saved notebook must not."""
    run(tmp_path, {"A": ["import os; os.kill(os.getpid(), 9)", "run.finish()"]}, tracks="A")
    saved = nbformat.read(folder(tmp_path).path / A.notebook, as_version=4)
    assert saved.cells[-1].metadata.papermill.status == "pending"


def test_a_notebook_that_hangs_is_ended_at_its_deadline(tmp_path: Path) -> None:
    """The batch has a deadline of its own, and no process of the track outlives it."""
    hang = "import threading; threading.Event().wait()"
    verdict = run(tmp_path, {"A": [JUDGED, hang, "run.finish()"]}, tracks="A", track_deadline=8)
    assert verdict["verdict"] == "INCOMPLETE"
    assert track(verdict, "A")["because"] == "did not end within its deadline of 8 s"
    assert not [p for p in psutil.process_iter(["cmdline"]) if str(tmp_path) in " ".join(p.info["cmdline"] or [])]


def test_a_failed_p0_is_a_no_go_even_where_the_run_broke_off(tmp_path: Path) -> None:
    """What was seen to fail isn't forgotten because something else went wrong."""
    verdict = run(tmp_path, {"A": [FAIL_ONE, "1 / 0"]})
    assert (verdict["verdict"], verdict["exit_code"]) == ("NO-GO", 1)
    assert verdict["because"] == ["FAIL A.ready s: Not ready."]


def test_an_expected_check_without_a_record_is_unknown(tmp_path: Path) -> None:
    """A notebook that finishes without judging everything is no launch."""
    verdict = run(tmp_path, {"A": [PASS_ONE, "run.finish()"]})
    assert verdict["verdict"] == "NO-GO"
    assert "UNKNOWN A.isolation (run): The run ended without judging this." in verdict["because"]


def test_a_track_that_was_not_selected_leaves_the_run_incomplete(tmp_path: Path) -> None:
    """Three tracks are no launch."""
    verdict = run(tmp_path, {}, tracks="ABC")
    assert (verdict["verdict"], verdict["because"]) == ("INCOMPLETE", ["track D was not selected"])


def test_a_subject_that_changed_during_the_run_leaves_it_incomplete(tmp_path: Path) -> None:
    """The verdict would be about something that no longer runs."""
    say = "run.subject('image', 'a/b c', '{}')"
    verdict = run(
        tmp_path,
        {"A": [say.format("sha256:1"), *passing(TRACKS[0])], "D": [say.format("sha256:2"), *passing(TRACKS[3])]},
    )
    assert verdict["verdict"] == "INCOMPLETE"
    assert verdict["because"] == ["image a/b c changed during the run: sha256:1 became sha256:2"]


def test_a_mistyped_parameter_ends_the_notebook_before_anything(tmp_path: Path) -> None:
    """start() refuses what papermill only warns about."""
    verdict = run(tmp_path, {"B": ["vuss = 3", "start('load', vars())", "run.finish()"]}, tracks="B")
    assert track(verdict, "B")["because"] == "ended with exit code 1"
    errors = (folder(tmp_path).evidence / "B.stderr.txt").read_text()
    assert "no parameter 'vuss'; did you mean 'vus'?" in errors


def test_clean_up_runs_when_a_cell_fails(tmp_path: Path) -> None:
    """What a notebook put on a cluster goes, however the notebook ends."""
    register = f"run.at_exit(lambda: open({str(tmp_path / 'cleaned')!r}, 'w').close())"
    run(tmp_path, {"A": [register, "1 / 0"]}, tracks="A")
    assert (tmp_path / "cleaned").exists()


def test_missing_notebooks_touch_nothing(tmp_path: Path) -> None:
    """Bad configuration makes no run folder."""
    with pytest.raises(ParametersError, match=r"holds no A-manifests.ipynb"):
        run_batch(
            environment(tmp_path / "parameters"), None, notebooks=tmp_path, outputs=tmp_path / "outputs",
            tracks=["A"], read_only=False, say=print, render=print,
        )  # fmt: skip
    assert not (tmp_path / "outputs").exists()


def test_a_mistyped_threshold_touches_nothing(tmp_path: Path) -> None:
    """Before the run folder is made, with the nearest metric."""
    with pytest.raises(ParametersError, match="did you mean 'http_req_duration'"):
        run(tmp_path, {}, **{"load.thresholds": {"http_req_durations": ["p(95)<500"]}})
    assert not (tmp_path / "outputs").exists()


def test_manifests_that_do_not_render_touch_nothing(tmp_path: Path) -> None:
    """Before the run folder is made, and before the cluster is asked for anything."""
    resolved = environment(tmp_path / "parameters")
    with pytest.raises(ParametersError, match=r"manifests does not exist\. Nothing was touched\."):
        run_batch(
            resolved, cast(Cluster, object()), notebooks=notebooks(tmp_path / "notebooks", {}),
            outputs=tmp_path / "outputs", tracks=["A"], read_only=False, say=print, render=print,
        )  # fmt: skip
    assert not (tmp_path / "outputs").exists()


def test_a_run_that_is_refused_makes_no_folder(tmp_path: Path) -> None:
    """`latest` goes on naming the run that did something: the one that `launchbook undo outputs/latest` takes back."""
    run(tmp_path, {"A": ["run.finish()"]}, tracks="A")
    before = folder(tmp_path).path
    resolved = environment(tmp_path / "parameters")
    (tmp_path / "parameters" / "manifests").mkdir()
    (tmp_path / "parameters" / "manifests" / "a.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: a}\n"
    )
    cluster = cast(Cluster, Memory())
    with (
        leased(cluster, resolved.environment, Holder("other", "sre@ci-1")),
        pytest.raises(ClusterError, match=r"run other of sre@ci-1 is at work .*Nothing was touched\."),
    ):
        run_batch(
            resolved, cluster, notebooks=tmp_path / "notebooks", outputs=tmp_path / "outputs", tracks=["A"],
            read_only=False, say=print, render=print,
        )  # fmt: skip
    assert list((tmp_path / "outputs").glob("20*/*")) == [before]
    assert [(tmp_path / "outputs" / name).resolve() for name in ("latest", "latest-mini")] == [before] * 2


class Known(Memory):
    """A cluster in memory that can be connected to; it remembers the Leases that were written."""

    identity = SimpleNamespace(recorded=lambda: {"uid": "u"})

    def __init__(self) -> None:
        super().__init__()
        self.leases: list[str] = []

    def create(self, obj: dict[str, Any]) -> None:
        self.leases += [obj["metadata"]["name"]] if obj["kind"] == "Lease" else []
        super().create(obj)


@pytest.mark.parametrize(("typed", "leases"), [("Mini", []), ("mini", ["ns-a"])])
def test_a_protected_environment_is_leased_only_where_its_name_was_typed(
    tmp_path: Path, typed: str | None, leases: list[str]
) -> None:
    """A Lease is written to the cluster too, and until the name is typed nothing is."""
    resolved = environment(tmp_path / "parameters", confirm=typed, **{"cluster.protected": True})
    (tmp_path / "parameters" / "manifests").mkdir()
    (tmp_path / "parameters" / "manifests" / "a.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: a}\n"
    )
    cluster = Known()
    run_batch(
        resolved, cast(Cluster, cluster), notebooks=notebooks(tmp_path / "notebooks", {"A": ["run.finish()"]}),
        outputs=tmp_path / "outputs", tracks=["A"], read_only=False, say=print, render=print,
    )  # fmt: skip
    assert cluster.leases == leases


def test_a_notebook_whose_manifests_do_not_render_may_change_nothing(tmp_path: Path) -> None:
    """What its probes and evictions would prove is not what is to be launched."""
    stepped = Run.create(environment(tmp_path / "parameters"), tmp_path / "outputs")
    assert stepped.allowed("apply")
    rendered = manifests.render(stepped)
    assert "does not exist" in str(rendered.problem)
    assert not stepped.allowed("apply")
    with pytest.raises(NotAllowed, match=r"apply is refused: the manifests don't render\. Nothing was changed\."):
        stepped.require("apply")
    proofs = isolation.probe(stepped), isolation.enforcement(stepped)
    assert [found["problem"] for found in proofs] == ["probe is refused: the manifests don't render."] * 2


BATCH = """\
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from runs import environment
from launchbook.batch import run_batch
here = Path(sys.argv[1])
verdict = run_batch(
    environment(here / "parameters"), None, notebooks=here / "notebooks", outputs=here / "outputs",
    tracks=["A", "B"], read_only=False, say=lambda line: print(line, flush=True), render=lambda folder: None,
)
sys.exit(verdict["exit_code"])
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_batch_cleans_up_and_leaves_an_incomplete_run(tmp_path: Path, number: int) -> None:
    """Ctrl-C and SIGTERM end it within seconds; the notebook's own clean-up has run."""
    cells = [
        JUDGED,
        f"run.at_exit(lambda: open({str(tmp_path / 'cleaned')!r}, 'w').close())",
        "run.progress('hanging')\nimport threading; threading.Event().wait()",
    ]
    notebooks(tmp_path / "notebooks", {"A": cells})
    batch = subprocess.Popen(
        [sys.executable, "-c", BATCH, str(tmp_path), str(Path(__file__).parent)], stdout=subprocess.PIPE, text=True
    )
    assert batch.stdout is not None
    for line in batch.stdout:
        if "hanging" in line:
            break
    os.kill(batch.pid, number)
    assert batch.wait(timeout=20) == 4
    verdict = json.loads(folder(tmp_path).verdict.read_text())
    assert verdict["verdict"] == "INCOMPLETE"
    assert [track(verdict, id)["because"] for id in "AB"] == ["was stopped before its end", "has not started"]
    assert (tmp_path / "cleaned").exists()
    assert verify(folder(tmp_path)) == []


def test_a_killed_batch_leaves_a_verdict_that_says_incomplete(tmp_path: Path) -> None:
    """verdict.json says INCOMPLETE before the first kernel starts."""
    notebooks(tmp_path / "notebooks", {"A": ["run.progress('hanging')\nimport threading; threading.Event().wait(60)"]})
    batch = subprocess.Popen(
        [sys.executable, "-c", BATCH, str(tmp_path), str(Path(__file__).parent)], stdout=subprocess.PIPE, text=True
    )
    assert batch.stdout is not None
    for line in batch.stdout:
        if "hanging" in line:
            break
    tree = psutil.Process(batch.pid).children(recursive=True)
    batch.kill()
    batch.wait()
    assert json.loads(folder(tmp_path).verdict.read_text())["verdict"] == "INCOMPLETE"
    for process in tree:
        process.kill()
    _gone(tree)


@retry(stop=stop_after_delay(10), wait=wait_fixed(0.1))
def _gone(tree: list[psutil.Process]) -> None:
    assert not [p for p in tree if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
