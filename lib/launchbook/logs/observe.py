"""What the logging decision rests on: who collects, how much is logged, how long the kubelet keeps it, what restarts."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd

from launchbook.errors import ClusterError
from launchbook.ours import of_a_run
from launchbook.run import Run

# role -> names under which its programs run, as a word of the image or of the workload
_TOOLS = {
    "log agent": "fluent-bit|fluentbit|fluentd|vector|promtail|alloy|filebeat|otel-collector|opentelemetry-collector",
    "log store": "loki|elasticsearch|opensearch|victoria-logs|victorialogs|graylog|splunk",
    "dashboards": "grafana",
    "metrics": "prometheus|victoria-metrics|victoriametrics|mimir|thanos",
    "traces": "tempo|jaeger|zipkin",
}
INVENTORY = ["role", "found", "where", "ready"]
RATES = ["namespace", "pod", "container", "idle", "load", "idle_lines", "load_lines"]
RESTARTS = ["namespace", "pod", "container", "restarts", "reason"]
_UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "k": 10**3, "M": 10**6, "G": 10**9, "": 1}


def inventory(run: Run) -> pd.DataFrame:
    """One row for each role, and one more for each further program found: INVENTORY. found is "" where there is none.

    ready: "3/3" pods; None where nothing could be read.
    """
    found: list[list[Any]] = []
    try:
        workloads = [
            (kind, item)
            for kind in ("DaemonSet", "Deployment", "StatefulSet")
            for item in run.cluster.list(kind, api_version="apps/v1")
        ]
    except ClusterError as error:
        return pd.DataFrame([[role, None, str(error), None] for role in _TOOLS], columns=INVENTORY)
    for role, names in _TOOLS.items():
        pattern = re.compile(rf"(^|[/\-_.])({names})($|[\-_:@.])")
        # Only a DaemonSet reads the logs of every node; a gateway or a search engine has such a name too.
        kinds = ("DaemonSet",) if role == "log agent" else ("DaemonSet", "Deployment", "StatefulSet")
        hits = [(kind, item, hit) for kind, item in workloads if kind in kinds and (hit := _hit(pattern, item))]
        found += [
            [role, hit, f"{kind}/{item['metadata']['namespace']}/{item['metadata']['name']}", _ready(kind, item)]
            for kind, item, hit in hits
        ] or [[role, "", "", ""]]
    frame = pd.DataFrame(found, columns=INVENTORY)
    run.evidence("logs/inventory.json", frame.to_dict("records"))
    return frame


def rates(run: Run) -> pd.DataFrame:
    """Bytes and lines a second of each container, at idle and under load, from track B's evidence: RATES.

    NaN where a container was not followed. Empty where track B left nothing.
    """
    parts = {}
    for name in ("idle", "load"):
        frame = run.read(f"logs/{name}.parquet")
        if frame is None or frame.empty:
            return pd.DataFrame(columns=RATES)
        grouped = frame.groupby(["namespace", "pod", "container"])[["bytes", "lines"]].mean()
        parts[name] = grouped.rename(columns={"bytes": name, "lines": f"{name}_lines"})
    joined: pd.DataFrame = parts["idle"].join(parts["load"], how="outer").reset_index()
    return joined[RATES]


def over_time(run: Run) -> pd.DataFrame:
    """What was logged in each second under load: namespace, pod, container, second, bytes, lines."""
    found: pd.DataFrame | None = run.read("logs/load.parquet")
    empty = pd.DataFrame(columns=["namespace", "pod", "container", "second", "bytes", "lines"])
    return empty if found is None else found


def limits(run: Run) -> dict[str, Any]:
    """The kubelet's limits of a container's log: {"max_size" (bytes), "max_files", "source"}.

    source says which node they were read from, or that they are assumed. The smallest of all nodes counts.
    """
    logs = run.parameters.logs
    assumed = {"max_size": size(logs.container_log_max_size), "max_files": logs.container_log_max_files}
    try:
        names = [node["metadata"]["name"] for node in run.cluster.list("Node")]
        read = [run.cluster.raw(f"/api/v1/nodes/{name}/proxy/configz")["kubeletconfig"] for name in names]
        sizes = [(size(c["containerLogMaxSize"]), int(c["containerLogMaxFiles"])) for c in read]
    except (ClusterError, KeyError, ValueError) as error:
        return {**assumed, "source": f"assumed, since the kubelets' configuration could not be read ({error})"}
    if not sizes:
        return {**assumed, "source": "assumed, since the cluster has no node"}
    found = {"max_size": min(s for s, _ in sizes), "max_files": min(n for _, n in sizes)}
    return {**found, "source": f"read from {len(names)} kubelets"}


def restarts(run: Run) -> pd.DataFrame:
    """Containers of the namespaces under launch with their restarts, and pods that were evicted: RESTARTS."""
    rows = []
    for namespace in run.parameters.manifests.namespaces:
        for pod in run.cluster.list("Pod", namespace):
            if of_a_run(pod):
                continue
            status = pod.get("status") or {}
            if status.get("reason") == "Evicted":
                rows.append([namespace, pod["metadata"]["name"], "", 1, f"Evicted: {status.get('message', '')}"])
            for container in status.get("containerStatuses") or ():
                ended = (container.get("lastState") or {}).get("terminated") or {}
                reason = f"{ended.get('reason')}, exit code {ended.get('exitCode')}" if ended else ""
                rows.append([namespace, pod["metadata"]["name"], container["name"], container["restartCount"], reason])
    return pd.DataFrame(rows, columns=RESTARTS)


def size(quantity: str) -> int:
    """A Kubernetes quantity in bytes, such as 10Mi. Raises ValueError for another text."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([KMG]i|[kMG]|)", quantity)
    if not found:
        raise ValueError(f"{quantity!r} is no quantity such as 10Mi")
    return int(float(found[1]) * _UNITS[found[2]])


def _hit(pattern: re.Pattern[str], item: dict[str, Any]) -> str:
    names = [item["metadata"]["name"]]
    names += [container["image"].rsplit("/", 1)[-1] for container in item["spec"]["template"]["spec"]["containers"]]
    return next((hit[2] for name in names if (hit := pattern.search(name))), "")


def _ready(kind: str, item: dict[str, Any]) -> str:
    status = item.get("status") or {}
    if kind == "DaemonSet":
        return f"{status.get('numberReady', 0)}/{status.get('desiredNumberScheduled', 0)}"
    return f"{status.get('readyReplicas', 0)}/{item['spec'].get('replicas', 1)}"
