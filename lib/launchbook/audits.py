"""Checklist items that a machine can answer: a pure look at the objects of the namespaces under launch.

An audit takes the objects by kind (Unread where a kind could not be read) and returns one Finding. What could not be
read is UNKNOWN, and so is a look that found no workload to look at: nothing seen is never a pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from launchbook import disclosed
from launchbook.grants import too_wide
from launchbook.selector import matches
from launchbook.words import Status
from launchbook.workloads import SERVING, WORKLOADS, Object, containers, name_of, pod_metadata, pod_spec, workloads

Containers = list[tuple[str, Object, Object]]
_SHOWN = 4


@dataclass(frozen=True)
class Unread:
    """Stands for the objects of a kind that could not be read. because: why, in the words of who refused."""

    because: str


Objects = Mapping[str, Sequence[Object] | Unread]
_NEVER_ASKED = Unread("nobody asked for it")


@dataclass(frozen=True)
class Finding:
    """What an audit says: see words.Check for the words."""

    status: Status
    measured: str
    because: str
    figure: float | None = None


@dataclass(frozen=True)
class Audit:
    """needs: the kinds it looks at; expected: what it asks for; look: objects in, offenders and how many seen out."""

    needs: tuple[str, ...]
    expected: str
    remedy: str
    look: Callable[[Objects], tuple[list[str], int]]

    def judge(self, objects: Objects) -> Finding:
        """PASS where nothing offends, FAIL with who does, UNKNOWN where it can't be told."""
        unread = {kind: found for kind in self.needs if isinstance(found := objects.get(kind, _NEVER_ASKED), Unread)}
        if unread:
            why = next(iter(unread.values())).because.rstrip(".")
            return Finding(Status.UNKNOWN, "not read", f"{', '.join(unread)} could not be read: {why}.")
        offenders, seen = self.look(objects)
        if offenders:
            more = f" and {len(offenders) - _SHOWN} more" if len(offenders) > _SHOWN else ""
            told = "; ".join(offenders[:_SHOWN]) + more
            return Finding(Status.FAIL, f"{len(offenders)} of {seen}", f"{told}.", float(len(offenders)))
        if seen == 0:
            return Finding(Status.UNKNOWN, "nothing to look at", f"No {' or '.join(self.needs)} was found.")
        return Finding(Status.PASS, f"0 of {seen}", f"{seen} looked at, none offends.", 0.0)


def _all(objects: Objects, *kinds: str) -> list[Object]:
    return [item for kind in kinds if not isinstance(found := objects.get(kind, ()), Unread) for item in found]


def _containers(objects: Objects) -> Containers:
    """(name, pod spec, container) of every container of every workload, those that initialize it included."""
    return [
        (f"{name_of(item)} container {container['name']}", pod_spec(item), container)
        for item in workloads(objects)
        for container in containers(item)
    ]


def _serving_containers(objects: Objects) -> Containers:
    """Those that answer requests: no container that initializes, none of a Job."""
    return [
        (f"{name_of(item)} container {container['name']}", pod_spec(item), container)
        for item in workloads(objects, SERVING)
        for container in pod_spec(item).get("containers") or ()
    ]


def _each_container(
    problem: Callable[[Object, Object], str | None], which: Callable[[Objects], Containers] = _containers
) -> Callable[[Objects], tuple[list[str], int]]:
    """A look that asks `problem(pod spec, container)` of each container."""

    def look(objects: Objects) -> tuple[list[str], int]:
        found = which(objects)
        told = [f"{name} {text}" for name, pod, container in found if (text := problem(pod, container))]
        return told, len(found)

    return look


def _each(problem: Callable[[Object], str | None], *kinds: str) -> Callable[[Objects], tuple[list[str], int]]:
    """A look that asks `problem(object)` of each object of these kinds."""

    def look(objects: Objects) -> tuple[list[str], int]:
        found = list(workloads(objects, kinds)) if set(kinds) <= set(WORKLOADS) else _all(objects, *kinds)
        return [f"{name_of(item)} {text}" for item in found if (text := problem(item))], len(found)

    return look


def _plain_config(item: Object) -> str | None:
    found = disclosed.by_object(item)
    return f"holds a secret in {', '.join(found)}" if found else None


def _plain_workloads(objects: Objects) -> tuple[list[str], int]:
    """Of each container, then of what surrounds them."""
    told, seen = [], 0
    for item in workloads(objects):
        by_container = {c["name"]: disclosed.by_container(c) for c in containers(item)}
        seen += len(by_container)
        places = {f" container {name}": found for name, found in by_container.items() if found}
        if around := disclosed.by_workload(item, copied=not places):
            places[""] = around
        told += [
            f"{name_of(item)}{at} has a secret in plain text in {', '.join(found)}" for at, found in places.items()
        ]
    return told, seen


def _token_mounted(item: Object) -> str | None:
    pod = pod_spec(item)
    uses_own = pod.get("serviceAccountName", "default") != "default"
    return None if pod.get("automountServiceAccountToken") is False or uses_own else "mounts the default token"


def _lacks(field: str, resource: str) -> Callable[[Object, Object], str | None]:
    def problem(pod: Object, container: Object) -> str | None:
        given = (container.get("resources") or {}).get(field) or {}
        return None if resource in given else f"has no resources.{field}.{resource}"

    return problem


def _lacks_probe(probe: str) -> Callable[[Object, Object], str | None]:
    return lambda pod, container: None if container.get(probe) else f"has no {probe}"


def _root(pod: Object, container: Object) -> str | None:
    own, whole = container.get("securityContext") or {}, pod.get("securityContext") or {}
    if own.get("privileged"):
        return "is privileged"
    if own.get("runAsUser", whole.get("runAsUser")) == 0:
        return "runs as root"
    return None if own.get("runAsNonRoot", whole.get("runAsNonRoot")) is True else "may run as root"


def _gains(pod: Object, container: Object) -> str | None:
    own = container.get("securityContext") or {}
    if own.get("allowPrivilegeEscalation") is not False:
        return "may escalate its privileges"
    dropped = (own.get("capabilities") or {}).get("drop") or ()
    return None if "ALL" in dropped else "keeps capabilities"


def _writable(pod: Object, container: Object) -> str | None:
    own = container.get("securityContext") or {}
    return None if own.get("readOnlyRootFilesystem") is True else "has a writable root filesystem"


def _moving_tag(pod: Object, container: Object) -> str | None:
    image = container["image"]
    tag = image.rsplit("/", 1)[-1].partition(":")[2]
    return None if "@sha256:" in image or tag not in ("", "latest") else f"runs {image}, which can change"


def _no_digest(pod: Object, container: Object) -> str | None:
    return None if "@sha256:" in container["image"] else f"runs {container['image']}, named by no digest"


def _single(item: Object) -> str | None:
    return None if item["spec"].get("replicas", 1) >= 2 else "has one replica"


def _no_spread(item: Object) -> str | None:
    pod = pod_spec(item)
    spread = pod.get("topologySpreadConstraints") or (pod.get("affinity") or {}).get("podAntiAffinity")
    return None if spread or item["spec"].get("replicas", 1) < 2 else "may have all its replicas on one node"


def _ephemeral(item: Object) -> str | None:
    """State that a rescheduled pod loses: a StatefulSet without claims."""
    return None if item["spec"].get("volumeClaimTemplates") else "keeps its state in no persistent volume"


def _host(item: Object) -> str | None:
    pod = pod_spec(item)
    used = [field for field in ("hostNetwork", "hostPID", "hostIPC") if pod.get(field)]
    used += ["hostPath"] if any("hostPath" in volume for volume in pod.get("volumes") or ()) else []
    return f"uses {', '.join(used)}" if used else None


def _not_restricted(item: Object) -> str | None:
    level = (item["metadata"].get("labels") or {}).get("pod-security.kubernetes.io/enforce")
    return None if level == "restricted" else f"enforces {level or 'no Pod Security level'}"


def _denies(policy: Object, direction: str) -> bool:
    """Selects every pod of its namespace for a direction and has no rule for it."""
    spec = policy["spec"]
    types = spec.get("policyTypes") or (["Ingress", "Egress"] if spec.get("egress") else ["Ingress"])
    return not spec.get("podSelector") and direction in types and not spec.get(direction.lower())


def _default_deny(direction: str) -> Callable[[Objects], tuple[list[str], int]]:
    def look(objects: Objects) -> tuple[list[str], int]:
        names = [item["metadata"]["name"] for item in _all(objects, "Namespace")]
        denied = {p["metadata"]["namespace"] for p in _all(objects, "NetworkPolicy") if _denies(p, direction)}
        return [f"namespace {n} has no default deny of {direction.lower()}" for n in names if n not in denied], len(
            names
        )

    return look


def _per_namespace(kind: str) -> Callable[[Objects], tuple[list[str], int]]:
    def look(objects: Objects) -> tuple[list[str], int]:
        names = [item["metadata"]["name"] for item in _all(objects, "Namespace")]
        has = {item["metadata"]["namespace"] for item in _all(objects, kind)}
        return [f"namespace {name} has no {kind}" for name in names if name not in has], len(names)

    return look


def _exposed(item: Object) -> str | None:
    kind = item["spec"].get("type", "ClusterIP")
    if kind in ("NodePort", "LoadBalancer"):
        return f"is of type {kind}"
    return "has external addresses" if item["spec"].get("externalIPs") else None


def _wild(objects: Objects) -> tuple[list[str], int]:
    names = [item["metadata"]["name"] for item in _all(objects, "Namespace")]
    roles, cluster_roles = _all(objects, "Role"), _all(objects, "ClusterRole")
    told = too_wide(names, roles, cluster_roles, _all(objects, "RoleBinding"), _all(objects, "ClusterRoleBinding"))
    return told, len(names)


def _labelled(item: Object) -> str | None:
    labels = item["metadata"].get("labels") or {}
    return None if "app.kubernetes.io/name" in labels else "has no label app.kubernetes.io/name"


def _unbudgeted(objects: Objects) -> tuple[list[str], int]:
    many = [w for w in _all(objects, "Deployment", "StatefulSet") if w["spec"].get("replicas", 1) >= 2]
    budgets = _all(objects, "PodDisruptionBudget")

    def covered(workload: Object) -> bool:
        labels = pod_metadata(workload).get("labels") or {}
        return any(
            b["metadata"]["namespace"] == workload["metadata"]["namespace"]
            and matches(b["spec"].get("selector"), labels)
            for b in budgets
        )

    return [f"{name_of(w)} has no disruption budget" for w in many if not covered(w)], len(many)


def _scraped(objects: Objects) -> tuple[list[str], int]:
    found = _all(objects, "Deployment", "StatefulSet")

    def annotated(item: Object) -> bool:
        return "prometheus.io/scrape" in (pod_metadata(item).get("annotations") or {})

    return [f"{name_of(item)} offers no metrics" for item in found if not annotated(item)], len(found)


AUDITS: dict[str, Audit] = {
    "no-plaintext-env": Audit(
        WORKLOADS, "no secret in a container's env, command or args, nor in labels and annotations",
        "Take it from a Secret by `valueFrom.secretKeyRef`, and rotate it.",
        _plain_workloads,
    ),
    "no-plaintext-config": Audit(
        ("ConfigMap", "Service"), "no secret in a ConfigMap, nor in labels and annotations",
        "Move it into a Secret, and rotate it.", _each(_plain_config, "ConfigMap", "Service"),
    ),
    "no-default-token": Audit(
        WORKLOADS, "automountServiceAccountToken: false",
        "Set `automountServiceAccountToken: false` in the pod's spec.",
        _each(_token_mounted, *WORKLOADS),
    ),
    "default-deny-ingress": Audit(
        ("Namespace", "NetworkPolicy"), "a policy that denies all ingress in each namespace",
        "Add a NetworkPolicy with an empty podSelector and no ingress rule.", _default_deny("Ingress"),
    ),
    "default-deny-egress": Audit(
        ("Namespace", "NetworkPolicy"), "a policy that denies all egress in each namespace",
        "Add a NetworkPolicy with an empty podSelector and policyTypes [Egress], and one that admits DNS.",
        _default_deny("Egress"),
    ),
    "no-public-services": Audit(
        ("Service",), "no Service of type NodePort or LoadBalancer", "Go through an ingress that terminates TLS.",
        _each(_exposed, "Service"),
    ),
    "cpu-requests": Audit(
        WORKLOADS, "requests.cpu on each container", "Set it from the use that the load test measured.",
        _each_container(_lacks("requests", "cpu")),
    ),
    "memory-requests": Audit(
        WORKLOADS, "requests.memory on each container", "Set it from the use that the load test measured.",
        _each_container(_lacks("requests", "memory")),
    ),
    "memory-limits": Audit(
        WORKLOADS, "limits.memory on each container", "Set it above the highest use that was measured.",
        _each_container(_lacks("limits", "memory")),
    ),
    "quota": Audit(
        ("Namespace", "ResourceQuota"), "a ResourceQuota in each namespace", "Add a ResourceQuota.",
        _per_namespace("ResourceQuota"),
    ),
    "limit-range": Audit(
        ("Namespace", "LimitRange"), "a LimitRange in each namespace",
        "Add a LimitRange, so that a container without limits gets some.", _per_namespace("LimitRange"),
    ),
    "readiness-probes": Audit(
        SERVING, "readinessProbe on each container", "Add one that fails when the container can't serve.",
        _each_container(_lacks_probe("readinessProbe"), _serving_containers),
    ),
    "liveness-probes": Audit(
        SERVING, "livenessProbe on each container", "Add one that fails only when a restart would help.",
        _each_container(_lacks_probe("livenessProbe"), _serving_containers),
    ),
    "labels": Audit(
        WORKLOADS, "app.kubernetes.io/name on each workload", "Add the label to the workload and its pods.",
        _each(_labelled, *WORKLOADS),
    ),
    "metrics": Audit(
        ("Deployment", "StatefulSet"), "metrics that can be scraped", "Expose metrics and annotate the pods.", _scraped
    ),
    "replicas": Audit(
        ("Deployment", "StatefulSet"), "at least 2 replicas", "Run two or more, or accept the outage of one.",
        _each(_single, "Deployment", "StatefulSet"),
    ),
    "spread": Audit(
        ("Deployment", "StatefulSet"), "replicas spread over nodes", "Add topologySpreadConstraints.",
        _each(_no_spread, "Deployment", "StatefulSet"),
    ),
    "budgets": Audit(
        ("Deployment", "StatefulSet", "PodDisruptionBudget"), "a budget for each workload of 2 or more",
        "Add a PodDisruptionBudget that selects its pods.", _unbudgeted,
    ),
    "persistent-state": Audit(
        ("StatefulSet",), "a persistent volume for each StatefulSet",
        "Add volumeClaimTemplates, or say why state may go.",
        _each(_ephemeral, "StatefulSet"),
    ),
    "pod-security": Audit(
        ("Namespace",), "pod-security.kubernetes.io/enforce: restricted", "Label the namespace.",
        _each(_not_restricted, "Namespace"),
    ),
    "non-root": Audit(
        WORKLOADS, "runAsNonRoot: true", "Set runAsNonRoot and a user in the image.", _each_container(_root)
    ),
    "no-escalation": Audit(
        WORKLOADS, "no privilege escalation, all capabilities dropped",
        "Set allowPrivilegeEscalation: false and drop ALL.", _each_container(_gains),
    ),
    "read-only-root": Audit(
        WORKLOADS, "readOnlyRootFilesystem: true", "Set it, and mount an emptyDir where it writes.",
        _each_container(_writable),
    ),
    "no-host": Audit(
        WORKLOADS, "no host namespace, no hostPath", "Take the host's namespaces and paths out.",
        _each(_host, *WORKLOADS)
    ),
    "fixed-tags": Audit(
        WORKLOADS, "no image without a tag, none `latest`", "Name a version.", _each_container(_moving_tag)
    ),
    "image-digests": Audit(
        WORKLOADS, "each image named by digest", "Add @sha256:… to each image.", _each_container(_no_digest)
    ),
    "least-privilege": Audit(
        ("Namespace", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"),
        "no wildcard, no right to become another, no binding to admin; no account reads every Secret or starts pods",
        "Name the verbs and resources, and bind them in the namespace alone, to whom needs them.", _wild,
    ),
}  # fmt: skip


def kinds() -> Iterator[str]:
    """Every kind that some audit needs."""
    yield from dict.fromkeys(kind for audit in AUDITS.values() for kind in audit.needs)
