"""Small environments and notebooks for tests of the batch: real papermill, real kernels, no cluster."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
import yaml

from launchbook.parameters_file import Resolved, load
from launchbook.tracks import TRACKS, Track

SECTIONS = (
    "Secrets Management", "Network Policies", "Resource Limits", "Observability", "Disaster Recovery", "Load Testing",
    "Security Review", "Documentation",
)  # fmt: skip
CHECKLIST = yaml.safe_dump(
    {
        "sections": {
            name: [{"id": f"item-{n}", "title": name, "priority": "P1", "audit": "quota"}]
            for n, name in enumerate(SECTIONS)
        }
    }
)

ENVIRONMENT = """\
name: mini
allow: [apply]
cluster: {context: none}
manifests: {path: manifests, namespaces: [a]}
load:
  target: {service: a/b}
  scenario:
    requests: [{name: x, path: /x}]
track_deadline: 60s
launch: {title: Mini, checklist: checklist.yaml}
"""


def environment(folder: Path, **overrides: Any) -> Resolved:
    """An environment whose cluster no test asks for."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "checklist.yaml").write_text(CHECKLIST)
    (folder / "mini.yaml").write_text(ENVIRONMENT)
    return load(folder / "mini.yaml", overrides)


def write_notebook(path: Path, track: Track, cells: list[str]) -> None:
    """A notebook with the import, parameters and start cells of every track, then `cells`."""
    head = [
        "from typing import Optional\nfrom launchbook import start\nfrom launchbook.words import Check, Status",
        "environment: str = ''\nrun_folder: Optional[str] = None\nread_only: bool = False\nconfirm: Optional[str] = None",
        f"run = start({track.subject!r}, vars())",
    ]
    notebook = nbformat.v4.new_notebook(
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    )
    notebook.cells = [nbformat.v4.new_code_cell(source) for source in head + cells]
    notebook.cells[1].metadata["tags"] = ["parameters"]
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)


def passing(track: Track) -> list[str]:
    """Cells that judge every expected check of a track as PASS."""
    return [
        f"from launchbook.rules import rules_of\nrules = rules_of(run.parameters).items()\n"
        f"run.check([Check(id, 's', Status.PASS, 'm', 'e', 'b') for id, r in rules if r.track == {track.id!r}])",
        "run.finish()",
    ]


def notebooks(folder: Path, changed: Mapping[str, list[str]]) -> Path:
    """All four notebooks, passing but for the tracks in `changed` (id -> cells after start)."""
    for track in TRACKS:
        write_notebook(folder / track.notebook, track, changed.get(track.id, passing(track)))
    return folder
