"""Says what is being done, how long that usually takes, and how long it took."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.markup import escape

WORTH_ANNOUNCING = 3.0  # s: shorter steps are reported only when they are done


@dataclass
class Steps:
    """Steps of a longer act, shown on standard error; `seconds` keeps what each took, in order."""

    quiet: bool = False
    seconds: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._console = Console(stderr=True, highlight=False, soft_wrap=True, quiet=self.quiet)

    def say(self, text: str) -> None:
        self._console.print(escape(text))

    @contextmanager
    def step(self, name: str, usual: float = 0.0) -> Iterator[None]:
        """Time a step. `usual` is how long it usually takes, in seconds."""
        started = time.monotonic()
        if usual < WORTH_ANNOUNCING:
            yield
        elif sys.stderr.isatty() and not self.quiet:
            with (
                self._console.status("") as status,
                _ticking(lambda: status.update(f"{escape(name)} · {_since(started)} of usually {_span(usual)}")),
            ):
                yield
        else:
            self.say(f"{name} … usually {_span(usual)}")
            yield
        took = time.monotonic() - started
        self.seconds[name] = took
        self.say(f"{name} · {took:.1f} s")


@contextmanager
def _ticking(tick: object) -> Iterator[None]:
    over = threading.Event()

    def run() -> None:
        while True:
            tick()  # type: ignore[operator]
            if over.wait(1.0):
                return

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _since(started: float) -> str:
    return f"{time.monotonic() - started:.0f} s"


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
