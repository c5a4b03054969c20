"""A sample table in memory that is read in parts, as one on disk is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from launchbook.load.samples import ALL, Samples, chosen


class InParts(Samples):
    """Parts of `rows` rows each."""

    def __init__(self, table: pd.DataFrame, rows: int) -> None:
        self._table, self._rows = table, rows

    def frames(self, columns: Sequence[str] = ALL) -> Iterator[pd.DataFrame]:
        wanted = chosen(self._table, columns)
        for begin in range(0, len(wanted), self._rows):
            yield wanted.iloc[begin : begin + self._rows]
