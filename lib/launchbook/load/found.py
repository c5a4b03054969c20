"""What a file of samples holds, counted while it is read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from launchbook.load.gathering import Gathered
from launchbook.load.repeats import Rows
from launchbook.load.series import Series
from launchbook.load.tally import Tally, coded
from launchbook.load.terms import Reason


@dataclass
class Found:
    """tells: whether it says which requests failed; broken: lines that are none of its own; dropped: iterations that
    the generator left out; unanswered, refused: successes without a status, and with one from 400 on; series: of k6's
    other metrics; thresholds: the file's own; vus: second -> users; problems: why its thresholds can't be judged
    """

    tally: Tally = field(default_factory=Tally)
    tells: bool = True
    broken: int = 0
    dropped: float = 0.0
    rows: Rows = field(default_factory=Rows)
    unanswered: int = 0
    refused: int = 0
    series: dict[str, Series] = field(default_factory=dict)
    thresholds: dict[str, list[str]] = field(default_factory=dict)
    vus: dict[int, float] = field(default_factory=dict)
    problems: list[Reason] = field(default_factory=list)

    def see(self, frame: pd.DataFrame) -> None:
        """The next part of a sample table, looked at beside its being counted."""
        self.rows.see(frame)
        if "status" in frame:
            codes, labels = coded(frame["status"])
            none, bad = (np.array([test(label) for label in labels], bool) for test in (_none, _bad))
            if none.any() or bad.any():
                good = ~frame["failed"].to_numpy(dtype=bool)
                self.unanswered += int((none[codes] & good).sum())
                self.refused += int((bad[codes] & good).sum())

    def take(self, frames: Iterable[pd.DataFrame], gathered: Gathered) -> None:
        """Parts of a table that can't be read again."""
        for frame in frames:
            self.see(frame)
            gathered.add(frame)


def _none(status: object) -> bool:
    """Whether it is 0, as k6 writes it where no answer came; an empty one says nothing."""
    return str(status) in ("0", "0.0")


def _bad(status: object) -> bool:
    """Whether it is one of HTTP's for errors."""
    text = str(status).partition(".")[0]
    return text.isdigit() and int(text) >= 400
