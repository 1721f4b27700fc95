import { cp, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import express from 'express';
import { build } from 'vite';
import { expect, onTestFinished, test } from 'vitest';
import { launchTowards, openPage } from '../support/chromium.ts';
import { startGuardedExample } from '../support/example.ts';
import { eventually } from '../support/patience.ts';
import { PASSWORD, startPostgres } from '../support/postgres.ts';
import { startRedis } from '../support/servers.ts';
import { EXAMPLE, HERE, library } from './example-page.ts';
import { serve } from './serve.ts';

/** The page of config/examples/databases-in-a-page, built as it is and opened in Chromium. */

const HOST = 'app.example.com';

/** Builds the page where its packages are installed. Resolves with the folder of what was built. */
async function buildPage(): Promise<string> {
  const folder = await mkdtemp(join(HERE, 'node_modules', '.page-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  await cp(EXAMPLE, folder, { recursive: true });
  const configFile = join(folder, 'vite.config.js');
  await build({ root: folder, configFile, logLevel: 'error', plugins: [library] });
  return join(folder, 'dist');
}

test('a page asks Postgres and Redis, by pg and ioredis as they are', { timeout: 60_000 }, async () => {
  const [postgres, redis, pages] = await Promise.all([startPostgres(), startRedis(), buildPage()]);
  onTestFinished(() => Promise.all([postgres.close(), redis.close()]).then(() => {}));
  const application = express();
  application.get('/token', (_request, response) => void response.type('text').send(token));
  application.use(express.static(pages));
  const site = `http://127.0.0.1:${await serve(createServer(application))}`;
  const route = `{ name: pages, match: { path: /* }, auth: none, upstream: { http: "${site}" } }`;
  const { gateway, token } = await startGuardedExample('databases-in-a-page', {
    'targets: { postgres: 10.0.0.7:5432, redis: 10.0.0.8:6379 }': `targets: { postgres: "127.0.0.1:${postgres.port}", redis: "127.0.0.1:${redis.port}" }\n\n  - ${route}`,
  });
  const page = await openPage(await launchTowards(HOST, gateway.port));
  page.on('pageerror', (error) => console.error(error));
  page.on('dialog', (dialog) => dialog.accept(PASSWORD));
  await page.goto(`https://${HOST}/`);
  const shown = async () => (await page.locator('pre').textContent()) ?? '';
  await eventually(async () => (await shown()).endsWith('OK\n'), 'Redis', 20_000);
  expect(await shown()).toMatch(/^\[\{"version":"PostgreSQL \d/);
});
