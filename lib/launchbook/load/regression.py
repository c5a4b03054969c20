"""A run held against an earlier one: only where both did the same, and only by differences that chance doesn't make. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from launchbook.load.buckets import quantile
from launchbook.load.tally import Tally
from launchbook.load.windows import Windows, cut

Said = Literal["slower", "faster", "no difference", "can't tell"]
# What must be the same on both sides, and how a reader calls it.
SAME = {
    "script": "the script", "engine": "the engine", "version": "the engine's version", "images": "the images of the generator",
    "cluster": "the cluster", "shape": "the shape of the load",
}  # fmt: skip
_SEED = 20_261_124
_DRAWS = 1000
_BLOCK = 10  # s: neighbouring seconds are alike, blocks of ten much less
_FEWEST = 6  # blocks on either side


@dataclass(frozen=True)
class Difference:
    """Of one figure, new against old. change, low, high: shares of the old figure, with a 95 % interval.

    seen: the smallest change, as a share, that these two runs would most likely (80 %) have shown
    """

    figure: str
    old: float
    new: float
    change: float
    low: float
    high: float
    seen: float
    said: Said

    @property
    def message(self) -> str:
        """One sentence."""
        bounds = f"{_percent(self.change)}, {_percent(self.low)} to {_percent(self.high)}"
        told = f"{self.figure} was {self.old:.4g} ms and is {self.new:.4g} ms ({bounds})"
        if self.said == "no difference":
            return f"{told}: no difference; these runs would have shown one of {100 * self.seen:.0f} %."
        if self.said == "can't tell":
            return f"{told}: can't tell; only a difference of {100 * self.seen:.0f} % would have been seen."
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
            found.append(f"{called[0].upper()}{called[1:]} differs: {old[key]} before, {new[key]} now.")
    return found


def differences(old: Tally, new: Tally, *, matters: float = 0.10) -> list[Difference]:
    """Of the median, p(95) and p(99), by a bootstrap of blocks of ten seconds with a fixed seed.

    matters: the change, as a share, that a reader would act on: an interval within it is `no difference`. Empty where a
    run has fewer than six blocks.
    """
    before, after = (cut(one, _BLOCK) for one in (old, new))
    if min(len(before), len(after)) < _FEWEST:
        return []
    random = np.random.default_rng(_SEED)
    drawn_old, drawn_new = _drawn(before, random), _drawn(after, random)
    return [
        _difference(f"p({100 * share:g})" if share > 0.5 else "med", share, (old, drawn_old), (new, drawn_new), matters)
        for share in (0.5, 0.95, 0.99)
    ]


def _drawn(windows: Windows, random: np.random.Generator) -> np.ndarray:
    """Requests by bucket of each draw: blocks taken again and again at random."""
    many = len(windows)
    used = np.flatnonzero(windows.grid.any(axis=0))
    weights = random.multinomial(many, [1 / many] * many, size=_DRAWS)
    whole = np.zeros((_DRAWS, windows.grid.shape[1]), np.int64)
    whole[:, used] = weights @ windows.grid[:, used]
    return whole


def _difference(
    name: str, share: float, old: tuple[Tally, np.ndarray], new: tuple[Tally, np.ndarray], matters: float
) -> Difference:
    was, became = (quantile(one[0].histogram, share) for one in (old, new))
    drawn = np.log([quantile(row, share) for row in new[1]]) - np.log([quantile(row, share) for row in old[1]])
    low, high = np.expm1(np.quantile(drawn, [0.025, 0.975]))
    # Two-sided at 5 % with a power of 80 %: 1.96 + 0.84 standard errors; a bucket is 1 % wide.
    seen = max(float(np.expm1(2.8 * drawn.std(ddof=1))), 0.01)
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
