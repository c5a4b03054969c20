"""What k6 left on disk as a sample table, read part by part, with the bodies that a check refused."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pandas as pd

from launchbook.load import doubts, own_script
from launchbook.load.left import Left
from launchbook.load.pairs import K6Rows
from launchbook.load.samples import ALL, BadSamples, chosen
from launchbook.load.stream import Stream
from launchbook.load.tally import coded
from launchbook.load.terms import Reason

_INSTANT = 1e-4  # s, by which a check may be stamped before its request: both clocks are rounded
_MICRO = 1e6
_REFUSED = "blacklisted"  # in the error of a request whose address --blacklist-ip holds
_NEEDED = {"metric_name", "timestamp", "metric_value", "name", "error", "status"}


class K6Files(Left):
    """k6's gzipped CSV (stamps in microseconds) and its end-of-test summary. One that ends early gives what it holds.

    url: of the target, where requests to other sites are to be told; bodies: whether a failed check fails its request;
    errors: own_script.ERRORS, where a script of the user's own sent the load
    """

    def __init__(
        self, samples: Path, summary: Path, *, url: str | None = None, bodies: bool = False, errors: Path | None = None
    ) -> None:
        self._samples, self._summary, self._url, self._bodies, self._errors = samples, summary, url, bodies, errors
        self.doubts = []

    def frames(self, columns: Sequence[str] = ALL) -> Iterator[pd.DataFrame]:
        rows = K6Rows(
            Stream(self._samples, whole=True), unit=_MICRO, tags=False, columns=("url",) if self._url else ()
        )  # fmt: skip
        bodies, sites, checks, count = Bodies(), Sites(self._url or ""), [0, 0], 0
        for part in self._parts(rows, bodies, sites, checks):
            count += len(part)
            yield chosen(part, columns)
        if not rows.lines.names:
            raise BadSamples("the generator left no samples")
        if missing := _NEEDED - set(rows.lines.names):
            raise BadSamples(f"k6's samples can't be read: they have no {', '.join(sorted(missing))}")
        if not rows.pairs.tells:
            raise BadSamples(f"k6 wrote {rows.pairs.took} durations and {rows.pairs.told} answers whether they failed")
        self.doubts = [*_summed(count, self._summary), *bodies.doubts, *sites.doubts]
        if self._errors is not None:
            self.doubts += own_script.uncaught(self._errors) + own_script.of_summary(self._summary, *checks)
        if rows.lines.broken:
            self.doubts.append(Reason("truncated", f"{rows.lines.broken} lines of k6's samples can't be read."))

    def _parts(self, rows: K6Rows, bodies: Bodies, sites: Sites, checks: list[int]) -> Iterator[pd.DataFrame]:
        """Fills `sites` with those that requests went to, where that is asked for, and `checks` with how many there were
        and how many of them held."""
        try:
            for parts, read in rows.frames():
                if self._url and "url" in read.get("took", ()):
                    sites.take(read["took"])
                if "checks" in read:
                    values = read["checks"]["metric_value"].to_numpy(dtype=float)
                    checks[:] = checks[0] + len(values), checks[1] + int((values > 0).sum())
                parts = [_typed(part) for part in parts]
                yield from bodies.marked(parts, _refused(read)) if self._bodies else parts
        except (KeyError, OSError, ValueError) as error:
            raise BadSamples(f"k6's samples can't be read: {error}") from None
        yield from bodies.rest()


def _typed(part: pd.DataFrame) -> pd.DataFrame:
    codes, labels = coded(part["status"])
    return part.assign(status=np.array([int(one) if one.isdigit() else 0 for one in map(str, labels)], np.int64)[codes])


def _refused(read: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    checks = read.get("checks")
    return pd.DataFrame() if checks is None else checks[checks["metric_value"] == 0]


class Bodies:
    """Requests as failed whose body a check refused.

    A check is a row of its own, written right after its request: it belongs to the last request of that name that was
    answered before it and has no such row yet. How many failed is exact; which of two that were answered within the
    same instant, is not. A request may stand in the block before its check, so the last block is held back.
    """

    def __init__(self) -> None:
        self._held = pd.DataFrame()
        self._lost = 0

    @property
    def doubts(self) -> list[Reason]:
        """Failed checks whose request is not there: it would count as a success."""
        if not self._lost:
            return []
        return [Reason("truncated", f"{self._lost} failed checks belong to no request that was written.")]

    def marked(self, parts: Sequence[pd.DataFrame], refused: pd.DataFrame) -> Iterator[pd.DataFrame]:
        """The block before, once the checks of this one were looked at. refused: columns timestamp (µs), name."""
        before, parts = len(self._held), [part.assign(_taken=False) for part in parts if len(part)]
        whole = pd.concat([one for one in (self._held, *parts) if len(one)], ignore_index=True) if parts else self._held
        if len(refused):
            whole = self._marked(whole, refused)
        if not parts:
            self._held = whole
            return
        if before:
            yield whole.iloc[:before].drop(columns="_taken")
        self._held = whole.iloc[before:]

    def rest(self) -> Iterator[pd.DataFrame]:
        """What was held back."""
        if len(self._held):
            yield self._held.drop(columns="_taken")
        self._held = pd.DataFrame()

    def _marked(self, whole: pd.DataFrame, refused: pd.DataFrame) -> pd.DataFrame:
        if not len(whole):
            self._lost += len(refused)
            return whole
        failed, taken = whole["failed"].to_numpy(copy=True), whole["_taken"].to_numpy(copy=True)
        error, names = whole["error"].to_numpy(dtype=object, copy=True), whole["name"].to_numpy(dtype=object)
        ended = (whole["start"] + whole["ms"] / 1000).to_numpy()
        for name, part in refused.groupby(refused["name"].astype(object)):
            places = np.flatnonzero((names == name) & ~taken)
            places = places[np.argsort(ended[places], kind="stable")]
            free: list[int] = []
            at = 0
            for when in sorted(part["timestamp"] / _MICRO):
                while at < len(places) and ended[places[at]] <= when + _INSTANT:
                    free.append(int(places[at]))
                    at += 1
                if not free:
                    self._lost += 1
                    continue
                found = free.pop()
                failed[found], taken[found], error[found] = True, True, "body: is not as expected"
        return whole.assign(failed=failed, error=error, _taken=taken)


def _site(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if url else ""


class Sites:
    """Where requests of a user's own script went, or would have gone. url: of the target"""

    def __init__(self, url: str) -> None:
        self._url, self._sent = url, set[str]()
        self._refused: Counter[str] = Counter()

    def take(self, took: pd.DataFrame) -> None:
        """took: columns url, error"""
        refused = took["error"].astype(object).str.contains(_REFUSED, regex=False, na=False).to_numpy(dtype=bool)
        self._sent |= {_site(str(one)) for one in took["url"][~refused].unique()}
        if refused.any():
            self._refused.update(_site(str(one)) for one in took["url"][refused])

    @property
    def doubts(self) -> list[Reason]:
        """Why the samples say nothing of the target."""
        if not self._url:
            return []
        home, told = _site(self._url), []
        if others := sorted(self._sent - {"", home}):
            told.append(f"The script sent requests to {', '.join(others[:3])}, which is not {self._url}.")
        if others := sorted(self._refused.keys() - {"", home}):
            asked = f"The script would have sent requests to {', '.join(others[:3])}, which is not {self._url}"
            told.append(f"{asked}: k6 refused them before it connected.")
        if many := self._refused[home]:
            told.append(
                f"{many} requests to {self._url} were refused, since its name led to another address than before the load."
            )
        return [Reason("elsewhere", one) for one in told]


def _summed(count: int, summary: Path) -> list[Reason]:
    """What k6's own end-of-test summary says against the samples."""
    try:
        metrics = json.loads(summary.read_bytes())["metrics"]
        sent, dropped = (_counted(metrics.get(name) or {}) for name in ("http_reqs", "dropped_iterations"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return [Reason("truncated", "k6 left no summary, so it is not known whether the samples are whole.")]
    against = []
    if sent != count:
        against.append(Reason("truncated", f"k6 sent {sent} requests, and {count} samples were written."))
    return [*against, *doubts.dropped(dropped)]


def _counted(metric: Mapping[str, Any]) -> int:
    """Of handleSummary's shape, or of --summary-export's, which has no `values`."""
    return int(metric.get("values", metric).get("count", 0))
