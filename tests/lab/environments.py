"""The lab's own environment for another lab: the file that `parameters/lab.yaml` would be there."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]


def lab_environment(folder: Path, context: str, kubeconfig: Path, changes: dict[str, Any]) -> Path:
    """Writes `folder`/lab.yaml beside a copy of the sample, and returns its path.

    changes: dotted parameter -> value, `load.scenario.duration`, put over those of parameters/lab.yaml.
    """
    shutil.copytree(ROOT / "parameters" / "kgents", folder / "kgents", dirs_exist_ok=True)
    text = yaml.safe_load((ROOT / "parameters" / "lab.yaml").read_text())
    text["cluster"] = {"context": context, "kubeconfig": str(kubeconfig)}
    for name, value in changes.items():
        *parents, last = name.split(".")
        place = text
        for parent in parents:
            place = place[parent]
        place[last] = value
    path = folder / "lab.yaml"
    path.write_text(yaml.safe_dump(text))
    return path
