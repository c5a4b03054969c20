"""Makes a saved notebook say what happened to it.

papermill's own record can be false: after a timeout or a dead kernel every cell reads `completed`, also those that
never ran. The run's log knows better, and the first cell says it.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
from nbformat.notebooknode import NotebookNode


def mend(source: Path, output: Path, state: Mapping[str, Any]) -> None:
    """Rewrites `output` so that cells which never ran are pending and the first cell names a failure.

    source: the template, saved in the output's place where papermill left none; state: the track's entry of
    verdict.json.
    """
    if not _readable(output):
        shutil.copyfile(source, output)
    notebook = nbformat.read(output, as_version=4)
    for cell in notebook.cells:
        _mend_cell(cell)
    failed = state["status"] != "finished"
    notebook.metadata["launchbook"] = {
        "track": state["id"],
        "status": state["status"],
        "because": state["because"],
    }
    if failed:
        notebook.cells.insert(0, _banner(state))
    nbformat.write(notebook, output)


def _mend_cell(cell: NotebookNode) -> None:
    told = cell.metadata.get("papermill")
    ran = cell.cell_type != "code" or cell.get("execution_count") is not None or cell.get("outputs")
    if told and not ran:
        told["status"] = "pending"


def _banner(state: Mapping[str, Any]) -> NotebookNode:
    text = f"> **Track {state['id']} did not finish: it {state['because']}.** What stands below is what it reached."
    return nbformat.v4.new_markdown_cell(text, metadata={"tags": ["launchbook-failure"]})


def _readable(output: Path) -> bool:
    try:
        nbformat.read(output, as_version=4)
    except (OSError, ValueError):
        return False
    return True
