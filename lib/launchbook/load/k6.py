"""k6 as an engine: generator.js under a k6 of the user's own, driven over its command line.

What its options, exit codes and CSV mean: https://grafana.com/docs/k6/latest/using-k6/k6-options/reference/ and
https://grafana.com/docs/k6/latest/results-output/real-time/csv/.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from launchbook.load import own_script
from launchbook.load.engine import HEALTH, Engine, cores, source
from launchbook.load.k6_left import K6Files
from launchbook.load.left import Left
from launchbook.load.samples import BadSamples

_OLDEST = (0, 50)
_NEXT = (3, 0)  # a major version that nobody has looked at yet is not driven
_TRENDS = ("avg", "min", "med", "max", "p(90)", "p(95)", "p(99)", "p(99.9)", "count")
_TAGS = ("status", "method", "name", "url", "group", "error", "error_code", "expected_response")
_VERSION = re.compile(r"\bv(\d+)\.(\d+)\.\S+")
_BROKEN = 99  # thresholds were crossed
_MEANINGS = {
    100: "setup() took too long", 101: "teardown() took too long", 103: "it was stopped over its REST API",
    104: "its configuration is invalid", 105: "it was stopped by a signal", 106: "the port of its REST API was taken",
    107: "the script threw an exception", 108: "the script aborted the test", 109: "k6 itself panicked",
    110: "the script marked the test as failed",
}  # fmt: skip


@dataclass(frozen=True)
class K6(Engine):
    """See Engine. program: `k6` of a pod's image, or the path of the one on this machine; addresses: of the target, the
    only ones that a script of the user's own may connect to; none where they are not known
    """

    name = "k6"
    program: str = "k6"
    addresses: tuple[str, ...] = ()

    @property
    def image(self) -> str:
        return self.load.generator.k6_image or ""

    @property
    def cores(self) -> float:
        if self.load.generator.where == "here":
            return float(os.cpu_count() or 1)
        return cores(self.load.generator.cpu)

    @property
    def outputs(self) -> tuple[str, ...]:
        return ("samples.csv.gz", "summary.json", *((own_script.ERRORS,) if self.load.scenario.script else ()))

    def files(self, out: str) -> dict[str, str]:
        ours = {name: source(name) for name in ("generator.js", "answers.js", "floor.js", "k6.sh")}
        if script := self.load.scenario.script:
            ours["generator.js"] = script.read_text(encoding="utf-8")
        # k6 would read the user's own configuration, which may add an output or a threshold.
        return {**ours, "k6.json": "{}", "scenario.json": json.dumps(self.scenario(out))}

    def command(self, code: str, out: str) -> list[str]:
        own = []
        if self.load.scenario.script:
            # A script may have a handleSummary of its own, which would leave none for us.
            own = [
                "--summary-export",
                f"{out}/summary.json",
                "--system-tags",
                ",".join(_TAGS),
                "-e",
                f"TARGET={self.url}",
            ]
            # k6 knows no list of hosts that are allowed (grafana/k6#5556), but refuses addresses before it connects.
            own += ["--blacklist-ip", ",".join(own_script.all_but(self.addresses))] if self.addresses else []
        system = f"--include-system-env-vars={'true' if self.references() else 'false'}"
        options = ["--summary-trend-stats", ",".join(_TRENDS), "--out", f"csv={out}/samples.csv.gz", *own]
        # A script's own thresholds are k6's to judge: nobody else knows all of its metrics.
        ours = [one for one in self._run(code) if not own or one != "--no-thresholds"]
        return [*ours, system, *options, f"{code}/generator.js"]

    def in_pod(self, code: str, out: str) -> list[str]:
        return ["sh", f"{code}/k6.sh", code, *self.command(code, out)]

    def ask(self, code: str) -> list[str]:
        return [*self._run(code), "--include-system-env-vars=false", f"{code}/answers.js"]

    def floor(self, code: str) -> list[str]:
        # The variable is put in by the shell, since a script sees no other.
        line = [*self._run(code), "--include-system-env-vars=false"]
        return ["sh", "-c", 'exec "$@" -e "NULL=$NULL" "$0"', f"{code}/floor.js", *line]

    def inspect(self, code: str) -> list[str]:
        """The command line that resolves the script's options and sends nothing."""
        system = f"--include-system-env-vars={'true' if self.references() else 'false'}"
        return [self.program, "inspect", "--execution-requirements", system, f"{code}/generator.js"]

    def environment(self, out: str) -> dict[str, str]:
        # Whole seconds, the default, would put 500 requests at the same moment.
        return {"HOME": out, "OUT": out, "K6_CSV_TIME_FORMAT": "unix_micro", "K6_AUTO_EXTENSION_RESOLUTION": "false"}

    def health(self, told: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
        """From the clock (s) and the CPU ticks of each second; what k6 sent in it, k6 doesn't say."""
        lines = [line for line in told if "ticks" in line]
        rows = []
        for before, now in itertools.pairwise(lines):
            passed = now["clock"] - before["clock"]
            if passed > 0:
                used = (now["ticks"] - before["ticks"]) / now["hertz"] / passed
                rows.append({"second": now["clock"], "cpu": used, "lag": max(0.0, passed - 1)})
        return pd.DataFrame(rows, columns=HEALTH)

    def left(self, folder: Path) -> Left:
        samples, summary, *errors = (folder / name for name in self.outputs)
        if not samples.exists() or not samples.stat().st_size:
            raise BadSamples("the generator left no samples")
        bodies = any(one.expect_body for one in self.load.scenario.requests)
        script = self.load.scenario.script
        return K6Files(
            samples, summary, url=self.url if script else None, bodies=bodies, errors=errors[0] if script else None
        )

    def ended(self, code: int | None) -> bool:
        # A threshold of the script's own that broke: the load was whole, and the summary says which.
        return code == 0 or (code == _BROKEN and self.load.scenario.script is not None)

    def logged(self, log: Path) -> dict[str, str]:
        return {own_script.ERRORS: own_script.condensed(log)} if self.load.scenario.script else {}

    def meaning(self, code: int) -> str:
        return f"k6 ended with exit code {code}: {_MEANINGS.get(code, 'see its log')}."

    def _run(self, code: str) -> list[str]:
        return [
            self.program, "run", "--quiet", "--no-color", "--no-usage-report", "--no-thresholds", "--address", "",
            "--config", f"{code}/k6.json",
        ]  # fmt: skip


def find() -> tuple[str | None, str]:
    """The k6 on PATH and its version, or None and why there is none that can be driven."""
    program = shutil.which("k6")
    if not program:
        return None, "there is no k6 on PATH"
    try:
        done = subprocess.run([program, "version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return None, f"{program} version: {error}"
    found = _VERSION.search(done.stdout)
    if not found:
        return None, f"`{program} version` names no version: {done.stdout.strip()[:80]!r}"
    if not _OLDEST <= (int(found[1]), int(found[2])) < _NEXT:
        return None, f"{program} is {found[0]}; 0.50 up to 2.x can be driven"
    return program, found[0]
