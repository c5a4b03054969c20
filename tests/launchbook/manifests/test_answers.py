"""What a refusal means, by table: the API server's own words in, kind of answer, sentence and fields out."""

from __future__ import annotations

from typing import Any

import pytest

from launchbook.errors import ClusterError, ConflictError, MissingRight, Unavailable
from launchbook.manifests.answers import answer, hidden

WEB = {"kind": "Deployment", "metadata": {"name": "w"}, "spec": {"replicas": 1}}
SET = {"kind": "StatefulSet", "metadata": {"name": "w"}, "spec": {"serviceName": "a", "replicas": 1}}
SET_FORBIDS = (
    "Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
    "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
)


def invalid(message: str, field: str, reason: str = "FieldValueInvalid") -> ClusterError:
    return ClusterError("is invalid", status=422, causes=[{"reason": reason, "message": message, "field": field}])


def conflict(*fields: str) -> ConflictError:
    causes = [
        {"reason": "FieldManagerConflict", "message": f'conflict with "hpa-{f}" using v1', "field": f} for f in fields
    ]
    return ConflictError("conflicts", status=409, causes=causes)


@pytest.mark.parametrize(
    ("error", "live", "wanted", "kind", "fields"),
    [
        (conflict(".spec.replicas"), WEB, WEB, "conflict", (".spec.replicas",)),
        (conflict(".a", ".b"), WEB, WEB, "conflict", (".a", ".b")),
        (ConflictError("the object has been modified", status=409), WEB, WEB, "refused", ()),
        (invalid("Invalid value: {}: field is immutable", "spec.selector"), WEB, WEB, "immutable", (".spec.selector",)),
        (invalid("Invalid value: {}: field is immutable", "spec.selector"), None, WEB, "refused", ()),
        (invalid("Invalid value: -1: must be greater than or equal to 0", "spec.replicas"), WEB, WEB, "refused", ()),
        (invalid("Required value", "spec.template"), WEB, WEB, "refused", ()),
        (invalid(SET_FORBIDS, "spec", "FieldValueForbidden"), SET, {**SET, "spec": {"serviceName": "b", "replicas": 3}}, "immutable", (".spec.serviceName",)),
        (invalid(SET_FORBIDS, "spec", "FieldValueForbidden"), SET, SET, "immutable", (".spec",)),
        (invalid('Invalid value: "x": may not change once set', "spec.clusterIPs[0]"), WEB, WEB, "immutable", (".spec.clusterIPs[0]",)),
        (invalid("Invalid value: {}: cannot change roleRef", "roleRef"), WEB, WEB, "immutable", (".roleRef",)),
        (invalid("Forbidden: field is immutable when `immutable` is set", "data", "FieldValueForbidden"), WEB, WEB, "immutable", (".data",)),
        (invalid("Forbidden: updates to parameters are forbidden.", "parameters", "FieldValueForbidden"), WEB, WEB, "immutable", (".parameters",)),
        (ClusterError('admission webhook "w" does not support dry run', status=400), WEB, WEB, "undryable", ()),
        (Unavailable("no answer"), WEB, WEB, "unasked", ()),
        (Unavailable("HTTP 503", status=503), WEB, WEB, "unasked", ()),
        (MissingRight('is forbidden: User "x" cannot patch', status=403), WEB, WEB, "unasked", ()),
        (ClusterError("is forbidden: exceeded quota", status=403), WEB, WEB, "refused", ()),
        (ClusterError("because it is being terminated", status=403), None, WEB, "refused", ()),
        (ClusterError('namespaces "x" not found', status=404), None, WEB, "refused", ()),
    ],
)  # fmt: skip
def test_a_refusal(error: Any, live: Any, wanted: Any, kind: str, fields: Any) -> None:
    """Message and path decide; what can't be created is never immutable."""
    found = answer(error, live, wanted)
    assert (found.kind, found.fields) == (kind, fields)


def test_a_conflict_names_each_field_and_its_owner() -> None:
    """Whoever reads it knows with whom to agree."""
    found = answer(conflict(".spec.replicas", ".data.a"), WEB, WEB)
    assert found.because == (
        ".spec.replicas is owned by hpa-.spec.replicas; .data.a is owned by hpa-.data.a, who says something else."
    )


@pytest.mark.parametrize(
    ("data", "text", "shown"),
    [
        ({"data": {"a": "aHVudGVyMjI="}}, "can't decode hunter22 or aHVudGVyMjI=", "can't decode (masked) or (masked)"),
        ({"stringData": {"a": 12345}}, "expected string, got 12345", "expected string, got (masked)"),
        ({"stringData": {"a": "7"}}, "expected string, got 7", "the API server refuses it; what it says may hold a value of the Secret and is not shown."),
        ({"data": {"a": ""}}, "no", "no"),
        ({}, "no", "no"),
    ],
)  # fmt: skip
def test_a_message_about_a_secret_repeats_no_value(data: Any, text: str, shown: str) -> None:
    """The API server quotes what it can't read."""
    assert hidden(text, {"kind": "Secret", **data}) == shown
    assert hidden(text, {"kind": "ConfigMap", **data}) == text
