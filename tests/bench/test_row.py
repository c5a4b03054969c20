"""A figure beside its limit: the ratio, whether it is kept, and how the table says it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from bench.row import Row, middle

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("row", "kept", "cells"),
    [
        (Row("up", 7.5, 10), True, ("up", "7.5 s", "10 s (limit)", "0.75", "at most 1")),
        (Row("up", 12.5, 10), False, ("up", "12.5 s", "10 s (limit)", "1.25", "at most 1: MISSED")),
        (Row("probes", 1234, 20, "cells/s", "one exec a cell", 10, True), True, ("probes", "1234 cells/s", "20 cells/s (one exec a cell)", "61.70", "at least 10")),
        (Row("probes", 100, 20, "cells/s", "one exec a cell", 10, True), False, ("probes", "100 cells/s", "20 cells/s (one exec a cell)", "5.00", "at least 10: MISSED")),
    ],
)  # fmt: skip
def test_a_figure_beside_its_limit(row: Row, kept: bool, cells: tuple[str, ...]) -> None:
    """Less is better unless the row says otherwise; a figure that misses its limit says so."""
    assert (row.kept, row.cells()) == (kept, cells)


def test_the_pair_in_the_middle_is_one_of_them() -> None:
    """By its ratio: a pair that was measured in a slow moment doesn't lend one of its sides."""
    assert middle([(10.0, 10.0), (90.0, 100.0), (5.0, 4.0)]) == (10.0, 10.0)


def test_an_unknown_subject_is_named() -> None:
    """Nothing is measured then."""
    command = [sys.executable, "-m", "bench", "lunch"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "bench: there is no subject 'lunch'; did you mean 'launch'?\n"
