"""The load itself: a Locust pod in a namespace of its own, watched while it runs, its samples fetched at the end."""

from __future__ import annotations

import base64
import json
import math
import time
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import pandas as pd

from launchbook.errors import ClusterError
from launchbook.followers import Followers, open_followers
from launchbook.load.samples import BadSamples, empty, from_generator
from launchbook.load.thresholds import parse
from launchbook.pods import ensure_namespace, pod
from launchbook.run import RUN_LABEL, Run

NAME = "launchbook-load"
_START = 90.0  # s, for the generator's pod to begin
_SLACK = 60.0  # s, past the scenario's own time, before the generator is taken for hung
HEALTH = ["second", "requests", "failed", "users", "cpu", "lag"]
_ANSWERS = """\
import sys, time, urllib.request
for attempt in range(5):
    try:
        with urllib.request.urlopen(sys.argv[1], timeout=5) as answer:
            print(answer.status); sys.exit(0 if 200 <= answer.status < 300 else 1)
    except OSError as error:
        print(error, flush=True); time.sleep(1)
sys.exit(1)
"""
_FETCH = "import base64,sys; sys.stdout.write(base64.b64encode(open('/tmp/samples.csv.gz','rb').read()).decode())"


@dataclass
class Result:
    """What a load run gave.

    samples: see samples.COLUMNS, the warm-up included; health: HEALTH, a row a second (cpu in cores, lag in s);
    problem: why there is nothing, or less than there should be; answered: whether the target answered beforehand
    """

    engine: str
    samples: pd.DataFrame = field(default_factory=empty)
    health: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=HEALTH))
    complete: bool = False
    answered: bool | None = None
    problem: str | None = None
    cores: float = 1.0
    began: str = ""


def execute(run: Run, target: dict[str, Any]) -> Result:
    """Sends the scenario to the target and returns what was measured; refuses where something stands against it.

    Log followers are open before the first request; what they counted at idle and under load is kept as evidence.
    Raises ParametersError for a threshold that can't be read: before anything is sent.
    """
    load = run.parameters.load
    parse(load.thresholds)
    result = Result(engine="locust", cores=_cores(load.generator.cpu))
    if refusal := _refusal(run, target):
        result.problem = refusal
        return result
    run.require("load")
    try:
        _idle(run)
        _run(run, target, result)
    except (ClusterError, BadSamples) as error:
        result.problem = str(error)
    run.evidence("load/samples.parquet", result.samples)
    run.evidence("load/health.parquet", result.health)
    return result


def _refusal(run: Run, target: dict[str, Any]) -> str | None:
    load = run.parameters.load
    if target["problem"]:
        return str(target["problem"])
    if not run.allowed("load"):
        return "This run may not load (`allow: [load]`, not read-only, and confirmed where protected)."
    if load.engine == "k6" or load.generator.where == "here":
        return (
            f"engine {load.engine!r} with generator.where {load.generator.where!r} can't be driven yet: only Locust in a "
            "pod can. Judge results of your own k6 run with `launchbook load-verdict`."
        )
    return None


def _idle(run: Run) -> None:
    """What the containers log while nothing is asked of them."""
    window = run.parameters.logs.idle_window
    run.progress(f"counting what is logged at idle, {window:g} s", 0.0)
    with _followers(run) as followers:
        time.sleep(window)
    run.evidence("logs/idle.parquet", followers.frame())


def _followers(run: Run) -> Followers:
    return open_followers(run.cluster, run.parameters.manifests.namespaces, RUN_LABEL)


def _run(run: Run, target: dict[str, Any], result: Result) -> None:
    namespace, cluster = run.parameters.load.generator.namespace, run.cluster
    ensure_namespace(cluster, namespace)
    run.at_exit(lambda: _clean_up(run, namespace))
    cluster.create(_config(run, target, namespace))
    cluster.create(_generator(run, target, namespace))
    try:
        with _followers(run) as followers:
            began, ended = _watch(run, namespace, result, followers)
        counted = followers.frame()
        during = counted[(counted["second"] >= began) & (counted["second"] < ended)]
        run.evidence("logs/load.parquet", during.reset_index(drop=True))
        result.samples = _fetch(run, namespace)
    finally:
        _clean_up(run, namespace)


def _watch(run: Run, namespace: str, result: Result, followers: Followers) -> tuple[int, int]:
    """Follows the generator's own lines to its end; from and until which second of the followers it sent load."""
    scenario = run.parameters.load.scenario
    _await_start(run, namespace, result)
    result.began = run.now().isoformat()
    whole = scenario.warmup + (sum(s.duration for s in scenario.stages) or scenario.duration)
    deadline = time.monotonic() + whole + _SLACK
    rows: list[dict[str, Any]] = []
    first = followers.elapsed()
    stream = run.cluster.follow(namespace, NAME, "generator")
    rest = b""
    try:
        for chunk in stream:
            *lines, rest = (rest + chunk).split(b"\n")
            for told in (json.loads(line[3:]) for line in lines if line.startswith(b"LB ")):
                if told.get("done"):
                    result.complete = True
                else:
                    rows.append(told)
                    _tell(run, rows, whole)
            if result.complete or time.monotonic() > deadline:
                break
    finally:
        stream.close()
    result.health = pd.DataFrame(rows, columns=HEALTH)
    if not result.complete:
        result.problem = _end_of(run, namespace)
    return math.ceil(first), math.ceil(first) + max(1, len(rows) - 1)


def _tell(run: Run, rows: list[dict[str, Any]], whole: float) -> None:
    last = rows[-1]
    if len(rows) % 5 == 0:
        run.progress(
            f"{last['requests']} requests/s, {last['failed']} failed, {last['users']} VUs, "
            f"generator at {100 * last['cpu']:.0f} % of a core",
            min(1.0, len(rows) / whole),
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
        raise ClusterError(f"The target did not answer {said[-1] if said else ''}: no load was sent.")
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


def _end_of(run: Run, namespace: str) -> str:
    found = run.cluster.get("Pod", NAME, namespace)
    states = ((found or {}).get("status") or {}).get("containerStatuses") or [{}]
    ended = (states[0].get("state") or {}).get("terminated")
    if ended:
        return f"The generator ended early with exit code {ended['exitCode']} ({ended.get('reason')})."
    return "The generator did not come to its end in time."


def _fetch(run: Run, namespace: str) -> pd.DataFrame:
    answer = run.cluster.exec(namespace, NAME, ["python3", "-c", _FETCH], container="generator", timeout=120)
    if answer.code:
        raise BadSamples(f"the generator's samples could not be fetched: {answer.stderr.strip()[-200:]}")
    return from_generator(base64.b64decode(answer.stdout))


def _clean_up(run: Run, namespace: str) -> None:
    run.cluster.delete("Pod", NAME, namespace, grace=0)
    run.cluster.delete("ConfigMap", NAME, namespace)


def _config(run: Run, target: dict[str, Any], namespace: str) -> dict[str, Any]:
    given = run.parameters.load.scenario
    scenario = {
        "host": target["url"],
        "requests": [one.model_dump() for one in given.requests],
        "stages": [{"duration": stage.duration, "target": stage.target} for stage in given.stages],
        **{name: getattr(given, name) for name in ("vus", "rate", "think_time", "request_timeout")},
    }
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": NAME, "namespace": namespace, "labels": dict(run.label)},
        "data": {
            "generator.py": files("launchbook.load").joinpath("generator.py").read_text(encoding="utf-8"),
            "scenario.json": json.dumps(scenario),
        },
    }


def _generator(run: Run, target: dict[str, Any], namespace: str) -> dict[str, Any]:
    load = run.parameters.load
    scenario, where = load.scenario, load.generator
    resources = {
        "requests": {"cpu": "50m", "memory": "128Mi"},
        "limits": {"cpu": where.cpu, "memory": where.memory},
    }
    command = ["python3", "-m", "locust", "-f", "/launchbook/generator.py", "--headless", "--only-summary"]
    if not scenario.stages:
        # A second more than is measured: the clock starts before the first request does.
        seconds = math.ceil(scenario.warmup + scenario.duration) + 1
        command += ["-u", str(scenario.vus), "-r", str(scenario.vus), "-t", f"{seconds}s", "--stop-timeout", "2"]
    mounts = [{"name": "code", "mountPath": "/launchbook"}, {"name": "tmp", "mountPath": "/tmp"}]
    made = pod(
        NAME,
        namespace,
        {**run.label, "app.kubernetes.io/name": NAME},
        {
            "name": "generator", "image": where.image, "command": command, "resources": resources,
            "volumeMounts": mounts, "env": [{"name": "HOME", "value": "/tmp"}],
        },
        volumes=[{"name": "code", "configMap": {"name": NAME}}, {"name": "tmp", "emptyDir": {}}],
    )  # fmt: skip
    container = made["spec"]["containers"][0]
    ask = ["python3", "-c", _ANSWERS, target["url"] + load.target.probe_path]
    made["spec"]["initContainers"] = [{**container, "name": "answers", "command": ask}]
    return made


def _cores(quantity: str) -> float:
    return float(quantity[:-1]) / 1000 if quantity.endswith("m") else float(quantity)
