"""Our scripts for k6: held against its published types, and their pure parts run under Node."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from launchbook.load.bodies import lacks
from launchbook.load.histogram import bucket
from launchbook.load.k6 import K6
from launchbook.load.testrun import LostRunner, manifests, merged
from launchbook.parameters import Load

TYPES = Path(__file__).parents[2] / "k6-types"
SCRIPTS = Path(__file__).parents[3] / "lib" / "launchbook" / "load"


def load(**given: Any) -> Load:
    scenario = {"requests": [{"name": "a", "path": "/a"}], "vus": 4, **given.pop("scenario", {})}
    return Load.model_validate({"target": {"service": "ns/api"}, "scenario": scenario, **given})


@pytest.mark.skipif(not (TYPES / "node_modules").exists(), reason="`make test` installs k6's types, where there is npm")
def test_the_scripts_agree_with_k6s_types(tmp_path: Path) -> None:
    """And the compiler sees a wrong name, so that its silence says something."""
    wrong = tmp_path / "wrong.js"
    wrong.write_text("import http from 'k6/http';\nexport default () => http.requests('GET', 'http://x');\n")
    settings = json.loads((TYPES / "tsconfig.json").read_text())
    said = {}
    for name, files in {"ours": [str(p) for p in SCRIPTS.glob("*.js")], "wrong": [str(wrong)]}.items():
        # Beside the types, since their place is relative to the settings.
        config = TYPES / f"node_modules/{name}.json"
        config.write_text(json.dumps({"extends": "../tsconfig.json", "files": files, "include": []}))
        compiler = ["node", TYPES / "node_modules/typescript/bin/tsc", "-p", config]
        said[name] = subprocess.run(compiler, capture_output=True, text=True, timeout=120, check=False).stdout
    assert settings["compilerOptions"]["checkJs"]
    assert said["ours"] == ""
    assert "Property 'requests' does not exist" in said["wrong"]


NODE = """
import { register } from 'node:module';
import { readFileSync } from 'node:fs';
const hooks = `
export async function resolve(name, context, next) {
  const ours = {
    'k6': 'export const sleep = (s) => globalThis.slept.push(s);' +
      'export const check = (answer, checks, tags) => globalThis.checked.push([checks.body(), tags]);',
    'k6/execution': 'export default { test: { options: { executionSegment: "1/2:1" } }, instance: { get currentTestRunDuration() { return globalThis.passed; } } };',
    'k6/metrics': 'export class Counter { constructor(name) { this.name = name; } ' +
      'add(n) { globalThis.counted[this.name] = (globalThis.counted[this.name] || 0) + n; } }',
    'k6/http': `+'`'+`export default { expectedStatuses: (...all) => all, request: (...all) => { globalThis.sent.push(all); return globalThis.answer; } };`+'`'+`,
  };
  return name in ours
    ? { url: 'data:text/javascript,' + encodeURIComponent(ours[name]), shortCircuit: true } : next(name, context);
}`;
register('data:text/javascript,' + encodeURIComponent(hooks));
globalThis.sent = []; globalThis.slept = []; globalThis.checked = []; globalThis.__ENV = { ...process.env };
globalThis.counted = {}; globalThis.passed = 0;
globalThis.answer = { timings: { duration: 3.3 }, status: 200, body: '{"ok":true}' };
globalThis.open = (name) => readFileSync(name, 'utf8');
const script = await import(process.cwd() + '/generator.mjs');
for (let n = 0; n < 1000; n++) { globalThis.passed = 10 * n; script.default(); }
const values = Object.fromEntries(Object.entries(counted).map(([name, count]) => [name, { values: { count } }]));
const summary = script.handleSummary({ metrics: values, ...(Object.keys(values).length ? { state: { testRunDurationMs: 1e4 } } : {}) });
const table = JSON.parse(readFileSync('table.json', 'utf8'));
const lacking = table.map(([expected, body]) => script.lacks(expected, body));
const floor = await import(process.cwd() + '/floor.mjs');
const told = floor.handleSummary({ metrics: { http_req_duration: { values: { med: 1, 'p(95)': 2, 'p(99)': 3, count: 4 } } } });
console.log(JSON.stringify({ buckets: [0, 0.01, 0.02, 3.3, 59999].map(script.bucket), options: script.options, sent, slept, summary, checked, lacking, told, floor: floor.options }));
"""


def under_node(folder: Path, given: Load, table: Any = (), runners: int = 0, **environment: str) -> Any:
    engine = K6(given, "http://api.ns.svc")
    for name, text in engine.files("/tmp").items():
        (folder / name).write_text(text)
    for name in ("generator", "floor"):
        (folder / f"{name}.js").rename(folder / f"{name}.mjs")
    if runners:
        (config, _) = manifests(given, "http://api.ns.svc")
        (folder / "scenario.json").write_text(config["data"]["scenario.json"])
    (folder / "table.json").write_text(json.dumps(table))
    (folder / "main.mjs").write_text(NODE)
    done = subprocess.run(
        ["node", "main.mjs"], cwd=folder, capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


needs_node = pytest.mark.skipif(not shutil.which("node"), reason="node is not on PATH")


@needs_node
def test_the_script_sends_the_scenario(tmp_path: Path) -> None:
    """Method, URL, body, headers, expected statuses and weights, with think time after each."""
    requests = [
        {"name": "get", "path": "/v1?x=1", "weight": 3},
        {
            "name": "post",
            "path": "/m",
            "method": "POST",
            "body": {"a": 1},
            "expect_status": [202],
            "headers": {"X-A": "b"},
        },
    ]
    said = under_node(tmp_path, load(scenario={"requests": requests, "think_time": "50ms"}))
    gets = [one for one in said["sent"] if one[0] == "GET"]
    posts = [one for one in said["sent"] if one[0] == "POST"]
    assert 650 < len(gets) < 850
    assert gets[0][1:3] == ["http://api.ns.svc/v1?x=1", None]
    assert posts[0][1:3] == ["http://api.ns.svc/m", '{"a":1}']
    told = posts[0][3]
    assert (told["headers"], told["responseCallback"]) == ({"Content-Type": "application/json", "X-A": "b"}, [202])
    assert (told["tags"], told["timeout"]) == ({"name": "post"}, "10s")
    assert said["slept"] == [0.05] * 1000
    assert said["summary"] == {"/tmp/summary.json": '{"metrics":{}}'}
    assert said["options"]["maxRedirects"] == 0


@needs_node
@pytest.mark.parametrize(
    ("given", "executor"),
    [
        ({"vus": 7, "duration": "20s"}, {"executor": "constant-vus", "vus": 7, "duration": "26s"}),
        ({"rate": 2.5, "duration": "20s"}, {"executor": "constant-arrival-rate", "rate": 2500, "timeUnit": "1000s", "duration": "26s", "preAllocatedVUs": 4, "maxVUs": 4}),
        ({"stages": [{"duration": "20s", "target": 9}]}, {"executor": "ramping-vus", "startVUs": 0, "stages": [{"duration": "20s", "target": 9}], "gracefulRampDown": "11s"}),
        ({"rate": 5, "stages": [{"duration": "20s", "target": 9}]}, {"executor": "ramping-arrival-rate", "startRate": 0, "timeUnit": "1000s", "stages": [{"duration": "20s", "target": 9000}], "preAllocatedVUs": 4, "maxVUs": 4}),
    ],
)  # fmt: skip
def test_each_shape_has_its_executor(tmp_path: Path, given: Any, executor: Any) -> None:
    """Closed and open loop, steady and in stages; an open loop has no think time."""
    said = under_node(tmp_path, load(scenario=given))
    assert said["options"]["scenarios"]["load"] == {**executor, "gracefulStop": "11s"}
    assert bool(said["slept"]) == ("rate" not in given)


# expected, body, what it lacks
BODIES: list[tuple[dict[str, Any], str, str]] = [
    ({"contains": "ok"}, '{"ok": 1}', ""),
    ({"contains": "ok"}, "no", "body: lacks the text expected"),
    ({"contains": "ok"}, "", "body: lacks the text expected"),
    ({"json_fields": {"status": "up"}}, '{"status": "up"}', ""),
    ({"json_fields": {"status": "up"}}, '{"status": "down"}', "body: status is not as expected"),
    ({"json_fields": {"items.1.id": 7}}, '{"items": [{}, {"id": 7}]}', ""),
    ({"json_fields": {"items.2.id": 7}}, '{"items": [{}, {"id": 7}]}', "body: items.2.id is not as expected"),
    ({"json_fields": {"n": 1}}, '{"n": true}', "body: n is not as expected"),
    ({"json_fields": {"n": 1}}, '{"n": 1.0}', ""),
    ({"json_fields": {"n": None}}, '{"n": null}', ""),
    ({"json_fields": {"n": None}}, "{}", "body: n is not as expected"),
    ({"json_fields": {"n": 1}}, "<html>", "body: is no JSON"),
    ({"contains": "a", "json_fields": {"n": 1}}, '{"a": 2, "n": 1}', ""),
]


def test_a_body_is_held_to_what_is_expected() -> None:
    """Locust's half of the rule."""
    assert [lacks(expected, body.encode()) for expected, body, _ in BODIES] == [said for *_, said in BODIES]


@needs_node
def test_k6s_script_has_the_same_rule_for_bodies(tmp_path: Path) -> None:
    """Word for word."""
    said = under_node(tmp_path, load(), table=[(expected, body) for expected, body, _ in BODIES])
    assert said["lacking"] == [said for *_, said in BODIES]


@needs_node
def test_a_body_is_read_only_where_something_is_expected_of_it(tmp_path: Path) -> None:
    """Otherwise it is thrown away, as bodies cost a generator most."""
    requests = [
        {"name": "a", "path": "/a", "expect_body": {"json_fields": {"ok": True}}}, {"name": "b", "path": "/b"},
    ]  # fmt: skip
    said = under_node(tmp_path, load(scenario={"requests": requests}))
    assert {(one[3]["tags"]["name"], one[3]["responseType"]) for one in said["sent"]} == {("a", "text"), ("b", "none")}
    assert said["checked"]
    assert all(one == [True, {"name": "a"}] for one in said["checked"])


@needs_node
def test_a_headers_reference_is_followed_inside_the_script(tmp_path: Path) -> None:
    """And one that leads nowhere ends it before the first request, without a value in what it says."""
    headers = {"Authorization": {"env": "TOKEN", "prefix": "Bearer "}}
    given = load(scenario={"requests": [{"name": "a", "path": "/a", "headers": headers}]}, generator={"where": "here"})
    (variable,) = K6(given, "http://x").references()
    said = under_node(tmp_path, given, **{variable: "s3cret\n"})
    assert said["sent"][0][3]["headers"] == {"Authorization": "Bearer s3cret"}
    (tmp_path / "second").mkdir()
    with pytest.raises(AssertionError, match="what header Authorization refers to is empty") as failure:
        under_node(tmp_path / "second", given, **{variable: "s3\x07cret"})
    assert "\x07" not in str(failure.value)


@needs_node
def test_the_floor_is_told_in_one_line(tmp_path: Path) -> None:
    """As many VUs as the load has, up to a hundred."""
    said = under_node(tmp_path, load(scenario={"vus": 500}))
    assert said["told"] == {"stdout": 'LB {"floor":{"med":1,"p(95)":2,"p(99)":3,"count":4}}\n'}
    assert said["floor"]["scenarios"]["floor"]["vus"] == 100


def several(**scenario: Any) -> Load:
    generator = {"pods": 2, "k6_image": "grafana/k6:1.3.0", "cpu": "2"}
    return load(generator=generator, scenario={"warmup": "5s", **scenario})


@needs_node
def test_a_runner_tells_counts_that_add_up(tmp_path: Path) -> None:
    """After the warm-up, in the buckets of histogram.py; two runners' lines make one summary, one line none."""
    said = under_node(tmp_path, several(requests=[{"name": "a", "path": "/a", "expect_status": [201]}]), runners=2)
    assert said["buckets"] == [bucket(ms) for ms in (0, 0.01, 0.02, 3.3, 59999)]
    line = said["summary"]["stdout"].strip()
    runner = json.loads(line[3:])["runner"]
    counted = {"hist": {str(bucket(3.3)): 500}, "failed": 500, "dropped": 0, "seconds": 5}
    assert runner == {"of": 2, "id": runner["id"], "segment": "1/2:1", "began": runner["began"], **counted}
    assert abs(runner["began"] + 10_000 - 1000 * time.time()) < 60_000
    other = {**runner, "id": f"{runner['id']}2", "segment": "0:1/2"}
    whole = merged(["time=… level=info", line, f"LB {json.dumps({'runner': other})}"])["metrics"]
    assert whole["http_reqs"]["values"] == {"count": 1000, "rate": 200.0}
    assert whole["http_req_failed"]["values"] == {"rate": 1.0, "passes": 1000, "fails": 0}
    assert whole["http_req_duration"]["values"]["p(95)"] == pytest.approx(3.3, rel=0.01)
    with pytest.raises(LostRunner, match="1 of 2 runners said what they measured"):
        merged([line])
    with pytest.raises(LostRunner, match="0 of some runners"):
        merged([])


# What k6-operator documents for a TestRun (docs/crd-generated.md, and the types that its definition is made from), as far
# as it goes here: a type, or fields by name. The definition itself comes from no registry that a test could ask.
_POD: dict[str, Any] = {
    "image": str, "automountServiceAccountToken": str, "env": list, "resources": dict, "securityContext": dict,
    "containerSecurityContext": dict, "nodeSelector": dict, "tolerations": list, "metadata": dict, "envFrom": list,
    "volumes": list, "volumeMounts": list, "initContainers": list, "serviceAccountName": str,
}  # fmt: skip
_SPEC: dict[str, Any] = {
    "parallelism": int, "separate": bool, "arguments": str, "quiet": str, "paused": str, "cleanup": str,
    "script": {"configMap": {"name": str, "file": str}, "volumeClaim": dict, "localFile": str},
    "runner": _POD, "initializer": _POD, "starter": _POD,
}  # fmt: skip
_REQUIRED = ("parallelism", "script")


def misfits(value: Any, fields: Any, at: str = "spec") -> list[str]:
    """Fields that aren't documented, or of another type."""
    if isinstance(fields, type):
        right = isinstance(value, fields) and (fields is bool or not isinstance(value, bool))
        return [] if right else [f"{at} is no {fields.__name__}"]
    if not isinstance(value, dict):
        return [f"{at} is no object"]
    unknown = [f"{at}.{name} is not documented" for name in value if name not in fields]
    return unknown + [m for n, v in value.items() if n in fields for m in misfits(v, fields[n], f"{at}.{n}")]


def test_the_testrun_fits_its_definition() -> None:
    """Field by field; a secret is a reference in it, and the check sees a wrong field."""
    headers = {"Authorization": {"secret": "token/key", "prefix": "Bearer "}}
    config, made = manifests(several(requests=[{"name": "a", "path": "/a", "headers": headers}]), "http://api.ns.svc")
    spec = made["spec"]
    assert (made["apiVersion"], made["kind"]) == ("k6.io/v1alpha1", "TestRun")
    assert misfits(spec, _SPEC) == []
    assert all(name in spec for name in _REQUIRED)
    assert spec["parallelism"] == 2
    assert spec["script"]["configMap"] == {"name": config["metadata"]["name"], "file": "generator.js"}
    assert set(config["data"]) == {"generator.js", "scenario.json", "k6.json"}
    (variable,) = spec["runner"]["env"]
    assert variable["valueFrom"] == {"secretKeyRef": {"name": "token", "key": "key"}}
    assert (
        json.loads(config["data"]["scenario.json"])["requests"][0]["headers"]["Authorization"]["variable"]
        == variable["name"]
    )
    assert misfits({**spec, "parallelism": "2", "replicas": 2}, _SPEC) == [
        "spec.replicas is not documented", "spec.parallelism is no int",
    ]  # fmt: skip
