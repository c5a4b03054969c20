"""A NetworkPolicy as networking.k8s.io/v1 has it, strictly: a mistyped field would read as "everything" or "nothing"."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictInt, ValidationError, field_validator, model_validator

from launchbook.errors import ParametersError
from launchbook.strict_yaml import nearest

# RFC 6335 as the API checks it: at most 15 of a-z, 0-9 and single dashes within, with a letter among them.
_PORT_NAME = re.compile(r"(?=.{1,15}$)(?=.*[a-z])[a-z0-9]+(-[a-z0-9]+)*")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Requirement(_Strict):
    key: str
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    values: list[str] | None = None

    @model_validator(mode="after")
    def _values_fit(self) -> _Requirement:
        if (self.operator in ("In", "NotIn")) != bool(self.values):
            raise ValueError(f"{self.operator} takes {'values' if self.operator.endswith('In') else 'no values'}")
        return self


class _Selector(_Strict):
    matchLabels: dict[str, str] | None = None
    matchExpressions: list[_Requirement] | None = None


class _Block(_Strict):
    cidr: str
    except_: list[str] | None = Field(None, alias="except")

    @model_validator(mode="after")
    def _addresses(self) -> _Block:
        whole = ipaddress.ip_network(self.cidr, strict=False)
        for part in self.except_ or ():
            inner = ipaddress.ip_network(part, strict=False)
            if inner.version != whole.version or not inner.subnet_of(whole):  # type: ignore[arg-type]
                raise ValueError(f"except {part} is not inside {self.cidr}")
        return self


class _Peer(_Strict):
    podSelector: _Selector | None = None
    namespaceSelector: _Selector | None = None
    ipBlock: _Block | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> _Peer:
        selects = self.podSelector is not None or self.namespaceSelector is not None
        if selects == (self.ipBlock is not None):
            raise ValueError("a peer has selectors or an ipBlock, not both and not neither")
        return self


class _Port(_Strict):
    protocol: Literal["TCP", "UDP", "SCTP"] | None = None
    port: StrictInt | str | None = None
    endPort: StrictInt | None = None

    @field_validator("port", "endPort")
    @classmethod
    def _in_range(cls, value: int | str | None) -> int | str | None:
        if isinstance(value, int) and not 1 <= value <= 65535:
            raise ValueError(f"{value} is no port from 1 to 65535")
        if isinstance(value, str) and not _PORT_NAME.fullmatch(value):
            raise ValueError(f"{value!r} is no name of a port; write a number without quotes, or a name such as http")
        return value

    @model_validator(mode="after")
    def _a_range(self) -> _Port:
        if self.endPort is not None and (not isinstance(self.port, int) or self.endPort < self.port):
            raise ValueError(f"endPort {self.endPort} needs a port by number that is not above it")
        return self


class _Ingress(_Strict):
    from_: list[_Peer] | None = Field(None, alias="from")
    ports: list[_Port] | None = None


class _Egress(_Strict):
    to: list[_Peer] | None = None
    ports: list[_Port] | None = None


class _Spec(_Strict):
    podSelector: _Selector | None = None
    policyTypes: list[Literal["Ingress", "Egress"]] | None = None
    ingress: list[_Ingress | None] | None = None
    egress: list[_Egress | None] | None = None


_FIELDS = sorted(
    {
        field.alias or name
        for model in (_Spec, _Ingress, _Egress, _Peer, _Port, _Block, _Selector, _Requirement)
        for name, field in model.model_fields.items()
    }
)


def validate(name: str, policy: Mapping[str, Any]) -> None:
    """Raises ParametersError that names policy and field, with the nearest known field, unless the policy is valid."""
    if not isinstance(policy.get("spec"), Mapping):
        raise ParametersError(f"NetworkPolicy {name}: has no spec; an empty one would deny all ingress.")
    try:
        _Spec.model_validate(policy["spec"])
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in ("spec", *first["loc"]))
        if first["type"] == "extra_forbidden":
            told = f"unknown field{nearest(str(first['loc'][-1]), _FIELDS)}"
        else:
            told = first["msg"].removeprefix("Value error, ")
        raise ParametersError(f"NetworkPolicy {name}: {where}: {told}.") from None
