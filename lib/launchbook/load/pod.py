"""An engine in a pod of its own namespace: started, watched while it sends, its files fetched, all of it removed."""

from __future__ import annotations

import base64
import json
import threading
import time
from typing import Any

from launchbook.errors import ClusterError
from launchbook.load.engine import Engine
from launchbook.load.result import Result, tell
from launchbook.load.samples import BadSamples
from launchbook.pods import ensure_namespace, pod
from launchbook.run import Run

NAME = "launchbook-load"
_CODE, _OUT = "/launchbook", "/tmp"
_HOLD = 300  # s, for which the pod keeps its samples once it is done
_START = 90.0  # s, for the generator's pod to begin
SLACK = 60.0  # s, past the scenario's own time, before a generator is taken for hung


def send(run: Run, engine: Engine, whole: float, result: Result) -> None:
    """Fills `result`. whole: seconds that the scenario takes.

    Raises ClusterError where the pod doesn't start or the target doesn't answer it, BadSamples where the end of the
    load left nothing to read. Pod and ConfigMap are removed in any case.
    """
    namespace, cluster = run.parameters.load.generator.namespace, run.cluster
    ensure_namespace(cluster, namespace)
    run.at_exit(lambda: _clean_up(run, namespace))
    try:
        cluster.create(_config(run, engine, namespace))
        cluster.create(_generator(run, engine, namespace, whole))
        _await_start(run, namespace, result)
        _watch(run, engine, namespace, whole, result)
        if result.complete or _runs(run, namespace):
            result.samples, result.reasons = engine.read(_fetch(run, engine, namespace))
    finally:
        _clean_up(run, namespace)


def _watch(run: Run, engine: Engine, namespace: str, whole: float, result: Result) -> None:
    """Follows the generator's own lines to its end, or until its time is over."""
    result.began, first = run.now().isoformat(), time.monotonic()
    told: list[dict[str, Any]] = []
    end: dict[str, Any] = {}
    rest, tail = b"", b""
    stream = run.cluster.follow(namespace, NAME, "generator")
    # A generator that hangs says nothing, so the reader below would wait for it for ever.
    watchdog = threading.Timer(whole + SLACK, stream.close)
    watchdog.start()
    try:
        for chunk in stream:
            *lines, rest = (rest + chunk).split(b"\n")
            tail = b"\n".join([tail, *(line for line in lines if not line.startswith(b"LB "))])[-400:]
            for said in (json.loads(line[3:]) for line in lines if line.startswith(b"LB ")):
                end = {**end, **said} if said.keys() & {"done", "version"} else end
                told.append(said)
                tell(run, engine, told, whole)
            if end.get("done"):
                break
    finally:
        watchdog.cancel()
        stream.close()
    result.window = (first, time.monotonic())
    result.health, result.version = engine.health(told), str(end.get("version", ""))
    result.complete = bool(end.get("done")) and end.get("code") == 0
    if not result.complete:
        said = tail.decode("utf-8", "replace").strip()
        result.problem = (engine.meaning(end["code"]) if end.get("code") else _end_of(run, namespace)) + (
            f" It said: {said}" if said else ""
        )


def _await_start(run: Run, namespace: str, result: Result) -> None:
    """Until the target has answered the init container and the generator runs."""

    def settled(item: dict[str, Any] | None) -> bool:
        status = (item or {}).get("status") or {}
        started = [c for c in status.get("containerStatuses") or () if "running" in (c.get("state") or {})]
        return item is None or bool(started) or status.get("phase") in ("Failed", "Succeeded") or bool(_stuck(status))

    run.progress("starting the generator; the target must answer it first", 0.0)
    found = run.cluster.wait("Pod", NAME, namespace, settled, timeout=_START) or {}
    status = found.get("status") or {}
    ended = [(c.get("state") or {}).get("terminated") for c in status.get("initContainerStatuses") or ()]
    if any(end and end["exitCode"] for end in ended):
        result.answered = False
        said = run.cluster.log(namespace, NAME, "answers").strip().splitlines()
        raise ClusterError(f"The target did not answer ({said[-1] if said else 'no reason given'}): no load was sent.")
    if stuck := _stuck(status):
        raise ClusterError(f"The generator's pod does not start: {stuck}")
    if not status.get("containerStatuses"):
        raise ClusterError(f"The generator's pod did not start: {status.get('phase')} {status.get('message', '')}")
    result.answered = True


def _stuck(status: dict[str, Any]) -> str:
    for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") not in (None, "ContainerCreating", "PodInitializing"):
            return f"{waiting['reason']}: {waiting.get('message', '')}"
    return ""


def _terminated(run: Run, namespace: str) -> dict[str, Any] | None:
    found = run.cluster.get("Pod", NAME, namespace)
    states = ((found or {}).get("status") or {}).get("containerStatuses") or [{}]
    ended: dict[str, Any] | None = (states[0].get("state") or {}).get("terminated")
    return ended


def _runs(run: Run, namespace: str) -> bool:
    found = run.cluster.get("Pod", NAME, namespace) or {}
    return (found.get("status") or {}).get("phase") == "Running" and not _terminated(run, namespace)


def _end_of(run: Run, namespace: str) -> str:
    ended = _terminated(run, namespace)
    if ended:
        said = f"The generator ended early with exit code {ended['exitCode']} ({ended.get('reason')})."
        return f"{said} {ended.get('message', '')}".strip()
    return "The generator did not come to its end in time."


def _fetch(run: Run, engine: Engine, namespace: str) -> dict[str, bytes]:
    fetched = {}
    for name in engine.outputs:
        answer = run.cluster.exec(namespace, NAME, engine.fetch(f"{_OUT}/{name}"), container="generator", timeout=300)
        if answer.code and name == engine.outputs[0]:
            raise BadSamples(f"the generator's samples could not be fetched: {answer.stderr.strip()[-200:]}")
        fetched[name] = b"" if answer.code else base64.b64decode(answer.stdout)
    return fetched


def _clean_up(run: Run, namespace: str) -> None:
    run.cluster.delete("Pod", NAME, namespace, grace=0)
    run.cluster.delete("ConfigMap", NAME, namespace)


def _config(run: Run, engine: Engine, namespace: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": NAME, "namespace": namespace, "labels": dict(run.label)},
        "data": engine.files(_OUT),
    }


def _generator(run: Run, engine: Engine, namespace: str, whole: float) -> dict[str, Any]:
    where = run.parameters.load.generator
    environment = {**engine.environment(_OUT), "HOLD": str(_HOLD)}
    mounts = [{"name": "code", "mountPath": _CODE}, {"name": "tmp", "mountPath": _OUT}]
    made = pod(
        NAME,
        namespace,
        {**run.label, "app.kubernetes.io/name": NAME},
        {
            "name": "generator", "image": engine.image, "command": engine.in_pod(_CODE, _OUT), "volumeMounts": mounts,
            "resources": {
                "requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"cpu": where.cpu, "memory": where.memory},
            },
            "env": [{"name": name, "value": value} for name, value in environment.items()],
        },
        volumes=[{"name": "code", "configMap": {"name": NAME}}, {"name": "tmp", "emptyDir": {}}],
        lifetime=whole + _START + SLACK + _HOLD,
    )  # fmt: skip
    container = made["spec"]["containers"][0]
    made["spec"]["initContainers"] = [{**container, "name": "answers", "command": engine.ask(_CODE)}]
    return made
