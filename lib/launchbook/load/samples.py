"""The sample table: one row a request, whatever the engine."""

from __future__ import annotations

import io
import zlib

import pandas as pd

from launchbook.errors import LaunchbookError

# start: seconds since the epoch at which the request was sent; ms: until its answer was read; name: of the request in
# the scenario; status: HTTP, 0 where no answer came; failed: by the scenario's expect_status; error: its kind, or "".
# An engine that tells adds blocked: ms that a request waited for a connection, which ms doesn't contain.
COLUMNS = {"start": "float64", "ms": "float64", "name": "str", "status": "int64", "failed": "bool", "error": "str"}


class BadSamples(LaunchbookError):
    """A result that can't be read as samples."""


def from_generator(data: bytes) -> pd.DataFrame:
    """The generator's gzipped CSV as a sample table, ordered by start.

    A file that ends early (the generator was killed) gives the rows before the break. Raises BadSamples where nothing
    can be read at all.
    """
    text = _unpacked(data)
    complete = text[: text.rfind("\n") + 1]
    try:
        frame = pd.read_csv(io.StringIO(complete), keep_default_na=False)
        frame["failed"] = frame["failed"].astype(int).astype(bool)
        table: pd.DataFrame = frame[list(COLUMNS)].astype(COLUMNS)
        return table.sort_values("start", ignore_index=True)
    except (ValueError, KeyError) as error:
        raise BadSamples(f"the generator's samples can't be read: {error}") from None


def from_k6(data: bytes) -> pd.DataFrame:
    """k6's gzipped CSV (timestamps in microseconds) as a sample table, ordered by start.

    A request is one http_req_duration row, stamped when its answer was read, and one http_req_failed row; both come in
    the same order. Raises BadSamples where they don't pair up or nothing can be read.
    """
    text = _unpacked(data)
    complete = io.StringIO(text[: text.rfind("\n") + 1])
    wanted = ["metric_name", "timestamp", "metric_value", "error", "name", "status"]
    kept = []
    try:
        for part in pd.read_csv(complete, usecols=wanted, keep_default_na=False, chunksize=200_000, dtype=str):
            kept.append(part[part["metric_name"].isin(("http_req_duration", "http_req_failed", "http_req_blocked"))])
        rows = pd.concat(kept)
        took = rows[rows["metric_name"] == "http_req_duration"]
        flags = rows[rows["metric_name"] == "http_req_failed"]
        return _paired(took, flags, rows[rows["metric_name"] == "http_req_blocked"])
    except (ValueError, KeyError) as error:
        raise BadSamples(f"k6's samples can't be read: {error}") from None


def _paired(took: pd.DataFrame, flags: pd.DataFrame, blocked: pd.DataFrame) -> pd.DataFrame:
    if not 0 <= len(took) - len(flags) <= 1:  # the last request's second row may be cut off
        raise BadSamples(f"k6 wrote {len(took)} durations and {len(flags)} answers whether they failed")
    took = took.iloc[: len(flags)]
    ms, ended = took["metric_value"].astype(float).to_numpy(), took["timestamp"].astype(float).to_numpy() / 1e6
    status = took["status"].replace("", "0").astype(int).to_numpy()
    failed = flags["metric_value"].astype(float).to_numpy() > 0
    said = took["error"].to_numpy()
    error = ["" if not bad else why or f"status {code}" for bad, why, code in zip(failed, said, status, strict=True)]
    table = pd.DataFrame(
        {
            "start": ended - ms / 1000,
            "ms": ms,
            "name": took["name"].to_numpy(),
            "status": status,
            "failed": failed,
            "error": error,
        }
    )
    table = table.astype(COLUMNS)
    if len(blocked) >= len(table) > 0:
        table["blocked"] = blocked["metric_value"].astype(float).to_numpy()[: len(table)]
    whole: pd.DataFrame = table.sort_values("start", ignore_index=True)
    return whole


def empty() -> pd.DataFrame:
    """A sample table without a row."""
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in COLUMNS.items()})


def measured(samples: pd.DataFrame, warmup: float) -> pd.DataFrame:
    """The samples without the warm-up: `warmup` seconds from the first request."""
    if samples.empty:
        return samples
    later: pd.DataFrame = samples[samples["start"] >= samples["start"].min() + warmup]
    return later.reset_index(drop=True)


def gunzip(data: bytes) -> tuple[bytes, bool]:
    """What a gzip stream holds, and whether it is whole; of one that is cut off, everything up to the cut."""
    stream = zlib.decompressobj(wbits=31)
    try:
        return stream.decompress(data) + stream.flush(), stream.eof
    except zlib.error:
        return b"", False


def _unpacked(data: bytes) -> str:
    out, _ = gunzip(data)
    if not out:
        raise BadSamples("the generator left no samples")
    return out.decode("utf-8", "replace")
