"""Results that are totals alone, held against a plan, and what `load-verdict` says that they can't show."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from launchbook.load.verdict import command

CLOSED = "{requests: [{name: a, path: /}], vus: 1, think_time: 1s, duration: 300s}"
FIFTY = "{requests: [{name: a, path: /}], vus: 50, think_time: 100ms, duration: 60s}"
OPEN = "{requests: [{name: a, path: /}], vus: 50, rate: 150, duration: 60s}"
SCRIPT = "{script: mine.js, vus: 50, duration: 60s}"
LIMITS = "{http_reqs: ['rate>=100'], http_req_failed: ['rate<0.05'], http_req_duration: ['p(95)<500']}"
UNSEEN = (
    "These results are totals over the whole test, which don't show a worst minute, a standstill, a slow start, what the "
    "generator itself had to spare and whether a warm-up is in them."
)


def values(**given: float) -> dict[str, Any]:
    return {"values": {name.replace("p95", "p(95)"): value for name, value in given.items()}}


def summary(seconds: float = 61.0, count: int = 9150, failed: int = 0, **metrics: Any) -> str:
    duration = {"avg": 12.0, "min": 1.0, "max": 900.0, "p95": 480.0}
    shape = {
        "http_reqs": values(count=count, rate=count / seconds),
        "http_req_failed": values(rate=failed / count, passes=failed, fails=count - failed),
        "http_req_duration": values(**duration),
        "http_req_duration{expected_response:true}": values(**duration),
        "http_req_blocked": values(p95=0.01),
        **metrics,
    }
    return json.dumps({"metrics": shape, "state": {"testRunDurationMs": 1000 * seconds}})


def judged(tmp_path: Path, data: str, plan: str | None = None) -> tuple[str, list[str], list[str]]:
    (tmp_path / "summary.json").write_text(data)
    (tmp_path / "scenario.yaml").write_text(
        f"thresholds: {LIMITS}\n" + (f"scenario: {plan}\n" if plan is not None else "")
    )
    found = json.loads(command([tmp_path / "summary.json"], tmp_path / "scenario.yaml")[0])
    return found["outcome"], *([one["message"] for one in found[which]] for which in ("reasons", "notes"))


def users(most: float, busy: float | None = None) -> dict[str, Any]:
    return {"vus_max": values(value=most, min=1, max=most), "vus": values(value=1, min=1, max=busy or most)}


@pytest.mark.parametrize(
    ("data", "plan", "outcome", "reasons", "notes"),
    [
        (summary(), None, "PASS", [], []),
        (summary(), FIFTY, "PASS", [], []),
        (summary(**users(50)), FIFTY, "PASS", [], []),
        (summary(20, 3000), CLOSED, "INVALID", ["The test ran 20.0 s of the 300 s planned.", "1 VUs with 1 s think time send at most 1.0 requests/s, however fast the target is; 100 are asked for."], []),
        (summary(66, 9900), OPEN, "PASS", [], []),
        (summary(61, 9001, **users(50, 12)), OPEN, "PASS", [], []),
        (summary(61, 8000), OPEN, "INVALID", ["8000 requests were sent; 150 requests/s planned for 60 s are 9000."], []),
        (summary(**users(50)), OPEN, "PASS", [], ["All of the 50 VUs were busy at once, so the open loop had none to spare."]),
        (summary(**users(5)), FIFTY, "INVALID", ["There were 5 VUs at most, of the 50 planned."], []),
        (summary(**users(5)), SCRIPT, "PASS", [], []),
        (json.dumps({"metrics": {**json.loads(summary())["metrics"], "http_reqs": values(count=9150)}}), FIFTY, "INVALID", ["The results don't say how long the test ran, so they can't be held against the plan.", "http_reqs: rate>=100: the results don't hold rate."], []),
    ],
)  # fmt: skip
def test_a_summary_is_held_against_the_plan(
    tmp_path: Path, data: str, plan: str | None, outcome: str, reasons: list[str], notes: list[str]
) -> None:
    """Its time, requests and users; with a warm-up or without one it is as good."""
    assert judged(tmp_path, data, plan) == (outcome, reasons, [*notes, UNSEEN] if outcome == "PASS" else notes)


@pytest.mark.parametrize(
    ("data", "outcome", "reasons"),
    [
        (summary(failed=366, **{"http_req_duration{expected_response:true}": values(p95=520.0)}), "FAIL", ["http_req_duration: p(95)<500 holds only because errors are quick: p(95) of the successful requests is 520.0 ms (4.00 % failed)."]),
        (summary(failed=366), "PASS", []),
        (summary(**{"http_req_duration{expected_response:true}": values(p95=520.0)}), "PASS", []),
        (summary(http_req_blocked=values(p95=5000.0)), "INVALID", ["Requests waited for a connection before they were sent, p(95) = 5000 ms (http_req_blocked), which their durations don't contain: the generator opens too many, or has too few."]),
        (summary(http_req_blocked=values(p95=4.0)), "PASS", []),
    ],
)  # fmt: skip
def test_what_a_summary_says_of_its_own_latency(tmp_path: Path, data: str, outcome: str, reasons: list[str]) -> None:
    """Errors that flatter, and the wait before a request is sent."""
    found, said, _ = judged(tmp_path, data)
    assert (found, said) == (outcome, reasons)


def test_what_totals_cannot_show_is_named_where_they_pass(tmp_path: Path) -> None:
    """Latency of the successful requests too, where some failed and the summary doesn't have it."""
    metrics = json.loads(summary(failed=9))["metrics"]
    del metrics["http_req_duration{expected_response:true}"]
    told = UNSEEN.replace(
        " and whether a warm-up is in them", ", whether a warm-up is in them and how long the successful requests took"
    )
    assert judged(tmp_path, json.dumps({"metrics": metrics}))[2] == [told]
    assert judged(tmp_path, summary(failed=900))[2] == []


@pytest.mark.parametrize(
    ("name", "metric", "outcome", "missing"),
    [
        ("checks", {"values": {}, "thresholds": {"rate>0.9": {"ok": True}}}, "INVALID", "checks: rate>0.9 holds, says k6, but the summary doesn't hold rate."),
        ("checks", {"passes": 9, "fails": 0, "value": 1, "thresholds": {"rate>0.9": False}}, "PASS", ""),
        ("slow", {"type": "trend", "values": {"p(95)": None}, "thresholds": {"p(95)<5": {"ok": True}}}, "INVALID", "slow: p(95)<5 holds, says k6, but the summary doesn't hold p(95)."),
        ("slow", {"type": "trend", "values": {"avg": 1, "p(95)": float("nan")}, "thresholds": {"p(95)<5": {"ok": True}}}, "INVALID", "slow: p(95)<5 holds, says k6, but the summary doesn't hold p(95)."),
        ("slow", {"type": "trend", "values": {"avg": 1, "max": 2}, "thresholds": {"p(99)<5": {"ok": True}}}, "PASS", ""),
        ("slow", {"type": "counter", "values": {"rate": 2}, "thresholds": {"count<5": {"ok": True}}}, "INVALID", "slow: count<5 holds, says k6, but the summary doesn't hold count."),
    ],
)  # fmt: skip
def test_k6_s_word_without_its_figure_is_no_pass(
    tmp_path: Path, name: str, metric: dict[str, Any], outcome: str, missing: str
) -> None:
    """But for a percentile that k6 was not asked to write beside the others of a trend."""
    (tmp_path / "summary.json").write_text(summary(**{name: metric}))
    found = json.loads(command([tmp_path / "summary.json"], None)[0])
    assert found["outcome"] == outcome
    assert [one["message"] for one in found["reasons"]] == ([missing] if missing else [])


HEAD = (
    "Timestamp,User Count,Type,Name,Requests/s,Failures/s,50%,95%,100%,Total Request Count,Total Failure Count,"
    "Total Median Response Time,Total Average Response Time,Total Min Response Time,Total Max Response Time\n"
)
KEPT = "thresholds: {http_reqs: ['rate>=100'], http_req_failed: ['rate<0.05'], http_req_duration: ['med<100']}\n"
COURSE = (
    "These results are totals over the whole test, which don't show how slow the worst minute was, a slow start, what the "
    "generator itself had to spare and whether a warm-up is in them."
)


def history(
    seconds: int = 300, *, sent: Any = lambda n: 120, bad: Any = lambda n: 0, users: Any = lambda n: 50,
    med: Any = lambda n: 20,
) -> str:  # fmt: skip
    """As Locust 2.47 writes it, a row a second; each argument is of a second."""
    rows, total, failed = [f"1764028799,{users(0)},,Aggregated,0,0,N/A,N/A,N/A,0,0,0,0.0,0,0\n"], 0, 0
    for n in range(seconds):
        total, failed = total + sent(n), failed + bad(n)
        rows.append(f"{1764028800 + n},{users(n)},,Aggregated,1,0,{med(n)},40,90,{total},{failed},20,25.5,1.8,90.7\n")
    return HEAD + "".join(rows)


STILL = "From 100 s on no request was answered for 19 s, after 120 requests/s"


@pytest.mark.parametrize(
    ("data", "scenario", "outcome", "reasons", "notes"),
    [
        (history(), KEPT, "PASS", [], []),
        (history(users=lambda n: min(50, n + 1), sent=lambda n: min(130, 3 * n)), KEPT, "PASS", [], []),
        (history(bad=lambda n: 120 * (60 <= n < 72)), KEPT, "FAIL", ["http_req_failed: rate<0.05 holds over the whole, but breaks in 1 of 4 windows of 60 s; the worst begins at 60 s with 20.00 %."], []),
        (history(sent=lambda n: 60 if 120 <= n < 180 else 130), KEPT, "FAIL", ["http_reqs: rate>=100 holds over the whole, but breaks in 1 of 4 windows of 60 s; the worst begins at 120 s with 60.0 /s."], []),
        (history(med=lambda n: 150 if 50 <= n < 130 else 20), KEPT, "FAIL", ["http_req_duration: med<100 holds over the whole, but breaks in 1 of 4 windows of 60 s; the worst begins at 60 s with 150.0 ms."], []),
        (history(sent=lambda n: 0 if 101 <= n < 120 else 120), KEPT, "INVALID", ["http_reqs: rate>=100 holds over the whole, but breaks in 1 of 4 windows of 60 s; the worst begins at 60 s with 81.4 /s.", f"{STILL}: had the 2280 requests that are missing failed, 6.33 % would have, which breaks http_req_failed: rate<0.05."], []),
        (history(sent=lambda n: 0 if 101 <= n < 104 else 120), KEPT, "PASS", [], ["From 100 s on no request was answered for 3 s, after 120 requests/s; had those that are missing failed, what holds would hold all the same."]),
        (history(sent=lambda n: 0 if 101 <= n < 120 else 120, users=lambda n: 50 - 49 * (101 <= n < 120)), KEPT, "PASS", [], []),
        (history(sent=lambda n: 0 if n % 60 < 9 else 150), KEPT, "PASS", [], ["The load paused 4 times, for up to 9 s: that is taken for its rhythm."]),
        (history(), f"{KEPT}scenario: {FIFTY}\n", "PASS", [], []),
        (history(), f"{KEPT}scenario: {CLOSED}\n", "INVALID", ["1 VUs with 1 s think time send at most 1.0 requests/s, however fast the target is; 100 are asked for."], []),
        (history(users=lambda n: 5), f"{KEPT}scenario: {FIFTY}\n", "INVALID", ["There were 5 VUs at most, of the 50 planned."], []),
    ],
)  # fmt: skip
def test_the_course_that_locust_s_history_holds_is_judged(
    tmp_path: Path, data: str, scenario: str, outcome: str, reasons: list[str], notes: list[str]
) -> None:
    """A bad minute, a standstill, and users who were fewer than planned; users who come, go or pause explain theirs."""
    (tmp_path / "history.csv").write_text(data)
    (tmp_path / "scenario.yaml").write_text(scenario)
    found = json.loads(command([tmp_path / "history.csv"], tmp_path / "scenario.yaml")[0])
    told = [[one["message"] for one in found[which]] for which in ("reasons", "notes")]
    assert (found["outcome"], *told) == (outcome, reasons, [*notes, COURSE] if outcome == "PASS" else notes)


STATS = (
    "Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,Min Response Time,"
    "Max Response Time,Average Content Size,Requests/s,Failures/s,50%,95%,100%\n"
    ",Aggregated,9000,0,3,3.42,2.11,20000,0.0,150.0,0.0,3,{p95},20000\n"
)


@pytest.mark.parametrize(
    ("p95", "limit", "outcome", "told"),
    [
        (480, "<500", "PASS", []),
        (510, "<500", "FAIL", ["http_req_duration: p(95)<500 does not hold: p(95) is 510."]),
        (500, "<=500", "INVALID", ["http_req_duration: p(95)<=500: p(95) was rounded to 500 ms and may be 495 to 505 ms, so it can't be told whether it holds."]),
        (500, "<500", "INVALID", ["http_req_duration: p(95)<500: p(95) was rounded to 500 ms and may be 495 to 505 ms, so it can't be told whether it holds.", "http_req_duration: p(95)<500 does not hold: p(95) is 500."]),
        (1000, "<1010", "INVALID", ["http_req_duration: p(95)<1010: p(95) was rounded to 1000 ms and may be 950 to 1050 ms, so it can't be told whether it holds."]),
        (95, "<96", "PASS", []),
        (12000, "<12400", "INVALID", ["http_req_duration: p(95)<12400: p(95) was rounded to 12000 ms and may be 11500 to 12500 ms, so it can't be told whether it holds."]),
    ],
)  # fmt: skip
def test_a_rounded_percentile_is_held_to_what_it_may_be(
    tmp_path: Path, p95: int, limit: str, outcome: str, told: list[str]
) -> None:
    """Locust keeps two digits of what took long."""
    (tmp_path / "stats.csv").write_text(STATS.format(p95=p95))
    (tmp_path / "scenario.yaml").write_text(f"thresholds: {{http_req_duration: ['p(95){limit}']}}\n")
    found = json.loads(command([tmp_path / "stats.csv"], tmp_path / "scenario.yaml")[0])
    assert (found["outcome"], [one["message"] for one in found["reasons"]]) == (outcome, told)


FEW = {"type": "trend", "values": {"count": 9, "p(95)": 4}, "thresholds": {"p(95)<5": {"ok": True}}}


@pytest.mark.parametrize(
    ("metrics", "reasons"),
    [
        ({"slow": FEW}, ["slow: p(95)<5: 9 samples; 100 are needed for p(95)."]),
        ({"slow": {**FEW, "values": {"count": 900, "p(95)": 4}}}, []),
        ({"http_req_duration": values(count=9, max=90, p95=31)}, ["summary.json: http_req_duration counts 9 requests, and http_reqs 9150."]),
        ({"http_req_duration": values(count=9150, max=90, p95=31)}, []),
        ({"http_req_duration": {"values": {"max": 90, "p(95)": True}}}, ["http_req_duration: p(95)<500: the results don't hold p(95)."]),
        ({"http_req_failed": values(passes=9150, fails=0)}, ["http_req_failed: rate<0.05 does not hold: rate is 1."]),
    ],
)  # fmt: skip
def test_a_figure_that_a_summary_hardly_holds_is_none(
    tmp_path: Path, metrics: dict[str, Any], reasons: list[str]
) -> None:
    """Too few samples, another count, a word in its place, a share that only its parts tell."""
    (tmp_path / "summary.json").write_text(summary(**metrics))
    given = None if "slow" in metrics else tmp_path / "scenario.yaml"
    if given:
        given.write_text(f"thresholds: {LIMITS}\n")
    found = json.loads(command([tmp_path / "summary.json"], given)[0])
    assert [one["message"] for one in found["reasons"]] == reasons
    assert (found["outcome"] == "PASS") == (not reasons)


def words(outcome: Any, *reasons: tuple[str, str]) -> str:
    said = [{"id": "x", "message": message, "makes": makes, "about": ""} for makes, message in reasons]
    return json.dumps({**json.loads(summary()), "launchbook": {"outcome": outcome, "reasons": said, "intervals": {}}})


@pytest.mark.parametrize(
    ("data", "outcome", "reasons"),
    [
        (words("PASS"), "PASS", []),
        (words("PASS", ("NOTE", "Slow at first.")), "PASS", []),
        (words("INVALID", ("INVALID", "The generator used 99 % of its cores.")), "INVALID", ["The generator used 99 % of its cores."]),
        (words("FAIL", ("FAIL", "A minute breaks.")), "FAIL", ["A minute breaks."]),
        (words("INVALID"), "INVALID", ["The run itself calls its result INVALID."]),
        (words(None), "INVALID", ["The run itself calls its result nothing."]),
    ],
)  # fmt: skip
def test_the_document_of_a_run_is_no_better_than_the_run(
    tmp_path: Path, data: str, outcome: str, reasons: list[str]
) -> None:
    """load-test-results.json has k6's shape, and beside it what the run found against its figures."""
    (tmp_path / "load-test-results.json").write_text(data)
    found = json.loads(command([tmp_path / "load-test-results.json"], None)[0])
    assert (found["outcome"], [one["message"] for one in found["reasons"]]) == (outcome, reasons)
