"""The two answers from the cluster: what its policies allow, and what probe pods meet."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pandas as pd

from launchbook.errors import ClusterError
from launchbook.isolation.canary import PORT, listener, prober, scratch
from launchbook.isolation.connect import Target, connect
from launchbook.isolation.files import ports_of
from launchbook.isolation.reach import Pod, World, allows, reach
from launchbook.parameters import Destination, Edge, Source
from launchbook.pods import await_running, ensure_namespace
from launchbook.run import RUN_LABEL, Run

Object = dict[str, Any]
COMPUTED = ["edge", "pod", "port", "allowed", "because"]
_POLICY = "networking.k8s.io/v1"
# Kinds that change what NetworkPolicies alone would say.
_BEYOND = (
    ("policy.networking.k8s.io/v1alpha1", "AdminNetworkPolicy"),
    ("policy.networking.k8s.io/v1alpha1", "BaselineAdminNetworkPolicy"),
    ("policy.networking.k8s.io/v1alpha2", "ClusterNetworkPolicy"),
)
_START = 60.0  # s, for the probers to run


def compute(run: Run) -> pd.DataFrame:
    """What the policies on the cluster allow: a row for each edge and destination pod, columns COMPUTED.

    Raises ClusterError where policies, pods or namespaces can't be read.
    """
    cluster = run.cluster
    named = {n["metadata"]["name"]: n["metadata"].get("labels") or {} for n in cluster.list("Namespace")}
    policies = tuple(cluster.list("NetworkPolicy", api_version=_POLICY))
    world = World(tuple(p for p in policies if RUN_LABEL not in (p["metadata"].get("labels") or {})), named)
    beyond = [kind for version, kind in _BEYOND if cluster.list(kind, api_version=version)]
    rows = []
    for edge in run.parameters.isolation.edges:
        source = Pod("(source)", edge.source.namespace, edge.source.labels)
        for item, port in destinations(run, edge.destination)[1]:
            answer = reach(world, source, pod_of(item), "TCP")
            because = answer.because + (f"; but {', '.join(beyond)} exist, which this does not read" if beyond else "")
            allowed = None if beyond else allows(answer, port)
            rows.append([edge.name, item["metadata"]["name"], port, allowed, because])
    frame = pd.DataFrame(rows, columns=COMPUTED).astype({"allowed": "boolean"})
    run.evidence("isolation/computed.parquet", frame)
    return frame


def probe(run: Run) -> dict[str, Any]:
    """What probe pods meet: {"problem", "edges": {edge: {"problem", "targets": [...], "control": [...]}}}.

    A target is {"target", "kind" (pod, service, name), "outcomes", "answers" (whether somebody reached that pod before
    and after; None for a Service)}. control: what this source's pod reached elsewhere, before and after.
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
        self.by_source: dict[tuple[str, str], list[Edge]] = {}
        for edge in self.limits.edges:
            self.by_source.setdefault(_key(edge.source), []).append(edge)
        self.pods = {key: f"launchbook-probe-{n}" for n, key in enumerate(self.by_source)}
        self.targets = {edge.name: _targets(run, edge) for edge in self.limits.edges}

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

    def _start(self) -> dict[tuple[str, str], str]:
        """Starts every prober and the control listener; source -> why its prober could not be started."""
        self.run.at_exit(self._clean_up)
        self.run.progress("starting a probe pod for each source", 0.1)
        ensure_namespace(self.cluster, scratch(self.run) + "-control", self.run.label)
        control = listener(self.run, "control", {"launchbook.io/canary": "control"})
        control["metadata"]["namespace"] += "-control"
        self.cluster.create(control)
        broken: dict[tuple[str, str], str] = {}
        for key, edges in self.by_source.items():
            source = edges[0].source
            try:
                self._source_namespace(source.namespace)
                self.cluster.create(prober(self.run, self.pods[key], source.namespace, dict(source.labels)))
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

    def _round(
        self, broken: Mapping[tuple[str, str], str], expect: str
    ) -> tuple[dict[tuple[str, str], bool], dict[str, dict[str, list[str]]]]:
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

    def _ask(self, key: tuple[str, str], expect: str) -> dict[str, list[str]]:
        attempts = max(self.limits.confirmations, 3)
        targets = [Target("control", self.control, PORT, 5)]
        for edge in self.by_source[key]:
            if edge.expect == expect:
                targets += [Target(t["id"], t["host"], t["port"], attempts) for t in self.targets[edge.name]]
        try:
            return connect(self.cluster, key[0], self.pods[key], targets, self.limits.probe_timeout)
        except ClusterError:
            return {}

    def _clean_up(self) -> None:
        """Every probe pod goes, whatever becomes of the others; what can't be deleted is found by the sweep."""
        for key, name in self.pods.items():
            with suppress(ClusterError):
                self.cluster.delete("Pod", name, key[0], grace=0)
        with suppress(ClusterError):
            self.cluster.delete("Namespace", scratch(self.run) + "-control")


def destinations(run: Run, destination: Destination) -> tuple[Object | None, list[tuple[Object, int]]]:
    """The Service, and every pod behind it with the number of its target port."""
    service = run.cluster.get("Service", destination.service, destination.namespace)
    selector = (service or {}).get("spec", {}).get("selector")
    if service is None or not selector:
        return service, []
    ports = [p for p in service["spec"]["ports"] if p["port"] == destination.port]
    pods = [
        p
        for p in run.cluster.list("Pod", destination.namespace, labels=selector)
        if RUN_LABEL not in (p["metadata"].get("labels") or {})
        and not p["metadata"].get("deletionTimestamp")
        and (p.get("status") or {}).get("podIP")
        and p["status"].get("phase") not in ("Succeeded", "Failed")
    ]
    return service, [(p, number) for p in pods for port in ports if (number := _number(p, port)) is not None]


def pod_of(item: Object) -> Pod:
    """A live pod as one end of a connection."""
    meta = item["metadata"]
    return Pod(
        f"{meta['namespace']}/{meta['name']}",
        meta["namespace"],
        meta.get("labels") or {},
        ports_of(item["spec"]),
        (item.get("status") or {}).get("podIP", ""),
        bool(item["spec"].get("hostNetwork")),
    )


def _number(item: Object, port: Mapping[str, Any]) -> int | None:
    """The target port of a Service's port on this pod."""
    wanted = port.get("targetPort", port["port"])
    if isinstance(wanted, int):
        return wanted
    return next((n for name, _, n in ports_of(item["spec"]) if name == wanted), None)


def _targets(run: Run, edge: Edge) -> list[dict[str, Any]]:
    """Every destination pod by each of its addresses, then the Service by address and by name."""
    service, pods = destinations(run, edge.destination)
    found = [
        {"target": item["metadata"]["name"], "kind": "pod", "host": address["ip"], "port": port}
        for item, port in pods
        for address in item["status"].get("podIPs") or [{"ip": item["status"]["podIP"]}]
    ]
    if service is not None:
        name, namespace = edge.destination.service, edge.destination.namespace
        if service["spec"].get("clusterIP") not in (None, "", "None"):
            found.append({"target": name, "kind": "service", "host": service["spec"]["clusterIP"]})
        found.append({"target": name, "kind": "name", "host": f"{name}.{namespace}.svc.cluster.local"})
    return [
        {
            "port": edge.destination.port,
            **target,
            "id": f"{edge.name}#{n}",
            "at": f"{target['host']}:{target.get('port')}",
        }
        for n, target in enumerate(found)
    ]


def _reached(targets: Mapping[str, list[dict[str, Any]]], seen: Mapping[str, Mapping[str, list[str]]]) -> set[str]:
    """address:port of every pod that some source reached in a round."""
    return {
        target["at"]
        for edge, outcomes in seen.items()
        for target in targets[edge]
        if target["kind"] == "pod" and "ALLOWED" in outcomes.get(target["id"], ())
    }


def _key(source: Source) -> tuple[str, str]:
    return source.namespace, ",".join(f"{k}={v}" for k, v in sorted(source.labels.items()))
