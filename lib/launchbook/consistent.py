"""Whether a sealed run's files agree: its checks with parameters, evidence and catalogue, its pages with its verdict."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import launchbook.against as against
import launchbook.versions as versions
from launchbook.catalogue import catalogue
from launchbook.contents import FILE
from launchbook.errors import ParametersError
from launchbook.folder import RunFolder
from launchbook.parameters import Environment
from launchbook.parameters_file import load
from launchbook.record import Log, checks_in, read_evidence

_CANARY, _OBSERVED, _COMPUTED = (f"isolation/{name}" for name in ("canary.json", "observed.json", "computed.parquet"))


def consistent(folder: RunFolder, found: Mapping[str, str], verdict: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """A sentence for each contradiction, and one for each thing that could not be compared.

    found: the folder's contents(); verdict: as the logs give it.
    """
    differs = _words(folder, found, verdict)
    unheld: list[str] = []
    made, here = verdict["versions"], versions.program()
    if made.get("launchbook") == here["launchbook"]:
        differs += against.rules(Log(folder.evidence / "batch.jsonl").read()[0]["rules"], catalogue())
        differs += against.not_applicable(verdict["checks"], catalogue())
    else:
        unheld.append(
            f"rules with the catalogue: the run was made with launchbook {made.get('launchbook')}, this is {here['launchbook']}"
        )
    if [c for c in verdict["checks"] if c["track"] == "D" and c["id"] not in catalogue()]:
        unheld.append("rules of the checklist (D.…): the run holds no copy of it")
    others = [name for name, value in here.items() if made.get(name) != value]
    if next(t["status"] for t in verdict["tracks"] if t["id"] == "A") == "finished":
        _isolation(folder, found, verdict, differs, unheld, judge_again=not others)
    if "index.html" not in found:
        return differs, unheld
    if others:
        unheld.append(
            f"pages and evidence in full: the run was made with another {', '.join(others)}; of pages only the verdict was"
        )
    else:
        differs += _pages(folder, found, verdict)
    return differs, unheld


def _words(folder: RunFolder, found: Mapping[str, str], verdict: Mapping[str, Any]) -> list[str]:
    texts = {n: (folder.path / n).read_text(errors="replace") for n in against.SAYING if found.get(n) == FILE}
    return against.words(texts, verdict["verdict"])


def _isolation(
    folder: RunFolder, found: Mapping[str, str], verdict: Mapping[str, Any], differs: list[str], unheld: list[str],
    *, judge_again: bool,
) -> None:  # fmt: skip
    environment = _environment(folder, found)
    if environment is None:
        unheld.append("A.isolation with the declared edges: parameters.yaml can't be read by this launchbook")
    else:
        differs += against.edges([edge.name for edge in environment.isolation.edges], verdict["checks"])
    if found.get(f"evidence/{_CANARY}") != FILE:
        unheld.append(f"A.enforcement with the nodes that were tried: there is no evidence/{_CANARY}")
        return
    canary = read_evidence(folder.evidence / _CANARY)
    differs += against.nodes(canary, verdict["checks"])
    if judge_again and environment is not None:
        differs += against.rejudged(_judged(folder, found, environment, canary), _recorded(folder))


def _environment(folder: RunFolder, found: Mapping[str, str]) -> Environment | None:
    if found.get(folder.parameters.name) != FILE:
        return None
    try:
        return load(folder.parameters).environment
    except ParametersError:
        return None


def _judged(
    folder: RunFolder, found: Mapping[str, str], environment: Environment, canary: Mapping[str, Any]
) -> dict[tuple[str, str], str]:
    from launchbook.isolation import judge

    checks = judge.enforcement(canary)
    if all(found.get(f"evidence/{name}") == FILE for name in (_OBSERVED, _COMPUTED)):
        observed, computed = (read_evidence(folder.evidence / name) for name in (_OBSERVED, _COMPUTED))
        checks += judge.edges(environment.isolation.edges, computed, observed, canary)
    return {(c.id, c.subject): str(c.status) for c in checks}


def _recorded(folder: RunFolder) -> dict[tuple[str, str], str]:
    return {(c.id, c.subject): str(c.status) for c in checks_in(Log(folder.evidence / "A.jsonl").read())}


def _pages(folder: RunFolder, found: Mapping[str, str], verdict: Mapping[str, Any]) -> list[str]:
    from launchbook.pages.again import rendered_again

    plain = json.loads(json.dumps(verdict))
    return [
        f"{name}: is not the page that this run's files give"
        for name, content in rendered_again(folder.path, plain).items()
        if found.get(name) == FILE and (folder.path / name).read_bytes() != content
    ]
