"""`launchbook compare`: what changed from one sealed run to another, said only of runs that are as they were sealed."""

from __future__ import annotations

import json

from launchbook.folder import RunFolder
from launchbook.load.compared import compared
from launchbook.seal import Held, hold, require_seal, short

_UNCHANGED = "nothing changed: same verdict, same checks, same subject"


def command(before: RunFolder, after: RunFolder) -> tuple[str, int]:
    """Of each run whether its seal holds, then what changed, as lines; with the exit code.

    1 where a seal does not hold: nothing is compared then, since what was altered says nothing of either run. Raises
    ParametersError where one of them is no sealed run.
    """
    for folder in (before, after):
        require_seal(folder)
    runs = {folder.path: folder for folder in (before, after)}.values()  # one that is named twice is held once
    found = [(folder, hold(folder)) for folder in runs]
    lines = [line for folder, held in found for line in _seal(folder, held)]
    if any(held.differs for _, held in found):
        return "\n".join([*lines, "Nothing was compared: what was altered says nothing of a run."]), 1
    changed = [*compare(before, after), *compared(before, after)]
    return "\n".join([*lines, *(changed or [_UNCHANGED])]), 0


def compare(before: RunFolder, after: RunFolder) -> list[str]:
    """What changed from one run to another: verdict, checks, subject and cluster, a sentence each.

    Raises ParametersError where one of them is no sealed run.
    """
    for folder in (before, after):
        require_seal(folder)
    old, new = (json.loads(folder.verdict.read_text()) for folder in (before, after))
    lines = [
        f"{key}: {short(old[key])} became {short(new[key])}"
        for key in ("verdict", "environment", "cluster")
        if old[key] != new[key]
    ]
    was = {(c["id"], c["subject"]): c for c in old["checks"]}
    now = {(c["id"], c["subject"]): c for c in new["checks"]}
    for key in dict.fromkeys((*was, *now)):
        name = " ".join(key)
        if key not in was:
            lines.append(f"{name}: new, {now[key]['status']} ({now[key]['measured']})")
        elif key not in now:
            lines.append(f"{name}: gone, was {was[key]['status']}")
        elif was[key]["status"] != now[key]["status"]:
            lines.append(f"{name}: {was[key]['status']} became {now[key]['status']}: {now[key]['because']}")
    for kind in sorted({*old["subject"], *new["subject"]}):
        a, b = old["subject"].get(kind, {}), new["subject"].get(kind, {})
        lines += [
            f"{kind} {n}: {a.get(n, 'absent')} became {b.get(n, 'absent')}"
            for n in sorted({*a, *b})
            if a.get(n) != b.get(n)
        ]
    return lines


def _seal(folder: RunFolder, held: Held) -> list[str]:
    if held.differs:
        return [f"{folder.id}: its seal does not hold", *(f"  {line}" for line in held.differs)]
    return [f"{folder.id}: its seal holds", *(f"  not held: {line}" for line in held.unheld)]
