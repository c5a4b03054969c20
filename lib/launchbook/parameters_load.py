"""The parameters of the load test: what is sent, to whom, from where, and what its figures must hold."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from launchbook.parameters_types import Model, RelativePath, Seconds


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
