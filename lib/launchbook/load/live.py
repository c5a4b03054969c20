"""What is seen while load is sent: a panel in JupyterLab, and a line of progress every five seconds everywhere."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from launchbook.display import table
from launchbook.interact import Panel
from launchbook.load.engine import Engine
from launchbook.load.histogram import quantile
from launchbook.load.told import Told
from launchbook.load.usage import Usage
from launchbook.run import Run

_LINE = 5.0  # s, between two lines of progress
_PANEL = 1.0  # s, between two looks of the panel
Figures = Mapping[str, float | None]


def figures(lines: Sequence[Mapping[str, Any]], counts: Mapping[int, int]) -> dict[str, float | None]:
    """rate (requests/s), failed (share), p50, p95, p99 (ms), users, cpu (cores of the busiest process), lag (s).

    lines: what was told in the last seconds, of any number of processes; None for what an engine doesn't tell.
    """
    sent = [line for line in lines if line.get("requests") is not None]
    workers = {line.get("worker", 0) for line in sent}
    total = sum(line["requests"] for line in sent)
    newest = {line.get("worker", 0): line for line in sent}
    busiest = {line.get("worker", 0): line for line in lines if "cpu" in line}
    return {
        "rate": total * len(workers) / len(sent) if sent else None,
        "failed": sum(line["failed"] for line in sent) / total if total else None,
        **{f"p{share}": quantile(counts, share / 100) for share in (50, 95, 99)},
        "users": float(sum(line["users"] for line in newest.values())) if newest else None,
        "cpu": max((float(line["cpu"]) for line in busiest.values()), default=None),
        "lag": max((float(line["lag"]) for line in busiest.values()), default=None),
    }


def sentence(seen: Figures) -> str:
    """The line of progress."""
    parts = [
        _say(seen["rate"], "{:.0f} requests/s"), _say(seen["failed"], "{:.1%} failed"), _say(seen["p95"], "p95 {:.1f} ms"),
        _say(seen["users"], "{:.0f} VUs"), _say(seen["cpu"] and 100 * seen["cpu"], "generator at {:.0f} % of a core"),
    ]  # fmt: skip
    return ", ".join(part for part in parts if part) or "load is being sent"


def panel(seen: Figures, pods: pd.DataFrame, problem: str) -> pd.DataFrame:
    """The panel's table: figure, now. pods: usage.COLUMNS of one reading; problem: why there are none."""
    rows = [
        ("requests/s", _say(seen["rate"], "{:.1f}")), ("failed", _say(seen["failed"], "{:.2%}")),
        ("p50 / p95 / p99 (ms)", " / ".join(_say(seen[p], "{:.1f}") or "-" for p in ("p50", "p95", "p99"))),
        ("VUs", _say(seen["users"], "{:.0f}")), ("generator's busiest process (cores)", _say(seen["cpu"], "{:.2f}")),
        ("generator's clock late by (ms)", _say(seen["lag"] and 1000 * seen["lag"], "{:.0f}")),
    ]  # fmt: skip
    for pod in pods.sort_values("cpu", ascending=False).head(10).to_dict("records"):
        rows.append((f"{pod['namespace']}/{pod['pod']}", f"{pod['cpu']:.2f} cores, {pod['memory'] / 2**20:.0f} MiB"))
    if pods.empty:
        rows.append(("pods", problem))
    return pd.DataFrame([(name, value or "not told by this engine") for name, value in rows], columns=["figure", "now"])


def _say(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)


class Live:
    """Both, for one run of one engine. whole: seconds that the scenario takes."""

    def __init__(self, run: Run, engine: Engine, whole: float, usage: Usage | None) -> None:
        self._run, self._engine, self._whole, self._usage = run, engine, whole, usage
        self._panel = Panel()
        self._line_at = self._panel_at = time.monotonic()

    def update(self, told: Told) -> None:
        """Call it as often as something was told."""
        now = time.monotonic()
        if told.began is None or now - self._panel_at < _PANEL:
            return
        self._panel_at = now
        lines, counts = told.recent()
        seen = figures(lines if "cpu" in lines[-1] else _health(self._engine, told), counts)
        self._show(seen)
        if now - self._line_at >= _LINE:
            self._line_at = now
            self._run.progress(sentence(seen), min(1.0, (now - told.began) / self._whole))

    def close(self) -> None:
        """What was seen last stays in the saved notebook."""
        self._panel.close()

    def _show(self, seen: Figures) -> None:
        pods = self._usage.latest() if self._usage else pd.DataFrame(columns=["cpu"])
        problem = self._usage.problem if self._usage else "not read"
        self._panel.update(table(panel(seen, pods, problem), "While it runs, over the last ten seconds"))


def _health(engine: Engine, told: Told) -> list[dict[str, Any]]:
    """Of an engine whose CPU has to be computed from two lines."""
    frame = engine.health(told.lines[-3:])
    return [{str(k): v for k, v in row.items() if pd.notna(v)} for row in frame.to_dict("records")]
