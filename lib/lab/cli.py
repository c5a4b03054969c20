"""The command `lab`: a disposable, real Kubernetes on this machine."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from lab import parts, state
from lab.debs import DebError
from lab.errors import LabError, Unmet
from lab.images import ImageError
from lab.lab import Lab
from lab.node import tail
from lab.progress import Steps

app = typer.Typer(
    help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
)
Name = Annotated[str, typer.Option("--name", help="The lab's name.")]


@app.command()
def build() -> None:
    """Make the programs and images of a lab.

    About 8 minutes and 8 GiB the first time, then nothing.
    """
    parts.check_machine()
    steps = Steps()
    found = parts.build(steps)
    table = Table("program", "version", "from", box=None)
    for name, program in sorted(found.programs.items()):
        table.add_row(name, program.version, program.origin)
    Console().print(table)
    print(f"{len(found.images)} images; all in {parts.cache_folder()}")


@app.command()
def up(
    name: Name = "lab",
    nodes: Annotated[int | None, typer.Option(help="How many nodes; 3 for a new lab.")] = None,
    without: Annotated[
        list[str] | None, typer.Option(help="Leave out COMPONENT@MACHINE (a fault for tests); may be repeated.")
    ] = None,
) -> None:
    """Start the lab, or bring back what died in it."""
    _report(Lab(name, Steps()).up(nodes, without or []))


@app.command()
def down(name: Name = "lab") -> None:
    """End the lab and remove all it made.

    Processes, mounts, links, routes, control groups and files.
    """
    there = Lab(name).down()
    print(f"lab {name} is gone" if there else f"there is no lab {name}; nothing to do")


@app.command()
def status(name: Name = "lab", as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    """Show each component of each machine.

    Exit code 1 unless all that should run does.
    """
    found = Lab(name).status()
    if as_json:
        print(json.dumps(found or {"name": name, "up": False, "machines": []}, indent=1))
    elif found:
        _report(found)
    else:
        print(f"there is no lab {name}; `lab up --name {name}` starts it")
    if not found or not found["up"]:
        raise typer.Exit(1)


@app.command("list")
def list_labs() -> None:
    """Name every lab of this user, and whether it is up."""
    for name in state.names():
        found = Lab(name).status()
        print(f"{name}  {'up' if found and found['up'] else 'damaged'}")


@app.command("load-image")
def load_image(
    archives: Annotated[list[Path], typer.Argument(metavar="FILE...", help="OCI archives.")], name: Name = "lab"
) -> None:
    """Import images into every node."""
    Lab(name).load_images(archives)
    print(f"{len(archives)} archive(s) loaded into every node of {name}")


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def kubectl(context: typer.Context, name: Name = "lab") -> None:
    """Run kubectl as the lab's admin: lab kubectl -- get pods -A."""
    program, kubeconfig = Lab(name).kubectl()
    own = {"KUBECONFIG": str(kubeconfig), "KUBECACHEDIR": str(kubeconfig.with_name("kubectl-cache"))}
    os.execve(program, ["kubectl", *context.args], {**os.environ, **own})


@app.command()
def kubeconfig(
    user: Annotated[str, typer.Option(help="The user's name in the certificate.")],
    group: Annotated[list[str] | None, typer.Option(help="A group of the user; may be repeated.")] = None,
    name: Name = "lab",
) -> None:
    """Print a kubeconfig with a client certificate for a user."""
    print(Lab(name).kubeconfig(user, group or []), end="")


@app.command()
def stop(target: Annotated[str, typer.Argument(metavar="COMPONENT@MACHINE")], name: Name = "lab") -> None:
    """Stop one component (a fault for tests).

    Such as calico-felix@lab-node-2.
    """
    Lab(name).stop(target)


@app.command()
def start(target: Annotated[str, typer.Argument(metavar="COMPONENT@MACHINE")], name: Name = "lab") -> None:
    """Start a component that was stopped, died or was left out."""
    Lab(name).start(target)


def _report(found: dict[str, Any]) -> None:
    table = Table("machine", "address", "component", "state", "pid", "age", box=None)
    for machine in found["machines"]:
        rows = machine["components"] or [{"name": "-", "state": "gone", "pid": None, "age": None}]
        for component in rows:
            age = "" if component["age"] is None else f"{component['age']} s"
            table.add_row(
                machine["name"],
                machine["address"],
                component["name"],
                component["state"],
                str(component["pid"] or ""),
                age,
            )
    Console().print(table)
    for machine in found["machines"]:
        for component in machine["components"]:
            if component["state"] in ("exited", "failed"):
                print(f"\n{component['name']} of {machine['name']} died (exit code {component['exit']}). ")
                print(f"The end of its log, {component['log']}:\n{tail(Path(component['log']))}")
    age = time.time() - found["started"]
    print(f"\n{found['name']} · {found['server']} · addresses {found['slice']} · started {age:.0f} s ago")
    print(f"admin       {found['kubeconfig']['admin']}")
    print(f"launchbook  {found['kubeconfig']['launchbook']}  (context {found['context']})")


def main() -> None:
    try:
        app()
    except (Unmet, DebError, ImageError) as error:
        print(f"lab: {error}", file=sys.stderr)
        sys.exit(2)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
