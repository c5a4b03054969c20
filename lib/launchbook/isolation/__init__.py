"""Isolation: declared in the parameters, computed from policies, observed by probes."""

from launchbook.isolation import judge
from launchbook.isolation.canary import enforcement
from launchbook.isolation.ends import ends
from launchbook.isolation.lag import during
from launchbook.isolation.matrix import matrix, table
from launchbook.isolation.observe import compute, landscape, openings
from launchbook.isolation.probing import probe
from launchbook.isolation.report import record
from launchbook.isolation.show import attempts, canary, lags

__all__ = [
    "attempts",
    "canary",
    "compute",
    "during",
    "ends",
    "enforcement",
    "judge",
    "lags",
    "landscape",
    "matrix",
    "openings",
    "probe",
    "record",
    "table",
]
