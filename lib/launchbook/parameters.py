"""Parameters: every model and every default. The only place with defaults.

An environment is one YAML file; what it leaves out has the default written here, and a notebook's own value goes
before both. How the file is read, and what its errors say, is in parameters_file.py.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import durationpy  # type: ignore[import-untyped,unused-ignore]
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationInfo,
    field_validator,
    model_validator,
)

from launchbook.protected import misnamed
from launchbook.words import Waiver


def seconds(value: Any) -> float:
    """`"90s"`, `"5m"`, `"1h30m"`, or a number of seconds, as seconds.

    Raises ValueError that shows the format.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    try:
        return float(durationpy.from_str(str(value)).total_seconds())
    except durationpy.DurationError:
        raise ValueError(f'{value!r} is no duration; write it as "60s", "5m" or "1h30m"') from None


def _duration_text(value: float) -> str:
    return f"{value:g}s"


def _beside(path: Path, info: ValidationInfo) -> Path:
    folder = (info.context or {}).get("folder")
    path = path.expanduser()
    return path if path.is_absolute() or folder is None else Path(folder) / path


# A relative path is relative to the file that names it, wherever launchbook is started.
RelativePath = Annotated[Path, AfterValidator(_beside)]
Seconds = Annotated[float, BeforeValidator(seconds), PlainSerializer(_duration_text), Field(ge=0)]
Act = Literal["apply", "probe", "evict", "load"]


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


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
    known: tuple[str, ...] = ()  # Kind/namespace/name of what others keep in these namespaces, beside the manifests
    allow_remote: bool = False  # whether kustomizations may fetch bases, which can change after the launch was judged
    approved_plan: str | None = Field(None, pattern=r"^sha256:[0-9a-f]{64}$")  # None: whatever is planned is approved
    force: tuple[ForcedFields, ...] = ()  # "Kind/namespace/name .spec.field ...": taken from their owner; no field: all
    ready_timeout: Seconds = 120.0  # s, for everything to be ready


class Source(Model):
    """Where a connection starts: a pod with these labels in this namespace; without labels, whatever pod there may be."""

    namespace: str
    labels: dict[str, str] = {}


class Destination(Model):
    """Where a connection ends: every pod behind this Service, by IP, and the Service by name."""

    namespace: str
    service: str
    port: int = Field(ge=1, le=65535)


class Edge(Model):
    """One declared statement of isolation: from here to there is open, or closed."""

    source: Source
    destination: Destination
    expect: Literal["open", "closed"]

    @property
    def name(self) -> str:
        labels = ",".join(f"{k.rsplit('/', 1)[-1]}={v}" for k, v in sorted(self.source.labels.items()))
        start = f"{self.source.namespace}[{labels}]" if labels else self.source.namespace
        return f"{start} -> {self.destination.namespace}/{self.destination.service}:{self.destination.port}"


class Isolation(Model):
    """Who may reach whom, and how it is probed."""

    edges: tuple[Edge, ...] = ()
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


class SecretHeader(Model):
    """A header's value from a key of a Secret in the generator's namespace; for a generator in a pod."""

    secret: str = Field(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?/[A-Za-z0-9._-]+$")  # name/key
    prefix: str = ""  # stands before the value, such as "Bearer "


class EnvironmentHeader(Model):
    """A header's value from an environment variable of launchbook's own process; for a generator that runs here."""

    env: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    prefix: str = ""


# Their values open doors, so parameters, which a run keeps, hold a reference to them and never the value.
_CREDENTIALS = ("authorization", "proxy-authorization", "cookie", "x-api-key", "x-auth-token")


class BodyCheck(Model):
    """What the body of an answer must hold; an answer without it counts as a failed request."""

    contains: str | None = Field(None, min_length=1)
    json_fields: dict[str, str | int | float | bool | None] = {}  # "items.0.name" -> value

    @model_validator(mode="after")
    def _asks_for_something(self) -> BodyCheck:
        if self.contains is None and not self.json_fields:
            raise ValueError("says nothing; write `contains: text` or `json_fields: {status: ok}`")
        return self


class Request(Model):
    """One kind of request of a scenario."""

    name: str
    path: str = Field(pattern=r"^/")
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    weight: float = Field(1.0, gt=0)
    headers: dict[str, str | SecretHeader | EnvironmentHeader] = {}
    body: str | dict[str, Any] | list[Any] | None = None
    expect_status: tuple[int, ...] = (200,)  # another status counts as a failed request
    expect_body: BodyCheck | None = None

    @field_validator("headers", mode="before")
    @classmethod
    def _no_value_that_opens_doors(cls, headers: Any) -> Any:
        for name, value in headers.items() if isinstance(headers, dict) else ():
            # Before the model, whose message would show what was found.
            if isinstance(value, dict) and len(value.keys() & {"secret", "env"}) != 1:
                raise ValueError(f"{name} is a text, `{{secret: name/key}}` or `{{env: VARIABLE}}`")
            if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", str(name)):
                raise ValueError(f"{name!r} is no name of a header")
            if str(name).lower() == "host":
                raise ValueError("Host would send the request to another site than the audited Service")
            if isinstance(value, str) and str(name).lower() in _CREDENTIALS:
                raise ValueError(
                    f"{name} needs a reference, since a run keeps its parameters: "
                    f"`{name}: {{secret: name/key}}` in a pod, `{name}: {{env: VARIABLE}}` here"
                )
        return headers


class Stage(Model):
    """k6's stage: ramp to `target` (VUs, or iterations/s with a rate) within `duration`."""

    duration: Seconds
    target: float = Field(ge=0)


class Scenario(Model):
    """What is sent: a closed loop of VUs with think time, or an open loop with an arrival rate."""

    requests: tuple[Request, ...] = ()
    script: RelativePath | None = None  # one file for k6, in place of requests, think_time, rate and stages
    vus: int = Field(50, ge=1, le=10_000)  # virtual users
    duration: Seconds = 300.0  # s, of the measured part
    think_time: Seconds = 0.1  # s, each VU waits after each request
    warmup: Seconds = 5.0  # s, left out of the figures
    rate: float | None = Field(None, gt=0)  # requests/s: an open loop; vus is then the most there may be
    stages: tuple[Stage, ...] = ()
    request_timeout: Seconds = 10.0  # s

    @property
    def seconds(self) -> float:
        """How long it is sent, the warm-up included."""
        return sum(stage.duration for stage in self.stages) or self.warmup + self.duration

    @model_validator(mode="after")
    def _something_is_measured(self) -> Scenario:
        if bool(self.requests) == bool(self.script):
            raise ValueError("needs `requests:`, or `script:` for one of k6's own, and not both")
        if self.script and (self.rate or self.stages):
            raise ValueError("rate and stages are the script's own where there is one")
        if self.stages and self.seconds <= self.warmup:
            raise ValueError(
                f"the stages take {self.seconds:g} s, which the warm-up of {self.warmup:g} s leaves nothing of"
            )
        return self


class Capacity(Model):
    """How much the target takes: the scenario's requests in an open loop, raised until a threshold breaks.

    Rates are requests/s. Each step is a load of its own, with as many virtual users as a target would keep busy that
    takes twice as long as the thresholds allow.
    """

    first: float = Field(10.0, gt=0)  # requests/s of the first step
    most: float = Field(gt=0)  # requests/s that may be sent at all
    at_least: float | None = Field(None, gt=0)  # requests/s that it must take; None: what the thresholds ask for
    duration: Seconds = Field(30.0, ge=2)  # s, of the measured part of a step
    warmup: Seconds = 5.0  # s, of each step, left out of its figures
    within: float = Field(0.10, ge=0.01, le=0.5)  # the bracket that ends the search, as a share of the rate that held
    deadline: Seconds = 900.0  # s, after which no further step begins

    @model_validator(mode="after")
    def _in_order(self) -> Capacity:
        if self.first > self.most:
            raise ValueError(f"first, {self.first:g} requests/s, is above most, {self.most:g}")
        if self.at_least is not None and self.at_least > self.most:
            raise ValueError(
                f"at_least, {self.at_least:g} requests/s, is above most, {self.most:g}: it could not be shown"
            )
        return self


class Soak(Model):
    """From when a load counts as a soak, in which latency, errors and the pods' memory must not grow."""

    shortest: Seconds = Field(1800.0, ge=30)  # s; in a shorter load a slope says more of the warm-up than of a leak
    every: Seconds = Field(15.0, ge=1)  # s, between two readings of the pods' CPU and memory


class Target(Model):
    """What is hit: the audited Service. The runbook checks that it answers and that it is this very one."""

    service: str = Field(pattern=r"^[a-z0-9-]+/[a-z0-9.-]+$")  # namespace/name
    port: int = Field(80, ge=1, le=65535)
    url: str | None = None  # an ingress' address, for a generator that runs here
    probe_path: str = Field("/", pattern=r"^/")  # must answer 2xx before load starts

    @field_validator("url")
    @classmethod
    def _nothing_but_a_place(cls, url: str | None) -> str | None:
        if url and (set("@?#\\") & set(url) or any(not "!" <= c <= "~" for c in url)):
            raise ValueError("is scheme, host, port and path alone, such as https://api.example.com; no user, no query")
        return url


class Generator(Model):
    """Where the load comes from: a pod of its own namespace, or this machine through an ingress."""

    where: Literal["pod", "here"] = "pod"
    namespace: str = "launchbook-load"
    image: str = "locustio/locust:2.47.0"  # has Python 3 and locust
    k6_image: str | None = None  # a pod runs k6 only where this names an image
    cpu: str = "1"
    memory: str = "512Mi"
    processes: int | None = Field(
        None, ge=1, le=64
    )  # Locust's in each pod, or here; None: one for each 1000 requests/s, at most one a core
    pods: int = Field(1, ge=1, le=100)  # more than one: Locust's master and so many workers, in Jobs
    fetch_every: Seconds = Field(
        30.0, ge=1
    )  # s, after which a pod's samples are fetched again: all that its end can cost


class Load(Model):
    """The load test and its thresholds, in k6's own syntax."""

    target: Target
    scenario: Scenario
    engine: Literal["auto", "k6", "locust"] = "auto"
    generator: Generator = Generator()
    capacity: Capacity | None = None  # None: how much the target takes is not searched for
    soak: Soak = Soak()
    thresholds: dict[str, Annotated[tuple[str, ...], Field(min_length=1)]] = Field(
        {
            "http_reqs": ("rate>=100",),
            "http_req_failed": ("rate<0.01",),
            "http_req_duration": ("p(95)<500",),
        },
        min_length=1,
    )

    @model_validator(mode="after")
    def _references_can_be_followed(self) -> Load:
        here = self.generator.where == "here"
        for one in self.scenario.requests:
            for name, value in one.headers.items():
                if here and isinstance(value, SecretHeader):
                    raise ValueError(
                        f"header {name} of request {one.name!r} names a Secret, which only a generator in a pod can read; "
                        f"here, write `{name}: {{env: VARIABLE}}`"
                    )
                if not here and isinstance(value, EnvironmentHeader):
                    raise ValueError(
                        f"header {name} of request {one.name!r} names an environment variable, which would stand in the "
                        f"pod for all to read; write `{name}: {{secret: name/key}}`"
                    )
        if self.capacity and self.scenario.script:
            raise ValueError("capacity sends scenario.requests; a script has a rate of its own")
        if self.scenario.script and self.engine == "locust":
            raise ValueError("scenario.script is for k6; engine locust needs scenario.requests")
        if self.generator.pods > 1 and here:
            raise ValueError("generator.pods is for `where: pod`; here, `processes` says how many send load")
        return self


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
    confirm: str | None = None  # the environment's name, typed, where the cluster is protected

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
