import { expect, onTestFinished, test } from 'vitest';
import { startApplication } from '../support/application.ts';
import { startGateway } from '../support/gateway.ts';
import { run } from '../support/programs.ts';

/** Debian's ab, which speaks HTTP/1.0, and sends its next request on the same connection where that is kept. */

const COUNT = 200;

/** A figure of its report; 0 for a line that it leaves out. */
function figure(report: string, name: string): number {
  return Number(new RegExp(`^${name}: +(\\d+)`, 'm').exec(report)?.[1] ?? 0);
}

test.each([
  { how: 'a connection for each', args: [], kept: 0 },
  { how: 'connections that are kept', args: ['-k'], kept: COUNT },
])('two hundred requests are answered, ten at a time, by $how', async ({ args, kept }) => {
  const application = await startApplication('shop');
  onTestFinished(() => application.close());
  const gateway = await startGateway(`
routes:
  - name: all
    match: { path: /* }
    auth: none
    upstream: { http: "http://127.0.0.1:${application.port}" }`);
  onTestFinished(() => gateway.close());
  const url = `http://127.0.0.1:${gateway.port}/page`;
  const { output } = await run(['ab', 'apache2-utils'], ['-n', `${COUNT}`, '-c', '10', ...args, url]);
  const names = ['Complete requests', 'Failed requests', 'Non-2xx responses', 'Keep-Alive requests'];
  expect(names.map((name) => figure(output, name))).toEqual([COUNT, 0, 0, kept]);
  expect(application.requests).toHaveLength(COUNT);
});
