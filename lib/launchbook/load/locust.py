"""Locust as an engine: generator.py under `python3 -m locust`, a process for each core, or workers in several pods.

More than one process is Locust's own master with workers: https://docs.locust.io/en/stable/running-distributed.html.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from launchbook.load.engine import HEALTH, Engine, cores, source
from launchbook.load.left import Left, OwnFiles
from launchbook.load.samples import BadSamples

_ANSWERS = """\
import sys, time, urllib.request
class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *told): return None
said = urllib.request.build_opener(Stay)
for attempt in range(5):
    try:
        with said.open(sys.argv[1], timeout=5) as answer:
            print(answer.status); sys.exit(0 if 200 <= answer.status < 300 else 1)
    except OSError as error:
        print(error, flush=True); time.sleep(1)
sys.exit(1)
"""
_BESIDE = ("generator.py", "arrivals.py", "bodies.py", "histogram.py", "null.py", "writer.py")
_EACH = 1000  # requests/s that one process sends with room to spare
_ABANDONED = 75  # generator.py's exit code where its run touched nothing any more
_LONGEST = 30.0  # s, that requests under way are waited for: well below what a generator may be late
PORT = 5557  # on which a master listens for its workers: Locust's own default


@dataclass(frozen=True)
class Locust(Engine):
    """See Engine. python: `python3` of a pod's image, or the path of one on this machine that has Locust."""

    name = "locust"
    python: str = "python3"

    @property
    def image(self) -> str:
        return self.load.generator.image

    @property
    def cores(self) -> float:
        # One Python process uses one core, whatever it may have; health() puts several on that scale.
        return 1.0 if self.processes > 1 else min(1.0, self._limit)

    @property
    def processes(self) -> int:
        """As parameters say, else as many as the scenario may need, one a whole core; never more than there are users."""
        given = self.load.generator
        wanted = given.processes or max(1, min(math.floor(self._limit), math.ceil(self._ceiling / _EACH / given.pods)))
        return given.pods * max(1, min(wanted, self.load.scenario.vus // given.pods))

    @property
    def _ceiling(self) -> float:
        """Requests/s that the scenario can ask for, however fast the target is."""
        scenario = self.load.scenario
        most = max((stage.target for stage in scenario.stages), default=scenario.rate or scenario.vus)
        if scenario.rate:
            return float(most)
        return most / scenario.think_time if scenario.think_time else sys.maxsize

    @property
    def _limit(self) -> float:
        here = self.load.generator.where == "here"
        return float(os.cpu_count() or 1) if here else cores(self.load.generator.cpu)

    @property
    def outputs(self) -> tuple[str, ...]:
        return tuple(f"samples-{worker}.csv.gz" for worker in range(self.processes))

    def files(self, out: str) -> dict[str, str]:
        return {**{name: source(name) for name in _BESIDE}, "scenario.json": json.dumps(self.scenario(out))}

    def command(self, code: str, out: str) -> list[str]:
        spread = ["--processes", str(self.processes)] if self.processes > 1 else []
        return [*self.lead(code), *spread]

    def lead(self, code: str) -> list[str]:
        """The command line of the process that leads: it knows how many users there are, and for how long."""
        scenario = self.load.scenario
        line = [self.python, "-m", "locust", "-f", f"{code}/generator.py", "--headless", "--only-summary"]
        if not scenario.stages:
            seconds = math.ceil(scenario.warmup + scenario.duration) + 1
            line += ["-u", str(scenario.vus), "-r", str(scenario.vus), "-t", f"{seconds}s"]
        # A request that waits when its user is ended leaves no sample, and it is the slow ones that do.
        return [*line, "--stop-timeout", f"{min(scenario.request_timeout, _LONGEST) + 1:g}"]

    def master(self, code: str) -> list[str]:
        """The command line of a pod that leads the workers of others and sends nothing itself."""
        return [
            *self.lead(code), "--master", "--master-bind-port", str(PORT), "--expect-workers", str(self.processes),
            "--expect-workers-max-wait", "60",
        ]  # fmt: skip

    def worker(self, code: str, host: str) -> list[str]:
        """The command line of a pod whose processes send what the master at `host` says."""
        each = self.processes // self.load.generator.pods
        line = [self.python, "-m", "locust", "-f", f"{code}/generator.py", "--worker"]
        return [*line, "--master-host", host, "--master-port", str(PORT), "--processes", str(each)]

    def in_pod(self, code: str, out: str) -> list[str]:
        return self.command(code, out)

    def ask(self, code: str) -> list[str]:
        return [self.python, "-c", _ANSWERS, self.url + self.load.target.probe_path]

    def environment(self, out: str) -> dict[str, str]:
        return {"HOME": out, "OUT": out}

    def health(self, told: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
        """HEALTH; of several processes a row a second, in which `cpu` is the busiest one's and `lag` the latest sender's.

        Where all of them together come nearer to the limit than one to its core, `cpu` says how near, as a share.
        """
        lines = [line for line in told if "cpu" in line]
        if self.processes == 1 or not lines:
            return pd.DataFrame(lines, columns=HEALTH)
        first = min(line["second"] for line in lines)
        frame = pd.DataFrame(lines).reindex(columns=[*HEALTH, "worker"])
        frame.loc[frame["requests"].isna(), "lag"] = math.nan  # a master's lateness is in no latency
        grouped = frame.groupby((frame["second"] - first).astype(int))
        limit = self._limit * self.load.generator.pods
        busiest = pd.concat([grouped["cpu"].max(), grouped["cpu"].sum() / limit], axis=1).max(axis=1)
        summed = grouped[["requests", "failed", "users"]].sum(min_count=1)
        merged = summed.assign(second=grouped["second"].min(), cpu=busiest, lag=grouped["lag"].max())
        return merged[HEALTH].reset_index(drop=True)

    def left(self, folder: Path) -> Left:
        found = [folder / name for name in self.outputs if (folder / name).exists()]
        found = [path for path in found if path.stat().st_size]
        if not found:
            raise BadSamples("the generator left no samples")
        return OwnFiles(found, len(self.outputs) - len(found))

    def lost(self, told: Sequence[Mapping[str, Any]]) -> str:
        whole = {line["worker"] for line in told if line.get("whole")}
        if len(whole) >= self.processes:
            return ""
        return (
            f"{self.processes - len(whole)} of {self.processes} Locust processes did not come to their end, so the load "
            "was not the one planned."
        )

    def meaning(self, code: int) -> str:
        why = ": nobody looked at it for too long, and it ended by itself" if code == _ABANDONED else ""
        return f"Locust ended with exit code {code}{why}."
