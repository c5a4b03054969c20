"""Manifests: rendered, planned, applied, awaited and read back."""

from launchbook.manifests import judge
from launchbook.manifests.act import apply, plan, refusal, wait
from launchbook.manifests.observe import Rendered, left, pods, policies, render, rights, target
from launchbook.manifests.show import changes, readiness

__all__ = [
    "Rendered", "apply", "changes", "judge", "left", "plan", "pods", "policies", "readiness", "refusal", "render",
    "rights", "target", "wait",
]  # fmt: skip
