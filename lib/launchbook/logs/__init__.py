"""Log aggregation: deploy or defer, decided from what was measured."""

from __future__ import annotations

from launchbook.logs import judge
from launchbook.logs.judge import Decision, Terms
from launchbook.logs.observe import inventory, limits, over_time, rates, restarts
from launchbook.logs.show import document, lasting
from launchbook.logs.show import over_time as rate_over_time
from launchbook.logs.show import rates as rate_table
from launchbook.parameters import WaiverParameters
from launchbook.run import Run

__all__ = [
    "Decision", "Terms", "document", "inventory", "judge", "lasting", "limits", "over_time", "rate_over_time",
    "rate_table", "rates", "restarts", "terms", "waiver",
]  # fmt: skip


def terms(run: Run) -> Terms:
    """What the environment's parameters ask of logs."""
    logs = run.parameters.logs
    return Terms(logs.detection_and_response, logs.retention, logs.personal_data, logs.owner, logs.review_after_days)


def waiver(run: Run) -> WaiverParameters | None:
    """What the parameters say of an accepted deferral; whether it holds is the verdict's to say."""
    return next((given for given in run.parameters.waivers if given.check == "C.decision"), None)
