"""Manifests: rendered, planned, applied, awaited, read back, and taken back."""

from launchbook.manifests import judge
from launchbook.manifests.act import Applied, apply, approve, refusal
from launchbook.manifests.observe import Rendered, held, left, pods, policies, present, render, rights, target
from launchbook.manifests.planning import Plan, plan
from launchbook.manifests.show import changes, readiness
from launchbook.manifests.undoing import undo
from launchbook.manifests.waiting import wait

__all__ = [
    "Applied", "Plan", "Rendered", "apply", "approve", "changes", "held", "judge", "left", "plan", "pods", "policies", "present",
    "readiness", "refusal", "render", "rights", "target", "undo", "wait",
]  # fmt: skip
