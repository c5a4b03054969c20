"""Thresholds that can't break are refused, and what none bounds is named."""

from __future__ import annotations

import pytest

from launchbook.bounds import refuse_empty, unbounded
from launchbook.errors import ParametersError
from launchbook.thresholds import parse

ALWAYS = "holds whatever is measured"


@pytest.mark.parametrize(
    ("metric", "text", "why", "example"),
    [
        ("http_reqs", "count>=0", ALWAYS, "rate>=100"),
        ("http_reqs", "rate>-1", ALWAYS, "rate>=100"),
        ("http_req_failed", "rate<=1", ALWAYS, "rate<0.01"),
        ("http_req_failed", "rate<1.5", ALWAYS, "rate<0.01"),
        ("http_req_failed", "rate!=2", ALWAYS, "rate<0.01"),
        ("http_req_failed", "rate>0.5", "holds best where every request fails", "rate<0.01"),
        ("http_req_duration", "min>=0", ALWAYS, "p(95)<500"),
        ("http_req_duration", "p(95)>500", "holds for the slowest target best", "p(95)<500"),
    ],
)  # fmt: skip
def test_a_threshold_that_asks_for_nothing(metric: str, text: str, why: str, example: str) -> None:
    with pytest.raises(ParametersError) as raised:
        refuse_empty(parse({metric: (text,)}))
    said = f"load.thresholds: {metric} {text!r} {why}; ask for something that can break, such as {example!r}. Nothing was sent."
    assert str(raised.value) == said


@pytest.mark.parametrize("text", ["rate<1", "rate<0.01", "rate<=0.99", "rate==0", "rate!=1"])
def test_a_threshold_that_can_break(text: str) -> None:
    refuse_empty(
        parse({"http_req_failed": (text,), "http_reqs": ("rate>=100", "count<5000"), "http_req_duration": ("max<9",)})
    )


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({"http_reqs": ("rate>=100",)}, {"http_req_failed": "any share of failed requests would pass", "http_req_duration": "any latency would pass"}),
        ({"http_req_failed": ("rate==0",), "http_req_duration": ("med<5",)}, {}),
        ({"http_req_failed": ("rate!=1",), "http_req_duration": ("med<5",)}, {"http_req_failed": "any share of failed requests would pass"}),
    ],
)  # fmt: skip
def test_what_no_threshold_bounds(given: dict[str, tuple[str, ...]], missing: dict[str, str]) -> None:
    assert unbounded(parse(given)) == missing
