"""Parameters: every model and every default, those of the load in parameters_load.py. The only place with defaults.

An environment is one YAML file; what it leaves out has the default written here, and a notebook's own value goes
before both. How the file is read, and what its errors say, is in parameters_file.py.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Literal

from pydantic import Field, model_validator

from launchbook.parameters_load import Capacity, EnvironmentHeader, Generator, Load, Scenario, SecretHeader, Stage
from launchbook.parameters_types import Act, Model, RelativePath, Seconds
from launchbook.protected import misnamed
from launchbook.words import Waiver

__all__ = [
    "COMMON", "KNOBS", "Act", "Capacity", "Cluster", "Destination", "Disruption", "Edge", "Environment", "EnvironmentHeader",
    "Generator", "Isolation", "Launch", "Load", "Logs", "Manifests", "Scenario", "SecretHeader", "Source", "Stage",
    "Statement", "WaiverParameters",
]  # fmt: skip


class Cluster(Model):
    """Which cluster. The context is always named: the kubeconfig's current-context is never used by accident."""

    context: str
    kubeconfig: RelativePath | None = None  # None: $KUBECONFIG, else ~/.kube/config
    uid: str | None = None  # UID of the kube-system namespace; a different one is refused
    protected: bool = False  # its name must be typed before anything is changed
    lease_namespace: str = "launchbook"  # where the Leases that keep runs apart live: one for the whole cluster


ForcedFields = Annotated[str, Field(pattern=r"^[A-Z]\w+(/[a-z0-9.:-]+){1,2}( \.\S+)*$")]


class Manifests(Model):
    """What is applied, and where it may go."""

    path: RelativePath  # a kustomization, a folder of manifests or one file
    namespaces: tuple[str, ...] = Field(min_length=1)  # the only namespaces it may touch
    cluster_objects: tuple[str, ...] = ()  # Kind/name of what it may touch that lives in no namespace, such as a CRD
    known: tuple[str, ...] = ()  # Kind/namespace/name [.field] of what others keep there, beside the manifests
    allow_remote: bool = False  # whether kustomizations may fetch bases, which can change after the launch was judged
    approved_plan: str | None = Field(None, pattern=r"^sha256:[0-9a-f]{64}$")  # None: whatever is planned is approved
    force: tuple[ForcedFields, ...] = ()  # "Kind/namespace/name .spec.field ...": taken from their owner; no field: all
    ready_timeout: Seconds = 120.0  # s, for everything to be ready


class Source(Model):
    """Where a connection starts: a pod with these labels in this namespace; without labels, whatever pod there may be."""

    namespace: str
    labels: dict[str, str] = {}


# Workloads that an edge may lead to, beside a Service.
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")


class Destination(Model):
    """Where a connection ends: every pod behind a Service, by IP, and the Service by name; or a workload's pods, by IP.

    port: the Service's; of a workload that of its containers, for pods that no Service leads to.
    """

    namespace: str
    service: str | None = None
    workload: str | None = Field(None, pattern=rf"^({'|'.join(WORKLOADS)})/[a-z0-9.-]+$")  # Kind/name
    port: int = Field(ge=1, le=65535)

    @model_validator(mode="after")
    def _is_one_thing(self) -> Destination:
        if bool(self.service) == bool(self.workload):
            raise ValueError("needs `service: name` or `workload: Kind/name`, and not both")
        return self

    @property
    def name(self) -> str:
        """`namespace/name` of a Service, `namespace/Kind/name` of a workload."""
        return f"{self.namespace}/{self.service or self.workload}"


class Edge(Model):
    """One declared statement of isolation: from here to there is open, or closed."""

    source: Source
    destination: Destination
    expect: Literal["open", "closed"]

    @property
    def name(self) -> str:
        labels = ",".join(f"{k.rsplit('/', 1)[-1]}={v}" for k, v in sorted(self.source.labels.items()))
        start = f"{self.source.namespace}[{labels}]" if labels else self.source.namespace
        return f"{start} -> {self.destination.name}:{self.destination.port}"


class Isolation(Model):
    """Who may reach whom, and how it is probed."""

    edges: tuple[Edge, ...] = ()
    open_to_all: tuple[Destination, ...] = ()  # what anybody in the cluster may reach: declared, and not probed
    probe_image: str = "busybox:1.36"  # needs busybox' sh, nc and nslookup; with python3 too it is quicker
    probe_timeout: Seconds = 2.0  # s, one connection attempt
    confirmations: int = Field(3, ge=1, le=20)  # distinct blocked attempts in a row before a block counts
    enforcement_deadline: Seconds = 20.0  # s, from applying a policy to seeing it enforced
    scratch_namespace: str = "launchbook-canary"


class Disruption(Model):
    """Which budgets are read, and which one is proved by an eviction."""

    budgets: tuple[
        str, ...
    ] = ()  # namespace/name of those that must be there, besides every one in the manifests' namespaces
    evict: tuple[str, ...] = ()  # namespace/name of the budgets to prove, where `allow` has evict
    ready_timeout: Seconds = 120.0  # s, from the eviction to a Ready replacement
    request_interval: Seconds = Field(
        0.05, gt=0
    )  # s, between requests to the protected Service meanwhile (with `load`)
    request_timeout: Seconds = Field(2.0, gt=0)  # s, after which one of them counts as failed


class Logs(Model):
    """What the logging decision is made from."""

    idle_window: Seconds = 10.0  # s, over which the log rate at idle is taken, before the load starts
    container_log_max_size: str = "10Mi"  # the kubelet's, "assumed" where it may not be read
    container_log_max_files: int = Field(5, ge=2)
    detection_and_response: Seconds = 4 * 3600.0  # s, for which logs must be readable after an incident began
    retention: Seconds = 0.0  # s, that some rule demands; 0: none does
    personal_data: bool = False
    owner: str = "unassigned"
    review_after_days: int = Field(90, ge=1, le=366)  # the proposed expiry of a deferral


Said = Annotated[str, Field(pattern=r"\S")]  # somebody's name or words, never blank


class Statement(Model):
    """An answer that no machine can know, with who gave it and when."""

    answer: Literal["yes", "no"]
    author: Said
    given: date  # the day of the answer
    text: Said
    expires: date | None = None  # at most a year after it was given

    @model_validator(mode="after")
    def _is_renewed(self) -> Statement:
        if self.expires and self.expires > self.given + timedelta(days=366):
            raise ValueError(
                f"expires {self.expires}: an answer given on {self.given} holds for a year at most; ask again then"
            )
        return self


class WaiverParameters(Model):
    """See words.Waiver."""

    check: str
    subject: str
    owner: Said
    approver: Said
    reason: Said
    control: Said
    expires: date
    bound: str

    def waiver(self) -> Waiver:
        """What the verdict weighs."""
        return Waiver(**self.model_dump())


class Launch(Model):
    """What the launch documents are written from."""

    title: str
    checklist: RelativePath
    statements: dict[str, Statement] = {}  # checklist item -> answer
    endpoints: dict[str, str] = {}
    pricing: str = "To be announced."
    roadmap: tuple[str, ...] = ()
    learnings: tuple[str, ...] = ()
    valid_days: int = Field(7, ge=1, le=90)  # how long a verdict holds


class Environment(Model):
    """One environment, whole."""

    name: str = Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$")
    allow: tuple[Act, ...] = ()  # nothing by default
    cluster: Cluster
    manifests: Manifests
    isolation: Isolation = Isolation()
    disruption: Disruption = Disruption()
    load: Load
    logs: Logs = Logs()
    launch: Launch
    waivers: tuple[WaiverParameters, ...] = ()
    track_deadline: Seconds = 1800.0  # s, after which a track's process is ended
    confirm: str | None = None  # the environment's name as it was typed for this run, where the cluster is protected

    @model_validator(mode="after")
    def _load_fits_its_track(self) -> Environment:
        capacity = self.load.capacity.deadline if self.load.capacity else 0.0
        whole = self.logs.idle_window + self.load.scenario.seconds + capacity
        if "load" in self.allow and whole > self.track_deadline:
            searched = f", {capacity:g} s of it load.capacity.deadline" if capacity else ""
            raise ValueError(
                f"the load takes {whole:g} s{searched}, and track_deadline ends it after {self.track_deadline:g} s; write "
                f"`track_deadline: {whole + 300:.0f}s`"
            )
        return self

    @model_validator(mode="after")
    def _is_the_one_that_was_named(self) -> Environment:
        if why := misnamed(self.name, self.confirm, protected=self.cluster.protected):
            raise ValueError(why)
        return self

    @model_validator(mode="after")
    def _edges_are_unique(self) -> Environment:
        names = [edge.name for edge in self.isolation.edges]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"isolation.edges says {twice[0]!r} twice")
        return self


# The names a notebook may set, by track -> the dotted parameter. Every track also takes COMMON.
COMMON = ("environment", "run_folder", "read_only", "confirm")
KNOBS: dict[str, dict[str, str]] = {
    "manifests": {
        "approved_plan": "manifests.approved_plan",
        "ready_timeout": "manifests.ready_timeout",
        "probe_timeout": "isolation.probe_timeout",
        "confirmations": "isolation.confirmations",
    },
    "load": {
        "engine": "load.engine",
        "vus": "load.scenario.vus",
        "duration": "load.scenario.duration",
        "think_time": "load.scenario.think_time",
        "rate": "load.scenario.rate",
        "capacity_first": "load.capacity.first",
        "capacity_most": "load.capacity.most",
    },
    "logs": {
        "detection_and_response": "logs.detection_and_response",
        "retention": "logs.retention",
    },
    "launch": {},
}
