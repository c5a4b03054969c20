"""What generators left on disk as one sample table, read part by part."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from launchbook.load.csvs import OwnRows
from launchbook.load.samples import ALL, COLUMNS, BadSamples, Samples, chosen
from launchbook.load.stream import Stream
from launchbook.load.terms import Reason


class Left(Samples):
    """doubts: what an engine says against its samples, known once all of them were read; wrote: how many it says that it
    wrote, None where it doesn't.
    """

    doubts: list[Reason]
    wrote: int | None = None


class OwnFiles(Left):
    """The gzipped CSV of each Locust process. A file that ends early gives the rows before the break.

    absent: of how many processes, of all, there is no file
    """

    def __init__(self, paths: Sequence[Path], absent: int = 0) -> None:
        self._paths, self._absent = paths, absent
        self.doubts = []

    def frames(self, columns: Sequence[str] = ALL) -> Iterator[pd.DataFrame]:
        tables, count = [OwnRows(Stream(path, whole=True)) for path in self._paths], 0
        for part in in_order([_checked(path, table) for path, table in zip(self._paths, tables, strict=True)]):
            count += len(part)
            yield chosen(part, columns)
        if not any(table.lines.names for table in tables):
            raise BadSamples("the generator left no samples")
        self.doubts = []
        if self._absent:
            said = f"Of {self._absent} of {self._absent + len(self._paths)} processes there are no samples."
            self.doubts.append(Reason("truncated", said))
        if broken := sum(table.lines.broken for table in tables):
            self.doubts.append(Reason("truncated", f"{broken} lines of the generator's samples can't be read."))
        elif self.wrote is not None and count != self.wrote:
            said = f"The generator wrote {self.wrote} requests, and {count} of them are here."
            self.doubts.append(Reason("truncated", said))


def _checked(path: Path, table: OwnRows) -> Iterator[pd.DataFrame]:
    try:
        for part in table.frames():
            if missing := COLUMNS.keys() - set(part):
                raise BadSamples(
                    f"the generator's samples can't be read: {path.name} has no {', '.join(sorted(missing))}"
                )
            yield part.assign(status=part["status"].fillna(0).astype(np.int64))
    except (KeyError, OSError, ValueError) as error:
        raise BadSamples(f"the generator's samples can't be read: {path.name}: {error}") from None


def in_order(tables: Sequence[Iterator[pd.DataFrame]]) -> Iterator[pd.DataFrame]:
    """Several tables, each in the order in which its answers came, as one in that order.

    Each table's own order stays where its clock ran back, so that whoever reads the whole still sees it. Holds a part
    of each table at a time.
    """
    if len(tables) == 1:
        yield from tables[0]
        return
    waiting: list[tuple[pd.DataFrame, np.ndarray] | None] = [None] * len(tables)
    latest = [-np.inf] * len(tables)
    going = deque(range(len(tables)))
    while True:
        for n in list(going):
            if waiting[n] is not None:
                continue
            part = next((one for one in tables[n] if len(one)), None)
            if part is None:
                going.remove(n)
                continue
            ended = part["start"].to_numpy() + part["ms"].to_numpy() / 1000
            times = np.fmax.accumulate(np.concatenate([[latest[n]], ended]))[1:]
            waiting[n], latest[n] = (part, times), float(times[-1])
        if not going:
            return
        # What comes later in a table is not before the last row that it gave.
        until = min(latest[n] for n in going)
        given, order = [], []
        for n in list(going):
            held = waiting[n]
            assert held is not None
            part, times = held
            many = int(np.searchsorted(times, until, side="right"))
            given.append(part.iloc[:many])
            order.append(times[:many])
            waiting[n] = (part.iloc[many:], times[many:]) if many < len(part) else None
        whole = pd.concat([one.astype({"name": object, "error": object}) for one in given], ignore_index=True)
        yield whole.iloc[np.argsort(np.concatenate(order), kind="stable")].reset_index(drop=True)
