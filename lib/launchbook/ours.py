"""What a run made for itself, told by its label. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from launchbook.workloads import WORKLOADS, controller_of, pod_metadata

Object = Mapping[str, Any]
RUN_LABEL = "launchbook.io/run"


def made_by(run: str, item: Object) -> bool:
    """Whether an object carries the label of the run with this id: it is that run's own."""
    return (item["metadata"].get("labels") or {}).get(RUN_LABEL) == run


def of_a_run(pod: Object) -> bool:
    """Whether a run, this one or another, started a pod for itself.

    Anybody can write the label into a workload: a run's pods have no controller but a Job, and end by themselves
    (launchbook.pods.pod()), which no pod of a Deployment, StatefulSet or DaemonSet may.
    """
    maker = controller_of(pod)
    lasting = maker is not None and maker["kind"] != "Job"
    return _has_it(pod["metadata"]) and not lasting and bool(pod["spec"].get("activeDeadlineSeconds"))


def wears(item: Object) -> bool:
    """Whether an object, or the pods that it makes, carry a run's label."""
    made: Object = {}
    with suppress(KeyError, TypeError):  # a workload without a template is refused elsewhere
        made = pod_metadata(item) if item["kind"] in WORKLOADS else {}
    return _has_it(item["metadata"]) or _has_it(made)


def _has_it(metadata: Object) -> bool:
    return RUN_LABEL in (metadata.get("labels") or {})
