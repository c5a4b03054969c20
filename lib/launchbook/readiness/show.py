"""The launch documents, written from the evidence: checklist, announcement, status, exit criteria."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from launchbook import display
from launchbook.display import Chart, Html, escape_markdown, markdown_table
from launchbook.parameters import Launch
from launchbook.readiness.judge import Answer, Claim, Criterion, count, progress, unsupported
from launchbook.words import GO_SHARE, LAUNCH_SHARE

_COLOURS = {"PASS": "#1a7340", "WAIVED": "#6941a5", "UNKNOWN": "#8a5300", "FAIL": "#b3261e", "NA": "#5b6470"}


def table(found: Sequence[Answer]) -> Html:
    """The audited checklist, a row an item."""
    frame = pd.DataFrame(
        [[a.section, a.title, a.status, a.by, a.because] for a in found],
        columns=["section", "item", "status", "answered by", "because"],
    )
    return display.table(frame, f"Production checklist: {count(found)}")


def sections(found: Sequence[Answer]) -> Chart:
    """How many items of each section stand where."""
    names = list(dict.fromkeys(a.section for a in found))
    fig = go.Figure()
    rows = [{"section": name, "count": count([a for a in found if a.section == name])} for name in names]
    for status, colour in _COLOURS.items():
        counts = [sum(a.section == name and a.status == status for a in found) for name in names]
        if any(counts):
            fig.add_bar(y=names, x=counts, name=status, orientation="h", marker_color=colour, text=counts)
    fig.update_layout(barmode="stack", title=f"Checklist: {count(found)}", xaxis_title="items", height=420)
    fig.update_yaxes(autorange="reversed", automargin=True)
    return display.figure(fig, pd.DataFrame(rows))


def criteria_table(met: Sequence[Criterion]) -> Html:
    """The exit criteria, each met, not met or not known."""
    words = {True: "PASS", False: "FAIL", None: "UNKNOWN"}
    frame = pd.DataFrame([[c.title, words[c.met], c.because] for c in met], columns=["criterion", "status", "because"])
    return display.table(frame, f"Exit criteria: {sum(c.met is True for c in met)} of {len(met)} met")


def claims(launch: Launch, weighed: Sequence[Mapping[str, Any]]) -> list[Claim]:
    """What the announcement says of the system, with the checks that carry it."""
    said = [
        Claim("Its manifests are applied and every object is ready.", ("A.apply", "A.ready")),
        Claim(
            "Every declared connection is open or closed as declared, on a plugin that enforces.",
            ("A.enforcement", "A.isolation"),
        ),
        Claim("A pod can be evicted, and its budget refuses the next.", ("A.budget", "A.eviction")),
    ]
    figures = {c["subject"].split(":")[0]: c["measured"] for c in weighed if c["id"] == "B.threshold"}
    told = ", ".join(f"{name} {value}" for name, value in figures.items()) or "no figures"
    said.append(Claim(f"Under load it kept every threshold: {told}.", ("B.target", "B.validity", "B.threshold")))
    said += [
        Claim(f"It answers at {url}.", ("B.target",)) for url in launch.endpoints.values() if _was_asked(url, weighed)
    ]
    return said


def _was_asked(url: str, weighed: Sequence[Mapping[str, Any]]) -> bool:
    """Whether this run's load was for that very address; what a check says of another address carries no claim."""
    return url.rstrip("/") in [_address(c) for c in weighed if c["id"] == "B.target"]


def _address(target: Mapping[str, Any]) -> str:
    """Where the load was for, as B.target measures it."""
    return str(target["measured"]).split(",")[0].rstrip("/")


def _of_load(url: str, weighed: Sequence[Mapping[str, Any]]) -> str:
    """What track B did of an endpoint, in brackets; "" where it loaded that very address."""
    targets = [c for c in weighed if c["id"] == "B.target"]
    if not targets:
        return " (not loaded by this run: it has no record of track B)"
    target = targets[0]
    if target["status"] != "PASS":
        return f" (not loaded by this run. Track B of {escape_markdown(target['subject'])}: {escape_markdown(target['because'])})"
    if _was_asked(url, weighed):
        return ""
    loaded = f"Service {escape_markdown(target['subject'])} at `{_address(target)}`"
    return f" (not asked at this address; track B loaded {loaded})"


def _link(id: str) -> str:
    """A check's id as a link to its rows on the first page of the run."""
    return f"[{id}](../index.html#{id})"


def checklist_document(launch: Launch, found: Sequence[Answer]) -> str:
    """production-checklist.md."""
    lines = [f"# Production checklist: {escape_markdown(launch.title)}", "", f"**{count(found)}**", ""]
    for section in dict.fromkeys(a.section for a in found):
        mine = [a for a in found if a.section == section]
        frame = pd.DataFrame(
            [[a.title, a.status, a.by, ", ".join(a.checks), a.because] for a in mine],
            columns=["item", "status", "answered by", "check", "because"],
        )
        lines += [f"## {section}: {count(mine)}", "", markdown_table(frame), ""]
    return "\n".join(lines)


def announcement(launch: Launch, verdict: Mapping[str, Any], said: Sequence[Claim]) -> str:
    """launch-announcement.md. Claims that no check supports are left out of the text and listed at its end."""
    left = unsupported(said, verdict["checks"])
    kept = [claim for claim in said if claim not in [c for c, _ in left]]
    draft = "" if verdict["verdict"] in ("GO", "CONDITIONAL") else " (draft: this system is not cleared for launch)"
    images = verdict["subject"].get("image", {})
    lines = [f"# {escape_markdown(launch.title)} goes live{draft}", "", f"Verdict: **{verdict['verdict']}**", ""]
    if verdict["verdict"] == "CONDITIONAL":
        lines += [
            "On these conditions:",
            "",
            *(f"- {escape_markdown(line)}" for line in verdict["because"]),
            "",
            "What holds:",
            "",
        ]
    lines += [f"- {escape_markdown(c.text)} ({', '.join(map(_link, c.checks))})" for c in kept]
    lines += ["", "## Endpoints", ""]
    lines += [
        f"- {escape_markdown(name)}: `{url}`{_of_load(url, verdict['checks'])}"
        for name, url in launch.endpoints.items()
    ] or ["None yet."]
    lines += ["", "## Infrastructure", ""]
    lines += [f"- Kubernetes {escape_markdown((verdict['cluster'] or {}).get('version', 'unknown'))}"]
    lines += [f"- {escape_markdown(name)}: {escape_markdown(digest)}" for name, digest in images.items()]
    lines += ["", "## Getting started", ""]
    lines += [f"    curl {url}/health" for url in list(launch.endpoints.values())[:1]] or ["No endpoint is published."]
    lines += ["", "## Pricing", "", escape_markdown(launch.pricing), "", "## Roadmap", ""]
    lines += [f"- {escape_markdown(line)}" for line in launch.roadmap] or ["To be announced."]
    if left:
        lines += ["", "## Not said, since no check supports it", ""]
        lines += [f"- {escape_markdown(claim.text)} {escape_markdown(why)}" for claim, why in left]
    return "\n".join([*lines, ""])


def status_document(verdict: Mapping[str, Any]) -> str:
    """status.md: progress by weighted track, what stands against a launch, and what was accepted."""
    rows = progress(verdict["checks"], verdict["tracks"])
    total = sum(row["progress"] for row in rows)
    frame = pd.DataFrame(rows).assign(
        weight=[f"{r['weight']} %" for r in rows], progress=[f"{r['progress']} %" for r in rows]
    )
    lines = [
        f"# Status: {verdict['verdict']}",
        "",
        f"**{total:.0f} % done**, by weighted track.",
        "",
        markdown_table(frame),
        "",
        *(_weight(verdict["checks"], priority, rule) for priority, rule in _RULES.items()),
        "",
    ]
    lines += [f"- {escape_markdown(line)}" for line in verdict["because"]]
    open_ = [c for c in verdict["checks"] if c["status"] in ("FAIL", "UNKNOWN")]
    lines += ["", "## Open", ""]
    lines += [
        f"- {c['status']} {c['priority']} {c['id']} {escape_markdown(c['subject'])}: {escape_markdown(c['because'])}"
        for c in open_
    ] or ["Nothing."]
    return "\n".join([*lines, ""])


_RULES = {
    "P0": "one that fails, or that can't be told, stops the launch",
    "P1": f"a GO needs {GO_SHARE} %, a launch {LAUNCH_SHARE} %",
    "P2": "for information",
}


def _weight(checks: Sequence[Mapping[str, Any]], priority: str, rule: str) -> str:
    counting = [c["status"] for c in checks if c["priority"] == priority and c["status"] != "NA"]
    passed = counting.count("PASS")
    share = f" ({100 * passed // len(counting)} %)" if counting else ""
    return f"- {priority}: {passed} of {len(counting)} checks passed{share}; {rule}."


def criteria_document(
    launch: Launch,
    met: Sequence[Criterion],
    applied: Sequence[Mapping[str, Any]],
    files: Sequence[str],
) -> str:
    """exit-criteria.md: the six criteria, the artifacts created and modified, the learnings."""
    words = {True: "yes", False: "no", None: "not known"}
    frame = pd.DataFrame(
        [[c.title, words[c.met], ", ".join(c.checks), c.because] for c in met],
        columns=["criterion", "met", "checks", "because"],
    )
    done = sum(c.met is True for c in met)
    lines = [f"# Exit criteria: {done} of {len(met)} met", "", markdown_table(frame), "", "## Artifacts created", ""]
    lines += [f"- {escape_markdown(name)}" for name in files]
    lines += [f"- {escape_markdown(a['object'])}" for a in applied if a["action"] == "created"]
    lines += ["", "## Artifacts modified", ""]
    lines += [f"- {escape_markdown(a['object'])}" for a in applied if a["action"] == "changed"] or ["None."]
    lines += ["", "## Learnings", ""]
    lines += [f"- {escape_markdown(line)}" for line in launch.learnings] or ["None were recorded in the parameters."]
    return "\n".join([*lines, ""])
