"""The three layers held against each other: every declared x computed x observed, with the exact words."""

from __future__ import annotations

from typing import Any

import pytest
from edges import BLOCKED, ENFORCED, OPEN, computed, edge, observed, target

from launchbook.isolation import judge
from launchbook.words import Status

OBSERVED = {
    "open": observed(OPEN),
    "closed": observed(BLOCKED),
    "mixed": observed(OPEN, {**BLOCKED, "target": "x-1"}),
    "not reached": observed(target(["DROPPED"] * 3, answers=False)),
    "nothing": observed(problem="quota."),
}
COMPUTED = {
    "open": computed(True),
    "closed": computed(False),
    "mixed": computed(True, False),
    "by address": computed(None, unsure="address"),
    "by node": computed(None, unsure="node"),
    "others": computed(None, unsure="others"),
    "nothing": computed(),
}
RULE = "ingress: denied by d/p"
QUOTA = "The probe pod could not be started: quota."
SHUT = "Blocked from x-0, 3 times each, with the controls open before, meanwhile and after."
DOWN = "Blocked, but nobody reached x-0 before and after, so it may be down: declare an edge that is open to it."
SOME = "Reached x-0, blocked from x-1."
NOT = "Not reached: x-0 DROPPED."
EITHER = "The expectation is wrong or the policy is"
UNTOLD = "so nor can whether they or their enforcement are wrong."
BY_ADDRESS = f"But another pod has another address, and may be let in or kept out ({RULE}): name pods by their labels."
BY_NODE = f"But a pod on its node's network is let in or kept out as the network plugin has it, and never kept from the pods of its own node ({RULE}): no probe from another pod shows it."
ALONE = f"Probes alone say so: what the policies say can't be told ({RULE})."


@pytest.mark.parametrize(
    ("declared", "policies", "probes", "status", "because"),
    [
        ("open", "open", "open", "PASS", "Reached x-0."),
        ("open", "open", "closed", "FAIL", f"{SHUT} The enforcement is wrong, or something beside the policies blocks: they say open ({RULE})."),
        ("open", "open", "mixed", "FAIL", f"{SOME} A destination may be down, or something beside the policies blocks: they say open ({RULE})."),
        ("open", "open", "not reached", "FAIL", f"{NOT} A destination may be down, or something beside the policies blocks: they say open ({RULE})."),
        ("open", "open", "nothing", "UNKNOWN", f"{QUOTA}"),
        ("open", "closed", "open", "UNKNOWN", f"Reached x-0. As declared, but not by the policies: they say closed ({RULE}), so the enforcement is wrong, and the policy or the expectation is too."),
        ("open", "closed", "closed", "FAIL", f"{SHUT} {EITHER}: the policies say closed too ({RULE}). Mend the one or the other."),
        ("open", "closed", "mixed", "FAIL", f"{SOME} {EITHER}, and the enforcement is too: the policies say closed ({RULE})."),
        ("open", "closed", "not reached", "FAIL", f"{NOT} {EITHER}: the policies say closed too ({RULE}). Mend the one or the other."),
        ("open", "closed", "nothing", "UNKNOWN", f"{QUOTA} The policies say closed ({RULE}), which is not what is declared."),
        ("open", "mixed", "open", "UNKNOWN", f"Reached x-0. As declared, but not by the policies: they say mixed ({RULE}), so the enforcement is wrong, and the policy or the expectation is too."),
        ("open", "mixed", "closed", "FAIL", f"{SHUT} {EITHER}, and something beside it may block: the policies say mixed ({RULE})."),
        ("open", "mixed", "mixed", "FAIL", f"{SOME} {EITHER}: the policies say mixed too ({RULE}). Mend the one or the other."),
        ("open", "mixed", "not reached", "FAIL", f"{NOT} {EITHER}, and something beside it may block: the policies say mixed ({RULE})."),
        ("open", "mixed", "nothing", "UNKNOWN", f"{QUOTA} The policies say mixed ({RULE}), which is not what is declared."),
        ("open", "by address", "open", "UNKNOWN", f"Reached x-0. {BY_ADDRESS}"),
        ("open", "by node", "open", "UNKNOWN", f"Reached x-0. {BY_NODE}"),
        ("open", "by address", "closed", "FAIL", f"{SHUT} What the policies say can't be told ({RULE}), {UNTOLD}"),
        ("open", "by node", "closed", "FAIL", f"{SHUT} What the policies say can't be told ({RULE}), {UNTOLD}"),
        ("open", "by address", "mixed", "FAIL", f"{SOME} What the policies say can't be told ({RULE}), {UNTOLD}"),
        ("open", "by node", "mixed", "FAIL", f"{SOME} What the policies say can't be told ({RULE}), {UNTOLD}"),
        ("open", "by address", "not reached", "FAIL", f"{NOT} What the policies say can't be told ({RULE}), {UNTOLD}"),
        ("open", "by node", "not reached", "FAIL", f"{NOT} What the policies say can't be told ({RULE}), {UNTOLD}"),
        ("open", "by address", "nothing", "UNKNOWN", f"{QUOTA}"),
        ("open", "by node", "nothing", "UNKNOWN", f"{QUOTA}"),
        ("open", "others", "open", "PASS", f"Reached x-0. {ALONE}"),
        ("open", "others", "closed", "FAIL", f"{SHUT} What the policies say can't be told ({RULE}), {UNTOLD}"),
        ("open", "others", "mixed", "FAIL", f"{SOME} What the policies say can't be told ({RULE}), {UNTOLD}"),
        ("open", "others", "not reached", "FAIL", f"{NOT} What the policies say can't be told ({RULE}), {UNTOLD}"),
        ("open", "others", "nothing", "UNKNOWN", f"{QUOTA}"),
        ("open", "nothing", "open", "UNKNOWN", "Reached x-0. But what the policies say can't be told (nothing was computed for it)."),
        ("open", "nothing", "closed", "FAIL", f"{SHUT} What the policies say can't be told (nothing was computed for it), {UNTOLD}"),
        ("open", "nothing", "mixed", "FAIL", f"{SOME} What the policies say can't be told (nothing was computed for it), {UNTOLD}"),
        ("open", "nothing", "not reached", "FAIL", f"{NOT} What the policies say can't be told (nothing was computed for it), {UNTOLD}"),
        ("open", "nothing", "nothing", "UNKNOWN", f"{QUOTA}"),
        ("closed", "open", "open", "FAIL", f"Reached x-0. {EITHER}: the policies say open too ({RULE}). Mend the one or the other."),
        ("closed", "open", "closed", "UNKNOWN", f"{SHUT} As declared, but not by the policies: they say open ({RULE}), so something beside them blocks, and the policy is wrong or the expectation is."),
        ("closed", "open", "mixed", "FAIL", f"{SOME} {EITHER}, and something beside it may block: the policies say open ({RULE})."),
        ("closed", "open", "not reached", "UNKNOWN", f"{DOWN} The policies say open ({RULE}), which is not what is declared."),
        ("closed", "open", "nothing", "UNKNOWN", f"{QUOTA} The policies say open ({RULE}), which is not what is declared."),
        ("closed", "closed", "open", "FAIL", f"Reached x-0. The enforcement is wrong: the policies say closed ({RULE}), and the network does not do it."),
        ("closed", "closed", "closed", "PASS", f"{SHUT}"),
        ("closed", "closed", "mixed", "FAIL", f"{SOME} The enforcement is wrong: the policies say closed ({RULE}), and the network does not do it."),
        ("closed", "closed", "not reached", "UNKNOWN", f"{DOWN}"),
        ("closed", "closed", "nothing", "UNKNOWN", f"{QUOTA}"),
        ("closed", "mixed", "open", "FAIL", f"Reached x-0. {EITHER}, and the enforcement is too: the policies say mixed ({RULE})."),
        ("closed", "mixed", "closed", "UNKNOWN", f"{SHUT} As declared, but not by the policies: they say mixed ({RULE}), so something beside them blocks, and the policy is wrong or the expectation is."),
        ("closed", "mixed", "mixed", "FAIL", f"{SOME} {EITHER}: the policies say mixed too ({RULE}). Mend the one or the other."),
        ("closed", "mixed", "not reached", "UNKNOWN", f"{DOWN} The policies say mixed ({RULE}), which is not what is declared."),
        ("closed", "mixed", "nothing", "UNKNOWN", f"{QUOTA} The policies say mixed ({RULE}), which is not what is declared."),
        ("closed", "by address", "open", "FAIL", f"Reached x-0. What the policies say can't be told ({RULE}), {UNTOLD}"),
        ("closed", "by node", "open", "FAIL", f"Reached x-0. What the policies say can't be told ({RULE}), {UNTOLD}"),
        ("closed", "by address", "closed", "UNKNOWN", f"{SHUT} {BY_ADDRESS}"),
        ("closed", "by node", "closed", "UNKNOWN", f"{SHUT} {BY_NODE}"),
        ("closed", "by address", "mixed", "FAIL", f"{SOME} What the policies say can't be told ({RULE}), {UNTOLD}"),
        ("closed", "by node", "mixed", "FAIL", f"{SOME} What the policies say can't be told ({RULE}), {UNTOLD}"),
        ("closed", "by address", "not reached", "UNKNOWN", f"{DOWN}"),
        ("closed", "by node", "not reached", "UNKNOWN", f"{DOWN}"),
        ("closed", "by address", "nothing", "UNKNOWN", f"{QUOTA}"),
        ("closed", "by node", "nothing", "UNKNOWN", f"{QUOTA}"),
        ("closed", "others", "open", "FAIL", f"Reached x-0. What the policies say can't be told ({RULE}), {UNTOLD}"),
        ("closed", "others", "closed", "PASS", f"{SHUT} {ALONE}"),
        ("closed", "others", "mixed", "FAIL", f"{SOME} What the policies say can't be told ({RULE}), {UNTOLD}"),
        ("closed", "others", "not reached", "UNKNOWN", f"{DOWN}"),
        ("closed", "others", "nothing", "UNKNOWN", f"{QUOTA}"),
        ("closed", "nothing", "open", "FAIL", f"Reached x-0. What the policies say can't be told (nothing was computed for it), {UNTOLD}"),
        ("closed", "nothing", "closed", "UNKNOWN", f"{SHUT} But what the policies say can't be told (nothing was computed for it)."),
        ("closed", "nothing", "mixed", "FAIL", f"{SOME} What the policies say can't be told (nothing was computed for it), {UNTOLD}"),
        ("closed", "nothing", "not reached", "UNKNOWN", f"{DOWN}"),
        ("closed", "nothing", "nothing", "UNKNOWN", f"{QUOTA}"),
    ],
)  # fmt: skip
def test_every_combination(declared: Any, policies: str, probes: str, status: str, because: str) -> None:
    """What is wrong is said where it is known: the expectation, the policy, its enforcement; else what stands in the way."""
    [found] = judge.edges([edge(declared)], COMPUTED[policies], OBSERVED[probes], ENFORCED)
    assert (found.status, found.because) == (Status(status), because)


def test_the_table_is_whole() -> None:
    """No combination is left out."""
    marks = next(m for m in test_every_combination.pytestmark if m.name == "parametrize")
    assert len({row[:3] for row in marks.args[1]}) == len(marks.args[1]) == 2 * len(COMPUTED) * len(OBSERVED)
