import { createServer } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Application, startApplication } from '../support/application.ts';
import { ask, bearer, type Fields, opened, post } from '../support/endpoints.ts';
import { freshToken, TOKEN_ENV, TOKEN_ISSUER } from '../support/fresh.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { say } from '../support/raw.ts';

/** What the gateway answers itself, between routes that have the same paths. */

const REFRESH = '/.sallyport/refresh';

let app: Application;
let gateway: TestGateway;
let elsewhere: TestGateway;

beforeAll(async () => {
  app = await startApplication('app', createServer());
  const http = `upstream: { http: "http://127.0.0.1:${app.port}" }`;
  const guarded = (host: string) =>
    `  - { name: at-${host}, match: { host: ${host}, path: "/*" }, auth: { issuer: main }, ${http} }`;
  gateway = await startGateway(
    `${TOKEN_ISSUER}
routes:
  - { name: own, match: { host: own.test, path: /.sallyport/refresh }, auth: none, ${http} }
  - { name: below, match: { host: below.test, path: "/.sallyport/*" }, auth: none, ${http} }
  - { name: case, match: { host: case.test, path: "/.SALLYPORT/*", ignoreCase: true }, auth: none, ${http} }
  - { name: named, match: { host: named.test, path: "/{one}/{two}" }, auth: { issuer: main }, ${http} }
  - { name: tickets, match: { host: tickets.test, path: /chat }, auth: { issuer: main, token: [ticket] }, upstream: { websocket: "ws://127.0.0.1:${app.port}" } }
  - { name: free, match: { host: free.test, path: "/*" }, auth: none, ${http} }
${['own.test', 'below.test', 'case.test', '127.0.0.1'].map(guarded).join('\n')}`,
    TOKEN_ENV,
  );
  elsewhere = await startGateway(
    `endpoints: { prefix: /_gateway/v1 }
${TOKEN_ISSUER}
routes:
  - { name: all, match: { path: "/*" }, auth: { issuer: main, onExpiry: close }, ${http} }`,
    TOKEN_ENV,
  );
});
afterAll(async () => {
  await gateway.close();
  await elsewhere.close();
  await app.close();
});

const at = (host: string, path = REFRESH, fields: Fields = {}) =>
  post(gateway.port, path, { ...bearer(freshToken()), Host: host, ...fields });

test.each(['127.0.0.1', 'named.test'])(
  'at %s comes before a route that has it by a wildcard',
  async (host) => {
    expect(await at(host)).toMatchObject({ status: 200, body: expect.stringContaining('"extended":0') });
  },
);

test.each(['own', 'below', 'case'])('leaves a path to the route that claims it: %s', async (name) => {
  expect(await at(`${name}.test`)).toMatchObject({ status: 200, body: expect.stringContaining('page') });
  expect(await gateway.logged(({ route }) => route === name)).toMatchObject({ path: REFRESH });
});

test('leaves it to the routes where none of the host has anything to do with it', async () => {
  expect(await at('free.test')).toMatchObject({ body: expect.stringContaining('page') });
});

test.each([
  '/.sallyport/ticket',
  '/.sallyport/',
  '/.sallyport/refresh/',
  '/.sallyport/Refresh',
  '/.sallyport/re%66resh',
])('is none at %s, which no route has instead', async (path) => {
  const { status, body } = await at('127.0.0.1', path);
  expect([status, body]).toEqual([
    404,
    `NO_ROUTE: Below /.sallyport the gateway answers itself, and here at ${REFRESH} only.\n`,
  ]);
  expect(await at('free.test', path)).toMatchObject({ status: 200, body: expect.stringContaining('page') });
});

test.each(['own', 'below', 'case'])(
  'a route that claims the prefix has what is none, too: %s',
  async (name) => {
    const { status } = await at(`${name}.test`, '/.sallyport/nothing');
    expect(status).toBe(name === 'own' ? 404 : 200);
  },
);

test('its requests, and those for what is none, are counted from the start', async () => {
  const text = await elsewhere.metrics();
  for (const route of ['/_gateway/v1/refresh', '/_gateway/v1'])
    expect(text).toContain(`sallyport_requests_total{route="${route}",status="5xx"} 0`);
});

test('stands where the configuration says', async () => {
  const token = bearer(freshToken());
  expect(await post(elsewhere.port, '/_gateway/v1/refresh', token)).toMatchObject({
    ...{ status: 200, body: expect.stringContaining('"extended":0') },
  });
  expect(await post(elsewhere.port, REFRESH, token)).toMatchObject({ body: expect.stringContaining('page') });
});

test.each(['GET', 'HEAD', 'PUT', 'DELETE'])('%s gets 405, and hears what is served', async (method) => {
  const answer = await ask(gateway.port, method, REFRESH);
  expect([answer.status, answer.headers.allow]).toEqual([405, 'POST, OPTIONS']);
  expect(await gateway.logged((line) => line.method === method)).toMatchObject({
    ...{ route: REFRESH, error: 'METHOD_NOT_ALLOWED' },
  });
});

test('OPTIONS gets 204, and hears what is served', async () => {
  const answer = await ask(gateway.port, 'OPTIONS', REFRESH);
  expect([answer.status, answer.headers.allow]).toEqual([204, 'POST, OPTIONS']);
});

test('an upgrade to the path is the routes’ own', async () => {
  const socket = await opened(elsewhere.url('/_gateway/v1/refresh'), bearer(freshToken()));
  expect(socket.readyState).toBe(socket.OPEN);
});

test('takes bodies of 64 KiB, and no more', async () => {
  const token = bearer(freshToken());
  const size = 64 * 1024;
  expect((await post(gateway.port, REFRESH, token, 'x'.repeat(size))).status).toBe(200);
  expect(await post(gateway.port, REFRESH, token, 'x'.repeat(size + 1))).toMatchObject({
    ...{ status: 413, body: expect.stringContaining('BODY_TOO_BIG') },
  });
  const chunk = `${size.toString(16)}\r\n${'x'.repeat(size)}\r\n`;
  const chunks = { 'Transfer-Encoding': 'chunked', ...token };
  expect((await ask(gateway.port, 'POST', REFRESH, chunks, `${chunk}${chunk}`)).status).toBe(413);
});

test('bids who waits for it to send its body', async () => {
  const fields = {
    Host: '127.0.0.1',
    Expect: '100-continue',
    'Content-Length': '1',
    ...bearer(freshToken()),
  };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  using client = await say(gateway.port, `POST ${REFRESH} HTTP/1.1\r\n${lines.join('')}\r\n`);
  await client.until(() => client.head !== undefined, 'an interim answer');
  expect(client.head).toMatch(/^HTTP\/1\.1 100 /);
});

test('a body that does not come keeps nobody out', async () => {
  await using small = await startGateway(
    `limits: { connections: 1 }
${TOKEN_ISSUER}
routes:
  - { name: all, match: { path: "/*" }, auth: { issuer: main }, upstream: { http: "http://127.0.0.1:${app.port}" } }`,
    TOKEN_ENV,
  );
  const head = `POST ${REFRESH} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1\r\nExpect: 100-continue\r\n`;
  using slow = await say(small.port, `${head}Authorization: Bearer ${freshToken()}\r\n\r\n`);
  await slow.until(() => slow.head !== undefined, 'an interim answer');
  const socket = await opened(small.url('/'), bearer(freshToken()));
  // Now it is its own turn that has to wait.
  slow.write('x');
  expect(await small.logged(({ msg }) => msg === 'request refused')).toMatchObject({
    ...{ route: REFRESH, error: 'GATEWAY_FULL', status: 503 },
  });
  expect(socket.readyState).toBe(socket.OPEN);
});
