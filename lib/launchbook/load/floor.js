// k6's own latency: the null target asked for a second, with as many VUs and as much think time as the load will have.
import http from 'k6/http';
import exec from 'k6/execution';
import { sleep } from 'k6';

const scenario = JSON.parse(open('./scenario.json'));
const pause = scenario.rate ? scenario.vus / scenario.rate : scenario.think_time;

export const options = {
  scenarios: {
    floor: { executor: 'constant-vus', vus: Math.min(scenario.vus, 100), duration: '1s', gracefulStop: '2s' },
  },
  discardResponseBodies: true,
  summaryTrendStats: ['med', 'p(95)', 'p(99)', 'count'],
};

export function setup() {
  for (let attempt = 0; attempt < 50; attempt++) {
    if (http.get(__ENV.NULL, { timeout: '1s' }).status === 200) {
      return;
    }
    sleep(0.1);
  }
  exec.test.abort('the null target does not answer');
}

export default function () {
  http.get(__ENV.NULL);
  sleep(Math.min(pause, 1));
}

export function handleSummary(data) {
  const took = data.metrics.http_req_duration;
  return took ? { stdout: `LB ${JSON.stringify({ floor: took.values })}\n` } : {};
}
