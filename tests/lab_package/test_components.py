"""Components: nobody is anonymous, nobody holds more than its own certificate, nothing is shared with the host."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.x509.oid import NameOID

from lab.addresses import Slice
from lab.components import CONTROL, NODE, Component, Site, prepare
from lab.pki import Authority
from lab.state import Machine


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site("a", tmp_path, Slice(2), Authority(tmp_path / "ca"), {"PATH": "/x"})


@pytest.fixture
def control(site: Site) -> dict[str, Component]:
    return {component.name: component for component in prepare(site, Machine("a-control", 0))}


@pytest.fixture
def node(site: Site) -> dict[str, Component]:
    return {component.name: component for component in prepare(site, Machine("a-node-1", 1))}


def _user(path: Path) -> tuple[str, list[str]]:
    """Who a certificate, or the one in a kubeconfig, says its holder is."""
    if path.suffix == ".kubeconfig":
        path = path.with_suffix(".crt")
    subject = x509.load_pem_x509_certificate(path.read_bytes()).subject
    groups = subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    return str(subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value), [str(item.value) for item in groups]


def test_each_machine_has_its_components(control: dict[str, Component], node: dict[str, Component]) -> None:
    assert tuple(control) == CONTROL
    assert tuple(node) == NODE


def test_every_component_has_a_user_of_its_own(site: Site, control: object, node: object) -> None:
    on_control, on_node = site.home / "a-control" / "etc", site.home / "a-node-1" / "etc"
    found = {path.stem: _user(path) for folder in (on_control, on_node) for path in folder.glob("*.kubeconfig")}
    assert found == {
        "controller-manager": ("system:kube-controller-manager", []),
        "scheduler": ("system:kube-scheduler", []),
        "kubelet": ("system:node:a-node-1", ["system:nodes"]),
        "kube-proxy": ("system:kube-proxy", []),
        "felix": ("lab:calico-felix", []),
        "calico-cni": ("lab:calico-cni", []),
    }


def test_no_machine_holds_the_authoritys_key(site: Site, control: object, node: object) -> None:
    key = site.authority.pair.key.read_bytes()
    files = [path for name in ("a-control", "a-node-1") for path in (site.home / name).rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if key in path.read_bytes()]


def test_no_secret_is_on_a_command_line(control: dict[str, Component], node: dict[str, Component]) -> None:
    text = " ".join(argument for item in (*control.values(), *node.values()) for argument in item.command)
    assert "token-auth-file" not in text
    assert "BEGIN" not in text


def test_the_api_server_knows_no_anonymous_user(control: dict[str, Component]) -> None:
    command = control["kube-apiserver"].command
    assert "--anonymous-auth=false" in command
    assert "--authorization-mode=Node,RBAC" in command
    assert "--enable-admission-plugins=NodeRestriction" in command


def test_the_kubelet_asks_the_api_server_who_may_do_what(site: Site, node: object) -> None:
    settings = yaml.safe_load((site.etc(Machine("a-node-1", 1)) / "kubelet.yaml").read_text())
    assert settings["authentication"]["anonymous"] == {"enabled": False}
    assert settings["authentication"]["webhook"] == {"enabled": True}
    assert settings["authorization"] == {"mode": "Webhook"}
    assert settings["clusterDNS"] == [str(site.addresses.dns_service)]
    assert "containerLogMaxSize" not in settings  # Kubernetes' own default is part of what is judged


def test_etcd_answers_only_holders_of_a_certificate(control: dict[str, Component]) -> None:
    command = control["etcd"].command
    assert "--client-cert-auth" in command
    assert "--listen-client-urls=https://127.0.0.1:2379" in command


def test_each_node_gives_out_its_own_range(site: Site) -> None:
    for number in (1, 2):
        prepare(site, Machine(f"a-node-{number}", number))
        text = (site.home / f"a-node-{number}/etc/cni/10-calico.conflist").read_text()
        assert f'"{site.addresses.node_pods(number)}"' in text


def test_the_labs_own_roles_change_nothing_but_a_pods_status() -> None:
    objects = yaml.safe_load_all((resources.files("lab") / "objects" / "rbac.yaml").read_text())
    rules = [rule for obj in objects if obj["kind"] == "ClusterRole" for rule in obj["rules"]]
    changing = [rule for rule in rules if set(rule["verbs"]) - {"get", "list", "watch"}]
    assert [(rule["resources"], rule["verbs"]) for rule in changing] == [(["pods/status"], ["patch"])]
