"""`make bench`, `python -m bench [NAME…]`: each figure beside a peer's or a limit. Prints a Markdown table.

Every module here that has `rows()` is a subject; without names all are measured, one after the other.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys

from tabulate import tabulate

import bench
from bench.row import COLUMNS
from launchbook.strict_yaml import nearest


def main(names: list[str]) -> int:
    """0 where every figure keeps its limit, 1 where one doesn't, 2 where a name is unknown: then nothing is measured."""
    modules = [m.name for m in pkgutil.iter_modules(bench.__path__) if m.name not in ("__main__", "link", "row")]
    for name in names:
        if name not in modules:
            told = nearest(name, modules) or f"; there are {', '.join(modules)}"
            print(f"bench: there is no subject {name!r}{told}", file=sys.stderr)
            return 2
    rows = [row for name in names or modules for row in importlib.import_module(f"bench.{name}").rows()]
    print(tabulate([row.cells() for row in rows], COLUMNS, tablefmt="pipe", disable_numparse=True))
    return int(not all(row.kept for row in rows))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
