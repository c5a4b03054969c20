"""The load itself: an engine chosen, log followers opened, the scenario sent, what was measured kept."""

from __future__ import annotations

import hashlib
import math
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from launchbook.bounds import refuse_empty
from launchbook.errors import ClusterError
from launchbook.followers import Followers, open_followers
from launchbook.load import here, jobs, k6, pod
from launchbook.load.engine import Engine
from launchbook.load.k6 import K6
from launchbook.load.locust import Locust
from launchbook.load.parquet import Parquet
from launchbook.load.result import Result
from launchbook.load.samples import BadSamples, empty
from launchbook.load.usage import Usage
from launchbook.parameters import Load
from launchbook.run import RUN_LABEL, Run
from launchbook.thresholds import parse


def execute(run: Run, target: dict[str, Any]) -> Result:
    """Sends the scenario to the target and returns what was measured; refuses where something stands against it.

    Log followers are open before the first request; what they counted at idle and under load is kept as evidence.
    Raises ParametersError for a threshold that can't be read or asks for nothing: before anything is sent.
    """
    load = run.parameters.load
    refuse_empty(parse(load.thresholds))
    engine = choose(load, target["url"], target.get("addresses", ()))
    if load.scenario.script and isinstance(engine, Locust):
        engine = "scenario.script is for k6, and there is none to run it. Nothing was sent."
    result = Result(engine=load.engine if isinstance(engine, str) else engine.name)
    refusal = run.refusal("load")
    if target["problem"] or isinstance(engine, str) or refusal:
        result.problem = str(target["problem"] or (engine if isinstance(engine, str) else refusal))
        return result
    result.cores = engine.cores
    run.require("load")
    if load.scenario.script:
        # Its path says nothing of what was in it, and its text may hold what no evidence should.
        run.evidence("load/script.json", {"sha256": hashlib.sha256(load.scenario.script.read_bytes()).hexdigest()})
    try:
        _idle(run)
        _send(run, engine, result)
    except ClusterError as error:
        _add(result, error)
    keep(run, result)
    return result


def keep(run: Run, result: Result) -> None:
    """Writes what was measured as evidence, into the result's folder, where its samples are already."""
    if result.samples is None:
        run.evidence(f"{result.folder}/samples.parquet", empty())
    run.evidence(f"{result.folder}/health.parquet", result.health)
    run.evidence(f"{result.folder}/processes.parquet", result.processes)
    run.evidence(f"{result.folder}/floor.json", dict(result.floor or {}))
    if result.usage:
        run.evidence(f"{result.folder}/pods.parquet", result.usage.frame())
    if result.kept and isinstance(result.samples, Parquet) and result.count:
        result.kept.remove()


def choose(load: Load, url: str, addresses: Sequence[str] = ()) -> Engine | str:
    """The engine that load.engine and load.generator ask for, or why there is none. addresses: of the target.

    `auto` takes k6 where it can: the one on PATH for a generator on this machine, generator.k6_image for a pod.
    """
    if load.generator.where == "pod":
        if load.engine == "k6" and load.generator.pods > 1:
            return "engine k6 in several pods is a TestRun, which `launchbook load-testrun` writes. Nothing was sent."
        if load.engine != "locust" and load.generator.k6_image and load.generator.pods == 1:
            return K6(load, url, addresses=tuple(addresses))
        if load.engine == "k6":
            return (
                "engine k6 in a pod needs its image: name it in load.generator.k6_image, such as grafana/k6:1.3.0. "
                "Nothing was sent."
            )
        return Locust(load, url)
    if load.engine == "locust":
        return Locust(load, url, python=sys.executable)
    program, said = k6.find()
    if program:
        return K6(load, url, program=program, addresses=tuple(addresses))
    if load.engine == "k6":
        return f"engine k6: {said}. Install k6, or choose engine locust. Nothing was sent."
    return Locust(load, url, python=sys.executable)


def _idle(run: Run) -> None:
    """What the containers log while nothing is asked of them."""
    window = run.parameters.logs.idle_window
    run.progress(f"counting what is logged at idle, {window:g} s", 0.0)
    with _followers(run) as followers:
        time.sleep(window)
    run.evidence("logs/idle.parquet", followers.frame())


def _followers(run: Run) -> Followers:
    return open_followers(run.cluster, run.parameters.manifests.namespaces, RUN_LABEL)


def _send(run: Run, engine: Engine, result: Result) -> None:
    namespaces = run.parameters.manifests.namespaces
    with _followers(run) as followers:
        deliver(run, engine, result)
        unfollowed = followers.unfollowed(namespaces, RUN_LABEL)
    result.log_problem = "; ".join([*followers.problems, *unfollowed]) or None
    first, last = (followers.second(moment) for moment in result.window)
    counted = followers.frame()
    during = counted[(counted["second"] >= math.ceil(first)) & (counted["second"] < math.floor(last))]
    run.evidence("logs/load.parquet", during.reset_index(drop=True))


def deliver(run: Run, engine: Engine, result: Result) -> None:
    """Sends an engine's scenario from where parameters say, and fills `result`; a failure becomes its problem."""
    place, scenario = _place(run.parameters.load), engine.load.scenario
    result.usage = Usage(run.cluster, run.parameters.manifests.namespaces, run.parameters.load.soak.every)
    with result.usage:
        try:
            place.send(run, engine, scenario.seconds, result)
        except (ClusterError, BadSamples) as error:
            _add(result, error)
            _rescue(engine, result)


def _place(load: Load) -> Any:
    if load.generator.where == "here":
        return here
    return jobs if load.generator.pods > 1 else pod


def _rescue(engine: Engine, result: Result) -> None:
    """What had been measured before something broke."""
    if result.kept and result.samples is None:
        with suppress(BadSamples):
            result.take(engine)


def _add(result: Result, error: Exception) -> None:
    result.fail(str(error))
