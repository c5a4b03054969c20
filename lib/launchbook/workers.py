"""The processes of a batch: one for each track, made ready ahead, attended until its end, and ended with all it started."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psutil

from launchbook.folder import RunFolder
from launchbook.tracks import Track

_GRACE = 10.0  # s between asking a track's process to stop and ending it


@dataclass(frozen=True)
class Exit:
    """How a track's process ended; reason is a sentence where the code alone doesn't tell."""

    code: int
    seconds: float
    reason: str | None = None


class Workers:
    """A process for each track. Once one is at work, the next two are made ready meanwhile."""

    def __init__(self, tracks: Sequence[Track], folder: RunFolder) -> None:
        self._tracks, self._folder = list(tracks), folder
        self._started: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._started.values():
            end_tree(process)

    def order(self, track: Track, order: Mapping[str, Any]) -> subprocess.Popen[bytes]:
        """The track's process, once it was told what to execute."""
        self._start(track)
        process = self._started[track.id]
        assert process.stdin is not None
        with suppress(BrokenPipeError), process.stdin:
            process.stdin.write(json.dumps(order).encode())
        return process

    def prepare_after(self, track: Track) -> None:
        """Starts the processes of the two tracks after this one."""
        place = self._tracks.index(track)
        for one in self._tracks[place + 1 : place + 3]:
            self._start(one)

    def _start(self, track: Track) -> None:
        if track.id in self._started:
            return
        with (self._folder.evidence / f"{track.id}.stderr.txt").open("wb") as stderr:
            self._started[track.id] = subprocess.Popen(
                [sys.executable, "-m", "launchbook.worker"],
                stdin=subprocess.PIPE, stdout=stderr, stderr=stderr, start_new_session=True,
                env={**os.environ, "PYDEVD_DISABLE_FILE_VALIDATION": "1"},
            )  # fmt: skip


def attend(
    process: subprocess.Popen[bytes], new: Callable[[], Sequence[Mapping[str, Any]]], began: float, deadline: float,
    tell: Callable[[Mapping[str, Any]], None],
) -> Exit:  # fmt: skip
    """Tells what a track's log gains (new()) until its process has ended, or is ended after `deadline` seconds."""
    try:
        while True:
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.25)
            for record in new():
                tell(record)
            spent = time.monotonic() - began
            if process.returncode is not None:
                return Exit(process.returncode, spent)
            if spent > deadline:
                return Exit(124, spent, f"did not end within its deadline of {deadline:g} s")
    finally:
        end_tree(process)


def end_tree(process: subprocess.Popen[bytes]) -> None:
    """Ends a process with all that it started: first asked, so that its notebook is saved and cleans up, then killed.

    A kernel has a session of its own, so a process group would miss it.
    """
    if process.poll() is None:
        tree = [process_, *process_.children(recursive=True)] if (process_ := _alive(process.pid)) else []
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=_GRACE)
        _, alive = psutil.wait_procs(tree, timeout=1)
        for one in alive:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        process.wait()


def _alive(pid: int) -> psutil.Process | None:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid)
    return None
