"""Decides whether a system on Kubernetes may go live, and proves it.

A notebook says `from launchbook import start, display` and the subject that it is about: `manifests`, `isolation`,
`disruption`, `load`, `logs` or `readiness`. Nothing is imported before it is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["display", "disruption", "isolation", "load", "logs", "manifests", "readiness", "start"]


def __getattr__(name: str) -> Any:
    if name == "start":
        return import_module("launchbook.run").start
    if name in __all__:
        return import_module(f"launchbook.{name}")
    raise AttributeError(f"module 'launchbook' has no attribute {name!r}")
