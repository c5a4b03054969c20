"""The sample table: one row a request, whatever the engine, read part by part however long it is."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from launchbook.errors import LaunchbookError

# start: seconds since the epoch at which the request was sent; ms: until its answer was read; name: of the request in
# the scenario; status: HTTP, 0 where no answer came; failed: by the scenario's expect_status; error: its kind, or "".
# An engine that tells adds blocked: ms that a request waited for a connection, which ms doesn't contain.
COLUMNS = {"start": "float64", "ms": "float64", "name": "str", "status": "int64", "failed": "bool", "error": "str"}
ALL = (*COLUMNS, "blocked")


class BadSamples(LaunchbookError):
    """A result that can't be read as samples."""


def chosen(part: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Those of these columns that a part has."""
    return part[[name for name in columns if name in part]]


class Samples(ABC):
    """A sample table in the order in which answers came, each process's own order kept where its clock ran back."""

    @abstractmethod
    def frames(self, columns: Sequence[str] = ALL) -> Iterator[pd.DataFrame]:
        """Its parts, from the beginning each time: those of these columns that it has. Raises BadSamples."""

    def whole(self) -> pd.DataFrame:
        """All of it in memory: for a short run, and a person who looks."""
        return pd.concat(self.frames(), ignore_index=True)

    def first(self) -> float:
        """When the first request was sent, s since the epoch; infinite without one."""
        starts = (frame["start"].to_numpy(dtype=float) for frame in self.frames(("start",)))
        return min((float(np.nanmin(one)) for one in starts if np.isfinite(one).any()), default=math.inf)


def empty() -> pd.DataFrame:
    """A sample table without a row."""
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in COLUMNS.items()})
