"""What a run made for itself, told from what only carries its label."""

from __future__ import annotations

from typing import Any

import pytest

from launchbook.ours import RUN_LABEL, made_by, of_a_run
from launchbook.pods import pod
from launchbook.subject import images

OWN = pod("p", "shop", {RUN_LABEL: "r"}, {"name": "c", "image": "i"})
OWNER = {"kind": "ReplicaSet", "name": "web-1", "uid": "u", "controller": True}
STATUS = {"containerStatuses": [{"name": "c", "image": "i:1", "imageID": "i@sha256:1"}]}


def changed(**fields: Any) -> dict[str, Any]:
    return {**OWN, "metadata": {**OWN["metadata"], **fields}}


@pytest.mark.parametrize(
    ("item", "ours"),
    [
        (OWN, True),
        (changed(labels={RUN_LABEL: "another"}), True),
        (changed(ownerReferences=[{**OWNER, "kind": "Job"}]), True),
        (changed(labels={}), False),
        # Somebody wrote the label into a workload, or into a pod that stays.
        (changed(ownerReferences=[OWNER]), False),
        ({**OWN, "spec": {**OWN["spec"], "activeDeadlineSeconds": None}}, False),
    ],
)
def test_a_pod_that_a_run_made(item: Any, ours: bool) -> None:
    """By the label alone anybody could hide a pod from what is judged; the images of the others are part of that."""
    assert of_a_run(item) is ours
    assert bool(images({**item, "status": STATUS})) is not ours


def test_a_run_knows_its_own() -> None:
    assert made_by("r", OWN)
    assert not made_by("another", OWN)
