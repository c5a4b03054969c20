"""What probe pods meet: one for each source, told what to connect to, beside controls that show that it can."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from launchbook.errors import ClusterError
from launchbook.guise import captors, captured
from launchbook.isolation.canary import PORT, listener, prober, scratch
from launchbook.isolation.connect import Target, connect
from launchbook.isolation.targets import destinations, targets
from launchbook.parameters import Edge, Source
from launchbook.pods import await_running, drop_namespace, ensure_namespace
from launchbook.run import Run

_START = 60.0  # s, for the probers to run
Key = tuple[str, str]


def probe(run: Run) -> dict[str, Any]:
    """What probe pods meet: {"problem", "edges": {edge: {"problem", "failed", "targets": [...], "control": [...]}}}.

    problem: why the edge's probe pod was not started; failed: why it could not be asked, "" where it could.
    A target is as targets() has it, with "outcomes" (none where its protocol isn't TCP) and "answers" (whether somebody
    reached that pod before and after; None for a Service). control: what this source's pod reached elsewhere, before
    and after.
    """
    found: dict[str, Any] = {"problem": None, "edges": {}}
    if not run.allowed("probe"):
        found["problem"] = "This run may not probe (`allow: [probe]`, not read-only, and confirmed where protected)."
        return found
    run.require("probe")
    try:
        found["edges"] = _Probing(run).edges()
    except ClusterError as error:
        found["problem"] = f"Probing broke off: {error}"
    finally:
        run.evidence("isolation/observed.json", found)
    return found


class _Probing:
    """One prober for each source, one exec for each prober and round, all probers at once."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.cluster = run.cluster
        self.limits = run.parameters.isolation
        self.by_source: dict[Key, list[Edge]] = {}
        for edge in self.limits.edges:
            self.by_source.setdefault(_key(edge.source), []).append(edge)
        self.pods = {key: f"launchbook-probe-{n}" for n, key in enumerate(self.by_source)}
        self.failed: dict[Key, list[str]] = {}
        self.targets = {
            edge.name: targets(edge.name, edge.destination, *destinations(run, edge.destination))
            for edge in self.limits.edges
        }

    def edges(self) -> dict[str, Any]:
        try:
            broken = self._start()
            controls_before, open_before = self._round(broken, "open")
            _, closed = self._round(broken, "closed")
            controls_after, open_after = self._round(broken, "open")
        finally:
            self._clean_up()
        answers = [_reached(self.targets, seen) for seen in (open_before, open_after)]
        told: dict[str, Any] = {}
        for edge in self.limits.edges:
            key = _key(edge.source)
            seen = {**open_before, **closed}.get(edge.name, {})
            told[edge.name] = {
                "problem": broken.get(key),
                "failed": "; ".join(dict.fromkeys(self.failed.get(key, ()))),
                "confirmations": self.limits.confirmations,
                "targets": [
                    {
                        **target,
                        "outcomes": seen.get(target["id"], []),
                        "answers": None if target["kind"] != "pod" else all(target["at"] in one for one in answers),
                    }
                    for target in self.targets[edge.name]
                ],
                "control": [controls_before.get(key, False), controls_after.get(key, False)],
            }
        return told

    def _start(self) -> dict[Key, str]:
        """Starts every prober and the control listener; source -> why its prober could not be started."""
        self.run.at_exit(self._clean_up)
        self.run.progress("starting a probe pod for each source", 0.1)
        ensure_namespace(self.cluster, scratch(self.run) + "-control", self.run.label)
        control = listener(self.run, "control", {"launchbook.io/canary": "control"})
        control["metadata"]["namespace"] += "-control"
        self.cluster.create(control)
        broken: dict[Key, str] = {}
        for key, edges in self.by_source.items():
            source = edges[0].source
            try:
                self._source_namespace(source.namespace)
                pod = prober(self.run, self.pods[key], source.namespace, dict(source.labels))
                taken = captured(pod["metadata"]["labels"], captors(self.cluster, source.namespace))
                if taken:
                    broken[key] = f"{taken}; nothing was started."
                    continue
                self.cluster.create(pod)
            except ClusterError as error:
                broken[key] = str(error)
        for key, name in self.pods.items():
            if key not in broken:
                try:
                    await_running(self.cluster, key[0], name, _START)
                except ClusterError as error:
                    broken[key] = str(error)
        namespace = control["metadata"]["namespace"]
        self.control = await_running(self.cluster, namespace, "control", _START)["status"]["podIP"]
        return broken

    def _source_namespace(self, name: str) -> None:
        """A source's namespace must be there: one that is made here would be isolated from nothing.

        The load generator's own is the exception, since the runbook brings it.
        """
        if name == self.run.parameters.load.generator.namespace:
            ensure_namespace(self.cluster, name)
        elif self.cluster.get("Namespace", name) is None:
            raise ClusterError(f"there is no namespace {name}")

    def _round(self, broken: Mapping[Key, str], expect: str) -> tuple[dict[Key, bool], dict[str, dict[str, list[str]]]]:
        """Source -> whether its control answered; edge -> target id -> outcomes. One expectation at a time, so that
        what is declared open is seen before and after what is declared closed."""
        self.run.progress(f"probing what is declared {expect}", 0.5)
        with ThreadPoolExecutor(max_workers=8) as pool:
            asked = {key: pool.submit(self._ask, key, expect) for key in self.by_source if key not in broken}
            answered = {key: future.result() for key, future in asked.items()}
        controls = {key: bool(seen.get("control")) and "ALLOWED" in seen["control"] for key, seen in answered.items()}
        edges: dict[str, dict[str, list[str]]] = {}
        for key, seen in answered.items():
            for edge in self.by_source[key]:
                if edge.expect == expect:
                    edges[edge.name] = {t["id"]: seen.get(t["id"], []) for t in self.targets[edge.name]}
        return controls, edges

    def _ask(self, key: Key, expect: str) -> dict[str, list[str]]:
        attempts = max(self.limits.confirmations, 3)
        asked = [Target("control", self.control, PORT, 5)]
        for edge in self.by_source[key]:
            if edge.expect == expect:
                asked += [
                    Target(t["id"], t["host"], t["port"], attempts)
                    for t in self.targets[edge.name]
                    if t["protocol"] == "TCP"
                ]
        try:
            return connect(self.cluster, key[0], self.pods[key], asked, self.limits.probe_timeout)
        except ClusterError as error:
            self.failed.setdefault(key, []).append(str(error))
            return {}

    def _clean_up(self) -> None:
        """Every probe pod goes, whatever becomes of the others; what can't be deleted is found by the sweep."""
        for key, name in self.pods.items():
            with suppress(ClusterError):
                self.cluster.delete("Pod", name, key[0], grace=0)
        with suppress(ClusterError):
            drop_namespace(self.cluster, scratch(self.run) + "-control")


def _reached(asked: Mapping[str, list[dict[str, Any]]], seen: Mapping[str, Mapping[str, list[str]]]) -> set[str]:
    """address:port of every pod that some source reached in a round."""
    return {
        target["at"]
        for edge, outcomes in seen.items()
        for target in asked[edge]
        if target["kind"] == "pod" and "ALLOWED" in outcomes.get(target["id"], ())
    }


def _key(source: Source) -> Key:
    return source.namespace, ",".join(f"{k}={v}" for k, v in sorted(source.labels.items()))
