"""A run held against an earlier one: only where both did the same, and only by differences that chance doesn't make. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy import stats

from launchbook.load.buckets import quantile
from launchbook.load.tally import Tally
from launchbook.load.windows import Windows, cut

Said = Literal[
    "slower",
    "faster",
    "more errors",
    "fewer errors",
    "less throughput",
    "more throughput",
    "no difference",
    "can't tell",
]
Unit = Literal["ms", "/s", "%"]
# What must be the same on both sides, and how a reader calls it.
SAME = {
    "script": "the script", "engine": "the engine", "version": "the engine's version", "images": "the images of the generator",
    "cluster": "the cluster", "target": "the target", "generator": "the generator's place", "shape": "the shape of the load",
}  # fmt: skip
_SEED = 20_261_124
_DRAWS = 1000
_BLOCK = 10  # s: neighbouring seconds are alike, blocks of ten much less
_FEWEST = 6  # blocks on either side
_POWER = 2.8  # standard errors that are seen, two-sided at 5 % with a power of 80 %: 1.96 + 0.84
_ERRORS_MATTER = 0.001  # of all requests: failures more or fewer that a reader would act on
_RATE_MATTERS = 0.02  # of an open loop's requests/s, which is kept much more evenly than a latency
_EXPECTED = 5  # in each cell of a table, from which Pearson's test holds


@dataclass(frozen=True)
class Difference:
    """Of one figure, new against old. change, low, high: shares of the old figure, with a 95 % interval.

    seen: the smallest change, as a share, that these two runs would most likely (80 %) have shown; unit: of old and new;
    with `%` all of them are shares themselves, and changes are differences between them
    """

    figure: str
    old: float
    new: float
    change: float
    low: float
    high: float
    seen: float
    said: Said
    unit: Unit = "ms"

    @property
    def message(self) -> str:
        """One sentence."""
        if self.unit == "%":
            bounds = f"{100 * self.change:+.2f} points, {100 * self.low:+.2f} to {100 * self.high:+.2f}"
            told = f"{self.figure} was {100 * self.old:.2f} % and is {100 * self.new:.2f} % ({bounds})"
            seen = f"{100 * self.seen:.2g} points"
        else:
            bounds = f"{_percent(self.change)}, {_percent(self.low)} to {_percent(self.high)}"
            unit = self.unit if self.unit == "/s" else f" {self.unit}"
            told = f"{self.figure} was {self.old:.4g}{unit} and is {self.new:.4g}{unit} ({bounds})"
            seen = f"{100 * self.seen:.0f} %"
        if self.said == "no difference":
            return f"{told}: no difference; these runs would have shown one of {seen}."
        if self.said == "can't tell":
            return f"{told}: can't tell; only a difference of {seen} would have been seen."
        return f"{told}: {self.said}."


def unlike(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Why two runs can't be compared, a sentence each; none where they can.

    Both: the keys of SAME, such as a script's digest or {"vus": 50, "think_time": 0.1}; one that is missing isn't known,
    and what isn't known isn't the same.
    """
    found = []
    for key, called in SAME.items():
        if old.get(key) is None or new.get(key) is None:
            sides = [name for name, one in (("earlier", old), ("new", new)) if one.get(key) is None]
            found.append(f"It is not known what {called} was in the {' and the '.join(sides)} run.")
        elif old[key] != new[key]:
            before, now = _differing(old[key], new[key])
            verb = "differ" if key == "images" else "differs"
            found.append(f"{called[0].upper()}{called[1:]} {verb}: {before} before, {now} now.")
    return found


def _differing(old: Any, new: Any) -> tuple[Any, Any]:
    """Of two mappings what differs, else both as they are."""
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        return old, new
    keys = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    return {key: old.get(key) for key in keys}, {key: new.get(key) for key in keys}


def differences(old: Tally, new: Tally, *, matters: float = 0.10, open_loop: bool = False) -> list[Difference]:
    """Of the median, p(95) and p(99), and of the share of failed requests, by a bootstrap of blocks of ten seconds with a
    fixed seed; in an open loop, where it is no consequence of the latency, of the requests/s that succeeded too.

    matters: the change, as a share, that a reader would act on: an interval within it is `no difference`. Empty where a
    run has fewer than six blocks.
    """
    before, after = (cut(one, _BLOCK) for one in (old, new))
    if min(len(before), len(after)) < _FEWEST:
        return []
    random = np.random.default_rng(_SEED)
    taken_old, taken_new = _taken(before, random), _taken(after, random)
    drawn_old, drawn_new = _drawn(before, taken_old), _drawn(after, taken_new)
    found = [
        _difference(f"p({100 * share:g})" if share > 0.5 else "med", share, (old, drawn_old), (new, drawn_new), matters)
        for share in (0.5, 0.95, 0.99)
    ]
    found.append(_errors((old, before, taken_old), (new, after, taken_new)))
    if open_loop:
        found.append(_throughput((before, taken_old), (after, taken_new)))
    return found


def _errors(old: tuple[Tally, Windows, np.ndarray], new: tuple[Tally, Windows, np.ndarray]) -> Difference:
    """Shares of failed requests: by the blocks, since errors come in bursts, and by a test of two proportions."""
    (was, of), (became, out_of) = ((one[0].failed, one[0].count) for one in (old, new))
    drawn = _failed_share(new[1], new[2]) - _failed_share(old[1], old[2])
    change = became / out_of - was / of
    low, high = np.quantile(drawn, [0.025, 0.975])
    # Where neither failed, or nearly so, the blocks show no spread: as much as one failure more on each side would make.
    pooled = (was + became + 1) / (of + out_of + 2)
    error = max(float(drawn.std(ddof=1)), math.sqrt(pooled * (1 - pooled) * (1 / of + 1 / out_of)))
    low, high = min(low, change), max(high, change)
    told = [[was, of - was], [became, out_of - became]]
    sure = bool(was + became) and _differ(told)
    said: Said = "can't tell"
    if sure and low > 0 and change >= _ERRORS_MATTER:
        said = "more errors"
    elif sure and high < 0 and -change >= _ERRORS_MATTER:
        said = "fewer errors"
    elif low > -_ERRORS_MATTER and high < _ERRORS_MATTER:
        said = "no difference"
    seen = _POWER * error
    return Difference("http_req_failed", was / of, became / out_of, change, float(low), float(high), seen, said, "%")


def _differ(table: list[list[int]]) -> bool:
    """Whether two proportions differ at 5 %: by Pearson's test, or Fisher's exact one where few failed."""
    if stats.contingency.expected_freq(np.array(table)).min() >= _EXPECTED:
        return bool(stats.chi2_contingency(table).pvalue < 0.05)
    return bool(stats.fisher_exact(table).pvalue < 0.05)


def _failed_share(windows: Windows, taken: np.ndarray) -> np.ndarray:
    share: np.ndarray = (taken @ windows.failed) / np.maximum(taken @ windows.requests, 1)
    return share


def _throughput(old: tuple[Windows, np.ndarray], new: tuple[Windows, np.ndarray]) -> Difference:
    """Requests/s that were sent and succeeded, block by block."""
    good = [windows.requests - windows.failed for windows, _ in (old, new)]
    was, became = (float(one.mean()) / _BLOCK for one in good)
    means = [(taken @ one) / len(one) / _BLOCK for one, (_, taken) in zip(good, (old, new), strict=True)]
    drawn = means[1] / np.maximum(means[0], 1e-9) - 1
    change = became / was - 1 if was else 0.0
    low, high = np.quantile(drawn, [0.025, 0.975])
    low, high = min(low, change), max(high, change)
    said: Said = "can't tell"
    if high < 0 and -change >= _RATE_MATTERS:
        said = "less throughput"
    elif low > 0 and change >= _RATE_MATTERS:
        said = "more throughput"
    elif low > -_RATE_MATTERS and high < _RATE_MATTERS:
        said = "no difference"
    seen = max(_POWER * float(drawn.std(ddof=1)), 0.01)
    return Difference("successful requests", was, became, change, float(low), float(high), seen, said, "/s")


def _taken(windows: Windows, random: np.random.Generator) -> np.ndarray:
    """How often each draw takes each block: again and again at random."""
    many = len(windows)
    taken: np.ndarray = random.multinomial(many, [1 / many] * many, size=_DRAWS)
    return taken


def _drawn(windows: Windows, taken: np.ndarray) -> np.ndarray:
    """Requests by bucket of each draw."""
    used = np.flatnonzero(windows.grid.any(axis=0))
    whole = np.zeros((_DRAWS, windows.grid.shape[1]), np.int64)
    whole[:, used] = taken @ windows.grid[:, used]
    return whole


def _difference(
    name: str, share: float, old: tuple[Tally, np.ndarray], new: tuple[Tally, np.ndarray], matters: float
) -> Difference:
    was, became = (quantile(one[0].histogram, share) for one in (old, new))
    drawn = np.log([quantile(row, share) for row in new[1]]) - np.log([quantile(row, share) for row in old[1]])
    low, high = np.expm1(np.quantile(drawn, [0.025, 0.975]))
    seen = max(float(np.expm1(_POWER * drawn.std(ddof=1))), 0.01)  # a bucket is 1 % wide
    change = became / was - 1
    # A bucket is 1 % wide, so the figure itself may lie beside what was drawn.
    low, high = min(low, change), max(high, change)
    said: Said = "can't tell"
    if low > 0.01 and change >= matters:
        said = "slower"
    elif high < -0.01 and -change >= matters:
        said = "faster"
    elif -matters < low and high < matters:
        said = "no difference"
    return Difference(name, was, became, float(change), float(low), float(high), seen, said)


def _percent(share: float) -> str:
    return f"{100 * share:+.1f} %"
