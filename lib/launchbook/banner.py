"""The first screen of a notebook: verdict so far, target and resolved parameters, kept up to date in place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from IPython.core.getipython import get_ipython
from IPython.display import display
from markupsafe import Markup

from launchbook.display import Html, escape, status_badge, table, visible
from launchbook.parameters_file import Resolved, flatten
from launchbook.tracks import Track
from launchbook.words import Check, Priority, Status


class Shown(tuple[Check, ...]):
    """Checks that a cell ends with: a tuple to the code, a table to the reader."""

    def __new__(cls, checks: Sequence[Check]) -> Shown:
        return super().__new__(cls, checks)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        frame = pd.DataFrame(
            [
                {"status": str(c.status), "check": c.id, "subject": c.subject, "measured": c.measured,
                 "expected": c.expected, "because": c.because}
                for c in self
            ],
            columns=["status", "check", "subject", "measured", "expected", "because"],
        )  # fmt: skip
        return table(frame)._repr_mimebundle_()

    def __repr__(self) -> str:
        return "\n".join(map(repr, self))


class Banner:
    """Shown by start(), updated by every check."""

    def __init__(self, resolved: Resolved, track: Track, folder: Path, read_only: bool) -> None:
        self._resolved, self._track, self._folder, self._read_only = resolved, track, folder, read_only
        self._handle: Any = None

    def show(self, verdict: Mapping[str, Any]) -> None:
        if get_ipython() is not None:
            self._handle = display(self._render(verdict), display_id=True)

    def update(self, verdict: Mapping[str, Any]) -> None:
        if self._handle is not None:
            self._handle.update(self._render(verdict))

    def _render(self, verdict: Mapping[str, Any]) -> Html:
        word, sentence = _track_so_far(verdict, self._track)
        environment = self._resolved.environment
        acts = "nothing: this run is read-only" if self._read_only else ", ".join(environment.allow) or "nothing"
        markup = Markup(
            '<div class="launchbook-banner"><p style="font-size:1.4em">{badge} Track {id}: {title}</p>'
            "<p>{sentence}</p><p>Environment <b>{name}</b>, context <b>{context}</b>; this run may: {acts}. "
            "Records: <code>{folder}</code></p>"
            "<details><summary>Resolved parameters</summary>{parameters}</details></div>"
        ).format(
            badge=status_badge(word), id=self._track.id, title=self._track.title, sentence=escape(sentence),
            name=escape(environment.name), context=escape(environment.cluster.context), acts=acts,
            folder=escape(self._folder.name), parameters=Markup(table(self._parameters()).html),
        )  # fmt: skip
        return Html(str(markup), f"{word}: track {self._track.id}, {self._track.title}. {visible(sentence)}")

    def _parameters(self) -> pd.DataFrame:
        rows = [
            (name, value, self._resolved.origins.get(name, "default"))
            for name, value in flatten(self._resolved.environment.model_dump(mode="json"))
            if name != "confirm"
        ]
        return pd.DataFrame(rows, columns=["parameter", "value", "from"]).astype(str)


def _track_so_far(verdict: Mapping[str, Any], track: Track) -> tuple[str, str]:
    """(status word, sentence) of one track: no record yet is UNKNOWN, never a pass."""
    mine = [c for c in verdict["checks"] if c["track"] == track.id]
    recorded = [c for c in mine if c["at"]]
    count = {status: sum(c["status"] == status for c in mine) for status in Status}
    told = ", ".join(f"{n} {status}" for status, n in count.items() if n)
    p0 = [c for c in mine if c["priority"] == Priority.P0]
    if any(c["status"] == Status.FAIL for c in p0):
        first = next(c for c in p0 if c["status"] == Status.FAIL)
        return "FAIL", f"{told}. {first['id']} {first['subject']}: {first['because']}"
    if len(recorded) < len(mine) or any(c["status"] == Status.UNKNOWN for c in p0) or not mine:
        waiting = len(mine) - len(recorded)
        return "UNKNOWN", f"{told}. " + (
            f"{waiting} expected checks have no record yet." if waiting else "A P0 check could not tell."
        )
    failed = [c for c in mine if c["status"] == Status.FAIL]
    if failed:
        return "PASS", f"{told}. Every P0 check passed; {len(failed)} of lower priority failed."
    return "PASS", f"{told}."
