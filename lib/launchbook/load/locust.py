"""Locust as an engine: generator.py under `python3 -m locust`, one process."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from launchbook.load.engine import HEALTH, Engine, cores, source
from launchbook.load.judge import Reason
from launchbook.load.samples import from_generator

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
_FETCH = "import base64,sys; sys.stdout.write(base64.b64encode(open(sys.argv[1],'rb').read()).decode())"


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
        # One Python process uses one core, whatever it may have.
        return min(1.0, cores(self.load.generator.cpu))

    @property
    def outputs(self) -> tuple[str, ...]:
        return ("samples.csv.gz",)

    def files(self, out: str) -> dict[str, str]:
        return {"generator.py": source("generator.py"), "scenario.json": json.dumps(self.scenario(out))}

    def command(self, code: str, out: str) -> list[str]:
        scenario = self.load.scenario
        line = [self.python, "-m", "locust", "-f", f"{code}/generator.py", "--headless", "--only-summary"]
        if not scenario.stages:
            seconds = math.ceil(scenario.warmup + scenario.duration) + 1
            line += ["-u", str(scenario.vus), "-r", str(scenario.vus), "-t", f"{seconds}s", "--stop-timeout", "2"]
        return line

    def in_pod(self, code: str, out: str) -> list[str]:
        return self.command(code, out)

    def ask(self, code: str) -> list[str]:
        return [self.python, "-c", _ANSWERS, self.url + self.load.target.probe_path]

    def fetch(self, file: str) -> list[str]:
        return [self.python, "-c", _FETCH, file]

    def environment(self, out: str) -> dict[str, str]:
        return {"HOME": out, "SAMPLES": f"{out}/samples.csv.gz"}

    def health(self, told: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
        return pd.DataFrame([line for line in told if "cpu" in line], columns=HEALTH)

    def read(self, outputs: Mapping[str, bytes]) -> tuple[pd.DataFrame, list[Reason]]:
        return from_generator(outputs["samples.csv.gz"]), []

    def meaning(self, code: int) -> str:
        return f"Locust ended with exit code {code}."
