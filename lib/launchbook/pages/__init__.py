"""Rendered pages of a run: they open from a disk, with no network and no kernel."""

from launchbook.pages.site import render

__all__ = ["render"]
