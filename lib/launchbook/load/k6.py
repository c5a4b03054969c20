"""k6 as an engine: generator.js under a k6 of the user's own, driven over its command line.

What its options, exit codes and CSV mean: https://grafana.com/docs/k6/latest/using-k6/k6-options/reference/ and
https://grafana.com/docs/k6/latest/results-output/real-time/csv/.
"""

from __future__ import annotations

import io
import itertools
import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pandas as pd

from launchbook.load.engine import HEALTH, Engine, cores, source
from launchbook.load.judge import Reason
from launchbook.load.samples import from_k6, gunzip

_OLDEST = (0, 50)
_NEXT = (3, 0)  # a major version that nobody has looked at yet is not driven
_INSTANT = 1e-4  # s, by which a check may be stamped before its request: both clocks are rounded
_TRENDS = ("avg", "min", "med", "max", "p(90)", "p(95)", "p(99)", "p(99.9)", "count")
_TAGS = ("status", "method", "name", "url", "group", "error", "error_code", "expected_response")
_VERSION = re.compile(r"\bv(\d+)\.(\d+)\.\S+")
_MEANINGS = {
    100: "setup() took too long", 101: "teardown() took too long", 103: "it was stopped over its REST API",
    104: "its configuration is invalid", 105: "it was stopped by a signal", 106: "the port of its REST API was taken",
    107: "the script threw an exception", 108: "the script aborted the test", 109: "k6 itself panicked",
    110: "the script marked the test as failed",
}  # fmt: skip


@dataclass(frozen=True)
class K6(Engine):
    """See Engine. program: `k6` of a pod's image, or the path of the one on this machine."""

    name = "k6"
    program: str = "k6"

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
        return ("samples.csv.gz", "summary.json")

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
        system = f"--include-system-env-vars={'true' if self.references() else 'false'}"
        options = ["--summary-trend-stats", ",".join(_TRENDS), "--out", f"csv={out}/samples.csv.gz", *own]
        return [*self._run(code), system, *options, f"{code}/generator.js"]

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

    def read(self, outputs: Mapping[str, bytes]) -> tuple[pd.DataFrame, list[Reason]]:
        data = outputs.get("samples.csv.gz", b"")
        samples = from_k6(data)
        doubts = _doubts(len(samples), outputs.get("summary.json", b""))
        if any(one.expect_body for one in self.load.scenario.requests):
            samples = without_body(samples, data)
        if self.load.scenario.script:
            doubts += elsewhere(data, self.url)
        return samples, doubts

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


def _counted(metric: Mapping[str, Any]) -> int:
    """Of handleSummary's shape, or of --summary-export's, which has no `values`."""
    return int(metric.get("values", metric).get("count", 0))


def without_body(samples: pd.DataFrame, data: bytes) -> pd.DataFrame:
    """The samples with those as failed whose body a check refused.

    A check is a row of its own, written right after its request: it belongs to the last request of that name that was
    answered before it and has no such row yet. How many failed is exact; which of two that were answered within the
    same instant, is not.
    """
    rows = _rows(data, ["metric_name", "timestamp", "metric_value", "name"])
    refused = rows[(rows["metric_name"] == "checks") & (rows["metric_value"].astype(float) == 0)]
    failed, error = samples["failed"].to_numpy(copy=True), samples["error"].to_numpy(copy=True)
    ended = (samples["start"] + samples["ms"] / 1000).to_numpy()
    for name, part in refused.groupby("name"):
        places = np.flatnonzero((samples["name"] == name).to_numpy())
        places = places[np.argsort(ended[places], kind="stable")]
        free: list[int] = []
        at = 0
        for when in sorted(part["timestamp"].astype(float) / 1e6):
            while at < len(places) and ended[places[at]] <= when + _INSTANT:
                free.append(int(places[at]))
                at += 1
            if free:
                found = free.pop()
                failed[found], error[found] = True, "body: is not as expected"
    return samples.assign(failed=failed, error=error)


def elsewhere(data: bytes, url: str) -> list[Reason]:
    """Why the samples of a user's own script say nothing of the target: it sent requests to other sites."""
    seen = {(urlsplit(one).scheme, urlsplit(one).netloc) for one in _rows(data, ["url"])["url"].unique() if one}
    wanted = (urlsplit(url).scheme, urlsplit(url).netloc)
    others = sorted(f"{scheme}://{place}" for scheme, place in seen - {wanted})
    if not others:
        return []
    return [Reason("elsewhere", f"The script sent requests to {', '.join(others[:3])}, which is not {url}.")]


def _rows(data: bytes, columns: list[str]) -> pd.DataFrame:
    text = gunzip(data)[0].decode("utf-8", "replace")
    complete = io.StringIO(text[: text.rfind("\n") + 1])
    return pd.read_csv(complete, usecols=lambda name: name in columns, keep_default_na=False, dtype=str)


def _doubts(count: int, summary: bytes) -> list[Reason]:
    """What k6's own end-of-test summary says against the samples."""
    try:
        metrics = json.loads(summary)["metrics"]
        sent, dropped = (_counted(metrics.get(name) or {}) for name in ("http_reqs", "dropped_iterations"))
    except (ValueError, KeyError, TypeError, AttributeError):
        return [Reason("truncated", "k6 left no summary, so it is not known whether the samples are whole.")]
    doubts = []
    if sent != count:
        doubts.append(Reason("truncated", f"k6 sent {sent} requests, and {count} samples were written."))
    if dropped:
        lost = f"{dropped} iterations were dropped: there was no free VU for them, so the rate was not kept."
        doubts.append(Reason("rate-not-kept", lost))
    return doubts
