"""One figure: what was measured beside a limit or a peer of the same run, and the ratio that must be kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

COLUMNS = ("work", "measured", "against", "ratio", "limit")


@dataclass(frozen=True)
class Row:
    """measured, against: in `unit`; peer: what `against` is; limit: of measured / against.

    at_least: the ratio must reach the limit, as where more is better; else it must not pass it.
    """

    work: str
    measured: float
    against: float
    unit: str = "s"
    peer: str = "limit"
    limit: float = 1.0
    at_least: bool = False

    @property
    def ratio(self) -> float:
        return self.measured / self.against

    @property
    def kept(self) -> bool:
        return self.ratio >= self.limit if self.at_least else self.ratio <= self.limit

    def cells(self) -> tuple[str, ...]:
        """As text, by COLUMNS."""
        bound = f"{'at least' if self.at_least else 'at most'} {self.limit:g}"
        return (
            self.work,
            self._text(self.measured),
            f"{self._text(self.against)} ({self.peer})",
            f"{self.ratio:.2f}",
            bound if self.kept else f"{bound}: MISSED",
        )

    def _text(self, value: float) -> str:
        return f"{value:.0f} {self.unit}" if value >= 100 else f"{value:.3g} {self.unit}"


def middle(pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The pair (measured, against) with the median ratio: medians of each side would mix pairs of other moments."""
    return sorted(pairs, key=lambda pair: pair[0] / pair[1])[len(pairs) // 2]
