"""What the runbook asks of a load generator's program, whichever it is and wherever it runs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, ClassVar, Literal

import pandas as pd

from launchbook.load.judge import Reason
from launchbook.parameters import Load

# second: when the row was taken, s; requests, failed: in that second (none where the engine doesn't tell); users: VUs;
# cpu: cores that the generator used; lag: s by which its clock woke late
HEALTH = ["second", "requests", "failed", "users", "cpu", "lag"]


@dataclass(frozen=True)
class Engine(ABC):
    """One program with one scenario against one URL.

    A place that runs it (a pod, this machine) puts files() into a folder `code`, starts command() and hands what the
    program left in the folder `out` to read().
    """

    name: ClassVar[Literal["k6", "locust"]]
    load: Load
    url: str

    @property
    @abstractmethod
    def image(self) -> str:
        """The image of a pod that runs it."""

    @property
    @abstractmethod
    def cores(self) -> float:
        """How many cores the program can use under the generator's limit."""

    @property
    @abstractmethod
    def outputs(self) -> tuple[str, ...]:
        """Names of the files that it leaves in `out`, the samples first."""

    @abstractmethod
    def files(self, out: str) -> dict[str, str]:
        """Name -> text of what it needs beside it in `code`."""

    @abstractmethod
    def command(self, code: str, out: str) -> list[str]:
        """The command line that sends the load."""

    @abstractmethod
    def in_pod(self, code: str, out: str) -> list[str]:
        """The command line in a pod: says `LB {…}` once a second, `LB {"done": true}` at the end, and then waits."""

    @abstractmethod
    def ask(self, code: str) -> list[str]:
        """The command line in a pod that ends with 0 once the target answers 2xx, else says why not."""

    @abstractmethod
    def fetch(self, file: str) -> list[str]:
        """The command line in a pod that writes a file to standard output, in base64."""

    @abstractmethod
    def environment(self, out: str) -> dict[str, str]:
        """Every variable that the program sees, but for PATH."""

    @abstractmethod
    def health(self, told: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
        """HEALTH, from what was said once a second."""

    @abstractmethod
    def read(self, outputs: Mapping[str, bytes]) -> tuple[pd.DataFrame, list[Reason]]:
        """The sample table, and why it can't be believed. Raises BadSamples where nothing can be read."""

    @abstractmethod
    def meaning(self, code: int) -> str:
        """What an exit code other than 0 says, as a sentence."""

    def scenario(self, out: str) -> dict[str, Any]:
        """scenario.json, the same for every engine; durations in seconds, the warm-up included."""
        given = self.load.scenario
        return {
            "host": self.url,
            "probe_path": self.load.target.probe_path,
            "out": out,
            "requests": [one.model_dump() for one in given.requests],
            "stages": [{"duration": stage.duration, "target": stage.target} for stage in given.stages],
            # A second more than is measured: the clock starts before the first request does.
            "duration": given.warmup + given.duration + 1,
            **{name: getattr(given, name) for name in ("vus", "rate", "think_time", "request_timeout")},
        }


def source(name: str) -> str:
    """A file of this package, as text."""
    return files("launchbook.load").joinpath(name).read_text(encoding="utf-8")


def cores(quantity: str) -> float:
    """A CPU quantity such as `500m` or `2`, in cores."""
    return float(quantity[:-1]) / 1000 if quantity.endswith("m") else float(quantity)
