"""Whether the ends of declared edges are anywhere, by table: what is rendered, what is live, what is mistyped."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from launchbook.errors import ClusterError, MissingRight
from launchbook.isolation.ends import ends
from launchbook.isolation.judge import ends as judge
from launchbook.parameters import Destination, Edge, Source

WEB = {"app": "web"}


def item(kind: str, name: str, namespace: str = "", api_version: str = "v1", **fields: Any) -> dict[str, Any]:
    meta = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": meta, **fields}


def service(name: str, *ports: int) -> dict[str, Any]:
    return item("Service", name, "shop", spec={"ports": [{"port": port} for port in ports]})


def workload(kind: str, labels: Any, namespace: str = "front") -> dict[str, Any]:
    pod = {"metadata": {"labels": labels}, "spec": {"containers": []}}
    version = "v1" if kind == "Pod" else "apps/v1"
    if kind == "Pod":
        found = item(kind, "w", namespace, version, spec=pod["spec"])
        found["metadata"]["labels"] = labels
        return found
    return item(kind, "w", namespace, version, spec={"template": pod})


FRONT, SHOP = item("Namespace", "front"), item("Namespace", "shop")
DB = service("database", 5432)
BROKER = item("Cluster", "broker", "shop", "messaging.example.com/v1", spec={})
CONFIG = item("ConfigMap", "c", "front")


class Cluster:
    """Holds some objects. Of a kind in `barred` nothing may be listed; with `down` nothing answers."""

    def __init__(self, held: Any, barred: str = "", down: bool = False) -> None:
        self.held, self.barred, self.down = held, barred, down

    def list(self, kind: str, namespace: str | None = None, *, api_version: str = "v1") -> list[Any]:
        if self.down:
            raise ClusterError("no answer.")
        if kind == self.barred:
            raise MissingRight(f"no right to list {kind}.")
        return [o for o in self.held if o["kind"] == kind and namespace in (None, o["metadata"].get("namespace"))]

    def get(self, kind: str, name: str, namespace: str, *, api_version: str = "v1") -> Any:
        found = [o for o in self.held if o["kind"] == kind and o["metadata"] == {"name": name, "namespace": namespace}]
        return found[0] if found else None


def run(cluster: Cluster, *edges: Edge) -> tuple[Any, list[str]]:
    said: list[str] = []
    parameters = SimpleNamespace(
        isolation=SimpleNamespace(edges=edges),
        load=SimpleNamespace(generator=SimpleNamespace(namespace="launchbook-load")),
    )
    return SimpleNamespace(parameters=parameters, cluster=cluster, bar=said.append, evidence=lambda *_: None), said


def edge(source: str = "front", there: str = "shop/database:5432", **labels: str) -> Edge:
    namespace, _, rest = there.partition("/")
    name, _, port = rest.partition(":")
    what = {"workload": name} if "/" in name else {"service": name}
    destination = Destination(namespace=namespace, port=int(port), **what)
    return Edge(source=Source(namespace=source, labels=labels), destination=destination, expect="closed")


FINE = ("PASS", "Each is there, or will be once the manifests are applied.")
NAME = "Front[app=web] -> shop/database:5432"
OPERATOR = "Front -> shop/broker:4222: there is no Service shop/broker, unless Cluster broker brings it."


@pytest.mark.parametrize(
    ("rendered", "live", "declared", "expected"),
    [
        ([FRONT, SHOP, DB], [], edge(), FINE),
        ([CONFIG], [FRONT, SHOP, DB], edge(), FINE),
        ([FRONT, CONFIG], [SHOP, DB], edge(), FINE),
        ([CONFIG, DB], [], edge(), FINE),
        ([SHOP, DB], [], edge("launchbook-load"), FINE),
        ([FRONT, SHOP, DB], [], edge("frnt"), ("FAIL", "Frnt -> shop/database:5432: there is no namespace frnt; did you mean 'front'?")),
        ([FRONT, SHOP, DB], [], edge("elsewhere"), ("FAIL", "Elsewhere -> shop/database:5432: there is no namespace elsewhere.")),
        ([FRONT, DB], [], edge(there="shopp/database:5432"), ("FAIL", "Front -> shopp/database:5432: there is no namespace shopp; did you mean 'shop'?")),
        ([FRONT, SHOP, DB], [], edge(there="shop/databse:5432"), ("FAIL", "Front -> shop/databse:5432: there is no Service shop/databse; did you mean 'shop/database'?")),
        ([CONFIG], [FRONT, SHOP, DB], edge(there="shop/databse:5432"), ("FAIL", "Front -> shop/databse:5432: there is no Service shop/databse; did you mean 'shop/database'?")),
        ([FRONT, SHOP, DB], [], edge(there="shop/x:5432"), ("FAIL", "Front -> shop/x:5432: there is no Service shop/x.")),
        ([FRONT, SHOP, DB], [], edge(there="shop/database:5433"), ("FAIL", "Front -> shop/database:5433: Service shop/database has no port 5433; it has 5432.")),
        ([FRONT, SHOP, service("database")], [], edge(), ("FAIL", "Front -> shop/database:5432: Service shop/database has no port 5432; it has none.")),
        ([service("database", 5432)], [FRONT, SHOP, service("database", 1)], edge(), FINE),
        ([service("database", 1)], [FRONT, SHOP, DB], edge(), ("FAIL", "Front -> shop/database:5432: Service shop/database has no port 5432; it has 1.")),
        ([FRONT, SHOP, BROKER], [], edge(there="shop/broker:4222"), ("UNKNOWN", OPERATOR)),
        ([FRONT, SHOP, DB, workload("Deployment", WEB)], [], edge(app="web"), FINE),
        ([SHOP, DB], [FRONT, workload("Pod", WEB)], edge(app="web"), FINE),
        ([SHOP, DB], [FRONT, workload("StatefulSet", WEB)], edge(app="web"), FINE),
        ([FRONT, SHOP, DB, workload("Deployment", {"app": "wbe"})], [], edge(app="web"), ("FAIL", f"{NAME}: no pod in namespace front has the label app=web; did you mean 'wbe'?")),
        ([SHOP, DB], [FRONT, workload("Pod", {"app": "wbe"})], edge(app="web"), ("FAIL", f"{NAME}: no pod in namespace front has the label app=web; did you mean 'wbe'?")),
        ([FRONT, SHOP, DB, workload("Deployment", {"apps": "web"})], [], edge(app="web"), ("FAIL", f"{NAME}: no pod in namespace front has the label app=web; did you mean 'apps'?")),
        ([FRONT, SHOP, DB, workload("Deployment", {"app": "nats"})], [], edge(app="web"), FINE),
        ([FRONT, SHOP, DB, workload("Deployment", {"app": "wbe"}, "shop")], [], edge(app="web"), FINE),
        ([FRONT, SHOP, workload("Deployment", WEB, "shop")], [], edge(there="shop/Deployment/w:9090"), FINE),
        ([CONFIG], [FRONT, SHOP, workload("StatefulSet", WEB, "shop")], edge(there="shop/StatefulSet/w:9090"), FINE),
        ([FRONT, SHOP, workload("Deployment", WEB, "shop")], [], edge(there="shop/Deployment/ww:9090"), ("FAIL", "Front -> shop/Deployment/ww:9090: there is no shop/Deployment/ww; did you mean 'shop/Deployment/w'?")),
        ([FRONT, SHOP, workload("Deployment", WEB, "shop")], [], edge(there="shop/StatefulSet/x:9090"), ("FAIL", "Front -> shop/StatefulSet/x:9090: there is no shop/StatefulSet/x.")),
        ([], [FRONT, SHOP, DB], edge(), ("UNKNOWN", "Nothing was rendered, so it can't be told.")),
    ],
)  # fmt: skip
def test_the_ends_of_an_edge(rendered: Any, live: Any, declared: Edge, expected: Any) -> None:
    """What is neither rendered nor live is found before anything is done; only what is sure keeps the run from it."""
    here, barred = run(Cluster(live), declared)
    check = judge([declared], ends(here, rendered))
    assert (check.status, check.because) == expected
    assert barred == (["isolation.edges names what is not there"] if expected[0] == "FAIL" else [])


def test_each_is_named() -> None:
    """Several edges, several faults, and as many as are shown."""
    declared = [edge("frnt"), edge(there="shop/databse:5432"), edge()]
    here, _ = run(Cluster([]), *declared)
    check = judge(declared, ends(here, [FRONT, SHOP, DB]))
    assert check.because == (
        "Frnt -> shop/database:5432: there is no namespace frnt; did you mean 'front'?; "
        "front -> shop/databse:5432: there is no Service shop/databse; did you mean 'shop/database'?"
    )
    assert check.measured == "2 unknown of 3 edges"


@pytest.mark.parametrize(
    ("cluster", "there", "expected"),
    [
        (Cluster([FRONT, SHOP, DB], barred="Service"), "shop/database:5432", FINE),
        (Cluster([FRONT, SHOP, DB], barred="Service"), "shop/x:1", ("FAIL", "Front -> shop/x:1: there is no Service shop/x.")),
        (Cluster([FRONT, SHOP, DB, workload("Pod", WEB)], barred="Pod"), "shop/database:5432", FINE),
        (Cluster([], barred="Namespace"), "shop/database:5432", ("UNKNOWN", "It can't be told: no right to list Namespace.")),
        (Cluster([], down=True), "shop/database:5432", ("UNKNOWN", "It can't be told: no answer.")),
    ],
)  # fmt: skip
def test_what_can_not_be_read(cluster: Cluster, there: str, expected: Any) -> None:
    """A Service that may not be listed is asked for by name; what can't be read at all keeps nobody from anything."""
    declared = edge(there=there, app="web")
    here, barred = run(cluster, declared)
    check = judge([declared], ends(here, [CONFIG]))
    assert (check.status, check.because.replace("[app=web]", "")) == expected
    assert bool(barred) is (expected[0] == "FAIL")


def test_no_edge_is_not_asked() -> None:
    """Nothing to look for, nothing amiss."""
    here, _ = run(Cluster([]))
    check = judge([], ends(here, [CONFIG]))
    assert (check.status, check.because) == ("UNKNOWN", "The parameters declare no edge under `isolation.edges`.")
