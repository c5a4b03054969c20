"""Judging load results: a day of requests from Parquet in bounded time and memory, and k6's csv.gz against pandas."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from isal import igzip
from pyarrow import csv

from bench.row import Row, middle
from launchbook import load
from launchbook.load.kept import Kept
from launchbook.load.locust import Locust
from launchbook.load.result import Result
from launchbook.load.samples import COLUMNS
from launchbook.load.verdict import command
from launchbook.parameters import Load

DAY = 41_300_000  # requests: 24 h at 478/s
RATE = 478
SECONDS = 60.0
MEMORY = 500.0  # MiB
SOAK_MEMORY = 600.0  # MiB, of which half is what a notebook imports
FASTER = 5.0  # times
LINES = 2_000_000  # of k6's CSV
PAIRS = 7
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
        return [*_day(Path(folder, "samples.parquet")), *_soak(Path(folder)), _csv(Path(folder, "k6.csv.gz"))]


def _day(path: Path) -> list[Row]:
    writer = None
    for table in _tables():
        writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
        writer.write_table(table)
    assert writer is not None
    writer.close()
    seconds, mebibytes = _took("launchbook", "load-verdict", str(path))
    work = f"judging {DAY / 1e6:.1f} million requests from Parquet ({path.stat().st_size >> 20} MiB)"
    return [Row(work, seconds, SECONDS), Row(f"{work}, peak memory", mebibytes, MEMORY, "MiB")]


def _tables() -> Iterator[pa.Table]:
    """The day's samples, in order."""
    random = np.random.default_rng(1)
    for first in range(0, DAY, _ROWS):
        many = min(_ROWS, DAY - first)
        failed = random.random(many) < 0.002
        yield pa.table(
            {
                "start": np.round(1.76e9 + (first + np.arange(many)) / RATE, 6),
                "ms": np.round(random.lognormal(2, 0.6, many), 3),
                "name": pa.array(["a", "b", "c"]).take(pa.array(random.integers(0, 3, many))),
                "status": np.where(failed, 500, 200),
                "failed": failed,
                "error": pa.array(["", "status 500"]).take(pa.array(failed.astype(np.int8))),
            }
        )


def _soak(folder: Path) -> list[Row]:
    """What two processes of Locust leave after a day: put together, written as Parquet, judged, and drawn from."""
    with ExitStack() as stack:
        files = [stack.enter_context(igzip.open(folder / f"samples-{n}.csv.gz", "wb", compresslevel=1)) for n in (0, 1)]
        for file in files:
            file.write(",".join(COLUMNS).encode() + b"\n")
        for table in _tables():
            numbers = table.set_column(4, "failed", table["failed"].cast(pa.int8()))
            for n, file in enumerate(files):
                mine = numbers.filter(pa.array(np.arange(len(table)) % 2 == n))
                csv.write_csv(mine, file, csv.WriteOptions(include_header=False, quoting_style="none"))
    seconds, mebibytes = _took("bench.load_judging", "soak", str(folder))
    work = f"a run's own {DAY / 1e6:.1f} million samples put together, written as Parquet, judged and drawn"
    return [Row(work, seconds, SECONDS), Row(f"{work}, peak memory", mebibytes, SOAK_MEMORY, "MiB")]


def _judge_soak(folder: Path) -> None:
    scenario = {"requests": [{"name": "a", "path": "/"}], "vus": 50, "warmup": 30, "duration": DAY // RATE - 60}
    given = {"target": {"service": "a/b"}, "scenario": scenario, "generator": {"processes": 2}}
    engine = Locust(Load.model_validate(given), "http://a.b.svc")
    health = pd.DataFrame({"cpu": 0.4, "lag": 0.01}, index=range(DAY // RATE))
    result = Result("locust", complete=True, health=health, kept=Kept(folder, ()))
    result.take(engine)
    parameters = SimpleNamespace(load=engine.load)
    judged = load.evaluate(SimpleNamespace(parameters=parameters, read=lambda _: None), result)
    for draw in (load.latency, load.throughput):
        draw(judged.whole, judged.findings, load.Moments())
    for draw in (load.heat, load.distribution, load.errors):
        draw(judged.tally)
    print(json.dumps(judged.outcome))


def _took(*command: str) -> tuple[float, float]:
    """Seconds and MiB that a module takes as a program that says PASS, its imports included."""
    began = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", *command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    said = process.stdout.read()
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0
    assert b'"PASS"' in said, said
    return time.monotonic() - began, usage.ru_maxrss / 1024


def _csv(path: Path) -> Row:
    with gzip.open(path, "wt", compresslevel=6) as file:
        file.write(_HEAD)
        file.writelines(_lines())
    took = []
    for _ in range(PAIRS):
        (ours, judged), (theirs, found) = (_fresh(side, path) for side in ("judge", "pandas"))
        assert abs(judged - found) < 1e-6 * found
        took.append((theirs, ours))
    peer, own = middle(took)
    work = f"{LINES / 1e6:g} million lines of k6's csv.gz judged, all of it, in a fresh process: times as fast"
    return Row(work, peer, own, peer="pandas.read_csv and quantile is measured", limit=FASTER, at_least=True)


def _fresh(side: str, path: Path) -> tuple[float, float]:
    """(s, p(95) in ms) in a process of its own, without its imports: as whoever judges a file meets it."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.load_judging", side, path], capture_output=True, check=True, text=True
    )
    seconds, p95 = json.loads(done.stdout)
    return seconds, p95


def _judge(path: Path) -> float:
    return float(json.loads(command([path], None)[0])["metrics"]["http_req_duration"]["values"]["p(95)"])


def _pandas(path: Path) -> float:
    frame = pd.read_csv(path, low_memory=False)
    return float(frame["metric_value"][frame["metric_name"] == "http_req_duration"].quantile(0.95))


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


if __name__ == "__main__":
    _side, _path = sys.argv[1], Path(sys.argv[2])
    if _side == "soak":
        _judge_soak(_path)
    else:
        _began = time.monotonic()
        _found = {"judge": _judge, "pandas": _pandas}[_side](_path)
        print(json.dumps([time.monotonic() - _began, _found]))
