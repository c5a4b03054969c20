"""CSV results of any length as counts: k6's `--out csv`, and this runbook's own columns."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import csv

from launchbook.load.stream import Stream
from launchbook.load.tally import Tally, merged, of_part

_PARSE = 16 << 20  # bytes parsed at once
_NEWLINE, _H = ord("\n"), ord("h")
_TEXT = pa.dictionary(pa.int32(), pa.string())


@dataclass
class Found:
    """What a file of samples holds.

    tells: whether it says which requests failed; broken: lines that are none of its own; dropped: iterations that the
    generator left out
    """

    tally: Tally = field(default_factory=Tally)
    tells: bool = True
    broken: int = 0
    dropped: float = 0.0


def k6_csv(stream: Stream) -> Found:
    """https://grafana.com/docs/k6/latest/results-output/real-time/csv/. A request is a row http_req_duration, stamped
    when its answer was read; whether it failed stands in its column expected_response, or in a row http_req_failed;
    a row http_req_blocked says how long it waited to be sent. The rows of each metric come in the same order."""
    found, gathered, pairs = Found(), Gathered(), Pairs()
    tagged: list[bool] = []

    def wanted(block: bytes, names: list[str]) -> bytes:
        if not tagged and "expected_response" in names:
            first = _wanted(block, b"d").partition(b"\n")[0].split(b",")
            at = names.index("expected_response")
            tagged.append(len(first) > at and first[at] in (b"true", b"false"))
        return _wanted(block, b"db" if tagged == [True] else b"dfb")

    for frame in _frames(stream, _k6_types, found, wanted):
        metric = frame["metric_name"]
        if tagged == [True]:
            flags = frame.loc[(metric == "http_req_duration") & frame["expected_response"].isin(("true", "false"))]
            flags = flags.assign(metric_value=(flags["expected_response"] == "false").astype(float))
        else:
            flags = frame[metric == "http_req_failed"]
        found.dropped += float(frame["metric_value"][metric == "dropped_iterations"].sum())
        gathered.add(pairs.take(frame[metric == "http_req_duration"], flags, frame[metric == "http_req_blocked"]))
    gathered.add(pairs.rest())
    found.tally, found.tells = gathered.tally(), pairs.tells
    found.broken = found.broken or int(stream.ragged)
    return found


def own_csv(stream: Stream) -> Found:
    """start, ms and failed, and what else of samples.COLUMNS there is."""
    found, gathered = Found(), Gathered()
    for frame in _frames(stream, _own_types, found):
        flags = frame["failed"].astype(str).str.lower().map({"0": 0, "1": 1, "false": 0, "true": 1, "0.0": 0, "1.0": 1})
        unsaid = flags.isna()
        frame = frame.assign(failed=flags.fillna(0).astype(bool))
        frame.loc[unsaid, "ms"] = np.nan  # counted as a row that says too little
        gathered.add(frame)
    found.tally = gathered.tally()
    found.broken = found.broken or int(stream.ragged)
    return found


class Gathered:
    """Parts of a sample table, counted one by one, their durations kept for a second look."""

    def __init__(self) -> None:
        self._parts: list[Tally] = []
        self._kept: list[tuple[np.ndarray, np.ndarray]] = []

    def add(self, frame: pd.DataFrame) -> None:
        """Counts a part. Columns as in samples.COLUMNS."""
        if not len(frame):
            return
        self._parts.append(of_part(frame))
        ms = frame["ms"].to_numpy(dtype=float)
        good = np.isfinite(ms) & (ms >= 0) & np.isfinite(frame["start"].to_numpy(dtype=float))
        self._kept.append((ms[good], frame["failed"].to_numpy(dtype=bool)[good]))
        if len(self._parts) == 32:
            self._parts = [merged(self._parts)]

    def tally(self) -> Tally:
        """All parts as one."""
        kept, whole = self._kept, merged(self._parts)
        whole.durations = [lambda: kept]
        return whole


class Pairs:
    """Rows of the same requests in separate columns, which may come in different blocks."""

    def __init__(self) -> None:
        self._took: list[pd.DataFrame] = []
        self._flags = np.empty(0)
        self._blocked = np.empty(0)
        self._counts = [0, 0, 0]

    @property
    def tells(self) -> bool:
        """Whether each request says if it failed; the last one's row may be cut off."""
        return 0 <= self._counts[0] - self._counts[1] <= 1

    def take(self, took: pd.DataFrame, flags: pd.DataFrame, blocked: pd.DataFrame) -> pd.DataFrame:
        """The requests that are whole by now, as a sample table."""
        self._counts = [n + len(f) for n, f in zip(self._counts, (took, flags, blocked), strict=True)]
        self._took.append(took)
        self._flags = np.concatenate([self._flags, flags["metric_value"].to_numpy(dtype=float)])
        self._blocked = np.concatenate([self._blocked, blocked["metric_value"].to_numpy(dtype=float)])
        return self._give(len(self._flags))

    def rest(self) -> pd.DataFrame:
        """What never became whole: all of it where no request says whether it failed."""
        left = sum(map(len, self._took))
        return self._give(left) if left and not self.tells else self._give(0)

    def _give(self, many: int) -> pd.DataFrame:
        took = pd.concat(self._took, ignore_index=True) if self._took else pd.DataFrame()
        many = min(many, len(took))
        self._took, took = [took.iloc[many:]], took.iloc[:many]
        if not many:
            return pd.DataFrame()
        flags, self._flags = self._flags[:many], self._flags[many:]
        waited, self._blocked = self._blocked[:many], self._blocked[many:]
        ms = took["metric_value"].to_numpy(dtype=float)
        ended = _seconds(took["timestamp"].to_numpy(dtype=float))
        table = {"start": ended - ms / 1000, "ms": ms, "failed": np.pad(flags, (0, many - len(flags))) > 0}
        texts = {name: took[name] for name in ("name", "error") if name in took}
        if "error" in texts and "status" in took and table["failed"].any():
            texts["error"] = _kinds(took, table["failed"])
        if len(waited) == many:
            table["blocked"] = waited
        return pd.DataFrame({**table, **texts})


def _kinds(took: pd.DataFrame, failed: np.ndarray) -> pd.Series:
    """Why requests failed: in k6's words, else by their status."""
    said, status = took["error"].astype(str), took["status"].astype(str)
    return said.where((said != "") | ~failed, "status " + status)


def _seconds(stamps: np.ndarray) -> np.ndarray:
    """k6's timeFormat is unix (s), unix_milli, unix_micro or unix_nano; each lies in a range of its own."""
    largest = float(np.nanmax(np.abs(stamps), initial=0.0))
    return stamps / next((by for by, above in ((1e9, 1e17), (1e6, 1e14), (1e3, 1e11)) if largest > above), 1.0)


def _k6_types(names: list[str]) -> dict[str, pa.DataType]:
    types = {"metric_name": _TEXT, "timestamp": pa.float64(), "metric_value": pa.float64(), "name": _TEXT}
    types |= {"error": _TEXT, "status": _TEXT, "expected_response": _TEXT}
    return {name: kind for name, kind in types.items() if name in names}


def _own_types(names: list[str]) -> dict[str, pa.DataType]:
    types = {"start": pa.float64(), "ms": pa.float64(), "failed": _TEXT, "name": _TEXT, "error": _TEXT}
    return {name: kind for name, kind in {**types, "blocked": pa.float64()}.items() if name in names}


def _wanted(block: bytes, tenths: bytes) -> bytes:
    """The lines of k6's CSV that may be of a metric that is read, told apart by the letter after `http_req_`.

    What begins like no metric at all is left to the parser, which counts it as broken.
    """
    letters = np.frombuffer(block, np.uint8)
    ends = np.flatnonzero(letters == _NEWLINE) + 1
    if not len(ends) or ends[-1] != len(letters):
        ends = np.append(ends, len(letters))
    starts = np.empty_like(ends)
    starts[0], starts[1:] = 0, ends[:-1]
    first, tenth = letters[starts], letters[np.minimum(starts + 9, len(letters) - 1)]
    http = _among(tenths)[tenth] & (first == _H)
    kept = np.zeros(len(ends) + 2, bool)
    kept[1:-1] = http | _among(b"d")[first]
    edges = np.flatnonzero(kept[1:] != kept[:-1])
    begins, finishes = starts[edges[::2]].tolist(), ends[edges[1::2] - 1].tolist()
    return b"".join([block[a:b] for a, b in zip(begins, finishes, strict=True)])


def _among(letters: bytes) -> np.ndarray:
    table = np.zeros(256, bool)
    table[list(letters)] = True
    return table


def _frames(stream: Stream, types: Any, found: Found, wanted: Any = None) -> Iterator[pd.DataFrame]:
    names: list[str] = []
    kept: list[bytes] = []
    size = 0
    for block in stream.blocks():
        if not names:
            end = block[:10_000].find(b"\n") + 1 or len(block)
            names = [name.strip().strip('"') for name in block[:end].decode("utf-8", "replace").split(",")]
            block = block[end:]
        kept.append(wanted(block, names) if wanted else block)
        size += len(kept[-1])
        if size >= _PARSE:
            yield _parsed(b"".join(kept), names, types(names), found)
            kept, size = [], 0
    if size:
        yield _parsed(b"".join(kept), names, types(names), found)


def _parsed(block: bytes, names: list[str], types: dict[str, pa.DataType], found: Found) -> pd.DataFrame:
    def broken(row: Any) -> str:
        found.broken += 1
        return "skip"

    def table(kinds: dict[str, pa.DataType]) -> pa.Table:
        before = found.broken
        try:
            return csv.read_csv(
                io.BytesIO(block),
                read_options=csv.ReadOptions(column_names=names, block_size=1 << 21),
                parse_options=csv.ParseOptions(invalid_row_handler=broken),
                convert_options=csv.ConvertOptions(
                    include_columns=list(kinds), column_types=kinds, strings_can_be_null=False, check_utf8=False
                ),
            )
        except pa.ArrowInvalid:
            found.broken = before
            raise

    try:
        frame: pd.DataFrame = table(types).to_pandas()
        return frame
    except pa.ArrowInvalid:  # a number that is none: the block is read as text, and the number as missing
        frame = table(dict.fromkeys(types, pa.string())).to_pandas()
        for name, kind in types.items():
            if kind == pa.float64():
                frame[name] = pd.to_numeric(frame[name], errors="coerce")
        return frame
