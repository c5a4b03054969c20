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
import os
import resource
import sys
from typing import Any, BinaryIO

import histogram  # type: ignore[import-not-found,unused-ignore]

HEAD = "start,ms,name,status,failed,error\n"
_LINE = "%.3f,%.3f,%s,%d,%s\n"
_FIELDS = 5  # start, ms, name, status, and whether it failed and why as one text
_GOOD = "0,"
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
            count = len(flat) // _FIELDS
            # One formatting of all is twice as fast as one for each.
            file.write(_LINE * count % tuple(flat))
            file.flush()
            written += count
            failed = count - flat[4::_FIELDS].count(_GOOD)
            cpu, busy = _cpu() - busy, _cpu()
            if told:
                told["cpu"] = round(told["cpu"] + cpu / told.pop("passed"), 4)
                _say(**told, requests=count, failed=failed, hist=histogram.count(flat[1::_FIELDS]))


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _say(**told: Any) -> None:
    print("LB " + json.dumps(told), flush=True)


if __name__ == "__main__":
    import signal

    os.nice(10)  # rows can wait in the pipe, requests can't
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # sent to the whole group; the end of the input is what counts
    worker = int(sys.argv[2])
    try:
        count, whole = write(sys.stdin.buffer, sys.argv[1])
        _say(worker=worker, whole=whole, count=count)
    except OSError as error:
        _say(worker=worker, trouble=f"samples can't be written: {error.strerror or error}")
        sys.exit(DISK)
