"""Disruption budgets: read, judged, drains of each node simulated, and proved by an eviction under requests."""

from launchbook.disruption import judge
from launchbook.disruption.act import evict
from launchbook.disruption.observe import budgets
from launchbook.disruption.placement import placement
from launchbook.disruption.show import drains, table, timeline

__all__ = ["budgets", "drains", "evict", "judge", "placement", "table", "timeline"]
