"""Writes one Locust process's samples, in a process of its own: what a request costs the generator is one short tuple.

`python3 writer.py FILE WORKER` reads batches from standard input (marshal: what the generator tells of itself, and its rows
in one flat list), appends the rows to FILE as gzipped CSV, flushes it, and prints the generator's line with what the batch
held: what is told is on disk. At the end of its input it closes the file, so that a generator that was killed leaves a
whole one.
"""

from __future__ import annotations

import gzip
import json
import marshal
import resource
import sys
from typing import Any, BinaryIO

import histogram  # type: ignore[import-not-found,unused-ignore]

HEAD = "start,ms,name,status,failed,error\n"
DISK = 74  # exit code where samples can't be written: EX_IOERR of sysexits.h


def write(batches: BinaryIO, path: str) -> tuple[int, bool]:
    """How many rows were written, and whether the generator said that these are all. Raises OSError."""
    written, busy = 0, _cpu()
    with gzip.open(path, "wt", compresslevel=1) as file:
        file.write(HEAD)
        file.flush()
        while True:
            try:
                batch = marshal.load(batches)
            except (EOFError, ValueError, TypeError):
                return written, False  # the generator was killed
            if batch is None:
                return written, True
            told, flat = batch
            rows = list(zip(*[iter(flat)] * 5, strict=True))
            file.write("".join([_line(row) for row in rows]))
            file.flush()
            written += len(rows)
            failed = sum(1 for row in rows if row[4])
            cpu, busy = _cpu() - busy, _cpu()
            if told:
                told["cpu"] = round(told["cpu"] + cpu / told.pop("passed"), 4)
                _say(**told, requests=len(rows), failed=failed, hist=histogram.count(row[1] for row in rows))


def _line(row: tuple[Any, ...]) -> str:
    start, ms, name, status, error = row
    return f"{start:.3f},{ms:.3f},{name},{status},{int(bool(error))},{error}\n"


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _say(**told: Any) -> None:
    print("LB " + json.dumps(told), flush=True)


if __name__ == "__main__":
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # sent to the whole group; the end of the input is what counts
    worker = int(sys.argv[2])
    try:
        count, whole = write(sys.stdin.buffer, sys.argv[1])
        _say(worker=worker, whole=whole, count=count)
    except OSError as error:
        _say(worker=worker, trouble=f"samples can't be written: {error.strerror or error}")
        sys.exit(DISK)
