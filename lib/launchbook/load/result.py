"""What a load run gave, whichever engine sent it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import pandas as pd

from launchbook.load.engine import HEALTH, Engine
from launchbook.load.floor import Floor, worst
from launchbook.load.judge import Reason
from launchbook.load.kept import Kept
from launchbook.load.samples import empty
from launchbook.load.told import Told
from launchbook.load.usage import Usage


@dataclass
class Result:
    """What a load run gave.

    samples: see samples.COLUMNS, the warm-up included; health: engine.HEALTH, a row a second; processes: the same of
    each process, named in `worker`; floor: the generator's own latency, see floor.Floor; problem: why there is nothing,
    or less than there should be; reasons: what the engine itself says against its samples; answered: whether the target
    answered beforehand; window: from and until when load was sent, on the monotonic clock (s); log_problem: why the
    containers' logs are not all counted; folder: of its evidence, below evidence/
    """

    engine: str
    version: str = ""
    samples: pd.DataFrame = field(default_factory=empty)
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

    def fail(self, *why: str) -> None:
        """Adds sentences to `problem`; empty ones are left out."""
        self.problem = " ".join(filter(None, (self.problem, *why))) or None

    def take(self, engine: Engine) -> None:
        """Samples and doubts from the files that were kept. Raises BadSamples where nothing can be read."""
        assert self.kept is not None
        self.samples, self.reasons = engine.read(self.kept.read())
