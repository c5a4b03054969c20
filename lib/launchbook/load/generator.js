// What k6 runs: the scenario of scenario.json, beside this file. No threshold is set here: the runbook judges the
// samples itself, without the warm-up.
import http from 'k6/http';
import { check, sleep } from 'k6';
import exec from 'k6/execution';
import { Counter } from 'k6/metrics';

const scenario = JSON.parse(open('./scenario.json'));

const callbacks = scenario.requests.map((one) => http.expectedStatuses(...one.expect_status));
const headers = scenario.requests.map((one) =>
  Object.fromEntries(Object.entries(one.headers).map(([name, value]) => [name, header(name, value)])),
);
// Of several runners of a TestRun, which leave no samples, a histogram adds up exactly: a counter for each bucket of
// histogram.py, up to a minute, and the warm-up is left out here, since nothing later could.
const LEAST = 0.01;
const LAST = bucket(60000);
const counters = scenario.runners ? Array.from({ length: LAST + 1 }, (_, place) => new Counter(`launchbook_${place}`)) : [];
const broken = scenario.runners ? new Counter('launchbook_failed') : null;
const total = scenario.requests.reduce((sum, one) => sum + one.weight, 0);

export const options = {
  scenarios: { load: executor(scenario) },
  maxRedirects: 0,
  discardResponseBodies: true,
  summaryTrendStats: ['avg', 'min', 'med', 'max', 'p(90)', 'p(95)', 'p(99)', 'p(99.9)', 'count'],
  systemTags: ['status', 'method', 'name', 'group', 'error', 'error_code', 'expected_response'],
};

// k6 counts iterations in whole numbers: a rate such as 2.5/s becomes 2500 in 1000 s.
function executor({ vus, rate, stages, duration, request_timeout: timeout }) {
  // A request that waits when its user is ended leaves no sample, and it is the slow ones that do.
  const gracefulStop = `${Math.min(timeout, 30) + 1}s`;
  const ramps = stages.map((one) => ({ duration: `${one.duration}s`, target: Math.round(one.target) }));
  if (rate) {
    const open = { timeUnit: '1000s', preAllocatedVUs: vus, maxVUs: vus, gracefulStop };
    if (stages.length) {
      const thousandfold = stages.map((one) => ({ duration: `${one.duration}s`, target: Math.round(1000 * one.target) }));
      return { executor: 'ramping-arrival-rate', startRate: 0, stages: thousandfold, ...open };
    }
    return { executor: 'constant-arrival-rate', rate: Math.round(1000 * rate), duration: `${duration}s`, ...open };
  }
  if (stages.length) {
    return { executor: 'ramping-vus', startVUs: 0, stages: ramps, gracefulRampDown: gracefulStop, gracefulStop };
  }
  return { executor: 'constant-vus', vus, duration: `${duration}s`, gracefulStop };
}

export function bucket(ms) {
  return ms <= LEAST ? 0 : Math.ceil(Math.log(ms / LEAST) / Math.log(1.02));
}

function count(ms, failed) {
  if (!broken || exec.instance.currentTestRunDuration < 1000 * scenario.warmup) {
    return;
  }
  counters[Math.min(bucket(ms), LAST)].add(1);
  broken.add(failed ? 1 : 0);
}

// A header's value: as the scenario has it, or from the environment, where a reference put it.
function header(name, value) {
  if (typeof value === 'string') {
    return value;
  }
  const found = (__ENV[value.variable] || '').trim();
  if (!/^[ -~]+$/.test(found)) {
    throw new Error(`what header ${name} refers to is empty, or holds characters that no header may have`);
  }
  return value.prefix + found;
}

// What the body lacks of what is expected, as the kind of an error; empty where it has everything. See bodies.py.
export function lacks(expected, body) {
  if (expected.contains && !(body || '').includes(expected.contains)) {
    return 'body: lacks the text expected';
  }
  const fields = Object.entries(expected.json_fields || {});
  if (!fields.length) {
    return '';
  }
  let whole;
  try {
    whole = JSON.parse(body);
  } catch {
    return 'body: is no JSON';
  }
  const wrong = fields.find(([name, value]) => at(whole, name.split('.')) !== value);
  return wrong ? `body: ${wrong[0]} is not as expected` : '';
}

function at(whole, names) {
  return names.reduce(
    (found, name) => (found !== null && typeof found === 'object' && Object.hasOwn(found, name) ? found[name] : undefined),
    whole,
  );
}

function pick() {
  let left = Math.random() * total;
  const found = scenario.requests.findIndex((one) => (left -= one.weight) < 0);
  return found < 0 ? scenario.requests.length - 1 : found;
}

export default function () {
  const place = pick();
  const one = scenario.requests[place];
  const structured = one.body !== null && typeof one.body === 'object';
  const answer = http.request(one.method, scenario.host + one.path, structured ? JSON.stringify(one.body) : one.body, {
    headers: { ...(structured ? { 'Content-Type': 'application/json' } : {}), ...headers[place] },
    tags: { name: one.name },
    timeout: `${scenario.request_timeout}s`,
    responseCallback: callbacks[place],
    responseType: one.expect_body ? 'text' : 'none',
  });
  let failed = !one.expect_status.includes(answer.status);
  if (one.expect_body && !failed) {
    failed = lacks(one.expect_body, answer.body) !== '';
    // A row of `checks` with the value 0: k6.py takes the request before it for a failed one.
    check(answer, { body: () => !failed }, { name: one.name });
  }
  count(answer.timings.duration, failed);
  if (!scenario.rate) {
    sleep(scenario.think_time);
  }
}

// The share of the load that this runner was given, such as 1/4:1/2; empty where k6 doesn't say.
function segment() {
  const told = String((exec.test.options || {}).executionSegment || '');
  return /^[\d./%]+(:[\d./%]+)?$/.test(told) ? told : '';
}

export function handleSummary(data) {
  if (scenario.runners) {
    const at = (name) => (data.metrics[name] ? data.metrics[name].values.count : 0);
    const hist = Object.fromEntries(counters.map((_, place) => [place, at(`launchbook_${place}`)]).filter(([, n]) => n));
    const seconds = data.state.testRunDurationMs / 1000 - scenario.warmup;
    const dropped = at('dropped_iterations');
    // Which runner this is, so that a line given twice isn't taken for another one's.
    const id = Math.random().toString(36).slice(2);
    const began = Date.now() - data.state.testRunDurationMs;
    const counted = { hist, failed: at('launchbook_failed'), dropped, seconds };
    const runner = { of: scenario.runners, id, segment: segment(), began, ...counted };
    return { stdout: `LB ${JSON.stringify({ runner })}\n` };
  }
  return { [`${scenario.out}/summary.json`]: JSON.stringify(data) };
}
