"""Locust past one machine: a Job with the master, a Job with the workers, each worker's samples fetched and put together.

What is put together are samples and counts, so every percentile is of all requests. A worker that is lost is seen twice:
it never says that it is whole, and its master misses it.
"""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from typing import Any

from launchbook.errors import ClusterError
from launchbook.load.engine import Engine
from launchbook.load.kept import Fetcher, Kept
from launchbook.load.live import Live
from launchbook.load.locust import Locust
from launchbook.load.pod import (
    CODE,
    NAME,
    OUT,
    START,
    await_start,
    config,
    end_of,
    follow,
    generator,
    keep_images,
    started,
)
from launchbook.load.result import Result
from launchbook.load.told import Told
from launchbook.pods import ensure_namespace
from launchbook.run import Run

_MASTER, _WORKERS = f"{NAME}-master", f"{NAME}-worker"
_JOB = "batch.kubernetes.io/job-name"
_LOOK = 0.5  # s, between two looks at pods that start
Object = dict[str, Any]


def send(run: Run, engine: Engine, whole: float, result: Result) -> None:
    """Fills `result`. whole: seconds that the scenario takes.

    Raises ClusterError where a pod doesn't start or the target doesn't answer, BadSamples where nothing was left to
    read. Jobs, pods and ConfigMap are removed in any case.
    """
    assert isinstance(engine, Locust)
    given, cluster = run.parameters.load.generator, run.cluster
    result.kept = Kept(run.files.evidence / result.folder, engine.outputs)
    ensure_namespace(cluster, given.namespace)
    run.at_exit(lambda: _clean_up(run))
    try:
        cluster.create(config(run, engine, given.namespace))
        # Past the master's own time its workers have to start as well.
        master = generator(run, engine, engine.master(CODE), _MASTER, whole + START, sends=False)
        cluster.create(_job(master, 1))
        name = _pods(run, _MASTER, 1)[0]["metadata"]["name"]
        leading = await_start(run, given.namespace, name, result)
        address = leading["status"]["podIP"]
        worker = generator(run, engine, engine.worker(CODE, address), _WORKERS, whole, asks=False)
        cluster.create(_job(worker, given.pods))
        sending = _pods(run, _WORKERS, given.pods, begun=True)
        keep_images(run, result, [leading, *sending])
        workers = [item["metadata"]["name"] for item in sending]
        _watch(run, engine, name, workers, whole, result)
        result.take(engine)
    finally:
        _clean_up(run)


def _watch(run: Run, engine: Locust, master: str, workers: list[str], whole: float, result: Result) -> None:
    given, cluster = run.parameters.load.generator, run.cluster
    assert result.kept is not None
    told, live = Told(), Live(run, engine, whole, result.usage)
    result.began, began = run.now().isoformat(), time.monotonic()

    def over() -> bool:
        return bool(told.end.get("done")) and not engine.lost(told.lines)

    def listen(name: str) -> None:
        try:
            follow(run, given.namespace, name, whole + START, told, None, over)
        except ClusterError as error:
            told.hear(str(error).encode())

    with ExitStack() as stack:
        places = [(given.namespace, name, "keeper") for name in workers]
        fetchers = [
            stack.enter_context(Fetcher(cluster, result.kept, place, OUT, engine.outputs, given.fetch_every))
            for place in places
        ]
        listeners = [threading.Thread(target=listen, args=(name,), daemon=True) for name in workers]
        for one in listeners:
            one.start()
        follow(run, given.namespace, master, whole + START, told, live, over)
        for one in listeners:
            one.join(timeout=10)
        live.close()
        for fetcher in fetchers:
            fetcher.finish()
    result.hear(engine, told, began)
    problems = [f"{name}: {one.problem}" for name, one in zip(workers, fetchers, strict=True) if one.problem]
    lost = engine.lost(told.lines)
    done = bool(told.end.get("done")) and told.end.get("code") == 0
    result.complete = done and not lost and not told.trouble and not problems
    if result.complete:
        return
    ended = [f"{name}: {said}" for name in workers if (said := _early(run, name))]
    result.fail(
        "" if done else end_of(run, given.namespace, master), lost, *ended, *problems,
        f"The generator stopped: {told.trouble}." if told.trouble else "",
    )  # fmt: skip


def _early(run: Run, name: str) -> str:
    """How a worker ended, where it ended otherwise than well."""
    said = end_of(run, run.parameters.load.generator.namespace, name)
    return "" if "exit code 0" in said or "in time" in said else said


def _pods(run: Run, job: str, count: int, *, begun: bool = False) -> list[Object]:
    """The pods of a Job once there are `count`; begun: and their generators run. Raises ClusterError."""
    namespace, deadline = run.parameters.load.generator.namespace, time.monotonic() + START
    while True:
        found = run.cluster.list("Pod", namespace, labels={_JOB: job})
        if len(found) >= count and (not begun or all(started(item) for item in found)):
            return found
        if time.monotonic() > deadline:
            raise ClusterError(f"Of {count} pods of Job {namespace}/{job} only {len(found)} started: no load was sent.")
        time.sleep(_LOOK)


def _job(made: Object, count: int) -> Object:
    """A Job of `count` pods like this one; none is tried again, since what it sent is lost with it."""
    meta = made["metadata"]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": meta["name"], "namespace": meta["namespace"], "labels": meta["labels"]},
        "spec": {
            "backoffLimit": 0,
            "parallelism": count,
            "completions": count,
            "template": {"metadata": {"labels": meta["labels"]}, "spec": made["spec"]},
        },
    }


def _clean_up(run: Run) -> None:
    namespace, cluster = run.parameters.load.generator.namespace, run.cluster
    for job in (_MASTER, _WORKERS):
        cluster.delete("Job", job, namespace, api_version="batch/v1")
        for item in cluster.list("Pod", namespace, labels={_JOB: job}):
            cluster.delete("Pod", item["metadata"]["name"], namespace, grace=0)
    cluster.delete("ConfigMap", NAME, namespace)
