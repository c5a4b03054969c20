"""One shape for anybody's load results: samples that were counted, or the figures that a summary holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from launchbook.errors import LaunchbookError
from launchbook.load import doubts, repeats
from launchbook.load.course import Course
from launchbook.load.figures import Figure, figures
from launchbook.load.parquet import About
from launchbook.load.repeats import Rows
from launchbook.load.series import Series, added, of_thresholds
from launchbook.load.tally import Tally, merged
from launchbook.load.terms import Reason
from launchbook.thresholds import Threshold


class Foreign(LaunchbookError):
    """A file that is no result, or is cut off before anything could be read."""


@dataclass
class Reading:
    """Either samples or the figures that a summary holds.

    tally: the samples, None for a summary; tells: whether the samples say which requests failed; figures: metric ->
    aggregate -> figure, of a summary; thresholds: its own, metric -> expressions; asked: whether it has any at all;
    problems: why these figures can't be believed; unjudged: why its thresholds can't be judged; crossed: thresholds of
    metrics that are not judged here, as the summary itself judged them; name: of the file; series: of k6's other metrics,
    by name; vus: second -> users, where that is told; rows: what was kept of the samples, to know them again; seconds:
    how long the test of a summary ran, its warm-up included; course: of its requests over time, where it tells that;
    refused: successes with a status from 400 on; checks: how many a summary counts, and how many of them held;
    rounding: by how much the figure of a threshold may be off, where figures were rounded
    """

    count: int = 0
    tally: Tally | None = None
    tells: bool = True
    figures: dict[str, dict[str, float]] = field(default_factory=dict)
    thresholds: dict[str, list[str]] = field(default_factory=dict)
    problems: list[Reason] = field(default_factory=list)
    crossed: list[Reason] = field(default_factory=list)
    about: About | None = None
    name: str = ""
    asked: bool = False
    unjudged: list[Reason] = field(default_factory=list)
    series: dict[str, Series] = field(default_factory=dict)
    vus: dict[int, float] = field(default_factory=dict)
    rows: Rows = field(default_factory=Rows)
    seconds: float | None = None
    course: Course | None = None
    refused: int = 0
    checks: tuple[int, int] = (0, 0)
    rounding: Callable[[Threshold, float], float] | None = None

    @property
    def held(self) -> tuple[int, int]:
        """How many checks there were, and how many of them held."""
        of_points = self.series.get("checks")
        return (of_points.count, of_points.above) if of_points else self.checks

    @property
    def own(self) -> list[Threshold]:
        """Its own thresholds that can be judged here."""
        return of_thresholds(self.thresholds, self.series)

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
        names = _names([one.name for one in readings])
        twice = repeats.between(names, tallies, [one.rows for one in readings])
        return Reading(
            count=sum(one.count for one in readings), tally=merged(tallies), tells=all(one.tells for one in readings),
            thresholds=readings[0].thresholds, asked=any(one.asked for one in readings),
            problems=[*(p for one in readings for p in one.problems), *senders, *twice],
            unjudged=[*(p for one in readings for p in one.unjudged), *_unlike(names, readings)],
            series=_together(one.series for one in readings), vus=_most(one.vus for one in readings),
            refused=sum(one.refused for one in readings),
        )  # fmt: skip

    def judged_by(self, thresholds: Sequence[Threshold]) -> list[Figure | None]:
        """The figure of each threshold; None where these results don't hold it."""
        if self.tally is not None:
            return [self._figure(t, f) for t, f in zip(thresholds, figures(thresholds, self.tally), strict=True)]
        values = [self.figures.get(t.metric, {}).get(t.aggregate) for t in thresholds]
        return [None if value is None else Figure(value) for value in values]

    def _figure(self, threshold: Threshold, of_requests: Figure | None) -> Figure | None:
        """Of samples. of_requests: what the requests say of it."""
        assert self.tally is not None
        if threshold.metric in self.series:
            return self.series[threshold.metric].figure(threshold, self.tally.seconds)
        # In a run of ours an iteration is a request; in anybody else's it may hold several.
        if threshold.metric == "iterations" and self.about is None:
            return None
        return None if threshold.metric == "http_req_failed" and not self.tells else of_requests


def _names(paths: Sequence[str]) -> list[str]:
    """File names, with their folders where two are alike."""
    short = [Path(one).name for one in paths]
    return short if len(set(short)) == len(short) else list(paths)


def _unlike(names: Sequence[str], readings: Sequence[Reading]) -> list[Reason]:
    """Results with thresholds of their own that are not the same ones: nobody's are those of the whole."""
    other = next((n for n, one in enumerate(readings) if one.thresholds != readings[0].thresholds), None)
    if other is None:
        return []
    said = (
        f"{names[0]} has {_listed(readings[0].thresholds)}, and {names[other]} has {_listed(readings[other].thresholds)}: give "
        "the thresholds of the whole with --scenario."
    )
    return [Reason("thresholds-differ", said)]


def _listed(thresholds: Mapping[str, Sequence[str]]) -> str:
    told = "; ".join(f"{metric}: {text}" for metric, texts in thresholds.items() for text in texts)
    return f"the thresholds {told}" if told else "no thresholds"


def _together(found: Iterable[Mapping[str, Series]]) -> dict[str, Series]:
    by_name: dict[str, list[Series]] = {}
    for series in found:
        for name, one in series.items():
            by_name.setdefault(name, []).append(one)
    return {name: added(many) for name, many in by_name.items()}


def _most(found: Iterable[Mapping[int, float]]) -> dict[int, float]:
    most: dict[int, float] = {}
    for vus in found:
        most |= {second: max(users, most.get(second, 0.0)) for second, users in vus.items()}
    return most
