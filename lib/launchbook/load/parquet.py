"""The sample table on disk, and what a run says of it in the same file, so that whoever reads it judges the same."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter, ValidationError

from launchbook.load.samples import ALL, COLUMNS, Samples
from launchbook.load.terms import Plan, Sender

_KEY = b"launchbook"
_ROWS = 1 << 17
_BUFFER = 1 << 20  # bytes of a column read ahead: without a bound it would be all that a row group has of it
_ARROW = {"float64": pa.float64(), "int64": pa.int64(), "bool": pa.bool_(), "str": pa.string()}


@dataclass(frozen=True)
class About:
    """What a run says of its samples.

    warmup: s from the first request, which no figure contains; plan, sender: see terms; thresholds: as in parameters
    """

    engine: str
    version: str
    warmup: float
    plan: Plan
    thresholds: dict[str, list[str]] = field(default_factory=dict)
    sender: Sender = field(default_factory=Sender)


_ABOUT = TypeAdapter(About)


class Parquet(Samples):
    """A table in a Parquet file, of this runbook or of anybody: start (s), ms and failed must be there.

    Raises ValueError for what is no Parquet or can't be understood, KeyError for missing columns. about: None where
    the file says nothing of itself.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with pq.ParquetFile(path) as file:
            self._check(file.schema_arrow)
            self._names, told = file.schema_arrow.names, (file.metadata.metadata or {}).get(_KEY)
            self._earliest = _earliest(file)
        try:
            self.about = None if told is None else _ABOUT.validate_json(told)
        except ValidationError as error:
            raise ValueError(f"what it says of itself (metadata key {_KEY.decode()}) can't be read: {error}") from None

    @staticmethod
    def _check(schema: pa.Schema) -> None:
        if missing := {"start", "ms", "failed"} - set(schema.names):
            raise KeyError(", ".join(sorted(missing)))
        for name, kinds in (("start", "number"), ("ms", "number"), ("failed", "number or boolean")):
            kind = schema.field(name).type
            if not (
                pa.types.is_integer(kind) or pa.types.is_floating(kind) or (name == "failed" and kind == pa.bool_())
            ):
                raise ValueError(f"its column {name} is {kind}; a {kinds} was expected.")

    def frames(self, columns: Sequence[str] = ALL) -> Iterator[pd.DataFrame]:
        wanted = [name for name in columns if name in self._names]
        texts = [name for name in wanted if name in ("name", "error")]
        # Of what pyarrow reads ahead by itself it keeps every block until the file is closed.
        with pq.ParquetFile(self.path, read_dictionary=texts, pre_buffer=False, buffer_size=_BUFFER) as file:
            for batch in file.iter_batches(batch_size=_ROWS, columns=wanted):
                yield _told(batch)

    def first(self) -> float:
        return super().first() if self._earliest is None else self._earliest


def _told(batch: pa.RecordBatch) -> pd.DataFrame:
    """A part as a frame; a row that doesn't say whether it failed gets no duration, so that it counts as impossible."""
    frame: pd.DataFrame = batch.to_pandas()
    if "failed" in frame and (unsaid := frame["failed"].isna()).any():
        frame["failed"] = frame["failed"].astype(object).where(~unsaid, False).astype(bool)
        frame["ms"] = frame["ms"].where(~unsaid) if "ms" in frame else math.nan
    return frame


def _earliest(file: pq.ParquetFile) -> float | None:
    """When the first request was sent, by the file's own statistics; None where it has none."""
    place = file.schema_arrow.names.index("start")
    found = [file.metadata.row_group(n).column(place).statistics for n in range(file.num_row_groups)]
    if all(one is not None and one.has_min_max for one in found):
        return float(min((one.min for one in found), default=math.inf))
    return None


def write(path: Path, samples: Samples, about: Callable[[], About]) -> int:
    """Writes a table as `path`, whole or not at all; how many rows. about: asked once every part was read.

    Raises OSError, and what frames() raises.
    """
    new, count = path.with_name(f"{path.name}.part"), 0
    try:
        writer = None
        for frame in samples.frames():
            writer = writer or pq.ParquetWriter(new, _schema(frame.columns), compression="zstd")
            writer.write_table(_table(frame, writer.schema))
            count += len(frame)
        writer = writer or pq.ParquetWriter(new, _schema(COLUMNS), compression="zstd")
        writer.add_key_value_metadata({_KEY: _ABOUT.dump_json(about())})
        writer.close()
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
    return count


def _schema(columns: Mapping[str, str] | pd.Index) -> pa.Schema:
    return pa.schema([(name, _ARROW[COLUMNS.get(name, "float64")]) for name in ALL if name in columns])


def _table(frame: pd.DataFrame, schema: pa.Schema) -> pa.Table:
    columns = []
    for one in schema:
        column = pa.array(frame[one.name]) if one.name in frame else pa.nulls(len(frame), one.type)
        columns.append(column.cast(one.type))
    return pa.table(columns, schema=schema)
