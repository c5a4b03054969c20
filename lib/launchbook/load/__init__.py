"""Load: the audited Service hit by a scenario, judged for what the figures are worth and what they say.

Nothing is imported before it is asked for: judging a file needs no cluster and draws nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_FROM = {
    "act": ("execute",),
    "climbing": ("climb",),
    "charts": ("Moments", "distribution", "errors", "heat", "latency", "throughput"),
    "result": ("Result",),
    "searching": ("Searched", "foretold", "search"),
    "show": ("document", "results"),
    "steps": (
        "Judged",
        "bound",
        "checks",
        "drift",
        "evaluate",
        "moments",
        "show_floor",
        "show_plan",
        "show_target",
        "target",
        "write",
    ),
}
_MODULES = {name: module for module, names in _FROM.items() for name in names}

__all__ = ["judge", *_MODULES]


def __getattr__(name: str) -> Any:
    if name == "judge":
        return import_module("launchbook.load.judge")
    if name in _MODULES:
        return getattr(import_module(f"launchbook.load.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'launchbook.load' has no attribute {name!r}")
