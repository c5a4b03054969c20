"""Disruption budgets: read, judged, and proved by an eviction."""

from launchbook.disruption import judge
from launchbook.disruption.act import evict
from launchbook.disruption.observe import budgets
from launchbook.disruption.show import table, timeline

__all__ = ["budgets", "evict", "judge", "table", "timeline"]
