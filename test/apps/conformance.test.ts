import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DurableStreamTestServer } from '@durable-streams/server';
import { expect, onTestFinished, test } from 'vitest';
import { startGateway } from '../support/gateway.ts';

/** A protocol's own conformance tests, against its reference server and against the same behind the gateway. */

const FOLDER = fileURLToPath(new URL('.', import.meta.url));
/** Most of them wait for something to expire. */
const SUITE_MS = 150_000;
/** They are of a later day than the server, which fails a few; fewer than these would be another suite. */
const AT_LEAST_PASSED = 300;

interface Report {
  readonly testResults: readonly {
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
}

async function startStreams(): Promise<string> {
  const server = new DurableStreamTestServer({ port: 0, longPollTimeout: 500 });
  const url = await server.start();
  onTestFinished(() => server.stop());
  return url;
}

/** What became of each of the tests. */
async function verdictsOn(url: string): Promise<Map<string, string>> {
  const vitest = join(FOLDER, 'node_modules/vitest/vitest.mjs');
  const args = [vitest, 'run', '--config', join(FOLDER, 'durable-streams.config.ts'), '--reporter=json'];
  const env = { PATH: process.env.PATH, CONFORMANCE_TEST_URL: url };
  const report = await new Promise<Report>((resolve) => {
    // A test that failed is a verdict as well, whatever the exit code.
    execFile(process.execPath, args, { cwd: FOLDER, env, maxBuffer: Infinity }, (_, stdout) =>
      resolve(JSON.parse(stdout)),
    );
  });
  const results = report.testResults.flatMap(({ assertionResults }) => assertionResults);
  return new Map(results.map(({ fullName, status }) => [fullName, status]));
}

test('the conformance tests of Durable Streams say the same of its server with the gateway before it as without', {
  timeout: SUITE_MS,
}, async () => {
  const [direct, behind] = [await startStreams(), await startStreams()];
  const route = { name: 'streams', match: { path: '/*' }, auth: 'none', upstream: { http: behind } };
  const gateway = await startGateway(`routes: [${JSON.stringify(route)}]`);
  onTestFinished(() => gateway.close());
  const through = `http://127.0.0.1:${gateway.port}`;
  const [expected, found] = await Promise.all([verdictsOn(direct), verdictsOn(through)]);
  expect([...expected.values()].filter((status) => status === 'passed').length).toBeGreaterThan(
    AT_LEAST_PASSED,
  );
  expect(found).toEqual(expected);
});
