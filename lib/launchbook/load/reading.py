"""One shape for anybody's load results: samples that were counted, or the figures that a summary holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from launchbook.errors import LaunchbookError
from launchbook.load import doubts
from launchbook.load.figures import Figure, figures
from launchbook.load.parquet import About
from launchbook.load.tally import Tally, merged
from launchbook.load.terms import Reason
from launchbook.thresholds import Threshold


class Foreign(LaunchbookError):
    """A file that is no result, or is cut off before anything could be read."""


@dataclass
class Reading:
    """Either samples or the figures that a summary holds.

    tally: the samples, None for a summary; tells: whether the samples say which requests failed; figures: metric ->
    aggregate -> figure, of a summary; thresholds: its own, metric -> expressions; problems: why these figures can't be
    believed; crossed: thresholds of metrics that are not judged here, as the summary itself judged them
    """

    count: int = 0
    tally: Tally | None = None
    tells: bool = True
    figures: dict[str, dict[str, float]] = field(default_factory=dict)
    thresholds: dict[str, list[str]] = field(default_factory=dict)
    problems: list[Reason] = field(default_factory=list)
    crossed: list[Reason] = field(default_factory=list)
    about: About | None = None

    @staticmethod
    def merged(readings: Sequence[Reading]) -> Reading:
        """Several results as one: samples add up; percentiles of summaries don't, so two summaries can't be merged."""
        if len(readings) == 1:
            return readings[0]
        tallies = [one.tally for one in readings if one.tally is not None]
        if len(tallies) < len(readings):
            raise Foreign(
                "several summaries can't be merged: percentiles don't add up. Give samples (NDJSON, CSV, Parquet)."
            )
        # What was sent by several is nobody's plan, but what stands against one stands against all of them.
        senders = [
            reason
            for one in readings
            if one.tally is not None and one.about is not None
            for reason in doubts.of_sender(one.about.sender, one.tally)
        ]
        alike = all(one.thresholds == readings[0].thresholds for one in readings)
        return Reading(
            count=sum(one.count for one in readings), tally=merged(tallies), tells=all(one.tells for one in readings),
            thresholds=readings[0].thresholds if alike else {},
            problems=[p for one in readings for p in one.problems] + senders,
        )  # fmt: skip

    def judged_by(self, thresholds: Sequence[Threshold]) -> list[Figure | None]:
        """The figure of each threshold; None where these results don't hold it."""
        if self.tally is not None:
            found = figures(thresholds, self.tally)
            return [
                None if t.metric == "http_req_failed" and not self.tells else f
                for t, f in zip(thresholds, found, strict=True)
            ]
        values = [self.figures.get(t.metric, {}).get(t.aggregate) for t in thresholds]
        return [None if value is None else Figure(value) for value in values]
