"""What live objects hold beside their manifests: managedFields in, drift and its check with exact messages out."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from launchbook.manifests import judge
from launchbook.manifests.drift import Held, drift
from launchbook.words import Status

API = {
    "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "api", "namespace": "shop"},
    "spec": {
        "selector": {"matchLabels": {"app": "api"}},
        "template": {"metadata": {"labels": {"app": "api"}}, "spec": {"containers": [{"name": "api", "image": "api:1"}]}},
    },
}  # fmt: skip
SERVICE = {
    "apiVersion": "v1", "kind": "Service", "metadata": {"name": "api", "namespace": "shop"},
    "spec": {"selector": {"app": "api"}, "ports": [{"port": 80}]},
}  # fmt: skip
POLICY = {
    "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "store", "namespace": "shop"},
    "spec": {"podSelector": {}, "policyTypes": ["Ingress"],
             "egress": [{"to": [{"podSelector": {"matchLabels": {"role": "store"}}}]}]},
}  # fmt: skip
ROLE = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRole",
    "metadata": {"name": "r"},
    "aggregationRule": {},
}
SETTINGS = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "s", "namespace": "shop"}, "data": {"a": "1"}}
SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "p", "namespace": "shop"},
    "stringData": {"a": "1"},
}
RENDERED = [API, SERVICE, POLICY, SETTINGS]

CONTAINERS = {"f:spec": {"f:template": {"f:spec": {"f:containers": {}}}}}
MINE = 'k:{"name":"api"}'


def pods(spec: Any) -> Any:
    """Fields of a Deployment's pods."""
    return {"f:spec": {"f:template": {"f:spec": spec}}}


def live(item: Any, change: Any, fields: Any, manager: str = "kubectl-patch", **entry: Any) -> Any:
    """An object as it is with what `change` writes into it, by a manager who owns these fields."""
    there = copy.deepcopy(item)
    change(there)
    entries = [
        {"manager": "launchbook", "operation": "Apply", "fieldsV1": {}},
        {"manager": manager, "operation": "Update", "fieldsV1": fields, **entry},
    ]
    there["metadata"]["managedFields"] = entries
    return there


def template(there: Any) -> Any:
    return there["spec"]["template"]["spec"]


def added(there: Any) -> None:
    template(there)["containers"].append({"name": "shell", "image": "sh"})


def env(there: Any) -> None:
    template(there)["containers"][0]["env"] = [{"name": "X", "value": "1"}]


def port(there: Any) -> None:
    there["spec"]["ports"].append({"port": 81, "protocol": "TCP"})


def rule(there: Any) -> None:
    there["spec"]["ingress"] = [{}]


def key(there: Any) -> None:
    there["data"]["b"] = "2"


def role(there: Any) -> None:
    there["spec"]["template"]["metadata"]["labels"] |= {"role": "store", "team": "x"}


PORT = 'k:{"port":81,"protocol":"TCP"}'


@pytest.mark.parametrize(
    ("wanted", "change", "fields", "field", "command"),
    [
        (API, added, pods({"f:containers": {'k:{"name":"shell"}': {".": {}, "f:name": {}, "f:image": {}}}}),
         '.spec.template.spec.containers[name="shell"]',
         """kubectl -n shop patch deployment/api -p '{"spec": {"template": {"spec": {"containers": [{"name": "shell", "$patch": "delete"}]}}}}'"""),
        (API, env, pods({"f:containers": {MINE: {"f:env": {".": {}, 'k:{"name":"X"}': {".": {}}}}}}),
         '.spec.template.spec.containers[name="api"].env',
         """kubectl -n shop patch deployment/api -p '{"spec": {"template": {"spec": {"containers": [{"name": "api", "env": null}]}}}}'"""),
        (SERVICE, port, {"f:spec": {"f:ports": {PORT: {".": {}, "f:port": {}}}}}, '.spec.ports[port=81,protocol="TCP"]',
         """kubectl -n shop patch service/api -p '{"spec": {"ports": [{"port": 81, "protocol": "TCP", "$patch": "delete"}]}}'"""),
        (POLICY, rule, {"f:spec": {"f:ingress": {}}}, ".spec.ingress", """kubectl -n shop patch networkpolicy/store -p '{"spec": {"ingress": null}}'"""),
        (SETTINGS, key, {"f:data": {"f:b": {}}}, ".data.b", """kubectl -n shop patch configmap/s -p '{"data": {"b": null}}'"""),
        (API, role, {"f:spec": {"f:template": {"f:metadata": {"f:labels": {"f:role": {}, "f:team": {}}}}}}, ".spec.template.metadata.labels.role",
         """kubectl -n shop patch deployment/api -p '{"spec": {"template": {"metadata": {"labels": {"role": null}}}}}'"""),
        (API, lambda there: template(there).update(hostNetwork=True), pods({"f:hostNetwork": {}}), ".spec.template.spec.hostNetwork",
         """kubectl -n shop patch deployment/api -p '{"spec": {"template": {"spec": {"hostNetwork": null}}}}'"""),
        (SERVICE, lambda there: there["spec"].update(type="NodePort"), {"f:spec": {"f:type": {}}}, ".spec.type",
         """kubectl -n shop patch service/api -p '{"spec": {"type": null}}'"""),
    ],
)  # fmt: skip
@pytest.mark.parametrize("manager", ["kubectl-patch", "kube-controller-manager", "helm"])
def test_what_somebody_added_is_found(
    wanted: Any, change: Any, fields: Any, field: str, command: str, manager: str
) -> None:
    """Whoever he says he is: no controller of the cluster writes there."""
    there = live(wanted, change, fields, manager)
    [found] = drift(there, wanted, RENDERED, "launchbook")
    assert (found.field, found.managers, found.command) == (field, (manager,), command)
    assert found.object == "/".join((wanted["kind"], "shop", wanted["metadata"]["name"]))


def restarted(there: Any) -> None:
    there["spec"]["template"]["metadata"]["annotations"] = {"kubectl.kubernetes.io/restartedAt": "now"}


def defaulted(there: Any) -> None:
    there["spec"] |= {"replicas": 3, "progressDeadlineSeconds": 600, "revisionHistoryLimit": 10,
                      "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}}  # fmt: skip
    template(there).update(
        dnsPolicy="ClusterFirst", restartPolicy="Always", securityContext={}, terminationGracePeriodSeconds=30
    )
    template(there)["containers"][0] |= {
        "imagePullPolicy": "IfNotPresent",
        "resources": {},
        "terminationMessagePath": "/dev/termination-log",
    }


DEFAULTED = {
    "f:spec": {
        "f:replicas": {}, "f:progressDeadlineSeconds": {}, "f:revisionHistoryLimit": {},
        "f:strategy": {"f:type": {}, "f:rollingUpdate": {".": {}, "f:maxSurge": {}, "f:maxUnavailable": {}}},
        "f:template": {"f:spec": {
            "f:dnsPolicy": {}, "f:restartPolicy": {}, "f:securityContext": {}, "f:terminationGracePeriodSeconds": {},
            "f:containers": {MINE: {".": {}, "f:name": {}, "f:imagePullPolicy": {}, "f:resources": {}, "f:terminationMessagePath": {}}},
        }},
    }
}  # fmt: skip


def allocated(there: Any) -> None:
    there["spec"] |= {
        "clusterIP": "10.0.0.1",
        "type": "ClusterIP",
        "sessionAffinity": "None",
        "ipFamilyPolicy": "SingleStack",
    }
    there["spec"]["ports"][0] |= {"protocol": "TCP", "targetPort": 80}


ALLOCATED = {
    "f:spec": {"f:clusterIP": {}, "f:type": {}, "f:sessionAffinity": {}, "f:ipFamilyPolicy": {},
               "f:ports": {'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:port": {}, "f:targetPort": {}, "f:protocol": {}}}}
}  # fmt: skip
CUSTOM = {
    "apiVersion": "stores.example.org/v1",
    "kind": "Store",
    "metadata": {"name": "s", "namespace": "shop"},
    "spec": {},
}


@pytest.mark.parametrize(
    ("wanted", "change", "fields", "entry"),
    [
        (API, defaulted, DEFAULTED, {}),
        (SERVICE, allocated, ALLOCATED, {}),
        (API, restarted, {"f:spec": {"f:template": {"f:metadata": {"f:annotations": {".": {}, "f:kubectl.kubernetes.io/restartedAt": {}}}}}}, {}),
        (API, lambda there: there["spec"].update(replicas=9), {"f:spec": {"f:replicas": {}}}, {"subresource": "scale"}),
        (API, lambda there: there["metadata"].update(annotations={"deployment.kubernetes.io/revision": "2"}), {"f:metadata": {"f:annotations": {"f:deployment.kubernetes.io/revision": {}}}}, {}),
        (API, lambda there: there["metadata"].update(labels={"team": "x"}), {"f:metadata": {"f:labels": {"f:team": {}}}}, {}),
        (API, lambda there: there["spec"]["template"]["metadata"]["labels"].update(team="x"), {"f:spec": {"f:template": {"f:metadata": {"f:labels": {"f:team": {}}}}}}, {}),
        (API, lambda there: there.update(status={"replicas": 1}), {"f:status": {"f:replicas": {}}}, {"subresource": "status"}),
        (SECRET, lambda there: there.update(data={"a": "MQ=="}), {"f:data": {"f:a": {}}}, {}),
        (ROLE, lambda there: there.update(rules=[{}]), {"f:rules": {}}, {}),
        (CUSTOM, lambda there: there["spec"].update(size=3), {"f:spec": {"f:size": {}}}, {}),
        (API, lambda there: None, pods({"f:containers": {MINE: {"f:image": {}}}}), {}),
    ],
)  # fmt: skip
def test_what_a_healthy_system_has_is_none(wanted: Any, change: Any, fields: Any, entry: Any) -> None:
    """Defaults, allocations, an autoscaler's replicas, a restart, a controller's annotations, an operator's own objects."""
    assert drift(live(wanted, change, fields, **entry), wanted, RENDERED, "launchbook") == []


def test_what_the_manifests_dropped_is_found() -> None:
    """What an earlier apply of somebody else set, and what launchbook itself wrote without applying."""
    for manager, operation in (("helm", "Apply"), ("launchbook", "Update")):
        there = live(API, env, pods({"f:containers": {MINE: {"f:env": {}}}}), manager, operation=operation)
        assert [one.managers for one in drift(there, API, RENDERED, "launchbook")] == [(manager,)]
    mine = live(API, env, pods({"f:containers": {MINE: {"f:env": {}}}}), "launchbook", operation="Apply")
    assert drift(mine, API, RENDERED, "launchbook") == []


FOUND = tuple(drift(live(SERVICE, port, {"f:spec": {"f:ports": {PORT: {}}}}), SERVICE, RENDERED, "launchbook"))
NAMED = 'Service/shop/api .spec.ports[port=81,protocol="TCP"]'


@pytest.mark.parametrize(
    ("held", "known", "status", "because"),
    [
        (Held(), (), "PASS", "Each applied object holds what its manifest says and no more."),
        (Held(FOUND), (), "FAIL", 'Service/shop/api holds .spec.ports[port=81,protocol="TCP"] by kubectl-patch. To take out the first: '
         """`kubectl -n shop patch service/api -p '{"spec": {"ports": [{"port": 81, "protocol": "TCP", "$patch": "delete"}]}}'`."""),
        (Held(FOUND), (NAMED,), "PASS", f"Each applied object holds what its manifest says and no more; {NAMED} is known."),
        (Held(FOUND), ("Service/shop/api",), "FAIL", FOUND and 'Service/shop/api holds .spec.ports[port=81,protocol="TCP"] by kubectl-patch. To take out the first: '
         """`kubectl -n shop patch service/api -p '{"spec": {"ports": [{"port": 81, "protocol": "TCP", "$patch": "delete"}]}}'`."""),
        (Held((), ("Secret/shop/p: may not get secrets",)), (), "UNKNOWN", "Secret/shop/p: may not get secrets."),
        (Held(problem="The manifests don't render."), (), "UNKNOWN", "The manifests don't render."),
    ],
)  # fmt: skip
def test_the_check(held: Held, known: tuple[str, ...], status: str, because: str) -> None:
    """A known field is said; an object's name alone excuses none of its fields."""
    check = judge.drift(held, known)
    assert (check.id, check.status, check.because) == ("A.drift", Status(status), because)
