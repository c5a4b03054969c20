"""Shared by all tests: one locale and time zone, one seed, and the folders of the tests' own helpers."""

from __future__ import annotations

import os
import random
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

sys.path[:0] = [str(Path(__file__).parent / folder) for folder in ("launchbook", "lab")]
os.environ |= {"TZ": "UTC", "LC_ALL": "C.UTF-8"}
time.tzset()
settings.register_profile("fixed", derandomize=True, deadline=None)
settings.load_profile("fixed")


@pytest.fixture(autouse=True)
def _seeded() -> None:
    random.seed(20261124)
    np.random.seed(20261124)
