"""What a run's own parameters and evidence, and this launchbook's catalogue, say against its verdict.

Pure: it compares what it is given. Whoever changed a log and sealed it anew has to change all of these alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from launchbook.words import Rule

Checks = Sequence[Mapping[str, Any]]
_WORDS = {
    "index.html": re.compile(r"<title>(\S+) · "),
    "documents/status.md": re.compile(r"^# Status: (\S+)$", re.MULTILINE),
    "documents/launch-announcement.md": re.compile(r"^Verdict: \*\*(\S+)\*\*$", re.MULTILINE),
}
SAYING = tuple(_WORDS)  # the files that say the verdict in a place of their own


def edges(declared: Iterable[str], checks: Checks) -> list[str]:
    """Each edge of parameters.yaml that no check judges. declared: the edges' names; checks: of verdict.json."""
    judged = {c["subject"] for c in checks if c["id"] == "A.isolation"}
    return [
        f"A.isolation {name}: parameters.yaml declares this edge, and no check judges it"
        for name in declared
        if name not in judged
    ]


def nodes(canary: Mapping[str, Any], checks: Checks) -> list[str]:
    """Each node in the evidence of enforcement that no check judges. canary: evidence/isolation/canary.json."""
    judged = {c["subject"] for c in checks if c["id"] == "A.enforcement"}
    tried = [f"node/{row['node']}" for row in canary["nodes"]]
    return [
        f"A.enforcement {name}: evidence/isolation/canary.json has this node, and no check judges it"
        for name in tried
        if name not in judged
    ]


def rules(opened: Iterable[Mapping[str, Any]], catalogue: Mapping[str, Rule]) -> list[str]:
    """How a run's rules differ from the catalogue's. opened: `rules` of batch.jsonl; D.* of a checklist are left out."""
    judged_by = {rule["id"]: rule for rule in opened}
    said = [
        f"rule {id}: the catalogue has it, and the run was judged without it" for id in catalogue if id not in judged_by
    ]
    for id, rule in judged_by.items():
        known = catalogue.get(id)
        if known is None:
            if not id.startswith("D."):
                said.append(f"rule {id}: the run was judged by it, and the catalogue has no such rule")
            continue
        for field, value in (("track", known.track), ("priority", str(known.priority)), ("waivable", known.waivable)):
            if rule[field] != value:
                said.append(f"rule {id}: {field} was {rule[field]} in the run, and is {value} in the catalogue")
    return said


def not_applicable(checks: Checks, catalogue: Mapping[str, Rule]) -> list[str]:
    """Each check that is NA where no judge gives that: it would leave the count."""
    return [
        f"{c['id']} {c['subject']}: is NA, and this check always applies"
        for c in checks
        if c["measured_status"] == "NA" and not (c["id"] in catalogue and catalogue[c["id"]].may_be_na)
    ]


def rejudged(again: Mapping[tuple[str, str], str], recorded: Mapping[tuple[str, str], str]) -> list[str]:
    """Each check whose evidence, judged again, gives another status: (id, subject) -> status."""
    return [
        f"{' '.join(key)}: is {recorded[key]} in the log, and its evidence gives {status}"
        for key, status in again.items()
        if key in recorded and recorded[key] != status
    ]


def words(texts: Mapping[str, str], verdict: str) -> list[str]:
    """Each page or document that says another verdict than the logs give. texts: name -> text, of those in SAYING."""
    said = []
    for name, text in texts.items():
        found = _WORDS[name].search(text)
        if found is None:
            said.append(f"{name}: says no verdict, but the logs give {verdict}")
        elif found[1] != verdict:
            said.append(f"{name}: says {found[1]}, but the logs give {verdict}")
    return said
