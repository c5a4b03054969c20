"""CSV results of any length as frames: k6's `--out csv`, and this runbook's own columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import csv

from launchbook.load.stream import Stream
from launchbook.load.tally import coded

_PARSE = 16 << 20  # bytes parsed at once, of a few columns among many
_PARSE_OWN = 4 << 20  # bytes parsed at once, where all of it is kept
_SORTED = 32  # blocks that wait to be parsed: little is left of each
_NEWLINE, _H = ord("\n"), ord("h")
_SAID = {"0": 0, "1": 1, "false": 0, "true": 1, "0.0": 0, "1.0": 1}
TEXT = pa.dictionary(pa.int32(), pa.string())
NUMBER = pa.float64()

Types = Mapping[str, pa.DataType]  # of the columns that are read
Sorted = Mapping[str, bytes]  # kind of line -> the lines of that kind


class Lines:
    """A CSV stream as frames, those of each kind of line apart.

    types: kind -> Types; sort: parts a block's lines into kinds, and leaves out what isn't read. names: of all
    columns, empty until the first block; broken: lines that are none of its own
    """

    def __init__(
        self, stream: Stream, types: Mapping[str, Types], sort: Callable[[bytes, list[str]], Sorted] | None = None
    ) -> None:
        self.names: list[str] = []
        self.broken = 0
        self._stream, self._types = stream, types
        self._sort = sort or (lambda block, _: {next(iter(types)): block})
        self._most, self._ahead = (_PARSE, _SORTED) if sort else (_PARSE_OWN, 1)

    def frames(self) -> Iterator[dict[str, pd.DataFrame]]:
        """kind -> its next lines, of all kinds together some MiB; a number that is none is missing.

        Raises OSError, and ValueError for what is no CSV.
        """
        kept: dict[str, list[bytes]] = {kind: [] for kind in self._types}
        size = 0
        for block in self._stream.each(self._sorted, self._ahead):
            for kind, lines in block.items():
                kept[kind].append(lines)
                size += len(lines)
            if size >= self._most:
                yield {kind: self._frame(kind, b"".join(parts)) for kind, parts in kept.items()}
                kept, size = {kind: [] for kind in self._types}, 0
        if size:
            yield {kind: self._frame(kind, b"".join(parts)) for kind, parts in kept.items()}

    def _sorted(self, block: bytes) -> Sorted:
        """Runs where blocks are unpacked, beside the parser."""
        if not self.names:
            end = block[:10_000].find(b"\n") + 1 or len(block)
            self.names = [name.strip().strip('"') for name in block[:end].decode("utf-8", "replace").split(",")]
            block = block[end:]
        return self._sort(block, self.names)

    def _frame(self, kind: str, block: bytes) -> pd.DataFrame:
        types = {name: told for name, told in self._types[kind].items() if name in self.names}
        if not block or not types:
            return pd.DataFrame(
                {name: np.empty(0, float if told == NUMBER else object) for name, told in types.items()}
            )
        try:
            return _columns(self._table(block, types, 1 << 20))
        except pa.ArrowException:  # a number that is none, an endless line, no text: read as text, all of it at once
            pass
        clean = block.decode("utf-8", "replace").encode()
        try:
            frame: pd.DataFrame = self._table(clean, dict.fromkeys(types, pa.string()), len(clean) + 1).to_pandas()
        except pa.ArrowException as error:
            raise ValueError(f"its lines are no CSV: {error}") from None
        for name, told in types.items():
            if told == NUMBER:
                frame[name] = pd.to_numeric(frame[name], errors="coerce")
        return frame

    def _table(self, block: bytes, types: Types, size: int) -> pa.Table:
        broken = []

        def is_broken(row: Any) -> str:
            broken.append(row.number)
            return "skip"

        table = csv.read_csv(
            pa.BufferReader(block),
            read_options=csv.ReadOptions(column_names=self.names, block_size=size),
            parse_options=csv.ParseOptions(invalid_row_handler=is_broken),
            convert_options=csv.ConvertOptions(
                include_columns=list(types), column_types=types, strings_can_be_null=False, check_utf8=False
            ),
        )
        self.broken += len(broken) + _swallowed(block, table.num_rows + len(broken))
        return table


def _swallowed(block: bytes, seen: int) -> int:
    """How many lines a quote that is never closed has made part of another."""
    if seen >= block.count(b"\n"):
        return 0
    return max(0, sum(1 for line in block.splitlines() if line.strip()) - seen)


def _columns(table: pa.Table) -> pd.DataFrame:
    """What to_pandas() gives, without the copy that it makes of numbers of one kind."""
    columns: dict[str, Any] = {}
    for name, column in zip(table.column_names, table.unify_dictionaries().columns, strict=True):
        if column.type == NUMBER:
            columns[name] = column.to_numpy()
            continue
        coded = column.combine_chunks()
        columns[name] = pd.Categorical.from_codes(
            coded.indices.to_numpy(), pd.Index(coded.dictionary.to_pylist(), dtype=object), validate=False
        )
    return pd.DataFrame(columns, copy=False)


class OwnRows:
    """The columns start, ms and failed, and what else of samples.ALL there is, as a sample table."""

    def __init__(self, stream: Stream) -> None:
        types = {"start": NUMBER, "ms": NUMBER, "name": TEXT, "status": NUMBER, "failed": TEXT, "error": TEXT}
        self.lines = Lines(stream, {"": {**types, "blocked": NUMBER}})

    def frames(self) -> Iterator[pd.DataFrame]:
        """Its parts. A row that doesn't say whether it failed has no duration."""
        for found in self.lines.frames():
            frame = found[""]
            codes, labels = coded(frame["failed"])
            flags = np.array([_SAID.get(str(label).lower(), -1) for label in labels], np.int8)[codes]
            frame["failed"] = flags == 1
            frame["ms"] = frame["ms"].where(flags >= 0)
            yield frame


def sorted_lines(block: bytes, kinds: Mapping[str, tuple[bytes, bytes]]) -> Sorted:
    """The lines of k6's CSV of each kind: told by the first letter, or by `http_req_` and the one after it.

    kinds: kind -> (first letters, letters after `http_req_`). Another metric may begin alike: its name tells.
    """
    letters = np.frombuffer(block, np.uint8)
    ends = np.flatnonzero(letters == _NEWLINE) + 1
    if not len(letters):
        return {}
    if not len(ends) or ends[-1] != len(letters):
        ends = np.append(ends, len(letters))
    bounds = np.concatenate([[0], ends])
    first, tenth = letters.take(bounds[:-1]), letters.take(bounds[:-1] + 9, mode="clip")
    places = pa.py_buffer(bounds.astype(np.int32))
    lines = pa.Array.from_buffers(pa.binary(), len(ends), [None, places, pa.py_buffer(block)])
    tenth[first != _H] = 0
    found = {}
    for kind, (firsts, tenths) in kinds.items():
        mask = np.zeros(len(ends), bool)
        for letter in tenths:
            mask |= tenth == letter
        for letter in firsts:
            mask |= first == letter
        found[kind] = _text(lines.filter(pa.array(mask)))
    return found


def _text(lines: pa.Array) -> bytes:
    """All lines one after the other: the buffer that holds them."""
    if not len(lines):
        return b""
    _, bounds, text = lines.buffers()
    places = np.frombuffer(bounds, np.int32, len(lines) + 1, 4 * lines.offset)
    found: bytes = text[int(places[0]) : int(places[-1])].to_pybytes()
    return found
