"""What a load run gave, whichever engine sent it."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from launchbook.load.engine import HEALTH, Engine
from launchbook.load.floor import Floor, worst
from launchbook.load.gathering import counted
from launchbook.load.judge import Reason
from launchbook.load.kept import Kept
from launchbook.load.parquet import About, Parquet, write
from launchbook.load.plan import planned
from launchbook.load.samples import Samples
from launchbook.load.tally import Tally
from launchbook.load.terms import Sender
from launchbook.load.told import Told
from launchbook.load.usage import Usage

_TENTH = 0.9
_MINUTE = 60  # s, by which the target is judged, too


def _busiest(cpu: pd.Series) -> float:
    """What a process used in its busiest tenth of seconds, or in most of its busiest minute: the median of a whole run
    would hide that nearly half of it was saturated."""
    minutes = cpu.rolling(_MINUTE).median() if len(cpu) >= _MINUTE else pd.Series([0.0])
    return float(max(cpu.quantile(_TENTH, interpolation="lower"), minutes.max()))


@dataclass
class Result:
    """What a load run gave.

    samples: the warm-up included, None where there are none; count: how many; health: engine.HEALTH, a row a second;
    processes: the same of each process, named in `worker`; floor: the generator's own latency, see floor.Floor;
    problem: why there is nothing, or less than there should be; reasons: what the engine itself says against its
    samples; answered: whether the target answered beforehand; window: from and until when load was sent, on the
    monotonic clock (s); log_problem: why the containers' logs are not all counted; folder: of its evidence, below evidence/
    """

    engine: str
    version: str = ""
    samples: Samples | None = None
    count: int = 0
    health: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=HEALTH))
    processes: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=["worker", *HEALTH]))
    floor: Floor | None = None
    reasons: list[Reason] = field(default_factory=list)
    complete: bool = False
    answered: bool | None = None
    problem: str | None = None
    log_problem: str | None = None
    cores: float = 1.0
    began: str = ""
    window: tuple[float, float] = (0.0, 0.0)
    usage: Usage | None = None
    folder: str = "load"
    kept: Kept | None = None
    _wrote: int | None = None
    _tallies: dict[float, tuple[Tally, Tally]] = field(default_factory=dict)

    def hear(self, engine: Engine, told: Told, started: float) -> None:
        """Takes over what generators told of themselves. started: when they were, on the monotonic clock (s)."""
        # Before its first line a generator starts and measures its floor.
        self.window = (max(started, (told.began or started) - 1), time.monotonic())
        self.health = engine.health(told.lines)
        self.version = str(told.end.get("version", self.version))
        self.floor = worst(told.floors)
        self.processes = pd.DataFrame([line for line in told.lines if "worker" in line and "cpu" in line]).reindex(
            columns=["worker", *HEALTH]
        )
        self.processes["worker"] = self.processes["worker"].astype(str)
        counts = {line["worker"]: int(line["count"]) for line in told.lines if line.get("whole") and "count" in line}
        self._wrote = sum(counts.values()) if counts and not engine.lost(told.lines) else None

    def fail(self, *why: str) -> None:
        """Adds sentences to `problem`; empty ones are left out."""
        self.problem = " ".join(filter(None, (self.problem, *why))) or None

    def counted(self, warmup: float) -> tuple[Tally, Tally]:
        """(samples without the first `warmup` seconds, with them), counted once."""
        if warmup not in self._tallies:
            none = Tally()
            self._tallies[warmup] = (none, none) if self.samples is None else counted(self.samples, warmup)
        return self._tallies[warmup]

    @property
    def sender(self) -> Sender:
        """What is known of the generator, for whoever judges its samples."""
        first, last = self.window
        seen = self.health.dropna(subset=["cpu", "lag"])
        return Sender(
            self.complete, self.problem, last - first if self.window != (0.0, 0.0) else None, self.cores, len(seen),
            _busiest(seen["cpu"]) if len(seen) else 0.0, float(np.percentile(seen["lag"], 90)) if len(seen) else 0.0,
            self.floor, tuple(self.reasons), float(seen["lag"].max()) if len(seen) else 0.0,
        )  # fmt: skip

    def take(self, engine: Engine) -> None:
        """Samples and doubts from the files that were kept, which are written as Parquet beside them.

        Where that can't be written, the samples are judged from the files. Raises BadSamples where nothing can be read.
        """
        assert self.kept is not None
        left, path = engine.left(self.kept.folder), self.kept.folder / "samples.parquet"
        left.wrote = self._wrote

        def about() -> About:
            self.reasons = left.doubts
            scenario, asked = engine.load.scenario, {m: list(t) for m, t in engine.load.thresholds.items()}
            return About(self.engine, self.version, scenario.warmup, planned(scenario), asked, self.sender)

        try:
            self.count = write(path, left, about)
            self.samples = Parquet(path)
        except OSError as error:
            self.complete = False
            why = os.strerror(error.errno) if error.errno else str(error)
            self.fail(f"The samples can't be written as Parquet ({why}); they stay as they came.")
            self.count = sum(len(part) for part in left.frames(("start",)))
            self.samples, self.reasons = left, left.doubts
