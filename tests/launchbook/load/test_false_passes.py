"""Results that were made to look good: `load-verdict` says of each what is wrong with it, and never PASS."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from launchbook.errors import ParametersError
from launchbook.load.verdict import command

LATENCY = "thresholds: {http_req_duration: ['p(95)<500']}\n"


def point(metric: str, at: float, value: float, **tags: str) -> str:
    stamp = f"2026-11-24T{int(at) // 3600:02d}:{int(at) // 60 % 60:02d}:{at % 60:09.6f}Z"
    return json.dumps({"type": "Point", "metric": metric, "data": {"time": stamp, "value": value, "tags": tags}})


def metric(name: str, kind: str, *thresholds: Any, submetrics: Iterable[str] = ()) -> str:
    listed = [{"name": one, "suffix": one.partition("{")[2][:-1]} for one in submetrics]
    data = {"name": name, "type": kind, "contains": "default", "thresholds": list(thresholds), "submetrics": listed}
    return json.dumps({"type": "Metric", "data": data, "metric": name})


def request(at: float, ms: float = 20.0, failed: bool = False, status: str = "200", name: str = "home") -> list[str]:
    """Sent at `at`, ms later answered."""
    tags, ended = {"status": status, "name": name}, at + ms / 1000
    return [
        point("http_req_duration", ended, ms, **tags), point("http_req_failed", ended, int(failed), **tags),
        point("iterations", ended, 1),
    ]  # fmt: skip


def load(seconds: int = 60, rate: int = 10, first: float = 0.0, **given: Any) -> list[str]:
    times = [first + n / rate for n in range(seconds * rate)]
    return [line for n, at in enumerate(times) for line in request(at + n % 7 * 0.0013, **given)]


def judged(tmp_path: Path, lines: Iterable[str], scenario: str | None = None) -> tuple[str, list[str], list[str]]:
    """(outcome, reasons, notes)"""
    (tmp_path / "k6.json").write_text("\n".join(lines) + "\n")
    return told(tmp_path, ["k6.json"], scenario)


def told(tmp_path: Path, files: Iterable[str], scenario: str | None = None) -> tuple[str, list[str], list[str]]:
    given = None if scenario is None else tmp_path / "scenario.yaml"
    if given:
        given.write_text(scenario or "")
    text, code = command([tmp_path / one for one in files], given)
    found = json.loads(text)
    assert code == {"PASS": 0, "FAIL": 1}.get(found["outcome"], 4)
    said = [
        [one["message"].replace(f"{tmp_path}/", "") for one in found[which] if one["id"] != "no-minutes"]
        for which in ("reasons", "notes")
    ]
    return found["outcome"], *said


CHECKOUT = [*load(30), *load(30, first=30.0, ms=800.0, name="checkout")]
WAITS = [point("queue", n / 10, n % 10) for n in range(600)]


@pytest.mark.parametrize(
    ("lines", "outcome", "reasons"),
    [
        ([metric("http_req_duration", "trend", "p(95)<100"), *load()], "PASS", []),
        ([metric("http_req_duration", "trend", "p(99)<10"), *load()], "FAIL", ["http_req_duration: p(99)<10 does not hold: p(99) is 20."]),
        ([metric("http_req_duration", "trend", {"threshold": "max<15", "abortOnFail": True, "delayAbortEval": "5s"}), *load()], "FAIL", ["http_req_duration: max<15 does not hold: max is 20."]),
        ([metric("http_reqs", "counter", "count>99999"), *load()], "FAIL", ["http_reqs: count>99999 does not hold: count is 600."]),
        ([metric("checks", "rate", "rate>0.9"), *load(), *(point("checks", n, n % 2) for n in range(60))], "FAIL", ["checks: rate>0.9 does not hold: rate is 0.5."]),
        ([metric("checks", "rate", "rate>0.9"), *load()], "INVALID", ["checks: rate>0.9: the results don't hold rate."]),
        ([metric("queue", "trend", "p(95)<5", "avg<5"), *load(), *WAITS], "FAIL", ["queue: p(95)<5 does not hold: p(95) is 9."]),
        ([metric("queue", "trend", "p(95)<5"), *load(), *WAITS[:20]], "INVALID", ["queue: p(95)<5: 20 samples; 100 are needed for p(95).", "queue: p(95)<5 does not hold: p(95) is 9."]),
        ([metric("queue", "gauge", "value<5"), *load(), *WAITS], "FAIL", ["queue: value<5 does not hold: value is 9."]),
        ([metric("queue", "counter", "count<5", "rate<1"), *load(), *WAITS], "FAIL", ["queue: count<5 does not hold: count is 2700.", "queue: rate<1 does not hold: rate is 45.06."]),
        ([metric("http_req_duration{name:checkout}", "trend", "p(95)<500"), *CHECKOUT], "FAIL", ["http_req_duration{name:checkout}: p(95)<500 does not hold: p(95) is 800."]),
        ([metric("http_req_duration{name:nowhere}", "trend", "p(95)<500"), *load()], "INVALID", ["http_req_duration{name:nowhere}: p(95)<500: 0 samples; 100 are needed for p(95).", "http_req_duration{name:nowhere}: p(95)<500: the results don't hold p(95)."]),
        ([metric("http_req_duration", "trend", submetrics=["http_req_duration{expected_response:true}", "http_req_duration{name:checkout}"]), *CHECKOUT], "INVALID", ["The run had thresholds on http_req_duration{name:checkout}, which k6 doesn't write into this file: judge its summary, or give yours with --scenario."]),
        ([metric("http_req_duration", "trend", "p95<10"), *load()], "INVALID", ["A threshold of the results isn't understood, so it can't be judged: http_req_duration can't be held against 'p95<10'; write one of avg, min, med, max, p(N), a relation and a number, such as 'p(95)<500' (ms) or 'rate<0.01'."]),
        ([*WAITS, metric("queue", "trend", "p(95)<50"), *WAITS, *load()], "INVALID", ["queue: its thresholds stand behind some of its points, so they can't be judged."]),
        ([metric("iterations", "counter", "count>=600"), *load(30), *(line for line in load(30, first=30.0) if "iterations" not in line)], "FAIL", ["iterations: count>=600 does not hold: count is 300."]),
    ],
)  # fmt: skip
def test_the_thresholds_in_k6s_points_are_judged(
    tmp_path: Path, lines: list[str], outcome: str, reasons: list[str]
) -> None:
    """On requests, on other metrics and on some tags; what can't be judged is said, and is no pass."""
    assert judged(tmp_path, lines)[:2] == (outcome, reasons)


def test_which_thresholds_are_judged_is_said(tmp_path: Path) -> None:
    """Yours before the file's, the file's before the defaults."""
    own = [metric("http_req_duration", "trend", "p(99)<10"), *load()]
    assert judged(tmp_path, own, LATENCY) == (
        "PASS",
        [],
        ["The thresholds of --scenario are judged, not the results' own: http_req_duration: p(99)<10."],
    )
    defaults = (
        "Neither the results nor --scenario say what to judge by, so the defaults are judged: http_reqs: rate>=100; "
        "http_req_failed: rate<0.01; http_req_duration: p(95)<500."
    )
    assert judged(tmp_path, load(rate=120))[2] == [defaults]
    bare = {"http_reqs": {"values": {"count": 9000, "rate": 150}}, "http_req_failed": {"values": {"rate": 0}}}
    assert defaults in judged(tmp_path, [summary(**bare, http_req_duration={"values": {"max": 9, "p(95)": 9}})])[2]


def test_a_threshold_that_asks_for_nothing_is_said(tmp_path: Path) -> None:
    """It is k6's right to have it, and a PASS on it alone is worth nothing."""
    own = [metric("http_reqs", "counter", "count>=0"), *load()]
    assert judged(tmp_path, own) == ("PASS", [], ["http_reqs: count>=0 holds whatever is measured."])


@pytest.mark.parametrize("hollow", ["rate<2", "rate<=1", "rate>0.5"])
def test_a_threshold_that_asks_for_nothing_hides_no_result_in_which_all_failed(tmp_path: Path, hollow: str) -> None:
    """In points and in a summary alike; one that could break still speaks for itself."""
    nothing = "None of the 600 requests succeeded, so rate and latency say nothing of it."
    own = metric("http_req_failed", "rate", hollow)
    assert judged(tmp_path, [own, *load(failed=True)])[:2] == ("INVALID", [nothing])
    share = {"values": {"rate": 1.0, "passes": 600, "fails": 0}, "thresholds": {hollow: {"ok": True}}}
    metrics = good(http_reqs={"values": {"count": 600, "rate": 10}}, http_req_failed=share)
    assert judged(tmp_path, [summary(**metrics)])[:2] == ("INVALID", [nothing])
    real = [metric("http_req_failed", "rate", "rate<0.01"), *load(failed=True)]
    assert judged(tmp_path, real)[:2] == ("FAIL", ["http_req_failed: rate<0.01 does not hold: rate is 1."])


def test_an_environment_that_leaves_its_thresholds_to_the_defaults_is_taken(tmp_path: Path) -> None:
    """It is judged as its run would be."""
    environment = "load:\n  scenario: {requests: [{name: a, path: /}], vus: 12, think_time: 100ms, duration: 60s}\n"
    outcome, reasons, _ = judged(tmp_path, load(rate=90), environment)
    assert (outcome, reasons) == ("FAIL", ["http_reqs: rate>=100 does not hold: rate is 89.98."])
    with pytest.raises(ParametersError, match="holds no `thresholds:`"):
        judged(tmp_path, load(), "load: {}\n")


SAME = "k6.json and copy hold the same 600 samples, so each is counted twice."


@pytest.mark.parametrize(
    ("copy", "reason"),
    [
        (lambda lines: "\n".join(lines).encode(), SAME),
        (lambda lines: gzip.compress("\n".join(lines).encode() + b"\n"), SAME),
        (lambda lines: "\n".join(lines[::-1]).encode(), SAME),
        (lambda lines: "\n".join([*lines, *load(first=90.0)]).encode(), "100 % of the samples of the smaller one of k6.json and copy stand in the other too, so they are counted twice."),
    ],
)  # fmt: skip
def test_samples_given_in_two_files_are_no_result(tmp_path: Path, copy: Any, reason: str) -> None:
    """A copy, a packed copy, one in another order, and one with more in it."""
    lines = [metric("http_reqs", "counter", "count>=1000"), *load()]
    (tmp_path / "copy").write_bytes(copy(lines))
    judged(tmp_path, lines)
    outcome, reasons, _ = told(tmp_path, ["k6.json", "copy"])
    assert (outcome, reasons[0]) == ("INVALID", reason)
    twice = told(tmp_path, ["k6.json", "k6.json"])[1][0]
    assert twice == "k6.json and k6.json hold the same 600 samples, so each is counted twice."


def test_samples_repeated_within_a_file_are_no_result(tmp_path: Path) -> None:
    """Each line twice, or the whole again; a few of them are said beside the figures. Whole seconds prove nothing."""
    asks = metric("http_reqs", "counter", "count>=600")
    said = "k6.json: {} of its samples repeat one that was sent at the same moment and took as long to the last digit"
    again = [f"{said.format('50 %')}: the same requests are counted more than once."]
    assert judged(tmp_path, [asks, *(line for line in load() for _ in (1, 2))])[:2] == ("INVALID", again)
    assert judged(tmp_path, [asks, *load(), *load()])[:2] == ("INVALID", [*again, "The clock ran back by 60 s."])
    assert judged(tmp_path, [asks, *load(1), *load()]) == ("PASS", [], [f"{said.format('1.64 %')}."])
    coarse = "start,ms,failed\n" + "".join(f"{n // 10},5,0\n" for n in range(600))
    assert judged(tmp_path, [coarse], LATENCY) == ("PASS", [], [])
    varied = [f"{n // 10},{5 + n / 1e4},0\n" for n in range(600)]
    twice = "start,ms,failed\n" + "".join(varied) + "".join(varied)
    assert judged(tmp_path, [twice.strip()], LATENCY)[:2] == ("INVALID", [*again, "The clock ran back by 59 s."])


def test_files_with_thresholds_of_their_own_that_differ_are_not_judged_by_the_defaults(tmp_path: Path) -> None:
    """Nor by one's own."""
    (tmp_path / "other").write_text("\n".join(load(first=100.0)) + "\n")
    judged(tmp_path, [metric("http_req_duration", "trend", "p(99)<10"), *load()])
    outcome, reasons, _ = told(tmp_path, ["k6.json", "other"])
    assert outcome == "INVALID"
    assert reasons[0] == (
        "k6.json has the thresholds http_req_duration: p(99)<10, and other has no thresholds: give the thresholds of the "
        "whole with --scenario."
    )


KEEPS = "thresholds: {http_req_duration: ['p(90)<500']}\n"
STILL = [*load(300), *load(300, first=330.0)]
HANGS = [*load(300), *(line for n in range(9) for line in request(300 + n / 100, 30_000)), *load(270, first=330.0)]
RAMPED = [line for n in range(600) for line in request(60 - 60 * (1 - n / 600) ** 0.5)]  # from 20/s down to none
SPARSE = [line for n in range(200) for line in request(40.0 * n + n % 3)]
BURSTS = [line for n in range(20) for line in load(10, 20, first=60.0 * n)]
NOTHING = "From 300 s on nothing was sent for 30 s, and no answer was waited for, after 10 requests/s, which nothing in the load explains"


@pytest.mark.parametrize(
    ("lines", "scenario", "outcome", "said"),
    [
        (STILL, "thresholds: {http_req_duration: ['p(99)<500']}\n", "INVALID", [f"{NOTHING}: sent all the same, 300 requests more would have made p(99) 23682 ms, which breaks http_req_duration: p(99)<500."]),
        (STILL, "thresholds: {http_req_failed: ['rate<0.01']}\n", "INVALID", [f"{NOTHING}: had the 300 requests that are missing failed, 4.76 % would have, which breaks http_req_failed: rate<0.01."]),
        (STILL, "thresholds: {http_req_duration: ['min<500']}\n", "PASS", [f"{NOTHING}; requests sent all the same would have kept every threshold."]),
        (STILL, "thresholds: {http_req_duration: ['avg<500']}\n", "INVALID", [f"{NOTHING}: sent all the same, 300 requests more would have made avg 7"]),
        (STILL, KEEPS, "PASS", [f"{NOTHING}; requests sent all the same would have kept every threshold."]),
        (HANGS, "thresholds: {http_req_duration: ['p(99)<500']}\n", "INVALID", ["From 301 s on nothing was sent for 29 s, while answers were waited for, after 10 requests/s, which nothing in the load explains: sent all the same, 290 requests more would have made p(99) 23919 ms, which breaks http_req_duration: p(99)<500."]),
        ([*STILL, *(point("vus", n, 0 if 300 <= n < 330 else 5) for n in range(630))], "thresholds: {http_req_duration: ['p(99)<500']}\n", "PASS", []),
        ([*STILL, *(point("vus", n, 5) for n in range(630))], "thresholds: {http_req_duration: ['p(99)<500']}\n", "INVALID", [NOTHING]),
        ([*RAMPED, *load(60, first=120.0)], LATENCY, "PASS", []),
        (SPARSE, LATENCY, "PASS", []),
        (BURSTS, LATENCY, "PASS", ["The load paused 19 times, for up to 50 s: that is taken for its rhythm, not for a standstill."]),
    ],
)  # fmt: skip
def test_a_pause_that_the_load_does_not_explain(
    tmp_path: Path, lines: list[str], scenario: str, outcome: str, said: list[str]
) -> None:
    """It is judged as coordinated omission; a ramp, a sparse load, one without users and one in bursts explain theirs."""
    found, reasons, notes = judged(tmp_path, lines, scenario)
    assert (found, len(reasons) + len(notes)) == (outcome, len(said))
    for message, start in zip([*reasons, *notes], said, strict=True):
        assert message.startswith(start)


TOTALS = (
    "These results are totals over the whole test, which don't show a worst minute, a standstill, a slow start, what the "
    "generator itself had to spare and whether a warm-up is in them."
)


def vus(many: Any, until: int) -> list[str]:
    return [point("vus", n, many(n)) for n in range(until)]


BUSY = load(60, 150)
EVERYBODY = "thresholds: {http_reqs: ['rate>=100']}\n"
TAIL = "From 60 s on nothing was sent for 240 s, and no answer was waited for, after 150 requests/s, which nothing in the load explains"


@pytest.mark.parametrize(
    ("lines", "scenario", "outcome", "said"),
    [
        ([*BUSY, *vus(lambda n: 50, 300)], EVERYBODY, "INVALID", [f"{TAIL}: over all of the 300 s it is 30 requests/s, which breaks http_reqs: rate>=100."]),
        ([*BUSY, *vus(lambda n: 50, 300)], "thresholds: {http_req_failed: ['rate<0.01']}\n", "INVALID", [f"{TAIL}: had the 36000 requests that are missing failed, 80.00 % would have, which breaks http_req_failed: rate<0.01."]),
        ([*BUSY, *vus(lambda n: 50, 300)], "thresholds: {http_reqs: ['rate>=20']}\n", "PASS", [f"{TAIL}; requests sent all the same would have kept every threshold."]),
        ([*BUSY, *vus(lambda n: 50, 89)], EVERYBODY, "PASS", []),
        ([*BUSY, *vus(lambda n: 50 if n < 60 else 2, 300)], EVERYBODY, "PASS", []),
        ([*BUSY, *vus(lambda n: 50 if n < 60 else 0, 300)], EVERYBODY, "PASS", []),
        ([*load(60, 150), *load(60, 150, first=60.0), *vus(lambda n: 50, 120)], EVERYBODY, "PASS", []),
    ],
    ids=["hung until the end", "errors", "kept all the same", "k6 waits for iterations", "a few stay", "nobody stays", "whole"],
)  # fmt: skip
def test_users_who_were_there_and_sent_nothing_more(
    tmp_path: Path, lines: list[str], scenario: str, outcome: str, said: list[str]
) -> None:
    """k6 tells of its users each second, and ends those whose request hangs without a point of it."""
    found, reasons, notes = judged(tmp_path, lines, scenario)
    assert (found, [*reasons, *notes]) == (outcome, said)


def summary(seconds: float | None = None, **metrics: Any) -> str:
    state = {} if seconds is None else {"state": {"testRunDurationMs": 1000 * seconds}}
    return json.dumps({"metrics": metrics, **state})


def good(**metrics: Any) -> dict[str, Any]:
    return {
        "http_reqs": {"type": "counter", "values": {"count": 9000, "rate": 150.0}},
        "http_req_failed": {"type": "rate", "values": {"rate": 0.0, "passes": 0, "fails": 9000}},
        "http_req_duration": {"type": "trend", "values": {"avg": 12.0, "min": 1.0, "max": 90.0, "p(90)": 25.0, "p(95)": 31.0}, "thresholds": {"p(95)<500": {"ok": True}}},
        **metrics,
    }  # fmt: skip


def trend(ok: bool = True, expression: str = "p(95)<500", **values: float) -> dict[str, Any]:
    return {"http_req_duration": {"type": "trend", "values": {"p(95)": 31.0, **values}, "thresholds": {expression: {"ok": ok}}}}  # fmt: skip


def failed(**values: float) -> dict[str, Any]:
    return {"http_req_failed": {"type": "rate", "values": values}}


LOCUST = (
    "Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,Min Response Time,"
    "Max Response Time,Average Content Size,Requests/s,Failures/s,50%,95%,100%\n"
    "GET,/a,{a},{bad},3,3.42,2.11,{most},0.0,28.42,0.0,3,5,{most}\n"
    "GET,/b,81,0,3,3.42,2.11,8.82,0.0,28.42,0.0,3,5,9\n"
    ",Aggregated,165,0,3,3.42,2.11,{most},0.0,55.84,0.0,3,5,{most}"
)


@pytest.mark.parametrize(
    ("data", "outcome", "reasons", "notes"),
    [
        (summary(60, **good()), "PASS", [], []),
        (summary(**good(**trend(expression="p95<10"))), "INVALID", ["A threshold of the results isn't understood, so it can't be judged: http_req_duration can't be held against 'p95<10'; write one of avg, min, med, max, p(N), a relation and a number, such as 'p(95)<500' (ms) or 'rate<0.01'."], []),
        (summary(**good(**trend(expression="p(95)<500 || true"))), "INVALID", ["A threshold of the results isn't understood, so it can't be judged: http_req_duration can't be held against 'p(95)<500 || true'; write "], []),
        (summary(**good(**trend(ok=False))), "INVALID", ["http_req_duration: p(95)<500 does not hold, says k6, and p(95) is 31."], []),
        (summary(**good(slow={"type": "trend", "values": {"p(95)": 9.0}, "thresholds": {"p(95)<5": {"ok": True}}})), "INVALID", ["slow: p(95)<5 holds, says k6, and p(95) is 9."], []),
        (summary(**good(**trend(**{"p(90)": 60.0}))), "INVALID", ["k6.json: http_req_duration has p(90) = 60 above p(95) = 31."], []),
        (summary(**good(**trend(avg=40.0, max=35.0))), "INVALID", ["k6.json: http_req_duration has avg = 40 above max = 35."], []),
        (summary(**good(**trend(**{"p(95)": 0.0, "max": 0.0}))), "INVALID", ["All of the 9000 requests took 0 ms, which no answer does: nothing was measured."], []),
        (summary(600, **good()), "INVALID", ["k6.json: http_reqs counts 9000 requests, and 150/s in 600 s are 90000."], []),
        (summary(**good(**failed(rate=0.0, passes=4500, fails=4500))), "INVALID", ["k6.json: http_req_failed has a rate of 0, and 4500 of 9000 are 0.5."], []),
        (summary(**good(**failed(rate=0.0, passes=0, fails=10))), "INVALID", ["k6.json: http_req_failed counts 10 requests, and http_reqs 9000."], []),
        (summary(**{k: v for k, v in good().items() if k != "http_req_failed"}), "PASS", [], ["The results don't say (http_req_failed) whether requests failed."]),
        (summary(**good(checks={"type": "rate", "values": {"rate": 0.1, "passes": 60, "fails": 540}})), "PASS", [], ["10 % of 600 checks held; only a threshold on checks would make that a FAIL."]),
        (LOCUST.format(a=84, bad=0, most=9), "FAIL", ["http_reqs: rate>=100 does not hold: rate is 55.84."], None),
        (LOCUST.format(a=840, bad=0, most=9), "INVALID", ["k6.json: the rows add up to 921 in Request Count, and Aggregated says 165.", "http_reqs: "], None),
        (LOCUST.format(a=84, bad=9, most=9), "INVALID", ["k6.json: the rows add up to 9 in Failure Count, and Aggregated says 0.", "http_reqs: "], None),
        (LOCUST.format(a=84, bad=0, most=4), "INVALID", ["k6.json: http_req_duration has p(95) = 5 above max = 4.", "http_reqs: "], None),
    ],
)  # fmt: skip
def test_a_summary_that_contradicts_itself_is_no_result(
    tmp_path: Path, data: str, outcome: str, reasons: list[str], notes: list[str] | None
) -> None:
    """Both figures are named; what is absent or striking is a note."""
    found, said, noted = judged(tmp_path, [data])
    assert found == outcome, said
    assert len(said) == len(reasons), said
    assert all(message.startswith(start) for message, start in zip(said, reasons, strict=True)), said
    unseen = [TOTALS] if outcome == "PASS" else []
    assert notes is None or noted == [*notes, *unseen]


@pytest.mark.parametrize(
    ("lines", "outcome", "reasons", "notes"),
    [
        (load(status="0"), "INVALID", ["600 of 600 requests have status 0, which stands for no answer, and are not said to have failed."], []),
        ([*load(), *request(60.0, status="0")], "PASS", [], ["1 of 601 requests have status 0, which stands for no answer, and are not said to have failed."]),
        (load(ms=0.0), "INVALID", ["All of the 600 requests took 0 ms, which no answer does: nothing was measured."], []),
        ([line for line in load() if "failed" not in line], "PASS", [], ["The results don't say (http_req_failed) whether requests failed."]),
        ([*load(), *(point("checks", n, n % 10 == 0) for n in range(60))], "PASS", [], ["10 % of 60 checks held; only a threshold on checks would make that a FAIL."]),
    ],
)  # fmt: skip
def test_points_that_contradict_themselves(
    tmp_path: Path, lines: list[str], outcome: str, reasons: list[str], notes: list[str]
) -> None:
    """And what no threshold asks for, but a reader would."""
    assert judged(tmp_path, lines, LATENCY) == (outcome, reasons, notes)


def test_a_figure_is_shown_so_that_it_says_what_the_verdict_says(tmp_path: Path) -> None:
    """99.98 is no 100."""
    metrics = good(
        http_reqs={
            "type": "counter",
            "values": {"count": 9000, "rate": 99.98},
            "thresholds": {"rate>=100": {"ok": False}},
        }
    )
    assert judged(tmp_path, [summary(**metrics)])[1] == ["http_reqs: rate>=100 does not hold: rate is 99.98."]
    metrics["http_reqs"]["values"]["rate"] = 99.99996
    assert judged(tmp_path, [summary(**metrics)])[1] == ["http_reqs: rate>=100 does not hold: rate is 99.99996."]


def test_what_is_no_file_is_a_wrong_command(tmp_path: Path) -> None:
    """Exit 2 with a sentence, as for every wrong command."""
    with pytest.raises(
        ParametersError, match=r"absent.json: can't be read \(No such file or directory\); name a result"
    ):
        command([tmp_path / "absent.json"], None)
    with pytest.raises(ParametersError, match=r"is a folder; name the result files in it, such as .*summary\.json\."):
        command([tmp_path], None)


@pytest.mark.parametrize("data", [{"thresholds": {"max<5": True}, "type": "trend"}, {"thresholds": ["max<5"]}, {}])
def test_a_metric_line_that_is_none_is_no_pass(tmp_path: Path, data: dict[str, Any]) -> None:
    """Its thresholds may have stood in it."""
    line = json.dumps({"type": "Metric", "metric": "http_req_duration", "data": data})
    cut = "k6.json: 1 lines are no k6 points; the file may be cut off."
    assert judged(tmp_path, [line, *load()], LATENCY)[:2] == ("INVALID", [cut])


CHECKS = [point("checks", n, 0) for n in range(60)]
NONE = "None of 60 checks held, and no threshold made that a FAIL: nothing came back as it should."
HALF = [*load(30), *load(30, first=30.0, failed=True, status="500")]
FEW = [*load(), *request(60.0, failed=True, status="500")]
UNTOLD = [line for line in load(status="500") if "failed" not in line]
DOWN = [*load(30, rate=100), *(line for n in range(25) for line in request(30 + n, failed=True, name="checkout"))]


@pytest.mark.parametrize(
    ("lines", "scenario", "outcome", "reasons", "notes"),
    [
        (HALF, LATENCY, "INVALID", ["50.00 % of 600 requests failed, and no threshold bounds that: ask for a bound, such as http_req_failed: rate<0.01."], []),
        (HALF, "thresholds: {http_req_duration: ['p(95)<5']}\n", "FAIL", ["http_req_duration: p(95)<5 does not hold: p(95) is 20."], []),
        (HALF, "thresholds: {http_req_failed: ['rate<0.6']}\n", "PASS", [], []),
        (FEW, LATENCY, "PASS", [], ["0.17 % of 601 requests failed, and no threshold bounds that."]),
        ([metric("http_req_failed", "rate", "rate<2"), *HALF], None, "INVALID", ["50.00 % of 600 requests failed, and no threshold bounds that: ask for a bound, such as http_req_failed: rate<0.01."], ["http_req_failed: rate<2 holds whatever is measured."]),
        (UNTOLD, LATENCY, "INVALID", ["600 of 600 requests have a status from 400 on and do not count as failed, since the results don't say (http_req_failed) which did."], []),
        (load(status="404"), LATENCY, "PASS", [], ["600 of 600 requests have a status from 400 on and do not count as failed: the results call them expected."]),
        (DOWN, "thresholds: {http_req_failed: ['rate<0.01'], http_req_duration: ['p(95)<500']}\n", "PASS", [], ["Every request of some names failed, which the whole hides: checkout (25)."]),
        ([*load(), *CHECKS], LATENCY, "INVALID", [NONE], ["0 % of 60 checks held; only a threshold on checks would make that a FAIL."]),
        ([metric("checks", "rate", "rate>=0"), *load(), *CHECKS], None, "INVALID", [NONE], []),
        ([metric("checks", "rate", "rate>0.9"), *load(), *CHECKS], None, "FAIL", ["checks: rate>0.9 does not hold: rate is 0."], []),
        ([summary(**good(checks={"type": "rate", "values": {"rate": 0, "passes": 0, "fails": 60}}))], None, "INVALID", [NONE], ["0 % of 60 checks held; only a threshold on checks would make that a FAIL."]),
        ([summary(**good(http_req_failed={"values": {"rate": 0.5, "passes": 4500, "fails": 4500}}))], LATENCY, "INVALID", ["50.00 % of 9000 requests failed, and no threshold bounds that: ask for a bound, such as http_req_failed: rate<0.01."], []),
    ],
)  # fmt: skip
def test_what_nobody_asked_for_does_not_pass_unsaid(
    tmp_path: Path, lines: list[str], scenario: str | None, outcome: str, reasons: list[str], notes: list[str]
) -> None:
    """Failures that no threshold bounds, statuses for errors, a name that is down, checks of which none held."""
    assert judged(tmp_path, lines, scenario) == (outcome, reasons, notes)
