import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { build, type Rolldown } from 'vite';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { launchChromium, openPage } from '../support/chromium.ts';
import { freshToken, TOKEN_ENV, TOKEN_ISSUER } from '../support/fresh.ts';
import { startGateway } from '../support/gateway.ts';
import { freePort } from '../support/ports.ts';
import { PASSWORD, startPostgres } from '../support/postgres.ts';
import { serveScript } from '../support/script-page.ts';
import { type RunningServer, startRedis } from '../support/servers.ts';
import type { DatabasePage } from './database-page.ts';
import { EXAMPLE, HERE, library } from './example-page.ts';

/** pg and ioredis, bundled by Vite for a page, on Debian's PostgreSQL and Redis through a gateway that wants a token. */

async function bundle(): Promise<string> {
  const output = await build({
    root: HERE,
    configFile: join(EXAMPLE, 'vite.config.js'),
    logLevel: 'silent',
    plugins: [library],
    build: {
      write: false,
      modulePreload: false,
      rolldownOptions: { input: join(HERE, 'database-page.ts') },
    },
  });
  return (output as Rolldown.RolldownOutput).output[0].code;
}

let postgres: RunningServer;
let redis: RunningServer;
let script: string;

beforeAll(async () => {
  [postgres, redis, script] = await Promise.all([startPostgres(), startRedis(), bundle()]);
}, 60_000);
afterAll(async () => void (await Promise.all([postgres?.close(), redis?.close()])));

async function openDatabasePage(): Promise<Page> {
  const origin = await serveScript(script);
  const keys = `auth: { issuer: main, token: [subprotocol] }, origins: ["${origin}"]`;
  const ports = { postgres: postgres.port, redis: redis.port, nobody: await freePort() };
  const routes = Object.entries(ports).map(
    ([name, port]) =>
      `\n  - { name: ${name}, match: { path: /${name} }, ${keys}, upstream: { tcp: "127.0.0.1:${port}" } }`,
  );
  const gateway = await startGateway(`${TOKEN_ISSUER}\nroutes:${routes.join('')}`, TOKEN_ENV);
  onTestFinished(() => gateway.close());
  const browser = await launchChromium();
  onTestFinished(() => browser.close());
  const page = await openPage(browser);
  page.on('pageerror', (error) => console.error(error));
  await page.goto(origin);
  await ask(page, 'configure', gateway.url(''), freshToken());
  return page;
}

/** Calls one of the page's functions. */
function ask(page: Page, name: keyof DatabasePage, ...args: readonly string[]): Promise<unknown> {
  type Asked = { page: Record<string, (...args: readonly string[]) => unknown> };
  return page.evaluate(
    ([called = '', ...given]) => (globalThis as unknown as Asked).page[called]?.(...given),
    [name, ...args],
  );
}

test('pg asks Postgres with a SCRAM password, and gets a megabyte', async () => {
  const page = await openDatabasePage();
  const rows = await ask(page, 'query', PASSWORD, "select repeat('x', 1048576) as text, 6 * 7 as answer");
  expect((rows as { text: string }[])[0]?.text.length).toBe(1_048_576);
  expect(rows).toMatchObject([{ answer: 42 }]);
  await expect(ask(page, 'query', 'a guess', 'select 1')).rejects.toThrow(/password authentication failed/);
});

test('ioredis sets, gets and pipelines', { timeout: 30_000 }, async () => {
  const page = await openDatabasePage();
  expect(await ask(page, 'redis')).toEqual({
    set: 'OK',
    same: true,
    counted: [
      [null, 'OK'],
      [null, 42],
      [null, '42'],
    ],
    last: 124_750,
  });
});

test('a service that is down is ECONNREFUSED', async () => {
  const page = await openDatabasePage();
  expect(await ask(page, 'failure')).toBe('ECONNREFUSED The upstream could not be reached. (nobody:1)');
});
