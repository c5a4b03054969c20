"""What the policies say of a declared edge, and which layer is wrong where the probes contradict it: pure, in words."""

from __future__ import annotations

import pandas as pd

from launchbook.counted import some

_SHOWN = 5  # rules that a sentence lists
# What the policies say, and what was seen: more was open than they open.
_LEAKS = {("closed", "open"), ("closed", "mixed"), ("mixed", "open")}
_NARROW = (
    "Let the rule name only namespaces whose pods may pass; if such pods may, declare an edge that is open from them."
)


def by_labels(rows: pd.DataFrame) -> tuple[bool | None, str]:
    """Whether some pod passes by its labels where an edge's rows of `computed` are closed, and the sentence that says so.

    None where it can't be told; the sentence is "" where none passes.
    """
    if surely := list(dict.fromkeys(rows["labels"][rows["labelled"].fillna(False)])):
        return True, f"But a probe wears no label, and the policy is wrong: {some(surely, _SHOWN)}. {_NARROW}"
    if perhaps := list(dict.fromkeys(rows["labels"][rows["labelled"].isna()])):
        return None, f"But a probe wears no label, and {some(perhaps, _SHOWN)}."
    return False, ""


def layer(rows: pd.DataFrame) -> str | None:
    """`open`, `closed` or `mixed` for an edge's rows of `computed`; None where nothing can be said."""
    if rows.empty or rows["allowed"].isna().any():
        return None
    if rows["allowed"].all():
        return "open"
    return "mixed" if rows["allowed"].any() else "closed"


def fault(expect: str, policies: str | None, reality: str, rule: str, *, proved: bool) -> str:
    """Which of the three is wrong, as far as it is known, where the probes contradict the declaration.

    proved: whether all of it was blocked, held against its controls; else a destination may be down.
    """
    if policies is None:
        return f"What the policies say can't be told ({rule}), so nor can whether they or their enforcement are wrong."
    if policies == reality:
        return f"The expectation is wrong or the policy is: the policies say {policies} too ({rule}). Mend the one or the other."
    if policies != expect:
        besides = "the enforcement is too" if (policies, reality) in _LEAKS else "something beside it may block"
        return f"The expectation is wrong or the policy is, and {besides}: the policies say {policies} ({rule})."
    if expect == "closed":
        return f"The enforcement is wrong: the policies say closed ({rule}), and the network does not do it."
    if proved:
        return f"The enforcement is wrong, or something beside the policies blocks: they say open ({rule})."
    return f"A destination may be down, or something beside the policies blocks: they say open ({rule})."
