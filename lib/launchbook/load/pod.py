"""An engine in a pod of its own namespace: started, watched while it sends, its files fetched, all of it removed.

A second container holds the volume with the samples, answers as the null target, and is where the samples are fetched
from: a generator that is killed costs nothing of what it had written, a lost node costs what was written since the last
look (load.generator.fetch_every).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from launchbook.errors import ClusterError
from launchbook.load.engine import Engine, source
from launchbook.load.kept import RENEW_WITHIN, RENEWED, Fetcher, Kept
from launchbook.load.live import Live
from launchbook.load.result import Result
from launchbook.load.told import Told
from launchbook.parameters import SecretHeader
from launchbook.pods import ensure_namespace, pod
from launchbook.run import Run

NAME = "launchbook-load"
CODE, OUT = "/launchbook", "/tmp"
HOLD = 300  # s, for which the pod keeps its samples once it is done
START = 90.0  # s, for the generator's pod to begin
SLACK = 60.0  # s, past the scenario's own time, before a generator is taken for hung
_AGAIN = 10  # s of lines that are heard again where a stream broke: Told knows those that it has
_NULL = 8099  # the null target's port on the pod's loopback
Object = dict[str, Any]


def send(run: Run, engine: Engine, whole: float, result: Result) -> None:
    """Fills `result`. whole: seconds that the scenario takes.

    Raises ClusterError where the pod doesn't start or the target doesn't answer it, BadSamples where the end of the
    load left nothing to read. Pod and ConfigMap are removed in any case.
    """
    namespace, cluster = run.parameters.load.generator.namespace, run.cluster
    result.kept = kept = Kept(run.files.evidence / result.folder, engine.outputs)
    ensure_namespace(cluster, namespace)
    run.at_exit(lambda: _clean_up(run, namespace))
    every = run.parameters.load.generator.fetch_every
    try:
        cluster.create(config(run, engine, namespace))
        cluster.create(generator(run, engine, engine.in_pod(CODE, OUT), NAME, whole))
        keep_images(run, result, [await_start(run, namespace, NAME, result)])
        with Fetcher(cluster, kept, (namespace, NAME, "keeper"), OUT, engine.outputs, every) as fetcher:
            _watch(run, engine, namespace, whole, result)
            fetcher.finish()
        result.fail(fetcher.problem)
        result.complete = result.complete and not fetcher.problem
        result.take(engine)
    finally:
        _clean_up(run, namespace)


def _watch(run: Run, engine: Engine, namespace: str, whole: float, result: Result) -> None:
    """Follows the generator's own lines to its end, or until its time is over."""
    result.began, started = run.now().isoformat(), time.monotonic()
    told, live = Told(), Live(run, engine, whole, result.usage)
    follow(run, namespace, NAME, whole, told, live, lambda: told.end.get("done") and not engine.lost(told.lines))
    live.close()
    result.hear(engine, told, started)
    code, lost = told.end.get("code"), engine.lost(told.lines)
    result.complete = bool(told.end.get("done")) and engine.ended(code) and not lost and not told.trouble
    if not result.complete:
        why = (
            f"The generator stopped: {told.trouble}."
            if told.trouble
            else engine.meaning(code)
            if code and not engine.ended(code)
            else ""
        )
        why = why or ("" if told.end.get("done") else end_of(run, namespace, NAME)) or lost
        result.fail(why, f"It said: {told.tail.strip()}" if told.tail.strip() else "")


def follow(
    run: Run, namespace: str, name: str, whole: float, told: Told, live: Live | None, over: Callable[[], Any]
) -> None:
    """Hears a generator's lines until all is said, its container ends, or its time is over."""
    deadline, since = time.monotonic() + whole + SLACK, None
    while True:
        stream = run.cluster.follow(namespace, name, "generator", since_seconds=since)
        # A generator that hangs says nothing, so the reader below would wait for it for ever.
        watchdog = threading.Timer(max(0.0, deadline - time.monotonic()), stream.close)
        watchdog.start()
        try:
            for line in _lines(stream):
                told.hear(line)
                if live:
                    live.update(told)
                if told.trouble or over():
                    return
        finally:
            watchdog.cancel()
            stream.close()
        # An API server that restarts ends the stream, not the load.
        if time.monotonic() > deadline or "running" not in _state(run.cluster.get("Pod", name, namespace)):
            return
        since = _AGAIN


def _lines(chunks: Iterable[bytes]) -> Iterable[bytes]:
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines


def await_start(run: Run, namespace: str, name: str, result: Result) -> Object:
    """The pod, once the target has answered its init container and the generator runs. Raises ClusterError."""

    def settled(item: Object | None) -> bool:
        status = (item or {}).get("status") or {}
        begun = _state(item).keys() & {"running", "terminated"}
        return item is None or bool(begun) or status.get("phase") in ("Failed", "Succeeded") or bool(_stuck(status))

    run.progress("starting the generator; the target must answer it first", 0.0)
    found = run.cluster.wait("Pod", name, namespace, settled, timeout=START) or {}
    status = found.get("status") or {}
    ended = [(c.get("state") or {}).get("terminated") for c in status.get("initContainerStatuses") or ()]
    if any(end and end["exitCode"] for end in ended):
        result.answered = False
        said = run.cluster.log(namespace, name, "answers").strip().splitlines()
        raise ClusterError(f"The target did not answer ({said[-1] if said else 'no reason given'}): no load was sent.")
    if stuck := _stuck(status):
        raise ClusterError(f"The generator's pod does not start: {stuck}")
    if not status.get("containerStatuses"):
        raise ClusterError(f"The generator's pod did not start: {status.get('phase')} {status.get('message', '')}")
    result.answered = True
    return found


def _state(item: Object | None) -> dict[str, Any]:
    """The state of a pod's container `generator`."""
    statuses = ((item or {}).get("status") or {}).get("containerStatuses") or ()
    return next((one.get("state") or {} for one in statuses if one["name"] == "generator"), {})


def keep_images(run: Run, result: Result, pods: Iterable[Object]) -> None:
    """Keeps which images the generators run, by the digests that their pods report: a name may lead elsewhere tomorrow."""
    statuses = [one for item in pods for one in (item.get("status") or {}).get("containerStatuses") or ()]
    found: dict[str, set[str]] = {}
    for one in statuses:
        if one["name"] == "generator" and one.get("imageID"):
            found.setdefault(one["image"], set()).add(one["imageID"].rsplit("@", 1)[-1])
    run.evidence(f"{result.folder}/images.json", {name: sorted(digests) for name, digests in found.items()})


def started(item: Object) -> bool:
    """Whether a pod's generator runs or has run. Raises ClusterError where it can't start."""
    if stuck := _stuck(item.get("status") or {}):
        raise ClusterError(f"The generator's pod {item['metadata']['name']} does not start: {stuck}")
    return bool(_state(item).keys() & {"running", "terminated"})


def _stuck(status: Object) -> str:
    for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") not in (None, "ContainerCreating", "PodInitializing"):
            return f"{waiting['reason']}: {waiting.get('message', '')}"
    return ""


def end_of(run: Run, namespace: str, name: str) -> str:
    """How a generator ended that did not say so itself."""
    try:
        found = run.cluster.get("Pod", name, namespace)
    except ClusterError as error:
        return f"How the generator ended is not known: {error}"
    if found is None:
        return f"The generator's pod {name} is gone: it was deleted, or its node was lost."
    ended = _state(found).get("terminated")
    if ended:
        said = f"The generator ended early with exit code {ended['exitCode']} ({ended.get('reason')})."
        return f"{said} {ended.get('message', '')}".strip()
    status = found.get("status") or {}
    if status.get("phase") == "Failed":
        return f"The generator's pod failed: {status.get('reason', '')} {status.get('message', '')}".strip()
    return "The generator did not come to its end in time."


def _clean_up(run: Run, namespace: str) -> None:
    run.cluster.delete("Pod", NAME, namespace, grace=0)
    run.cluster.delete("ConfigMap", NAME, namespace)


def config(run: Run, engine: Engine, namespace: str) -> Object:
    """The ConfigMap with the engine's program and scenario."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": NAME, "namespace": namespace, "labels": dict(run.label)},
        "data": {**engine.files(OUT), "null.py": source("null.py")},
    }


def generator(
    run: Run, engine: Engine, command: list[str], name: str, whole: float, *, asks: bool = True, sends: bool = True
) -> Object:
    """The pod around `command`. asks: whether the target must answer first; sends: whether it sends load itself.

    One that sends has its floor measured, and ends where no Fetcher looks at it any more: its run was killed then.
    """
    where = run.parameters.load.generator
    lifetime = whole + START + SLACK + HOLD
    mounts = [{"name": "code", "mountPath": CODE}, {"name": "tmp", "mountPath": OUT}]
    plain: Object = {
        "volumeMounts": mounts,
        "resources": {
            "requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"cpu": where.cpu, "memory": where.memory},
        },
    }  # fmt: skip
    environment = [{"name": key, "value": value} for key, value in engine.environment(OUT).items()]
    given = {"NULL": f"http://127.0.0.1:{_NULL}", "RENEWED": f"{OUT}/{RENEWED}", "RENEW_WITHIN": str(RENEW_WITHIN)}
    environment += [{"name": key, "value": value} for key, value in given.items()] if sends else []
    made = pod(
        name, run.parameters.load.generator.namespace, {**run.label, "app.kubernetes.io/name": NAME},
        {
            **plain, "name": "generator", "image": engine.image, "command": command,
            "env": [*environment, *_secrets(engine)],
        },
        volumes=[{"name": "code", "configMap": {"name": NAME}}, {"name": "tmp", "emptyDir": {}}],
        lifetime=lifetime,
    )  # fmt: skip
    container = made["spec"]["containers"][0]
    keeper = {
        **container, "name": "keeper", "image": where.image, "env": [],
        "command": ["python3", f"{CODE}/null.py", str(_NULL), str(int(lifetime))],
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"cpu": "500m", "memory": "128Mi"}},
    }  # fmt: skip
    made["spec"]["containers"].append(keeper)
    if asks:
        asking = {**container, "name": "answers", "command": engine.ask(CODE), "env": environment}
        made["spec"]["initContainers"] = [asking]
    return made


def _secrets(engine: Engine) -> list[Object]:
    """Variables whose value the kubelet reads from Secrets of this namespace: it passes through nobody else's hands."""
    found = []
    for variable, reference in engine.references().items():
        assert isinstance(reference, SecretHeader)
        name, _, key = reference.secret.partition("/")
        found.append({"name": variable, "valueFrom": {"secretKeyRef": {"name": name, "key": key}}})
    return found
