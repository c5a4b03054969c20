"""The project's own files agree with each other."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
# conda-forge's name -> PyPI's, where they differ; programs have no counterpart there.
CONDA_NAMES = {"python-kubernetes": "kubernetes"}
PROGRAMS = {"k6", "kubernetes-client", "pip", "python"}
CHAPTERS = ["About", "Parameters", "Target", "Preconditions", "Act", "Verify", "Evidence", "Clean up"]


def _conda() -> dict[str, Requirement]:
    entries = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    named = [Requirement(entry) for entry in entries if isinstance(entry, str)]
    return {CONDA_NAMES.get(r.name, r.name): r for r in named if r.name not in PROGRAMS}


def _project() -> dict[str, Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return {(r := Requirement(line)).name: r for line in project["dependencies"]}


def _locked() -> dict[str, Version]:
    found = re.findall(r"^([A-Za-z0-9_.-]+)==([^ ;\\]+)", (ROOT / "requirements.lock").read_text(), re.M)
    return {name: Version(version) for name, version in found}


def test_conda_and_pip_ask_for_the_same_libraries() -> None:
    """environment.yml names the same libraries in the same ranges as pyproject.toml."""
    project = _project()
    for name, requirement in _conda().items():
        assert name in project, f"environment.yml has {name}, pyproject.toml has not"
        assert requirement.specifier == project[name].specifier, name


def test_the_libraries_fixed_for_the_project_are_in_both() -> None:
    """The six that its users were promised."""
    fixed = {"jupyterlab", "papermill", "kubernetes", "pandas", "plotly", "ipywidgets"}
    assert fixed <= set(_conda())
    assert fixed <= set(_project())


def test_the_lock_satisfies_what_the_project_asks_for() -> None:
    """Each dependency is pinned, in its range, with a hash, and the lock names no host."""
    locked = _locked()
    for name, requirement in _project().items():
        assert name in locked, f"requirements.lock lacks {name}; run `make lock`"
        assert requirement.specifier.contains(locked[name]), name
    text = (ROOT / "requirements.lock").read_text()
    assert "://" not in text
    assert text.count("--hash=sha256:") >= len(locked)


def test_no_file_names_a_machine_or_a_registry() -> None:
    """The project says nothing of where it was made."""
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    # Written in halves, so that this very file isn't a finding.
    banned = re.compile(
        "|".join(["files.python" + "hosted", "py" + "pi.org", "registry.npm" + "js", "/work/" + "main"])
    )
    findings = [
        name
        for name in tracked.split("\0")
        if name
        and (ROOT / name).is_file()
        and banned.search((ROOT / name).read_text(encoding="utf-8", errors="ignore"))
    ]
    assert findings == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_every_notebook_has_the_same_chapters(path: Path) -> None:
    """A reader of one track knows his way in all."""
    cells = nbformat.read(path, as_version=4).cells
    headings = re.findall(r"^## (.+)$", "\n".join(c.source for c in cells if c.cell_type == "markdown"), re.M)
    assert headings == CHAPTERS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_every_notebook_has_one_import_cell_and_one_parameters_cell(path: Path) -> None:
    """Imports first, then one tagged cell with a typed parameter a line, each with its unit or meaning."""
    code = [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
    assert [n for n, c in enumerate(code) if re.search(r"^(from|import) ", c.source, re.M)] == [0]
    assert [n for n, c in enumerate(code) if "parameters" in c.metadata.get("tags", [])] == [1]
    for line in code[1].source.splitlines():
        assert re.match(r"^\w+: (Optional\[\w+\]|\w+) = .+  # .+", line), line


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_cells_call_and_do_not_compute(path: Path) -> None:
    """At most five lines of code a cell: what computes belongs in lib/."""
    code = [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"][2:]
    assert all(len(c.source.splitlines()) <= 5 for c in code)


def test_a_notebook_with_outputs_is_found(tmp_path: Path) -> None:
    """The lint that keeps outputs out of the repository can fail."""
    cell = nbformat.v4.new_code_cell("1", execution_count=1, outputs=[nbformat.v4.new_output("stream", text="1")])
    folder = tmp_path / "notebooks"
    folder.mkdir()
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), folder / "x.ipynb")
    tool = ROOT / "tools" / "bare_notebooks.py"
    found = subprocess.run([sys.executable, tool], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert found.returncode == 1
    assert "x.ipynb: cell 0 holds outputs" in found.stdout
