"""Isolation: declared in the parameters, computed from policies, observed by probes."""

from launchbook.isolation import judge
from launchbook.isolation.canary import enforcement
from launchbook.isolation.observe import compute, landscape
from launchbook.isolation.probing import probe
from launchbook.isolation.show import attempts, canary, matrix

__all__ = ["attempts", "canary", "compute", "enforcement", "judge", "landscape", "matrix", "probe"]
