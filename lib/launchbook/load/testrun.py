"""k6 past one machine: the scenario as a TestRun of k6-operator, and what its runners say put together.

Fields: https://github.com/grafana/k6-operator/blob/main/docs/crd-generated.md. The operator keeps no samples and merges
no results, and its `finished` says nothing of failed runners; so each runner prints one line with its counts and its
histogram, which add up exactly, and a line too few is a lost runner.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from launchbook.errors import LaunchbookError, ParametersError
from launchbook.load.aim import url_of
from launchbook.load.histogram import add, quantile
from launchbook.load.k6 import K6
from launchbook.parameters import Load, SecretHeader
from launchbook.parameters_file import load as load_parameters

NAME = "launchbook-load"
_ARGUMENTS = "--no-usage-report --no-thresholds --no-color --config /test/k6.json"
_TRENDS = {"med": 0.5, "p(90)": 0.9, "p(95)": 0.95, "p(99)": 0.99}
Object = dict[str, Any]


class LostRunner(LaunchbookError):
    """Not every runner said what it had measured, so the load was not the one planned."""


def command(parameters: Path | None, logs: Sequence[Path]) -> str:
    """The TestRun's manifests as YAML, or from its runners' logs (one file or several) k6's summary as JSON.

    Raises ParametersError for an environment that no TestRun can be made of, LostRunner.
    """
    if (parameters is None) == (not logs):
        raise ParametersError("load-testrun takes an environment's YAML, or else --merge with the runners' logs.")
    if parameters is None:
        try:
            text = [line for log in logs for line in log.read_text(encoding="utf-8", errors="replace").splitlines()]
        except OSError as error:
            raise ParametersError(f"the runners' logs can't be read: {error}") from None
        return json.dumps(merged(text), indent=2)
    given = load_parameters(parameters).environment.load
    if given.generator.where == "here" or not given.generator.k6_image or given.scenario.script:
        raise ParametersError(
            f"{parameters}: a TestRun needs `generator: {{where: pod, pods: 4, k6_image: grafana/k6:1.3.0}}` and "
            "`scenario.requests`, since a script of your own keeps no histogram that could be added up."
        )
    return str(yaml.safe_dump_all(manifests(given, url_of(given)), sort_keys=False))


def manifests(load: Load, url: str) -> list[Object]:
    """The ConfigMap and the TestRun of `load.generator.pods` runners, for `kubectl apply`. url: of the target."""
    given = load.generator
    engine = K6(load, url)
    scenario = {**engine.scenario("/tmp"), "runners": given.pods, "warmup": load.scenario.warmup}
    files = {**engine.files("/tmp"), "scenario.json": json.dumps(scenario)}
    meta = {"namespace": given.namespace, "name": NAME}
    variables = [_variable(name, one) for name, one in engine.references().items()]
    system = str(bool(variables)).lower()
    limits = {"limits": {"cpu": given.cpu, "memory": given.memory}}
    plain = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    pod = {
        "image": given.k6_image,
        "automountServiceAccountToken": "false",
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
        "containerSecurityContext": plain,
    }
    kept = {name: files[name] for name in ("generator.js", "scenario.json", "k6.json")}
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": kept},
        {
            "apiVersion": "k6.io/v1alpha1",
            "kind": "TestRun",
            "metadata": meta,
            "spec": {
                "parallelism": given.pods,
                "separate": True,
                "script": {"configMap": {"name": NAME, "file": "generator.js"}},
                "arguments": f"{_ARGUMENTS} --include-system-env-vars={system}",
                "runner": {
                    **pod,
                    "env": variables,
                    "resources": {**limits, "requests": {"cpu": "50m", "memory": "128Mi"}},
                },
                # It runs `k6 archive` on the script, which reads the headers' variables as well.
                "initializer": {**pod, "env": variables},
                "starter": {key: value for key, value in pod.items() if key != "image"},
            },
        },
    ]


def _variable(name: str, reference: Any) -> Object:
    assert isinstance(reference, SecretHeader)
    secret, _, key = reference.secret.partition("/")
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


def merged(lines: Iterable[str]) -> Object:
    """One k6 summary (handleSummary's shape) from the runners' logs: counts and histograms added up.

    Percentiles are read from the sum and at most 1 % off; averages of percentiles are never taken. Raises LostRunner
    where a runner is missing, or the lines are of different tests.
    """
    said = [json.loads(line[3:])["runner"] for line in lines if line.startswith('LB {"runner"')]
    _distinct(said)
    wanted = {one["of"] for one in said}
    if not said or wanted != {len(said)}:
        expected = " or ".join(map(str, sorted(wanted))) or "some"
        raise LostRunner(
            f"{len(said)} of {expected} runners said what they measured: the result is INVALID without the others."
        )
    counts = add({int(place): n for place, n in one["hist"].items()} for one in said)
    return _summary(
        counts,
        sum(one["failed"] for one in said),
        sum(one["dropped"] for one in said),
        max(one["seconds"] for one in said),
    )


def _distinct(said: Sequence[Mapping[str, Any]]) -> None:
    """Raises LostRunner where lines are not each of another runner of one test."""
    if any(not one.get("id") for one in said):
        raise LostRunner(
            "A line doesn't say which runner it is of, so runners can't be counted. Run the TestRun again."
        )
    for key, called in (("id", "of one runner"), ("segment", "of one share of the load")):
        told = [str(one[key]) for one in said if one.get(key)]
        if twice := len(told) - len(set(told)):
            raise LostRunner(
                f"{twice} of {len(said)} lines stand there again, {called}: it would be counted twice, and hide one that "
                "is lost. Give the log of each runner of one TestRun once."
            )
    begins = max((one["began"] for one in said), default=0)
    ends = min((one["began"] + 1000 * one["seconds"] for one in said), default=0)
    if begins > ends:
        raise LostRunner(
            f"A runner began {(begins - ends) / 1000:.0f} s after another one had ended: the lines are of different tests. "
            "Give the log of each runner of one TestRun once."
        )


def _summary(counts: Mapping[int, int], failed: int, dropped: int, seconds: float) -> Object:
    total = sum(counts.values())
    share = failed / total if total else 0.0
    trend = {name: quantile(counts, share) for name, share in _TRENDS.items()} if total else {}
    return {
        "metrics": {
            "http_reqs": _metric("counter", {"count": total, "rate": total / seconds if seconds > 0 else 0.0}),
            "http_req_failed": _metric("rate", {"rate": share, "passes": failed, "fails": total - failed}),
            "http_req_duration": _metric("trend", trend),
            "dropped_iterations": _metric("counter", {"count": dropped}),
        },
        "state": {"testRunDurationMs": 1000 * seconds},
    }  # fmt: skip


def _metric(kind: str, values: Mapping[str, Any]) -> Object:
    return {"type": kind, "contains": "time" if kind == "trend" else "default", "values": dict(values)}
