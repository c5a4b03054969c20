"""What applying and reading back says: identity, rights, render, selectors, plan, apply, readiness, policies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from launchbook.counted import counted, some
from launchbook.groups import is_policy
from launchbook.home import home
from launchbook.manifests import policy as networking
from launchbook.manifests.beside import drift, foreign
from launchbook.manifests.naming import name, place
from launchbook.ours import RUN_LABEL, wears
from launchbook.selector import matches
from launchbook.words import Check, Status

Object = Mapping[str, Any]
__all__ = [
    "MAY_NOT", "apply", "cleanup", "drift", "foreign", "plan", "policies", "ready", "render", "rights", "selectors", "target",
]  # fmt: skip
MAY_NOT = "This run may not apply (`allow: [apply]`, not read-only, and confirmed where protected)."


def target(seen: Mapping[str, Any], named_context: str, named_uid: str | None) -> Check:
    """A.target. seen: context, server, uid, version, user of the connected cluster."""
    measured = f"{seen['context']} at {seen['server']}, UID {seen['uid']}, {seen['version']}, as {seen['user']}"
    expected = f"context {named_context}" + (f", UID {named_uid}" if named_uid else "")
    right = seen["context"] == named_context and named_uid in (None, seen["uid"])
    because = (
        "The parameters name this context" + (" and this UID." if named_uid else "; they pin no UID.")
        if right
        else "This is another cluster."
    )
    return Check("A.target", named_context, Status.PASS if right else Status.FAIL, measured, expected, because)


def rights(asked: pd.DataFrame) -> Check:
    """A.rights. asked: columns verb, resource, namespace, allowed (bool, or None where it could not be asked)."""
    lacking = asked[asked["allowed"].eq(False)]
    unasked = asked[asked["allowed"].isna()]
    measured = f"{int(asked['allowed'].eq(True).sum())} of {len(asked)}"
    expected = "every right that the run needs"
    if len(lacking):
        told = "; ".join(
            f"{r['verb']} {r['resource']} in {r['namespace'] or 'the cluster'}" for r in lacking.to_dict("records")
        )
        return Check("A.rights", "launchbook", Status.FAIL, measured, expected, f"Missing: {told}.")
    if len(unasked) or asked.empty:
        return Check("A.rights", "launchbook", Status.UNKNOWN, measured, expected, "The API server did not say.")
    return Check("A.rights", "launchbook", Status.PASS, measured, expected, "The API server grants each.")


def render(
    objects: Sequence[Object],
    namespaces: Sequence[str],
    path: str,
    problem: str | None = None,
    cluster_objects: Sequence[str] = (),
) -> Check:
    """A.render. problem: why it could not be rendered; cluster_objects: `Kind/name` of what lives in no namespace."""

    def say(status: Status, because: str) -> Check:
        expected = f"objects of {', '.join((*namespaces, *cluster_objects))}"
        return Check("A.render", path, status, counted(len(objects), "object"), expected, because)

    if problem:
        return say(Status.FAIL, problem)
    outside = [name(o) for o in objects if place(o) not in (*namespaces, *cluster_objects)]
    if outside:
        return say(Status.FAIL, f"Outside the namespaces under launch: {some(outside, 5)}.")
    if twice := sorted(n for n, times in Counter(map(name, objects)).items() if times > 1):
        return say(Status.FAIL, f"Rendered twice: {', '.join(twice)}.")
    if marked := [name(item) for item in objects if wears(item)]:
        taken = f"The label {RUN_LABEL} marks what a run made for itself, to be left out and swept"
        return say(Status.FAIL, f"{taken}; it is on {some(marked, 5)}.")
    if not objects:
        return say(Status.FAIL, "Nothing was rendered.")
    return say(Status.PASS, "Each is in a namespace under launch.")


def selectors(polluted: Sequence[Any], path: str, problem: str | None = None) -> list[Check]:
    """A.selectors. polluted: selectors.Pollution of every selector that a label transformer changed."""
    expected = "every selector as its author wrote it"
    if problem:
        return [Check("A.selectors", path, Status.UNKNOWN, "not rendered", expected, "The manifests don't render.")]
    breaking = [p for p in polluted if p.effect]
    if not breaking:
        told = counted(len(polluted), "selector was changed and selects", "selectors were changed and select")
        same = f"{told} the same." if polluted else "None was changed."
        return [Check("A.selectors", path, Status.PASS, "0 polluted", expected, same)]
    by_object: dict[str, list[Any]] = {}
    for p in breaking:
        by_object.setdefault(p.object, []).append(p)
    return [
        Check(
            "A.selectors", subject, Status.FAIL, f"{len(those)} polluted", expected,
            f"{'; '.join(f'{p.where}: {p.effect}' for p in those)}. "
            f"{_labels(those[0].labels)} was added by {those[0].file}.",
        )
        for subject, those in by_object.items()
    ]  # fmt: skip


def plan(changes: pd.DataFrame, digest: str = "") -> Check:
    """A.plan. changes: columns object, action, because, kept, see planning.Step; digest: of the plan."""
    counts: Mapping[Any, Any] = dict(changes["action"].value_counts())
    measured = ", ".join(f"{n} {action}" for action, n in counts.items()) or "nothing"
    measured += f"; plan {digest}" if digest else ""
    expected = "a dry run of every object"
    if changes.empty:
        return Check("A.plan", "manifests", Status.UNKNOWN, measured, expected, "Nothing was rendered.")
    for status, told, rows in (
        (Status.FAIL, "would be refused", changes[changes["action"].isin(["refused", "immutable"])]),
        (Status.FAIL, "would keep fields", changes[changes["kept"] != ""].assign(because=lambda rows: rows["kept"])),
        (Status.UNKNOWN, "could not be tried", changes[changes["action"] == "not shown"]),
    ):
        if len(rows):
            because = f"{len(rows)} {told}, the first is {rows.iloc[0]['object']}: {rows.iloc[0]['because']}"
            return Check("A.plan", "manifests", status, measured, expected, because)
    return Check("A.plan", "manifests", Status.PASS, measured, expected, "The API server said what each would do.")


def apply(applied: pd.DataFrame, refusal: str | None, planned: pd.DataFrame) -> list[Check]:
    """A.apply. applied: see act.Applied; refusal: why nothing was applied; planned: see plan().

    A run that may not apply still knows that all is applied where the API server's dry run would change nothing.
    """
    expected = "every object applied"
    if refusal and refusal == MAY_NOT and len(planned) and _as_rendered(planned):
        because = "Nothing was applied, and nothing had to be: the dry run of each object changes nothing."
        return [Check("A.apply", "manifests", Status.PASS, f"{len(planned)} unchanged", expected, because)]
    if refusal:
        return [Check("A.apply", "manifests", Status.UNKNOWN, "not applied", expected, refusal)]
    if applied.empty:
        return [Check("A.apply", "manifests", Status.UNKNOWN, "not applied", expected, "There was nothing to apply.")]
    failed = applied[applied["action"] == "refused"]
    if len(failed):
        return [
            Check("A.apply", row["object"], Status.FAIL, row["action"], "applied", row["because"])
            for row in applied[applied["action"].isin(["refused", "not tried"])].to_dict("records")
        ]
    kept = planned[planned["kept"] != ""] if len(planned) else planned
    if len(kept):
        return [
            Check("A.apply", row["object"], Status.FAIL, "fields kept", "as rendered", row["kept"])
            for row in kept.to_dict("records")
        ]
    counts = applied["action"].value_counts()
    measured = ", ".join(f"{n} {action}" for action, n in counts.items())
    return [Check("A.apply", "manifests", Status.PASS, measured, expected, "The API server holds each as rendered.")]


def _as_rendered(planned: pd.DataFrame) -> bool:
    return bool(planned["action"].eq("unchanged").all() and planned["kept"].eq("").all())


def ready(states: pd.DataFrame) -> list[Check]:
    """A.ready. states: columns object, state (ready, waiting, failed), because, seconds since the wait began."""
    if states.empty:
        return [Check("A.ready", "manifests", Status.UNKNOWN, "nothing", "ready", "There was nothing to wait for.")]
    status = {"ready": Status.PASS, "failed": Status.FAIL, "waiting": Status.FAIL, "unread": Status.UNKNOWN}
    return [
        Check(
            "A.ready", row["object"], status[row["state"]], f"{row['state']} after {row['seconds']:.1f} s", "ready",
            row["because"][:1].upper() + row["because"][1:].rstrip(".") + ".",
        )
        for row in states.to_dict("records")
    ]  # fmt: skip


def policies(
    rendered: Sequence[Object],
    live: Mapping[str, Object | None],
    pods: Sequence[Object],
    problem: str | None = None,
) -> list[Check]:
    """A.policy. live: name -> the policy on the cluster, None where absent; pods: of every namespace, with labels.

    problem: why nothing was rendered.
    """
    if problem:
        because = "The manifests don't render, so it isn't known which policies they hold."
        return [Check("A.policy", "manifests", Status.UNKNOWN, "not rendered", "at least one", because)]
    wanted = [o for o in rendered if is_policy(o)]
    if not wanted and (others := [name(o) for o in rendered if o["kind"].endswith("NetworkPolicy")]):
        because = f"{', '.join(others)} is of another group than networking.k8s.io, and what such a policy does is not computed."
        return [Check("A.policy", "manifests", Status.UNKNOWN, "0 policies", "at least one", because)]
    if not wanted:
        because = "The manifests hold no NetworkPolicy, so nothing is isolated."
        return [Check("A.policy", "manifests", Status.FAIL, "0 policies", "at least one", because)]
    return [_policy(policy, live.get(name(policy)), rendered, pods) for policy in wanted]


def _policy(wanted: Object, live: Object | None, rendered: Sequence[Object], pods: Sequence[Object]) -> Check:
    subject, expected = name(wanted), "as written, selecting live pods"
    if "namespace" not in wanted["metadata"]:
        return Check("A.policy", subject, Status.FAIL, "not looked for", expected, "It names no namespace.")
    if live is None:
        return Check("A.policy", subject, Status.FAIL, "absent", expected, "It is not on the cluster.")
    said, found = networking.meaning(wanted), networking.meaning(live)
    if different := [field for field in said if said[field] != found[field]]:
        because = f"On the cluster {', '.join(different)} is not what the manifests say."
        return Check("A.policy", subject, Status.FAIL, "different", expected, because)
    mine = [p for p in pods if p["metadata"]["namespace"] == home(wanted)]
    selected = sum(matches(wanted["spec"].get("podSelector") or {}, _labels_of(p)) for p in mine)
    if not selected:
        because = f"Its podSelector selects none of the {len(mine)} pods of its namespace."
        return Check("A.policy", subject, Status.FAIL, "selects 0 pods", expected, because)
    measured = f"selects {counted(selected, 'pod')}"
    if idle := networking.nobody(wanted, rendered, pods):
        because = f"No pod, live or rendered, is what {', '.join(idle)} names: whom it means can't be told."
        return Check("A.policy", subject, Status.UNKNOWN, measured, expected, because)
    return Check("A.policy", subject, Status.PASS, measured, expected, "Its selectors select live pods.")


def cleanup(left: Sequence[str]) -> Check:
    """A.cleanup. left: `Kind/ns/name` of what still carries this run's label."""
    expected = "nothing with this run's label"
    if left:
        return Check("A.cleanup", "cluster", Status.FAIL, f"{len(left)} left", expected, f"Left: {', '.join(left)}.")
    return Check("A.cleanup", "cluster", Status.PASS, "0 left", expected, "Every probe and scratch object is gone.")


def _labels_of(pod: Object) -> Mapping[str, str]:
    return pod["metadata"].get("labels") or {}


def _labels(labels: Mapping[str, str]) -> str:
    return ", ".join(f"{k}={v}" for k, v in labels.items()) or "A label"
