"""What the API server fills in where a manifest says nothing: defaults, and what it allocates. Pure.

It counts as written by whoever wrote the object, so a field's owner alone doesn't tell that somebody meant it.
https://kubernetes.io/docs/reference/kubernetes-api/ and the defaults.go of Kubernetes' own API groups
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Addresses, ports and nodes are the cluster's to give; serviceAccount repeats serviceAccountName.
_GIVEN = ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "nodePort", "healthCheckNodePort",
          "nodeName", "serviceAccount")  # fmt: skip
_BY_NAME: Mapping[str, tuple[Any, ...]] = {
    "dnsPolicy": ("ClusterFirst",), "restartPolicy": ("Always",), "schedulerName": ("default-scheduler",),
    "terminationGracePeriodSeconds": (30,), "enableServiceLinks": (True,), "priority": (0,),
    "preemptionPolicy": ("PreemptLowerPriority",), "imagePullPolicy": ("Always", "IfNotPresent"),
    "terminationMessagePath": ("/dev/termination-log",), "terminationMessagePolicy": ("File",), "protocol": ("TCP",),
    "failureThreshold": (3,), "periodSeconds": (10,), "successThreshold": (1,), "timeoutSeconds": (1,), "scheme": ("HTTP",),
    "defaultMode": (420,), "expirationSeconds": (3600,), "volumeMode": ("Filesystem",), "divisor": ("0",),
    "progressDeadlineSeconds": (600,), "revisionHistoryLimit": (10,), "minReadySeconds": (0,), "partition": (0,),
    "podManagementPolicy": ("OrderedReady",), "whenDeleted": ("Retain",), "whenScaled": ("Retain",),
    "backoffLimit": (6,), "completions": (1,), "parallelism": (1,), "completionMode": ("NonIndexed",), "suspend": (False,),
    "podReplacementPolicy": ("TerminatingOrFailed", "Failed"), "manualSelector": (False,), "concurrencyPolicy": ("Allow",),
    "failedJobsHistoryLimit": (1,), "successfulJobsHistoryLimit": (3,), "sessionAffinity": ("None",),
    "internalTrafficPolicy": ("Cluster",), "externalTrafficPolicy": ("Cluster",), "allocateLoadBalancerNodePorts": (True,),
    "apiGroup": ("rbac.authorization.k8s.io",),
}  # fmt: skip
_BY_PLACE: Mapping[tuple[str, str], tuple[Any, ...]] = {
    ("strategy", "type"): ("RollingUpdate",), ("updateStrategy", "type"): ("RollingUpdate",), ("spec", "type"): ("ClusterIP",),
    ("hostPath", "type"): ("",), ("rollingUpdate", "maxSurge"): ("25%", 0), ("rollingUpdate", "maxUnavailable"): ("25%", 1),
    ("fieldRef", "apiVersion"): ("v1",), ("grpc", "service"): ("",),
}  # fmt: skip


def filled_in(above: str, name: str, holder: Any) -> bool:
    """Whether the field `name` below the field `above` is what stands there where nobody says otherwise.

    holder: the mapping that has it.
    """
    if not isinstance(holder, Mapping):
        return False
    value = holder.get(name)
    if name in _GIVEN or value in ({}, []):
        return True
    if name == "targetPort":
        return bool(value == holder.get("port"))
    if isinstance(value, Mapping):
        return all(filled_in(name, below, value) for below in value)
    known = _BY_PLACE.get((above, name)) or _BY_NAME.get(name, ())
    return any(value == one and type(value) is type(one) for one in known)
