"""k6's points as requests: the rows of one request stand apart, each metric's in the same order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from launchbook.load.csvs import NUMBER, TEXT, Lines, Sorted, sorted_lines
from launchbook.load.stream import Stream
from launchbook.load.tally import coded

_METRICS = {
    "took": "http_req_duration", "failed": "http_req_failed", "blocked": "http_req_blocked",
    "dropped": "dropped_iterations", "checks": "checks",
}  # fmt: skip


class Pairs:
    """Durations, and whether each failed and how long it waited, which may come in different blocks.

    unit: of the stamps, a second; None where they tell it by their size
    """

    def __init__(self, unit: float | None = None) -> None:
        self._unit = unit
        self._took: list[pd.DataFrame] = []
        self._flags = np.empty(0)
        self._blocked = np.empty(0)
        self.took = self.told = 0

    @property
    def tells(self) -> bool:
        """Whether each request says if it failed; the last one's row may be cut off."""
        return 0 <= self.took - self.told <= 1

    def take(self, took: pd.DataFrame, flags: np.ndarray, blocked: np.ndarray) -> Iterator[pd.DataFrame]:
        """The requests that are whole by now, as parts of a sample table.

        took: columns timestamp, metric_value (ms), name, and error and status where they are told; flags: above 0 for a
        failed one; blocked: ms
        """
        self.took, self.told = self.took + len(took), self.told + len(flags)
        self._took.append(took)
        self._flags = np.concatenate([self._flags, flags])
        self._blocked = np.concatenate([self._blocked, blocked])
        while self._took and (many := min(len(self._took[0]), len(self._flags))):
            yield self._give(many)
        self._took = [one for one in self._took if len(one)]

    def rest(self) -> Iterator[pd.DataFrame]:
        """What never became whole: all of it where no request says whether it failed."""
        while self._took and not self.tells:
            yield self._give(len(self._took[0]))

    def _give(self, many: int) -> pd.DataFrame:
        took, rest = self._took[0].iloc[:many], self._took[0].iloc[many:]
        self._took[:1] = [rest] if len(rest) else []
        flags, self._flags = self._flags[:many], self._flags[many:]
        waited, self._blocked = self._blocked[:many], self._blocked[many:]
        ms, failed = took["metric_value"].to_numpy(dtype=float), np.pad(flags, (0, many - len(flags))) > 0
        ended = _seconds(took["timestamp"].to_numpy(dtype=float), self._unit)
        table: dict[str, Any] = {"start": ended - ms / 1000, "ms": ms, "name": took.get("name", ""), "failed": failed}
        if "error" in took:
            table["error"] = _kinds(took, failed)
        if len(waited) == many:
            table["blocked"] = waited
        if "status" in took:
            table["status"] = took["status"]
        return pd.DataFrame(table, index=took.index)


def _kinds(took: pd.DataFrame, failed: np.ndarray) -> pd.Categorical:
    """Why requests failed: in k6's words, else by their status."""
    codes, labels = np.zeros(len(took), np.int32), [""]
    if failed.any():
        bad = took[failed]
        said = bad["error"].astype(object)
        if "status" in bad:
            said = said.where(said != "", "status " + bad["status"].astype(object))
        found, kinds = coded(said)
        codes[failed], labels = found + 1, ["", *kinds]
    return pd.Categorical.from_codes(codes, pd.Index(labels, dtype=object), validate=False)


def _seconds(stamps: np.ndarray, unit: float | None) -> np.ndarray:
    """k6's timeFormat is unix (s), unix_milli, unix_micro or unix_nano; each lies in a range of its own."""
    largest = float(np.nanmax(np.abs(stamps), initial=0.0))
    by = unit or next((by for by, above in ((1e9, 1e17), (1e6, 1e14), (1e3, 1e11)) if largest > above), 1.0)
    return stamps / by


class K6Rows:
    """A stream of https://grafana.com/docs/k6/latest/results-output/real-time/csv/ as a sample table.

    A request is a row http_req_duration, stamped when its answer was read; whether it failed stands in a row
    http_req_failed, or where `tags` allows it in its column expected_response; a row http_req_blocked says how long it
    waited to be sent. columns: further ones that are read of requests and checks; dropped: iterations that k6 left out
    """

    def __init__(
        self, stream: Stream, *, unit: float | None = None, tags: bool = True, columns: Sequence[str] = ()
    ) -> None:
        value = {"metric_name": TEXT, "metric_value": NUMBER}
        took = value | dict.fromkeys(("name", "error", "status", "expected_response", *columns), TEXT)
        types = {"took": {**took, "timestamp": NUMBER}, "failed": value, "blocked": value, "dropped": value}
        types["checks"] = {**value, "timestamp": NUMBER, "name": TEXT}
        self.lines = Lines(stream, types, self._sort)
        self.pairs = Pairs(unit)
        self.dropped = 0.0
        self._tagged: bool | None = None if tags else False

    def frames(self) -> Iterator[tuple[list[pd.DataFrame], dict[str, pd.DataFrame]]]:
        """(parts of the sample table that are whole by now, the rows that were read: took, checks), block by block."""
        for found in self.lines.frames():
            rows = {kind: _of(frame, _METRICS[kind]) for kind, frame in found.items()}
            failed, blocked, dropped = (rows[k]["metric_value"].to_numpy() for k in ("failed", "blocked", "dropped"))
            self.dropped += float(dropped.sum())
            if self._tagged:
                failed = _unexpected(rows["took"]["expected_response"])
            yield list(self.pairs.take(rows["took"], failed, blocked)), rows
        yield list(self.pairs.rest()), {}

    def _sort(self, block: bytes, names: list[str]) -> Sorted:
        if self._tagged is None:
            first = sorted_lines(block, {"took": (b"", b"d")}).get("took", b"").partition(b"\n")[0].split(b",")
            at = names.index("expected_response") if "expected_response" in names else len(first)
            self._tagged = len(first) > at and first[at] in (b"true", b"false")
        kinds = {"took": (b"", b"d"), "blocked": (b"", b"b"), "dropped": (b"d", b""), "checks": (b"c", b"")}
        return sorted_lines(block, kinds if self._tagged else {**kinds, "failed": (b"", b"f")})


def _of(rows: pd.DataFrame, metric: str) -> pd.DataFrame:
    """The rows of this metric."""
    codes, labels = coded(rows["metric_name"])
    if list(labels) == [metric]:
        return rows
    kept: pd.DataFrame = rows[np.array([label == metric for label in labels], bool)[codes]]
    return kept


def _unexpected(tags: pd.Series) -> np.ndarray:
    """1 for `false`, 0 for `true`; what says neither is left out."""
    codes, labels = coded(tags)
    flags = np.array([{"true": 0.0, "false": 1.0}.get(str(label), np.nan) for label in labels])[codes]
    said: np.ndarray = flags[~np.isnan(flags)]
    return said
