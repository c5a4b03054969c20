"""Samples counted part by part: the same as all at once, and the same figures as from all samples together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launchbook.load import intervals
from launchbook.load.buckets import BUCKETS, RELATIVE_ERROR, backfilled, bucket, middle, quantile
from launchbook.load.exact import ordered
from launchbook.load.figures import trend
from launchbook.load.gathering import counted
from launchbook.load.parquet import Parquet
from launchbook.load.tally import Tally, merged, of_part
from launchbook.load.windows import cut

ROW = st.tuples(
    st.floats(0, 30_000, allow_nan=False), st.floats(0, 1e6, allow_nan=False), st.booleans(), st.sampled_from("abc")
)
ROWS = st.lists(ROW, max_size=30)


def frame(rows: list[tuple[float, float, bool, str]]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["start", "ms", "failed", "name"])
    return table.astype({"start": float, "ms": float, "failed": bool}).assign(error=np.where(table["failed"], "x", ""))


def content(tally: Tally) -> dict[str, object]:
    """All that must not depend on who counted what."""
    counts = {name: getattr(tally, name) for name in ("grid", "second", "failures")}
    busy = tally.busy.values != 0
    return {
        **{name: (one.keys.tolist(), one.values.tolist()) for name, one in counts.items()},
        "busy": (tally.busy.keys[busy].tolist(), tally.busy.values[busy].tolist()),
        "good": tally.good.tolist(), "names": {k: v.tolist() for k, v in sorted(tally.by_name.items())},
        "errors": sorted(tally.errors.items()), "width": tally.width, "count": tally.count, "failed": tally.failed,
        "ends": (tally.low, tally.high, tally.first, tally.last),
    }  # fmt: skip


@given(ROWS, ROWS, ROWS)
@settings(max_examples=30, deadline=None)
def test_parts_merge_in_any_order_to_the_whole(a: list, b: list, c: list) -> None:
    """Associative, commutative, and what one count of everything gives, whatever the windows had to become."""
    x, y, z = (of_part(frame(rows)) for rows in (a, b, c))
    whole = content(merged([of_part(frame([*a, *b, *c]))]))
    assert content(merged([merged([x, y]), z])) == whole
    assert content(merged([x, merged([y, z])])) == whole
    assert content(merged([z, y, x])) == whole


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=200), st.floats(0.1, 100))
@settings(deadline=None)
def test_a_percentile_is_the_exact_one(values: list[float], percent: float) -> None:
    """Linear between neighbours, as numpy and k6 have it, though only buckets were counted at first."""
    tally = Tally.of(frame([(n / 10, ms, False, "a") for n, ms in enumerate(values)]))
    name = f"p({percent!r})"
    assert trend(tally, [name])[name].value == pytest.approx(np.percentile(values, percent), rel=1e-12)


@given(st.lists(st.floats(0.01, 1e6), min_size=1, max_size=200), st.floats(0, 1))
def test_a_bucket_is_as_near_as_it_says(values: list[float], share: float) -> None:
    """Of the same order statistic."""
    counts = np.bincount(bucket(np.array(values)), minlength=BUCKETS)
    exact = sorted(values)[int(np.floor(share * (len(values) - 1)))]
    assert quantile(counts, share) == pytest.approx(exact, rel=RELATIVE_ERROR * 1.001)


def test_successes_have_percentiles_of_their_own() -> None:
    """The failed ones were quick."""
    tally = Tally.of(frame([(n / 10, 1.0 if n % 2 else 100.0 + n, bool(n % 2), "a") for n in range(200)]))
    assert trend(tally, ["med"], good=True)["med"].value == 199.0
    assert ordered(tally, [0], good=True) == {0: 100.0}


def test_a_file_is_counted_as_the_table_in_it(tmp_path: Path) -> None:
    """In parts, without the warm-up, percentiles exact."""
    random = np.random.default_rng(1)
    rows = 30_000
    table = pd.DataFrame(
        {"start": 1.7e9 + np.arange(rows) / 100, "ms": random.lognormal(3, 1, rows).round(3), "failed": random.random(rows) < 0.1}
    ).assign(name="a", error="")  # fmt: skip
    table["error"] = np.where(table["failed"], "status 500", "")
    pq.write_table(pa.Table.from_pandas(table), tmp_path / "samples.parquet", row_group_size=7000)
    kept = table[table["start"] >= table["start"].min() + 30]
    found, whole = counted(Parquet(tmp_path / "samples.parquet"), warmup=30.0)
    assert content(found) == content(Tally.of(kept))
    assert content(whole) == content(Tally.of(table))
    assert trend(found, ["p(95)"])["p(95)"].value == pytest.approx(np.percentile(kept["ms"], 95), rel=1e-12)


def test_what_is_impossible_is_counted_and_left_out() -> None:
    """NaN, infinite and negative durations, and no time."""
    table = pd.DataFrame(
        {"start": [0.0, 1, 2, 3, np.nan], "ms": [5.0, np.nan, -1, np.inf, 5], "failed": False}
    )  # fmt: skip
    tally = Tally.of(table)
    assert (tally.count, tally.impossible, tally.high) == (1, 4, 5.0)


def test_a_day_is_counted_in_minutes() -> None:
    """Windows get wider, so that their number stays bounded; requests don't get lost."""
    day = pd.DataFrame({"start": np.arange(86_400.0), "ms": 5.0, "failed": False})
    tally = Tally.of(day)
    assert (tally.width, int(tally.grid.values.sum()), tally.seconds) == (60, 86_400, 86_399.005)
    assert set(cut(tally, 60).requests.tolist()) == {60}


def test_names_without_end_are_counted_together() -> None:
    """A script that puts an id into each name must not fill the memory."""
    table = pd.DataFrame(
        {"start": np.arange(5000) / 10, "ms": 5.0, "failed": False, "name": [f"/{n}" for n in range(5000)]}
    )
    tally = Tally.of(table)
    assert len(tally.by_name) == 201
    assert tally.by_name["(other names)"][0] == 4800


def test_back_filling_adds_the_requests_that_a_waiting_sender_left_out() -> None:
    """HdrHistogram's own example: one wait of 1000 ms among requests each 100 ms stands for 900, 800, … 100."""
    counts = np.bincount(bucket(np.array([1000.0] + [1.0] * 100)), minlength=BUCKETS)
    filled = backfilled(counts, 100.0)
    assert int(filled.sum()) == 101 + 9
    added = np.flatnonzero(filled - counts)
    assert middle(added) == pytest.approx([100, 200, 300, 400, 500, 600, 700, 800, 900], rel=0.02)


@given(st.integers(0, 500), st.integers(1, 500))
def test_a_share_lies_within_its_interval(hits: int, more: int) -> None:
    """Wilson's, from 0 to 1."""
    low, high = intervals.share(hits, hits + more)
    assert 0 <= low <= hits / (hits + more) <= high <= 1


def test_the_interval_of_a_percentile_covers_it_as_often_as_it_says() -> None:
    """1000 draws with a fixed seed: 95 % of the intervals hold the true p(95), a little more since places are whole."""
    random = np.random.default_rng(7)
    bounds = intervals.ranks(1000, 95)
    assert bounds is not None
    values = np.sort(random.exponential(1.0, (1000, 1000)), axis=1)
    true = -np.log(0.05)
    held = ((values[:, bounds[0]] <= true) & (true <= values[:, bounds[1]])).mean()
    assert 0.94 <= held <= 0.98


@pytest.mark.parametrize(("count", "percent", "bounded"), [(367, 99, False), (368, 99, True), (10, 95, False), (10, 50, True)])  # fmt: skip
def test_too_few_samples_bound_no_percentile(count: int, percent: float, bounded: bool) -> None:
    """0.99 ** 368 is the first below 2.5 %."""
    assert (intervals.ranks(count, percent) is not None) is bounded
