"""The mergeable histogram: sums are exact, percentiles within a bucket."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from launchbook.load.histogram import add, bucket, count, quantile

DURATIONS = st.lists(st.floats(0.011, 60_000), min_size=1, max_size=200)


@given(st.lists(DURATIONS, min_size=1, max_size=5))
def test_parts_add_up_to_the_whole(parts: list[list[float]]) -> None:
    """Whatever the split: of processes, seconds or runners."""
    assert add(count(part) for part in parts) == count([ms for part in parts for ms in part])


@given(DURATIONS, st.sampled_from([0.5, 0.9, 0.95, 0.99, 1.0]))
def test_a_quantile_is_one_percent_off_at_most(durations: list[float], share: float) -> None:
    """Against the order statistic of the same rank."""
    exact = float(np.quantile(durations, share, method="inverted_cdf"))
    assert quantile(count(durations), share) == pytest.approx(exact, rel=0.0101)


def test_edges() -> None:
    """Nothing has no percentile; zero and a refused connection's 0 ms have a bucket."""
    assert quantile({}, 0.5) is None
    assert bucket(0.0) == bucket(0.01) == 0 < bucket(0.02)
    assert quantile(count([0.0, 0.0]), 0.95) == 0.01
