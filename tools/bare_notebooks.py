"""Fails where a committed notebook holds outputs, execution counts or widget state."""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat


def dirt(path: Path) -> list[str]:
    """What a committed notebook must not hold, a sentence each."""
    notebook = nbformat.read(path, as_version=4)
    found = [f"{path}: cell {i} holds outputs" for i, cell in enumerate(notebook.cells) if cell.get("outputs")]
    found += [f"{path}: cell {i} was executed" for i, cell in enumerate(notebook.cells) if cell.get("execution_count")]
    found += [f"{path}: its metadata holds {key}" for key in ("widgets", "papermill") if key in notebook.metadata]
    return found


if __name__ == "__main__":
    notebooks = sorted(Path("notebooks").glob("**/*.ipynb"))
    findings = [line for path in notebooks for line in dirt(path)]
    print("\n".join(findings) or f"{len(notebooks)} notebooks, none with outputs")
    sys.exit(bool(findings))
