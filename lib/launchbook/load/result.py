"""What a load run gave, whichever engine sent it, and its line of progress."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from launchbook.load.engine import HEALTH, Engine
from launchbook.load.judge import Reason
from launchbook.load.samples import empty
from launchbook.run import Run


@dataclass
class Result:
    """What a load run gave.

    samples: see samples.COLUMNS, the warm-up included; health: engine.HEALTH, a row a second; problem: why there is
    nothing, or less than there should be; reasons: what the engine itself says against its samples; answered: whether
    the target answered beforehand; window: from and until when load was sent, on the monotonic clock (s); log_problem:
    why the containers' logs are not all counted
    """

    engine: str
    version: str = ""
    samples: pd.DataFrame = field(default_factory=empty)
    health: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=HEALTH))
    reasons: list[Reason] = field(default_factory=list)
    complete: bool = False
    answered: bool | None = None
    problem: str | None = None
    log_problem: str | None = None
    cores: float = 1.0
    began: str = ""
    window: tuple[float, float] = (0.0, 0.0)


def tell(run: Run, engine: Engine, told: Sequence[Mapping[str, Any]], whole: float) -> None:
    """A line of progress every five seconds, from what the generator said last. whole: seconds in all."""
    if len(told) % 5:
        return
    seen = engine.health(told)
    if seen.empty:
        return
    last = seen.iloc[-1]
    sent = "" if pd.isna(last["requests"]) else (
        f"{last['requests']:.0f} requests/s, {last['failed']:.0f} failed, {last['users']:.0f} VUs, "
    )  # fmt: skip
    run.progress(f"{sent}generator at {100 * last['cpu']:.0f} % of a core", min(1.0, len(seen) / whole))
