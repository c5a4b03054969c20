"""What runs on each machine: command lines, settings and certificates. Writes files, starts nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address
from pathlib import Path

import yaml

from lab import cgroups
from lab.addresses import Slice
from lab.pki import Authority, signing_key, write_secret
from lab.state import Machine

API_PORT = 6443
CONTAINERD_SOCKET = "/run/containerd/containerd.sock"
PAUSE = "lab.local/pause:1"
CLUSTER_DOMAIN = "cluster.local"
ISSUER = f"https://kubernetes.default.svc.{CLUSTER_DOMAIN}"
FELIX = "calico-felix"

CONTROL = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
NODE = ("containerd", "kubelet", "kube-proxy", FELIX)


@dataclass(frozen=True)
class Component:
    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    retries: int = 0  # how often it is started again when it ends within its first second


@dataclass(frozen=True)
class Site:
    """Where a lab is: its folder, its addresses, its authority, and what its programs need to find their libraries."""

    name: str
    home: Path
    addresses: Slice
    authority: Authority
    environment: Mapping[str, str]
    snapshotter: str = "overlayfs"

    @property
    def server(self) -> str:
        """The API server's URL."""
        return f"https://{self.addresses.host_link.far}:{API_PORT}"

    def program(self, name: str) -> str:
        return str(self.home / "bin" / name)

    def etc(self, machine: Machine) -> Path:
        return self.home / machine.name / "etc"

    def kubeconfig(self, place: Path, user: str, *groups: str) -> Path:
        """Write `place`.kubeconfig with a client certificate for this user."""
        pair = self.authority.issue(place, user, groups)
        text = self.authority.kubeconfig(self.name, self.server, user, pair)
        return write_secret(place.with_name(f"{place.name}.kubeconfig"), text)

    def component(self, name: str, *arguments: str, **environment: str) -> Component:
        return Component(name, (self.program(name), *arguments), {**self.environment, **environment})


def prepare(site: Site, machine: Machine) -> list[Component]:
    """Write what a machine's components read below its `etc`, and give the components in their order of start."""
    etc = site.etc(machine)
    etc.mkdir(parents=True, exist_ok=True, mode=0o700)
    (etc / "ca.crt").write_bytes(site.authority.pair.certificate.read_bytes())
    if machine.number == 0:
        return [_etcd(site, etc), _apiserver(site, etc), _controller_manager(site, etc), _scheduler(site, etc)]
    return [
        _containerd(site, etc, machine),
        _kubelet(site, etc, machine),
        _kube_proxy(site, etc, machine),
        _felix(site, etc, machine),
    ]


def _etcd(site: Site, etc: Path) -> Component:
    pair = site.authority.issue(etc / "etcd", "etcd", server_for=["localhost", IPv4Address("127.0.0.1")])
    return site.component(
        "etcd",
        "--data-dir=/var/lib/etcd",
        "--listen-client-urls=https://127.0.0.1:2379",
        "--advertise-client-urls=https://127.0.0.1:2379",
        "--listen-peer-urls=http://127.0.0.1:2380",
        f"--cert-file={pair.certificate}",
        f"--key-file={pair.key}",
        "--client-cert-auth",
        f"--trusted-ca-file={etc / 'ca.crt'}",
        "--unsafe-no-fsync",
        "--logger=zap",
        "--log-level=warn",
    )


def _apiserver(site: Site, etc: Path) -> Component:
    address = site.addresses.host_link.far
    names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", f"kubernetes.default.svc.{CLUSTER_DOMAIN}"]
    serving = site.authority.issue(
        etc / "apiserver",
        "kube-apiserver",
        server_for=[*names, "localhost", address, site.addresses.api_service],
        client=False,
    )
    kubelet = site.authority.issue(etc / "kubelet-client", "kube-apiserver-kubelet-client")
    store = site.authority.issue(etc / "etcd-client", "kube-apiserver-etcd-client")
    tokens = signing_key(etc / "service-accounts.key")
    return site.component(
        "kube-apiserver",
        f"--advertise-address={address}",
        f"--bind-address={address}",
        f"--secure-port={API_PORT}",
        f"--tls-cert-file={serving.certificate}",
        f"--tls-private-key-file={serving.key}",
        f"--client-ca-file={etc / 'ca.crt'}",
        "--anonymous-auth=false",
        "--allow-privileged=true",  # as everywhere: Pod Security says who may
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--etcd-servers=https://127.0.0.1:2379",
        f"--etcd-cafile={etc / 'ca.crt'}",
        f"--etcd-certfile={store.certificate}",
        f"--etcd-keyfile={store.key}",
        f"--kubelet-client-certificate={kubelet.certificate}",
        f"--kubelet-client-key={kubelet.key}",
        f"--kubelet-certificate-authority={etc / 'ca.crt'}",
        "--kubelet-preferred-address-types=InternalIP",
        f"--service-account-issuer={ISSUER}",
        f"--service-account-key-file={tokens}",
        f"--service-account-signing-key-file={tokens}",
        f"--service-cluster-ip-range={site.addresses.services}",
        "--enable-aggregator-routing=true",  # there is no kube-proxy on this machine
        "--profiling=false",
    )


def _controller_manager(site: Site, etc: Path) -> Component:
    kubeconfig = site.kubeconfig(etc / "controller-manager", "system:kube-controller-manager")
    return site.component(
        "kube-controller-manager",
        f"--kubeconfig={kubeconfig}",
        "--use-service-account-credentials=true",
        f"--service-account-private-key-file={etc / 'service-accounts.key'}",
        f"--root-ca-file={etc / 'ca.crt'}",
        "--allocate-node-cidrs=false",
        "--kube-api-qps=500",  # by default it takes 5 s to fetch the credentials of all its controllers
        "--kube-api-burst=1000",
        "--leader-elect=false",
        "--secure-port=0",
        "--profiling=false",
    )


def _scheduler(site: Site, etc: Path) -> Component:
    kubeconfig = site.kubeconfig(etc / "scheduler", "system:kube-scheduler")
    return site.component(
        "kube-scheduler", f"--kubeconfig={kubeconfig}", "--leader-elect=false", "--secure-port=0", "--profiling=false"
    )


def _containerd(site: Site, etc: Path, machine: Machine) -> Component:
    settings = etc / "containerd.toml"
    # restrict_oom_score_adj: without CAP_SYS_RESOURCE runc can't lower a score, and dies of trying.
    settings.write_text(
        f"""\
version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing", "io.containerd.internal.v1.opt",
]
[grpc]
  address = "{CONTAINERD_SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "{site.snapshotter}"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        BinaryName = "{site.program("runc")}"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{site.home / "bin"}"
    conf_dir = "{etc / "cni"}"
"""
    )
    kubeconfig = site.kubeconfig(etc / "calico-cni", "lab:calico-cni")
    (etc / "cni").mkdir(exist_ok=True)
    (etc / "cni" / "10-calico.conflist").write_text(json.dumps(_cni(site, machine, kubeconfig), indent=1))
    return site.component("containerd", f"--config={settings}")


def _cni(site: Site, machine: Machine, kubeconfig: Path) -> dict[str, object]:
    pods = str(site.addresses.node_pods(machine.number))
    calico = {
        "type": "calico",
        "datastore_type": "kubernetes",
        "nodename": machine.name,
        "nodename_file_optional": True,
        "log_level": "warning",
        "log_file_path": "/var/log/calico-cni.log",
        "mtu": 1500,
        "ipam": {"type": "host-local", "ranges": [[{"subnet": pods}]], "dataDir": "/var/lib/cni/networks"},
        "policy": {"type": "k8s"},
        "kubernetes": {"kubeconfig": str(kubeconfig)},
    }
    ports = {"type": "portmap", "snat": True, "capabilities": {"portMappings": True}}
    return {"name": "k8s-pod-network", "cniVersion": "0.3.1", "plugins": [calico, ports]}


def _kubelet(site: Site, etc: Path, machine: Machine) -> Component:
    address = site.addresses.node_link(machine.number).far
    serving = site.authority.issue(
        etc / "kubelet-serving", f"system:node:{machine.name}", server_for=[machine.name, address], client=False
    )
    kubeconfig = site.kubeconfig(etc / "kubelet", f"system:node:{machine.name}", "system:nodes")
    (etc / "resolv.conf").write_text("# The lab has no name server but its own.\n")
    settings = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(etc / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(serving.certificate),
        "tlsPrivateKeyFile": str(serving.key),
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": cgroups.pods_root(site.name, machine.name),
        "clusterDNS": [str(site.addresses.dns_service)],
        "clusterDomain": CLUSTER_DOMAIN,
        "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
        "enforceNodeAllocatable": [],
        "evictionHard": {"memory.available": "100Mi"},
        "failSwapOn": False,
        "imageGCHighThresholdPercent": 100,  # never: images can't be pulled again
        "resolvConf": str(etc / "resolv.conf"),
        "serializeImagePulls": False,
        "volumePluginDir": "/var/lib/kubelet/volume-plugins",
    }
    if not cgroups.is_v2():
        settings["failCgroupV1"] = False
    (etc / "kubelet.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
    kubelet = site.component(
        "kubelet",
        f"--config={etc / 'kubelet.yaml'}",
        f"--kubeconfig={kubeconfig}",
        f"--hostname-override={machine.name}",
        f"--node-ip={address}",
        "--root-dir=/var/lib/kubelet",
        "--cert-dir=/var/lib/kubelet/pki",
        "--housekeeping-interval=1s",  # or what pods use is 10 to 30 s old, longer than most tests here
    )
    return replace(kubelet, retries=4)  # it ends when it is ready before containerd is


def _kube_proxy(site: Site, etc: Path, machine: Machine) -> Component:
    kubeconfig = site.kubeconfig(etc / "kube-proxy", "system:kube-proxy")
    return site.component(
        "kube-proxy",
        f"--kubeconfig={kubeconfig}",
        f"--hostname-override={machine.name}",
        "--proxy-mode=nftables",
        f"--cluster-cidr={site.addresses.pods}",
        "--conntrack-max-per-core=0",  # the limit is the machine's, and not ours to set
        "--healthz-bind-address=127.0.0.1:10256",
    )


def _felix(site: Site, etc: Path, machine: Machine) -> Component:
    kubeconfig = site.kubeconfig(etc / "felix", "lab:calico-felix")
    return site.component(
        FELIX,
        KUBECONFIG=str(kubeconfig),
        CALICO_NETWORKING_BACKEND="none",
        FELIX_BPFENABLED="false",
        FELIX_DATASTORETYPE="kubernetes",
        FELIX_DEFAULTENDPOINTTOHOSTACTION="ACCEPT",
        FELIX_FELIXHOSTNAME=machine.name,
        FELIX_HEALTHENABLED="true",
        FELIX_INTERFACEPREFIX="cali",
        FELIX_IPTABLESBACKEND="NFT",
        FELIX_IPV6SUPPORT="false",
        FELIX_LOGFILEPATH="none",
        FELIX_LOGSEVERITYFILE="none",
        FELIX_LOGSEVERITYSCREEN="warning",
        FELIX_LOGSEVERITYSYS="none",
        FELIX_USAGEREPORTINGENABLED="false",
        FELIX_XDPENABLED="false",
    )
