"""A user's own k6 script: its thresholds, checks and exceptions, with a program in k6's place and as k6's files say them."""

from __future__ import annotations

import gzip
import ipaddress
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from launchbook.load import aim, own_script
from launchbook.load.k6 import K6
from launchbook.load.terms import Reason
from launchbook.parameters import Load
from launchbook.words import Status

HEAD = "metric_name,timestamp,metric_value,error,name,status,url\n"
THROWN = 'time="2026-11-24T00:00:00Z" level=error msg="Uncaught (in promise) TypeError: x" source=stacktrace'
SPOKEN = 'time="2026-11-24T00:00:00Z" level=error msg="an odd answer" source=console'
CROSSED = "level=error msg=\"thresholds on metrics 'checks' have been crossed\""
URL = "http://api.ns.svc"


def samples(count: int = 500, held: int = 500) -> bytes:
    """As k6 writes them, ten requests a second, each with a check."""
    rows = []
    for n in range(count):
        at = 1_764_028_800_000_000 + 100_000 * n
        tags = f",,a,200,{URL}/a\n"
        rows += [
            f"http_req_duration,{at},5.0{tags}", f"http_req_failed,{at},0{tags}",
            f"checks,{at + 10},{int(n < held)},,a,,\n",
        ]  # fmt: skip
    return gzip.compress((HEAD + "".join(rows)).encode())


def exported(count: int = 500, **metrics: Any) -> dict[str, Any]:
    """As --summary-export has it, where true stands for a threshold that is crossed."""
    return {
        "metrics": {
            "http_reqs": {"count": count, "rate": 10.0},
            "http_req_failed": {"passes": 0, "fails": count, "value": 0},
            "http_req_duration": {"avg": 5, "min": 5, "med": 5, "max": 5, "p(95)": 5},
            **metrics,
        }
    }


def engine(tmp_path: Path) -> K6:
    script = tmp_path / "mine.js"
    script.write_text("export default function () {}\n")
    given = {"target": {"service": "ns/api"}, "scenario": {"script": str(script), "duration": "50s", "warmup": "0s"}}
    return K6(Load.model_validate(given), URL)


def said(tmp_path: Path, data: bytes, summary: Any, log: str = "") -> list[Reason]:
    """What is said of a run that left these."""
    made = engine(tmp_path)
    (tmp_path / "samples.csv.gz").write_bytes(data)
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    (tmp_path / "log").write_text(log)
    for name, text in made.logged(tmp_path / "log").items():
        (tmp_path / name).write_text(text)
    left = made.left(tmp_path)
    left.whole()
    return left.doubts


def crossed(expression: str, crossed: Any = True, **values: Any) -> dict[str, Any]:
    return {**values, "thresholds": {expression: crossed}}


THREW = (
    "k6 logged {} errors of the script: an iteration ends where it throws, and what it had still to send is missing. The "
    "first: " + THROWN
)


@pytest.mark.parametrize(
    ("data", "summary", "log", "found"),
    [
        (samples(), exported(), "", []),
        (samples(), exported(), f"{SPOKEN}\n{CROSSED}\nlevel=warning msg=no\n", []),
        (samples(), exported(http_req_duration=crossed("p(95)<500", False, **{"p(95)": 5})), "", []),
        (samples(held=0), exported(), f"{THROWN}\n" * 500, [("INVALID", THREW.format(500)), ("INVALID", "None of 500 checks held, and no threshold made that a FAIL: nothing came back as it should.")]),
        (samples(), exported(), f"{SPOKEN}\n{THROWN}\n", [("INVALID", THREW.format(1))]),
        (samples(held=495), exported(), "", [("NOTE", "99 % of 500 checks held; only a threshold on checks would make that a FAIL.")]),
        (samples(held=495), exported(checks=crossed("rate>0.99", passes=495, fails=5, value=0.99)), "", [("FAIL", "The script's own threshold checks: rate>0.99 does not hold over the whole test, says k6."), ("NOTE", "99 % of 500 checks held; only a threshold on checks would make that a FAIL.")]),
        (samples(), exported(http_req_duration=crossed("p(99.7)<4", **{"p(95)": 5})), "", [("FAIL", "The script's own threshold http_req_duration: p(99.7)<4 does not hold over the whole test, says k6.")]),
        (samples(), exported(queue=crossed("p(95)<4", False, avg=0, max=0, **{"p(95)": 0})), "", [("INVALID", "Of the script's own thresholds: queue: p(95)<4 holds, says k6, but on zero samples.")]),
        (samples(), exported(grpc_req_duration={"avg": 5}, ws_sessions={"count": 5}), "", [("NOTE", "The script also used WebSocket and gRPC, which no figure here contains.")]),
    ],
)  # fmt: skip
def test_what_a_script_says_of_its_run_counts(
    tmp_path: Path, data: bytes, summary: Any, log: str, found: list[tuple[str, str]]
) -> None:
    """Exceptions spoil it, broken thresholds fail it, checks are said; its own words on the console are no error."""
    assert [(one.makes, one.message) for one in said(tmp_path, data, summary, log)] == found


@pytest.mark.parametrize(
    ("url", "error", "found"),
    [
        (f"{URL}/b", "", []),
        ("http://other/b", "", ["The script sent requests to http://other, which is not http://api.ns.svc."]),
        ("http://other/b", "ip is blacklisted", ["The script would have sent requests to http://other, which is not http://api.ns.svc: k6 refused them before it connected."]),
        (f"{URL}/b", "ip is blacklisted", ["1 requests to http://api.ns.svc were refused, since its name led to another address than before the load."]),
    ],
)  # fmt: skip
def test_where_a_script_s_requests_went_is_said(tmp_path: Path, url: str, error: str, found: list[str]) -> None:
    """Sent elsewhere, or refused before."""
    row = (
        f"http_req_duration,1764028900000000,5.0,{error},b,200,{url}\nhttp_req_failed,1764028900000000,0,,b,200,{url}\n"
    )
    data = gzip.compress(gzip.decompress(samples()) + row.encode())
    told = said(tmp_path, data, exported(501))
    assert [(one.id, one.message) for one in told] == [("elsewhere", one) for one in found]


@pytest.mark.parametrize(
    ("addresses", "refused", "kept"),
    [
        (["10.0.0.7"], ["10.0.0.6", "10.0.0.8", "127.0.0.1", "255.255.255.255", "::1", "fd00::7"], ["10.0.0.7"]),
        (["10.0.0.7", "10.0.0.8", "fd00::7"], ["10.0.0.9", "fd00::8", "::"], ["10.0.0.7", "10.0.0.8", "fd00::7"]),
        (["10.0.0.7", "10.0.0.7"], ["10.0.0.6"], ["10.0.0.7"]),
    ],
)  # fmt: skip
def test_every_address_but_the_target_s_is_refused_before_a_connection(
    tmp_path: Path, addresses: list[str], refused: list[str], kept: list[str]
) -> None:
    """Of a script of the user's own; ours has one target and follows no redirect."""
    made = replace(engine(tmp_path), addresses=tuple(addresses))
    line = made.command("/code", "/out")
    ranges = [ipaddress.ip_network(one) for one in line[line.index("--blacklist-ip") + 1].split(",")]

    def held(address: str) -> bool:
        return any(ipaddress.ip_address(address) in one for one in ranges)

    assert [held(one) for one in refused] == [True] * len(refused)
    assert [held(one) for one in kept] == [False] * len(kept)
    assert "--blacklist-ip" not in engine(tmp_path).command("/code", "/out")


@pytest.mark.parametrize(
    ("generator", "spec", "url", "found"),
    [
        ("pod", {"clusterIPs": ["10.96.0.7", "fd00::7"]}, None, ["10.96.0.7", "fd00::7"]),
        ("pod", {"clusterIPs": ["None"]}, None, ["10.1.0.4", "fd01::4"]),
        ("here", {"clusterIPs": ["10.96.0.7"]}, "http://192.0.2.7:8080", ["192.0.2.7"]),
    ],
)  # fmt: skip
def test_the_target_s_addresses_are_those_that_the_generator_connects_to(
    generator: str, spec: dict[str, Any], url: str | None, found: list[str]
) -> None:
    """A Service's own, a headless one's endpoints, or what the ingress' name leads to."""
    given = {
        "target": {"service": "ns/api", "url": url}, "generator": {"where": generator},
        "scenario": {"requests": [{"name": "a", "path": "/"}]},
    }  # fmt: skip
    endpoints = ["10.1.0.4:80", "10.1.0.4:81", "fd01::4:80"]
    assert aim.addresses(Load.model_validate(given), endpoints, {"spec": spec}) == found


def test_a_script_whose_log_is_lost_is_no_result(tmp_path: Path) -> None:
    """It may have thrown in each iteration."""
    assert own_script.uncaught(tmp_path / "absent") == [
        Reason("uncaught", "k6's log could not be read, so it is not known whether the script threw exceptions.")
    ]


def test_k6_judges_the_script_s_thresholds_and_its_own_exit_code_is_no_failure(tmp_path: Path) -> None:
    """99 says that a threshold broke, which the summary names; of a scenario of ours it would say nothing good."""
    made = engine(tmp_path)
    assert "--no-thresholds" not in made.command("/code", "/out")
    assert "--no-thresholds" in made.ask("/code")
    assert [made.ended(code) for code in (0, 99, 107, None)] == [True, True, False, False]
    plain = K6(
        Load.model_validate({**made.load.model_dump(), "scenario": {"requests": [{"name": "a", "path": "/"}]}}), URL
    )
    assert [plain.ended(code) for code in (0, 99)] == [True, False]
    assert "--no-thresholds" in plain.command("/code", "/out")


def test_a_threshold_of_the_script_that_broke_is_a_check_of_the_verdict() -> None:
    """Else the run would be a FAIL, and none of its checks."""
    broken = Reason("script-threshold", "It does not hold.", "FAIL", "http_req_duration: p(95)<5")
    (check,) = own_script.checks([broken, Reason("checks", "Some.", "NOTE")], "FAIL")
    assert (check.id, check.subject, check.status) == ("B.threshold", "script: http_req_duration: p(95)<5", Status.FAIL)
    assert (check.expected, check.because) == ("p(95)<5", "It does not hold.")
    (unknown,) = own_script.checks([broken], "INVALID")
    assert unknown.status is Status.UNKNOWN
