"""Shared by all tests: one locale and time zone, one seed, and the folder of the fast tests' own helpers."""

from __future__ import annotations

import os
import random
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent / "launchbook"))
os.environ |= {"TZ": "UTC", "LC_ALL": "C.UTF-8"}
time.tzset()
settings.register_profile("fixed", derandomize=True, deadline=None)
settings.load_profile("fixed")


@pytest.fixture(autouse=True)
def _seeded() -> None:
    random.seed(20261124)
    np.random.seed(20261124)
