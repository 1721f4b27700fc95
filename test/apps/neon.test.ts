import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { neonConfig, Pool } from '@neondatabase/serverless';
import express from 'express';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { launchTowards, openPage } from '../support/chromium.ts';
import { type Changes, type Guarded, startGuardedExample } from '../support/example.ts';
import { within } from '../support/patience.ts';
import { PASSWORD, startPostgres } from '../support/postgres.ts';
import type { RunningServer } from '../support/servers.ts';
import { pageHeaders } from '../support/visitor.ts';
import { serve } from './serve.ts';
import { webSocketWith } from './web-socket.ts';

/** Debian's PostgreSQL, which asks for a password by SCRAM, and Neon's driver over TLS: as a page with a cookie, as a program with a header. */

const NEON = fileURLToPath(new URL('node_modules/@neondatabase/serverless', import.meta.url));

let postgres: RunningServer;
beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);
afterAll(() => postgres.close());

async function startScene(changes: Changes = {}): Promise<Guarded> {
  return startGuardedExample('neon', {
    'replica.db.internal:5432': `127.0.0.1:${postgres.port}`,
    ...changes,
  });
}

/** Connections as alice; closed when the test has finished. */
function poolOf(guarded: Guarded, headers: Record<string, string>, changes: object = {}): Pool {
  neonConfig.webSocketConstructor = webSocketWith(guarded, headers);
  neonConfig.wsProxy = `localhost:${guarded.gateway.port}/v2`;
  neonConfig.pipelineConnect = false;
  const pool = new Pool({
    host: 'db.example.com',
    user: 'alice',
    password: PASSWORD,
    database: 'postgres',
    max: 3,
    ...changes,
  });
  // Of idle connections that the test ends.
  pool.on('error', () => {});
  onTestFinished(() => (pool.ended ? undefined : pool.end()));
  return pool;
}

test.each([
  ['page', pageHeaders],
  ['program', ({ token }: Guarded) => ({ authorization: `Bearer ${token}` })],
])('a %s signs in, writes and reads many rows', async (table, headersOf) => {
  const guarded = await startScene();
  const pool = poolOf(guarded, headersOf(guarded));
  await within(pool.query(`create table ${table} (id int primary key, word text)`), 'a table', 10_000);
  const payload = 'κόσμε '.repeat(50_000);
  const client = await pool.connect();
  await client.query('begin');
  await client.query(`insert into ${table} select n, $1::text || n from generate_series(1, 20) n`, [payload]);
  await client.query('commit');
  client.release();
  const { rows } = await within(pool.query(`select id, word from ${table} order by id`), 'the rows', 10_000);
  expect(rows.map(({ id }) => id)).toEqual(Array.from({ length: 20 }, (_, at) => at + 1));
  // Not by toEqual, which would print half a megabyte.
  expect(rows.every(({ id, word }) => word === `${payload}${id}`)).toBe(true);
  const several = await Promise.all([1, 2, 3].map((n) => pool.query('select $1::int * 2 as twice', [n])));
  expect(several.map(({ rows: [row] }) => row.twice)).toEqual([2, 4, 6]);
  await pool.end();
  const ended = await guarded.gateway.logged(({ msg }) => msg === 'session ended');
  expect(ended).toMatchObject({ route: 'postgres', subject: 'alice', clean: true });
});

test('a page in Chromium reads from its database', async () => {
  const application = express();
  application.get('/pages/', (_request, response) => void response.type('html').send('<title>page</title>'));
  application.use('/pages/neon', express.static(NEON));
  const pages = `http://127.0.0.1:${await serve(createServer(application))}`;
  const route = `{ name: pages, match: { path: /pages/* }, auth: none, upstream: { http: "${pages}" } }`;
  const guarded = await startScene({ 'routes:': `routes:\n  - ${route}` });
  const page = await openPage(await launchTowards('app.example.com', guarded.gateway.port));
  const url = 'https://app.example.com/';
  await page.context().addCookies([{ name: 'session', value: guarded.token, url }]);
  await page.goto(`${url}pages/`);
  const rows = await page.evaluate(`(async () => {
    const { Client, neonConfig } = await import('/pages/neon/index.mjs');
    Object.assign(neonConfig, { wsProxy: 'app.example.com/v2', pipelineConnect: false });
    const client = new Client({ host: 'db.example.com', user: 'alice', password: '${PASSWORD}', database: 'postgres' });
    await client.connect();
    const { rows } = await client.query('select $1::text || n as tea from generate_series(1, 3) n', ['cup ']);
    await client.end();
    return rows;
  })()`);
  expect(rows).toEqual([{ tea: 'cup 1' }, { tea: 'cup 2' }, { tea: 'cup 3' }]);
});

test('who has no password is refused by PostgreSQL, with its own words', async () => {
  const guarded = await startScene();
  const pool = poolOf(guarded, pageHeaders(guarded), { password: 'a guess' });
  await expect(pool.query('select 1')).rejects.toThrow(/password authentication failed for user "alice"/);
});

test('a database that is not in the table is not reached', async () => {
  const guarded = await startScene();
  const pool = poolOf(guarded, pageHeaders(guarded), { host: '127.0.0.1', port: postgres.port });
  await expect(pool.query('select 1')).rejects.toThrow(/403/);
  await guarded.gateway.logged(({ msg, error }) => msg === 'upgrade refused' && error === 'TARGET_REFUSED');
});

test('nobody comes in without a token', async () => {
  const guarded = await startScene();
  await expect(poolOf(guarded, {}).query('select 1')).rejects.toThrow();
  await guarded.gateway.logged(({ error }) => error === 'TOKEN_MISSING');
});
