"""Judging load results: a day of requests from Parquet in bounded time and memory, and k6's csv.gz against pandas."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from bench.row import Row

DAY = 41_300_000  # requests: 24 h at 478/s
RATE = 478
SECONDS = 60.0
MEMORY = 500.0  # MiB
FASTER = 5.0  # times
LINES = 2_000_000  # of k6's CSV
_ROWS = 1 << 20
_METRICS = (
    "http_reqs", "http_req_duration", "http_req_blocked", "http_req_connecting", "http_req_tls_handshaking",
    "http_req_sending", "http_req_waiting", "http_req_receiving", "http_req_failed",
)  # fmt: skip
_HEAD = (
    "metric_name,timestamp,metric_value,check,error,error_code,expected_response,group,method,name,proto,scenario,"
    "service,status,subproto,tls_version,url,extra_tags,metadata\n"
)


def rows() -> list[Row]:
    """Time and peak memory against their limits, and lines of k6's CSV against pandas."""
    with tempfile.TemporaryDirectory() as folder:
        return [*_day(Path(folder, "samples.parquet")), _csv(Path(folder, "k6.csv.gz"))]


def _day(path: Path) -> list[Row]:
    random = np.random.default_rng(1)
    writer = None
    for first in range(0, DAY, _ROWS):
        many = min(_ROWS, DAY - first)
        failed = random.random(many) < 0.002
        names = pa.DictionaryArray.from_arrays(pa.array(random.integers(0, 3, many, dtype=np.int8)), ["a", "b", "c"])
        table = pa.table(
            {
                "start": 1.76e9 + (first + np.arange(many)) / RATE,
                "ms": np.round(random.lognormal(2, 0.6, many), 3),
                "name": names.cast(pa.string()),
                "status": np.where(failed, 500, 200),
                "failed": failed,
                "error": pa.DictionaryArray.from_arrays(pa.array(failed.astype(np.int8)), ["", "status 500"]).cast(
                    pa.string()
                ),
            }
        )
        writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
        writer.write_table(table)
    assert writer is not None
    writer.close()
    seconds, mebibytes = _verdict(path)
    work = f"judging {DAY / 1e6:.1f} million requests from Parquet ({path.stat().st_size >> 20} MiB)"
    return [Row(work, seconds, SECONDS), Row(f"{work}, peak memory", mebibytes, MEMORY, "MiB")]


def _verdict(path: Path) -> tuple[float, float]:
    """Seconds and MiB that `launchbook load-verdict` takes, its imports included."""
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "launchbook", "load-verdict", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None
    said = process.stdout.read()
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0
    assert b'"PASS"' in said, said
    return time.monotonic() - began, usage.ru_maxrss / 1024


def _csv(path: Path) -> Row:
    from launchbook.load.figures import trend
    from launchbook.load.readers import read

    with gzip.open(path, "wt", compresslevel=6) as file:
        file.write(_HEAD)
        file.writelines(_lines())
    best: dict[str, float] = {}
    for _ in range(5):
        began = time.monotonic()
        tally = read(path).tally
        assert tally is not None
        ours = trend(tally, ["p(95)"])["p(95)"].value
        best["ours"] = min(best.get("ours", np.inf), time.monotonic() - began)
        began = time.monotonic()
        frame = pd.read_csv(path, low_memory=False)
        theirs = frame["metric_value"][frame["metric_name"] == "http_req_duration"].quantile(0.95)
        best["pandas"] = min(best.get("pandas", np.inf), time.monotonic() - began)
        assert abs(ours - theirs) < 1e-6 * theirs
    work = f"{LINES / 1e6:g} million lines of k6's csv.gz read and judged, best of five: times as fast"
    return Row(
        work, best["pandas"], best["ours"], peer="pandas.read_csv and quantile is measured", limit=FASTER, at_least=True
    )


def _lines() -> Iterator[str]:
    random = np.random.default_rng(1)
    many = LINES // len(_METRICS)
    took, bad, name = random.lognormal(2, 0.6, many), random.random(many) < 0.002, random.integers(0, 3, many)
    for n in range(many):
        at, ms = 1_760_000_000_000_000 + n * 1_000_000 // RATE, took[n]
        status, expected = (500, "false") if bad[n] else (200, "true")
        tags = f",,,,{expected},,GET,{'abc'[name[n]]},HTTP/1.1,default,,{status},,,http://api.example/v1/agents,,\n"
        values = (1, ms, 0.003, 0, 0, 0.02, ms - 0.05, 0.03, bad[n])
        yield "".join(f"{metric},{at},{value:f}{tags}" for metric, value in zip(_METRICS, values, strict=True))
