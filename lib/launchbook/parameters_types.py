"""What the models of parameters are made of: their base, durations, and paths beside the file that names them."""

from __future__ import annotations

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
)


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
