"""The command `launchbook`: the same functions at a prompt. Exit codes are the verdict's; 2 is bad configuration."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from launchbook.errors import LaunchbookError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Decides whether a system on Kubernetes may go live, and proves it.",
)
Folder = Annotated[Path, typer.Argument(help="A run folder, such as outputs/latest.")]
Outputs = Annotated[Path, typer.Option(help="Where the run folder is made.")]
Notebooks = Annotated[Path, typer.Option(help="The folder with the four notebooks.")]


@app.command()
def run(
    parameters: Annotated[Path, typer.Argument(help="An environment's YAML, such as parameters/lab.yaml.")],
    tracks: Annotated[str, typer.Option(help="Which tracks, such as A,B. Fewer than four end INCOMPLETE.")] = "A,B,C,D",
    read_only: Annotated[bool, typer.Option("--read-only", help="Look, change nothing.")] = False,
    confirm: Annotated[
        str | None, typer.Option(help="The name of a protected environment; without it, it is only looked at.")
    ] = None,
    complete: Annotated[
        bool, typer.Option("--complete", help="Exit 0 once the run is complete, whatever its verdict.")
    ] = False,
    outputs: Outputs = Path("outputs"),
    notebooks: Notebooks = Path("notebooks"),
) -> None:
    """Execute the notebooks against an environment and give the verdict.

    Exit codes: 0 GO, 1 NO-GO, 2 bad configuration (nothing was touched), 3 CONDITIONAL, 4 INCOMPLETE.
    """
    from launchbook.batch import run_batch
    from launchbook.cluster import Cluster
    from launchbook.pages import render
    from launchbook.parameters_file import load
    from launchbook.protected import typed_now

    selected = _tracks(tracks)
    resolved = load(parameters, typed_now(confirm))
    cluster = Cluster.connect(resolved.environment.cluster)
    verdict = run_batch(
        resolved,
        cluster,
        notebooks=notebooks,
        outputs=outputs,
        tracks=selected,
        read_only=read_only,
        say=_progress,
        render=render,
    )
    _print_verdict(verdict, outputs)
    whole = verdict["verdict"] != "INCOMPLETE"
    raise typer.Exit(0 if complete and whole else verdict["exit_code"])


@app.command()
def notebook(
    parameters: Annotated[Path, typer.Argument(help="An environment's YAML.")],
    read_only: Annotated[bool, typer.Option("--read-only", help="Look, change nothing.")] = False,
    outputs: Outputs = Path("outputs"),
    notebooks: Notebooks = Path("notebooks"),
) -> None:
    """Prepare a run folder and open JupyterLab there: the batch's notebooks, with you pressing Run."""
    from launchbook.interactive import left_behind, open_lab, prepare
    from launchbook.parameters_file import load
    from launchbook.protected import typed_now

    resolved = load(parameters, typed_now(None))
    folder = prepare(resolved, notebooks=notebooks, outputs=outputs, read_only=read_only)
    for line in left_behind(resolved, parameters):
        typer.echo(line)
    typer.echo(f"Run {folder.id}: run the notebooks A to D in this order, then `launchbook close {folder.path}`.")
    open_lab(folder)


@app.command()
def close(folder: Folder) -> None:
    """Close a run that was stepped through by hand: the last verdict, the pages, the seal."""
    from launchbook.batch import close_by_hand
    from launchbook.folder import RunFolder
    from launchbook.pages import render

    files = RunFolder.existing(folder)
    verdict = close_by_hand(files, render)
    _print_verdict(verdict, files.path.parent.parent)
    raise typer.Exit(verdict["exit_code"])


@app.command()
def verify(
    folder: Folder,
    live: Annotated[bool, typer.Option("--live", help="Also ask the cluster whether the verdict still holds.")] = False,
    manifest_sha256: Annotated[
        str | None,
        typer.Option(metavar="HEX", help="The SHA-256 of the run's MANIFEST.json, as it was noted elsewhere."),
    ] = None,
) -> None:
    """Recompute a run's hashes and verdict from its files and logs, and name what differs (exit 1)."""
    from launchbook import seal
    from launchbook.contents import FILE, kind_of
    from launchbook.folder import RunFolder
    from launchbook.parameters_file import load

    files = RunFolder.existing(folder)
    noted = None if manifest_sha256 is None else _sha256(manifest_sha256)
    held = seal.hold(files, noted)
    differs = held.differs
    if live and kind_of(files.parameters) == FILE:
        from launchbook.cluster import Cluster

        environment = load(files.parameters).environment
        cluster = Cluster.connect(environment.cluster)
        differs += seal.verify_live(files, cluster, environment.manifests.namespaces, datetime.now(UTC))
    for line in differs:
        typer.echo(line)
    for line in held.unheld:
        typer.echo(f"not compared: {line}")
    if not differs:
        typer.echo(
            f"{files.id}: every file and the verdict are as they were sealed"
            + (", and the cluster is as judged" if live else "")
        )
        typer.echo(f"SHA-256 of MANIFEST.json: {seal.digest(files)}{', as noted' if noted else ''}")
        if noted is None:
            typer.echo(seal.SIGNED_BY_NOBODY)
    raise typer.Exit(bool(differs))


@app.command()
def compare(before: Folder, after: Folder) -> None:
    """Say what changed from one run to another, once both are found as they were sealed (exit 1 where one is not)."""
    from launchbook.comparing import command
    from launchbook.folder import RunFolder

    text, code = command(RunFolder.existing(before), RunFolder.existing(after))
    typer.echo(text)
    raise typer.Exit(code)


@app.command()
def undo(
    folder: Folder,
    confirm: Annotated[str | None, typer.Option(help="The name of a protected environment.")] = None,
    even_if_changed: Annotated[
        bool, typer.Option("--even-if-changed", help="Also where somebody else has changed an object since.")
    ] = False,
) -> None:
    """Take back what a run applied: restore what it changed, delete what it created (exit 1 where some can't be)."""
    from launchbook.manifests.undo_command import command

    text, code = command(folder, confirm=confirm, even_if_changed=even_if_changed, tell=_progress)
    typer.echo(text)
    raise typer.Exit(code)


@app.command()
def sweep(
    parameters: Annotated[Path, typer.Argument(help="An environment's YAML, or a run folder's parameters.yaml.")],
    run: Annotated[str | None, typer.Option(help="Whose objects go; else those of every run that is over.")] = None,
    confirm: Annotated[str | None, typer.Option(help="The name of a protected environment.")] = None,
) -> None:
    """Delete what runs left that were killed, never a running one's (exit 1 where something can't be deleted)."""
    from launchbook.sweep_command import command

    text, code = command(parameters, run=run, confirm=confirm)
    typer.echo(text)
    raise typer.Exit(code)


@app.command()
def reach(
    paths: Annotated[list[Path] | None, typer.Argument(help="Manifests: files, folders or kustomizations.")] = None,
    explain: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="SOURCE DESTINATION", help="Say of these two alone which rules decide, as text."),
    ] = None,
    diff: Annotated[
        tuple[Path, Path] | None,
        typer.Option(metavar="OLD NEW", help="Say what a change from these manifests to those opens and closes."),
    ] = None,
    needs: Annotated[
        bool, typer.Option("--needs", help="Say of each policy and rule whether deleting it alone would be noticed.")
    ] = False,
    pod_network: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CIDR", help="Where pods take their addresses from, so that an ipBlock beyond is certain."
        ),
    ] = None,
) -> None:
    """Who may reach whom, computed from manifests alone, as CSV on standard output."""
    from launchbook.errors import ParametersError
    from launchbook.isolation import explain as between
    from launchbook.isolation.files import command

    networks = pod_network or []
    if bool(paths) == bool(diff) or sum(map(bool, (diff, explain, needs))) > 1:
        raise ParametersError(
            "reach takes manifests, with --explain, --needs or neither, or else --diff OLD NEW alone."
        )
    if diff:
        sys.stdout.write(between.diff(*diff, networks))
    elif explain:
        sys.stdout.write(between.explain(paths or [], *explain, networks))
    elif needs:
        sys.stdout.write(between.needed(paths or [], networks))
    else:
        sys.stdout.write(command(paths or [], networks))


@app.command()
def selectors(
    paths: Annotated[list[Path], typer.Argument(help="Kustomizations.")],
    fix: Annotated[
        bool, typer.Option("--fix", help="Write the mended kustomization once a new render proved it.")
    ] = False,
    output: Annotated[str, typer.Option("--output", "-o", help="table or json")] = "table",
) -> None:
    """Find selectors that a label transformer changed; exit 1 where one changes what is selected."""
    from launchbook.manifests.selectors import command

    text, code = command(paths, fix=fix, output=output)
    typer.echo(text)
    raise typer.Exit(code)


@app.command("load-verdict")
def load_verdict(
    files: Annotated[list[Path], typer.Argument(help="k6 or Locust results.")],
    scenario: Annotated[
        Path | None, typer.Option(help="A scenario with thresholds, as in the parameters' `load:`.")
    ] = None,
) -> None:
    """Judge anyone's load results offline: PASS (exit 0), FAIL (1), INVALID or NO DATA (4), as JSON."""
    from launchbook.load.verdict import command

    text, code = command(files, scenario)
    typer.echo(text)
    raise typer.Exit(code)


@app.command("load-testrun")
def load_testrun(
    parameters: Annotated[Path | None, typer.Argument(help="An environment's YAML.")] = None,
    merge: Annotated[list[Path] | None, typer.Option(help="The runners' logs, in place of parameters.")] = None,
) -> None:
    """Write the scenario as a TestRun of k6-operator, as YAML; or with --merge put its runners' logs together as one
    k6 summary for `load-verdict`."""
    from launchbook.load.testrun import command

    typer.echo(command(parameters, merge or ()))


def main() -> NoReturn:
    """Runs the command; a LaunchbookError is one message on standard error and exit code 2."""
    try:
        app(standalone_mode=True)
    except LaunchbookError as error:
        typer.echo(f"launchbook: {error}", err=True)
        raise SystemExit(2) from None
    except OSError as error:
        typer.echo(f"launchbook: {error}. What had been recorded is kept.", err=True)
        raise SystemExit(4) from None
    raise SystemExit(0)


def _tracks(text: str) -> list[str]:
    from launchbook.errors import ParametersError
    from launchbook.tracks import TRACKS

    known = [track.id for track in TRACKS]
    asked = [part.strip().upper() for part in text.split(",") if part.strip()]
    if unknown := [part for part in asked if part not in known]:
        raise ParametersError(
            f"--tracks: there is no track {unknown[0]!r}; write some of {','.join(known)}. Nothing was touched."
        )
    if not asked:
        raise ParametersError("--tracks: names no track; write for example A,B. Nothing was touched.")
    return asked


def _sha256(text: str) -> str:
    from launchbook.errors import ParametersError

    hexes = text.strip().lower().removeprefix("sha256:")
    if len(hexes) != 64 or set(hexes) - set("0123456789abcdef"):
        raise ParametersError(
            f"--manifest-sha256: {text!r} is no SHA-256; write its 64 hexadecimal digits, as `launchbook run` printed "
            "them. Nothing was compared."
        )
    return hexes


def _progress(line: str) -> None:
    typer.echo(f"{datetime.now(UTC):%H:%M:%S} {line}")


def _print_verdict(verdict: dict[str, Any], outputs: Path) -> None:
    from launchbook.folder import RunFolder
    from launchbook.seal import digest

    counts = ", ".join(f"{n} {status}" for status, n in verdict["counts"].items() if n)
    typer.echo(f"\n{verdict['verdict']}  ({counts or json.dumps(verdict['counts'])})")
    for line in verdict["because"]:
        typer.echo(f"  {line}")
    typer.echo(f"Read {outputs / 'latest' / 'index.html'}")
    if (files := RunFolder.named(outputs, verdict["run"])) and files.sealed:
        typer.echo(f"SHA-256 of MANIFEST.json, to be noted elsewhere: {digest(files)}")
