"""What the runbook asks of a load generator's program, whichever it is and wherever it runs."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, ClassVar, Literal

import pandas as pd

from launchbook.load.left import Left
from launchbook.parameters import EnvironmentHeader, Load, SecretHeader

# second: when the row was taken, s; requests, failed: in that second (none where the engine doesn't tell); users: VUs;
# cpu: cores that the generator used; lag: s by which its clock woke late
HEALTH = ["second", "requests", "failed", "users", "cpu", "lag"]
Reference = SecretHeader | EnvironmentHeader


@dataclass(frozen=True)
class Engine(ABC):
    """One program with one scenario against one URL.

    A place that runs it (a pod, this machine) puts files() into a folder `code`, starts command() and hands what the
    program left in the folder `out` to left().
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
    def processes(self) -> int:
        """How many processes send load, over all pods."""
        return 1

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

    def floor(self, code: str) -> list[str]:
        """The command line that measures its own latency, on this machine; empty where command() does it itself."""
        return []

    @abstractmethod
    def environment(self, out: str) -> dict[str, str]:
        """Every variable that the program sees, but for PATH."""

    @abstractmethod
    def health(self, told: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
        """HEALTH, from what was said once a second."""

    @abstractmethod
    def left(self, folder: Path) -> Left:
        """The sample table that its outputs in this folder hold. Raises BadSamples where there is none."""

    @abstractmethod
    def meaning(self, code: int) -> str:
        """What an exit code other than 0 says, as a sentence."""

    def ended(self, code: int | None) -> bool:
        """Whether an exit code (None: not known) says that it came to its end."""
        return code == 0

    def logged(self, log: Path) -> dict[str, str]:
        """Of its outputs, name -> text, what its log (standard error) says against the samples."""
        return {}

    def lost(self, told: Sequence[Mapping[str, Any]]) -> str:
        """Which of its processes did not come to their end, as a sentence; empty where all did."""
        return ""

    def references(self) -> dict[str, Reference]:
        """Variable of the generator's environment -> what its value comes from. The value itself is nowhere else."""
        found = [v for one in self.load.scenario.requests for v in one.headers.values() if not isinstance(v, str)]
        return {_variable(one): one for one in found}

    def scenario(self, out: str) -> dict[str, Any]:
        """scenario.json, the same for every engine; durations in seconds, the warm-up included."""
        given = self.load.scenario
        return {
            "host": self.url,
            "probe_path": self.load.target.probe_path,
            "out": out,
            "processes": self.processes,
            "requests": [{**one.model_dump(), "headers": _headers(one.headers)} for one in given.requests],
            "stages": [{"duration": stage.duration, "target": stage.target} for stage in given.stages],
            # A second more than is measured: the clock starts before the first request does.
            "duration": given.warmup + given.duration + 1,
            **{name: getattr(given, name) for name in ("vus", "rate", "think_time", "request_timeout")},
        }


def _headers(given: Mapping[str, str | Reference]) -> dict[str, Any]:
    return {
        name: value if isinstance(value, str) else {"variable": _variable(value), "prefix": value.prefix}
        for name, value in given.items()
    }


def _variable(value: Reference) -> str:
    """A name of its own for each reference, so that two pods' or users' variables can't be taken for it."""
    target = value.secret if isinstance(value, SecretHeader) else value.env
    return "LAUNCHBOOK_HEADER_" + hashlib.sha256(target.encode()).hexdigest()[:12].upper()


def source(name: str) -> str:
    """A file of this package, as text."""
    return files("launchbook.load").joinpath(name).read_text(encoding="utf-8")


def cores(quantity: str) -> float:
    """A CPU quantity such as `500m` or `2`, in cores."""
    return float(quantity[:-1]) / 1000 if quantity.endswith("m") else float(quantity)
