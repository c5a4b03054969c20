"""Requests at a steady pace to the Service that a budget protects, from a pod of the run's own, while pods are evicted."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from launchbook.errors import ClusterError
from launchbook.guise import captors, captured
from launchbook.pods import await_running, ensure_namespace, pod
from launchbook.run import Run
from launchbook.selector import matches
from launchbook.transport import LogStream

Object = dict[str, Any]
NAME = "launchbook-requests"
_START = 60.0  # s, for the pod to run
_SOUND = 10  # answers in a row before anything is evicted
_FIRST = 15.0  # s, for them to come
_SLACK = 5.0  # s, past a request's time limit, before the sender is taken for dead
_POLL = 0.05  # s


@dataclass(frozen=True)
class Target:
    """What is asked and from where. path: of HTTP; None where a TCP connection is all that is asked."""

    to: str
    host: str
    port: int
    name: str
    path: str | None
    namespace: str
    labels: dict[str, str]


class Requests:
    """What was sent so far. problem: why it can't be told what the requests met, or None."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.problem: str | None = None
        self._told: list[tuple[float, Object]] = []

    def heard(self, line: bytes) -> None:
        """Takes a line of the prober's log, with when it came by this machine's clock."""
        with suppress(ValueError, KeyError):
            said = json.loads(line)
            self._told.append((time.monotonic() - said["at"] - said["seconds"], said))

    def ended(self) -> list[tuple[float, float, str]]:
        """(begin by this machine's clock, seconds, error) of each request that ended.

        The line that came fastest sets the prober's clock against this one.
        """
        told = list(self._told)
        offset = min((offset for offset, _ in told), default=0.0)
        return [(offset + said["at"], said["seconds"], said["error"]) for _, said in told]

    def sound(self) -> bool:
        """Whether the last ones were all answered."""
        last = self._told[-_SOUND:]
        return len(last) == _SOUND and not any(said["error"] for _, said in last)

    def through(self, moment: float) -> bool:
        """Whether a request that began after `moment` has ended, and every one before it."""
        begun = [
            said["n"] for (at, _, _), (_, said) in zip(self.ended(), list(self._told), strict=False) if at > moment
        ]
        numbers = {said["n"] for _, said in self._told}
        return bool(begun) and numbers.issuperset(range(min(begun)))

    def since(self, moment: float) -> Object:
        """{"to", "problem", "count", "failed", "gap", "errors", "samples": [[s since `moment`, s it took, error]]}.

        gap: the longest time, s, without an answer, from the last one before `moment` to the end of the last request.
        """
        every = sorted((at - moment, took, error) for at, took, error in self.ended())
        samples = [one for one in every if one[0] >= 0]
        errors = [error for _, _, error in samples if error]
        return {
            "to": self.target.to, "problem": self.problem, "count": len(samples), "failed": len(errors),
            "gap": _gap(every) if samples else None, "errors": list(dict.fromkeys(errors))[:5],
            "samples": [[round(at, 3), round(took, 4), error] for at, took, error in samples],
        }  # fmt: skip


def _gap(every: Sequence[tuple[float, float, str]]) -> float:
    """every: (seconds since the first eviction, s it took, error)."""
    answered = sorted(at + took for at, took, error in every if not error)
    end = max(at + took for at, took, _ in every)
    before = [moment for moment in answered if moment < 0]
    times = [before[-1] if before else 0.0, *(moment for moment in answered if moment >= 0), end]
    return round(max(b - a for a, b in itertools.pairwise(times)), 3)


def target(run: Run, budget: Object, pods: Sequence[Object]) -> Target | str:
    """What is asked while pods of a budget are evicted, or why nothing is. pods: those that the budget selects.

    The Service of `load.target` by HTTP where they are behind it, else one that a declared open edge leads to, by TCP
    from a pod in that edge's source labels. Raises ClusterError.
    """
    if not run.allowed("load"):
        return "this run may not load (`allow: [load]`)"
    given, namespace = run.parameters, budget["metadata"]["namespace"]
    services = {
        f"{namespace}/{item['metadata']['name']}": item
        for item in run.cluster.list("Service", namespace)
        if item["spec"].get("clusterIP") not in (None, "", "None") and _behind(item, pods)
    }
    load, generator = given.load.target, given.load.generator
    if load.service in services:
        host, name = services[load.service]["spec"]["clusterIP"], _host(load.service)
        shown = f"http://{name}{'' if load.port == 80 else f':{load.port}'}{load.probe_path}"
        return Target(shown, host, load.port, name, load.probe_path, generator.namespace, {})
    for edge in given.isolation.edges:
        there, source = edge.destination, edge.source
        service = services.get(f"{there.namespace}/{there.service}")
        if edge.expect != "open" or service is None or not _tcp(service, there.port):
            continue
        if source.namespace == namespace and matches(budget["spec"].get("selector"), source.labels):
            continue  # it would count in the budget itself
        if captured(source.labels, captors(run.cluster, source.namespace)):
            continue
        name = _host(f"{there.namespace}/{there.service}")
        shown = f"{name}:{there.port} (TCP, as {edge.name.split(' -> ')[0]})"
        return Target(
            shown, service["spec"]["clusterIP"], there.port, name, None, source.namespace, dict(source.labels)
        )
    return (
        "no declared open edge leads to a Service of its pods by TCP; declare one under `isolation.edges`, or name its Service "
        "under `load.target`"
    )


@contextmanager
def sending(run: Run, target: Target) -> Iterator[Requests]:
    """Sends from before the first eviction, once the Service answers, until the end of the block; then the pod is gone.

    Where it can't be sent, `problem` says why and nothing has been asked of the pods.
    """
    found, cluster = Requests(target), run.cluster
    stream: LogStream | None = None

    def clean_up() -> None:
        cluster.delete("Pod", NAME, target.namespace, grace=0)

    run.at_exit(clean_up)
    try:
        if target.namespace == run.parameters.load.generator.namespace:
            ensure_namespace(cluster, target.namespace)
        cluster.create(_prober(run, target))
        await_running(cluster, target.namespace, NAME, _START)
        stream = cluster.follow(target.namespace, NAME, "requests")
        threading.Thread(target=_listen, args=(stream, found), daemon=True).start()
        if not _await(found.sound, _FIRST):
            last = next((error for _, _, error in reversed(found.ended()) if error), "no request ended")
            found.problem = f"before the eviction it did not answer {_SOUND} times in a row within {_FIRST:g} s: {last}"
    except ClusterError as error:
        found.problem = str(error)
    try:
        yield found
    finally:
        if stream:
            stream.close()
        clean_up()


def finish(run: Run, found: Requests) -> None:
    """Waits until a request that begins now has ended, and those before it."""
    now = time.monotonic()
    if not found.problem and not _await(lambda: found.through(now), run.parameters.disruption.request_timeout + _SLACK):
        found.problem = "the pod that sends them fell silent before the end"


def _await(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL)
    return True


def _listen(stream: LogStream, found: Requests) -> None:
    rest = b""
    for chunk in stream:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            found.heard(line)


def _prober(run: Run, target: Target) -> Object:
    """The pod, never Ready, so that no Service takes it in."""
    given = run.parameters.disruption
    order = {
        "host": target.host, "port": target.port, "path": target.path, "name": target.name,
        "interval": given.request_interval, "timeout": given.request_timeout,
    }  # fmt: skip
    program = files("launchbook.disruption").joinpath("steady.py").read_text()
    container = {
        "name": "requests", "image": run.parameters.load.generator.image,
        "command": ["python3", "-c", program, json.dumps(order)],
        "readinessProbe": {"exec": {"command": ["/bin/false"]}, "periodSeconds": 60},
    }  # fmt: skip
    return pod(NAME, target.namespace, {**target.labels, **run.label}, container)


def _behind(service: Object, pods: Sequence[Object]) -> bool:
    selector = service["spec"].get("selector")
    return bool(selector) and any(matches({"matchLabels": selector}, p["metadata"].get("labels") or {}) for p in pods)


def _tcp(service: Object, port: int) -> bool:
    return any(p["port"] == port and p.get("protocol", "TCP") == "TCP" for p in service["spec"].get("ports") or ())


def _host(service: str) -> str:
    namespace, _, name = service.partition("/")
    return f"{name}.{namespace}"
