import type { Page } from 'playwright-core';
import { expect, onTestFinished, test } from 'vitest';
import { startApplication } from '../support/application.ts';
import { launchChromium, openPage } from '../support/chromium.ts';
import { startGuardedExample } from '../support/example.ts';
import { startPageServer } from '../support/page.ts';

/**
 * A page of one origin and an API behind the gateway at another: the browser asks before each request if it may be sent,
 * and shows the page nothing that it may not read.
 */

interface Heard {
  readonly status: number;
  readonly body: string;
  readonly challenge: string | null;
}

async function startScene() {
  const app = await startApplication('api');
  onTestFinished(() => app.close());
  const [own, foreign] = await Promise.all([startPageServer(), startPageServer()]);
  onTestFinished(() => own.close());
  onTestFinished(() => foreign.close());
  const { gateway, token } = await startGuardedExample('cors', {
    'https://app.example.com]': `"http://localhost:${own.port}"]`,
    'http://127.0.0.1:3000': `http://127.0.0.1:${app.port}`,
  });
  const browser = await launchChromium();
  onTestFinished(() => browser.close());

  async function visit(port: number): Promise<Page> {
    const page = await openPage(browser);
    await page.goto(`http://localhost:${port}/`);
    return page;
  }
  /** What the page reads of an answer; rejects if the browser shows it none. */
  function fetchOn(page: Page, bearer: string): Promise<Heard> {
    const url = `https://localhost:${gateway.port}/api/orders`;
    const options = { method: 'PUT', headers: { authorization: `Bearer ${bearer}` } };
    return page.evaluate(`(async () => {
      const answer = await fetch(${JSON.stringify(url)}, ${JSON.stringify(options)});
      const challenge = answer.headers.get('www-authenticate');
      return { status: answer.status, body: await answer.text(), challenge };
    })()`);
  }
  return { app, gateway, token, own: () => visit(own.port), foreign: () => visit(foreign.port), fetchOn };
}

test('a page of another origin reads the answer to its good token, and why a bad one is refused', async () => {
  const { app, gateway, token, own, fetchOn } = await startScene();
  const page = await own();
  expect(await fetchOn(page, 'x.y.z')).toEqual({
    status: 401,
    body: 'TOKEN_INVALID: The token is not valid.\n',
    challenge: 'Bearer realm="localhost", error="invalid_token"',
  });
  expect(app.requests).toEqual([]);
  expect(await fetchOn(page, token)).toEqual({ status: 200, body: 'api page /api/orders', challenge: null });
  expect(app.requests.map(({ method, headers }) => [method, headers['x-user']])).toEqual([['PUT', 'alice']]);
  // What was asked before either was answered by the gateway.
  const asked = gateway.log.filter(({ method }) => method === 'OPTIONS');
  expect(asked.length).toBeGreaterThan(0);
  for (const line of asked) expect(line).toMatchObject({ route: 'api', status: 204 });
});

test('a page that the route does not name reads nothing, and sends nothing but its preflight', async () => {
  const { app, gateway, token, foreign, fetchOn } = await startScene();
  await expect(fetchOn(await foreign(), token)).rejects.toThrow('Failed to fetch');
  expect(app.requests).toEqual([]);
  expect(gateway.log.filter(({ msg }) => msg === 'request refused')).toMatchObject([
    { error: 'ORIGIN_REFUSED' },
  ]);
});
