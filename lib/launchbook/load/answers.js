// Whether the target answers, asked by k6 before any load: exit code 0 for a 2xx, 108 with the reason otherwise.
import http from 'k6/http';
import exec from 'k6/execution';
import { sleep } from 'k6';

const scenario = JSON.parse(open('./scenario.json'));

export const options = { vus: 1, iterations: 1, maxRedirects: 0 };

export default function () {
  let said = '';
  for (let attempt = 0; attempt < 5; attempt++) {
    const answer = http.get(scenario.host + scenario.probe_path, { timeout: '5s' });
    if (answer.status >= 200 && answer.status < 300) {
      return;
    }
    said = answer.error || `status ${answer.status}`;
    sleep(1);
  }
  exec.test.abort(said);
}

export function handleSummary() {
  return {};
}
