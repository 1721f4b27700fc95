import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request } from 'undici';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startApplication } from '../support/application.ts';
import { startAuthService } from '../support/auth-service.ts';
import { converse } from '../support/conversation.ts';
import { startExample } from '../support/example.ts';
import { freshToken, TOKEN_ENV, TOKEN_ISSUER } from '../support/fresh.ts';
import { startGateway } from '../support/gateway.ts';
import { eventually, within } from '../support/patience.ts';
import { handshake, say } from '../support/raw.ts';

/** Another service that is asked who comes in, through a whole gateway. */

const ORIGIN = 'https://app.test';

async function started(external = '', rest = '') {
  const app = await startApplication('app');
  onTestFinished(() => app.close());
  const service = await startAuthService();
  const asked = `external: { url: "${service.url}", subject: x-user, ${external} }`;
  const gateway = await startGateway(
    `${TOKEN_ISSUER}
routes:
  - name: app
    match: { host: app.test, path: /* }
    origins: [${ORIGIN}]
    auth: { ${asked}, ${rest} forward: { x-user: x-user, x-name: sub } }
    upstream: { http: "http://127.0.0.1:${app.port}" }`,
    TOKEN_ENV,
  );
  onTestFinished(() => gateway.close());
  const fields = { Host: 'app.test', Origin: ORIGIN, Cookie: 'sid=1; theme=dark' };

  async function ask(method: string, more: Record<string, string> = {}) {
    const lines = Object.entries({ ...fields, Connection: 'close', ...more });
    const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
    using client = await say(gateway.port, `${method} /page?q=1 HTTP/1.1\r\n${head}\r\n`);
    return await client.answer();
  }
  async function upgrade(more: Record<string, string | undefined> = {}) {
    using client = await say(gateway.port, handshake('/socket', { ...fields, ...more }));
    return await client.answer();
  }
  const connect = () => converse(gateway.url('/socket'), [], { headers: fields });
  return { app, service, gateway, ask, upgrade, connect };
}

describe('a client that the service knows', () => {
  test('comes in with pages and WebSockets, and is told upstream; its cookies go on', async () => {
    const { app, service, gateway, ask, connect } = await started();
    service.answer = (response) => response.setHeader('X-User', 'alice').end('never seen');
    const answer = await ask('GET', { 'X-User': 'root', 'X-Forwarded-Uri': '/open' });
    expect(answer).toMatchObject({ status: 200, body: expect.stringContaining('app page /page?q=1') });
    expect(answer.headers).not.toHaveProperty('x-user');
    await (await connect()).hear(/app socket/);
    for (const { headers } of app.requests)
      expect(headers).toMatchObject({ 'x-user': 'alice', cookie: 'sid=1; theme=dark' });
    await gateway.logged(({ msg, subject }) => msg === 'session opened' && subject === 'alice');

    const [page, socket] = service.questions;
    expect(page).toMatchObject({ method: 'GET', url: '/auth?rd=1' });
    expect(page?.headers).toMatchObject({
      cookie: 'sid=1; theme=dark',
      'x-forwarded-method': 'GET',
      'x-forwarded-uri': '/page?q=1',
      'x-original-url': 'http://app.test/page?q=1',
    });
    expect(page?.headers).not.toHaveProperty('x-user');
    expect(socket?.headers).toMatchObject({ 'x-forwarded-uri': '/socket' });
    expect(socket?.headers).not.toHaveProperty('upgrade');
    expect(service.questions.map(({ headers }) => headers['x-request-id'])).toEqual(
      app.requests.map(({ headers }) => headers['x-request-id']),
    );
  });

  test('is out when the service says that its session ends', async () => {
    const { service, connect } = await started();
    service.answer = (response) => response.setHeader('X-Auth-Expires', `${Date.now() / 1000 + 0.5}`).end();
    const { webSocket } = await connect();
    const [code, reason] = await within(once(webSocket, 'close'), 'the end of the session');
    expect([code, `${reason}`]).toEqual([3000, 'The token has expired.']);
  });

  test('needs a token as well where there is an issuer, which is looked at first', async () => {
    const { app, service, ask } = await started('', 'issuer: main,');
    service.answer = (response) => response.setHeader('X-User', 'alice').end();
    expect(await ask('GET')).toMatchObject({ status: 401, body: expect.stringContaining('TOKEN_MISSING') });
    expect(service.questions).toHaveLength(0);
    const Authorization = `Bearer ${freshToken({ sub: 'bob' })}`;
    expect(await ask('GET', { Authorization })).toMatchObject({ status: 200 });
    expect(app.requests[0]?.headers).toMatchObject({ 'x-user': 'alice', 'x-name': 'bob' });
    expect(app.requests[0]?.headers).not.toHaveProperty('authorization');
    service.answer = (response) => response.writeHead(403).end();
    expect(await ask('GET', { Authorization })).toMatchObject({ status: 403 });
  });

  test('is asked about once while its answer holds', async () => {
    const { service, ask, upgrade } = await started('cache: 1m');
    for (let count = 0; count < 3; count++) {
      expect(await ask('GET')).toMatchObject({ status: 200 });
      expect(await upgrade()).toMatchObject({ status: 101 });
    }
    expect(service.questions).toHaveLength(2);
    expect(await ask('GET', { Cookie: 'sid=2' })).toMatchObject({ status: 200 });
    expect(service.questions).toHaveLength(3);
  });
});

describe('a refusal of the service', () => {
  test('is the client’s answer, for pages and WebSockets', async () => {
    const { app, service, gateway, ask, upgrade } = await started();
    service.answer = (response) =>
      response
        .writeHead(401, {
          'WWW-Authenticate': 'Basic realm="x"',
          'Set-Cookie': 'sid=; Max-Age=0',
          'X-Why': 'so',
        })
        .end('who are you?');
    for (const answer of [await ask('GET'), await ask('POST'), await upgrade()]) {
      expect(answer).toMatchObject({
        status: 401,
        headers: { 'www-authenticate': 'Basic realm="x"', 'set-cookie': 'sid=; Max-Age=0', 'x-why': 'so' },
        body: 'who are you?',
      });
    }
    expect(app.requests).toEqual([]);
    const detail = 'the auth service answered 401';
    for (const msg of ['request refused', 'upgrade refused'])
      await gateway.logged(
        (line) => line.msg === msg && line.detail === detail && line.error === 'TOKEN_INVALID',
      );
  });

  test('may send the client to where it signs in, as it came', async () => {
    const { service, ask, upgrade } = await started();
    const location = 'https://id.test/login?rd=https%3A%2F%2Fapp.test%2F';
    service.answer = (response) => response.writeHead(302, { location }).end();
    expect(await ask('GET')).toMatchObject({ status: 302, headers: { location } });
    expect(await ask('HEAD')).toMatchObject({ status: 302, headers: { location }, body: '' });
    expect(await upgrade()).toMatchObject({ status: 302, headers: { location } });
  });

  test('can be read by the pages that may come', async () => {
    const { service, ask } = await started();
    service.answer = (response) => response.writeHead(403, { 'Access-Control-Allow-Origin': 'null' }).end();
    expect((await ask('GET')).headers).toMatchObject({ 'access-control-allow-origin': ORIGIN });
  });
});

describe('nobody is let in', () => {
  test.each([
    ['where the service fails', 500],
    ['where it knows nothing of the address', 404],
  ])('%s', async (_, status) => {
    const { service, gateway, ask, upgrade } = await started();
    service.answer = (response) => response.writeHead(status, { 'Set-Cookie': 'a=b' }).end('secret');
    for (const answer of [await ask('GET'), await upgrade()]) {
      expect(answer).toMatchObject({
        status: 503,
        body: expect.stringMatching(/^AUTH_UNAVAILABLE: Who you are/),
      });
      expect(answer.headers).not.toHaveProperty('set-cookie');
    }
    await gateway.logged(({ detail }) => detail === `the auth service answered ${status}`);
  });

  test('where it does not answer in time', async () => {
    const { service, gateway, upgrade } = await started('within: 100ms');
    service.answer = () => {};
    expect(await upgrade()).toMatchObject({ status: 503, headers: { 'retry-after': '5' } });
    await gateway.logged(({ detail, cause }) =>
      `${detail}: ${cause}`.startsWith('the auth service does not answer: no answer in 100 ms'),
    );
  });

  test('with a cookie and without an Origin, but to read pages', async () => {
    const { service, gateway, ask, upgrade } = await started();
    expect(await upgrade({ Origin: undefined })).toMatchObject({ status: 403 });
    await gateway.logged(({ error }) => error === 'ORIGIN_REFUSED');
    expect(service.questions).toEqual([]);
    expect(await ask('GET', { Origin: ORIGIN })).toMatchObject({ status: 200 });
  });
});

test('where a service like oauth2-proxy only says 401, browsers are sent to where it signs people in', async () => {
  const service = await startAuthService();
  const app = await startApplication('app');
  onTestFinished(() => app.close());
  const gateway = await startExample('oauth2-proxy', {
    'http://127.0.0.1:4180/oauth2/auth': `http://127.0.0.1:${service.port}/oauth2/auth`,
    'http://127.0.0.1:4180, upgrades': `http://127.0.0.1:${service.port}, upgrades`,
    'http://127.0.0.1:3000': `http://127.0.0.1:${app.port}`,
  });
  const knows = ({ headers }: IncomingMessage) => headers.cookie === '_oauth2_proxy=alice';
  service.answer = (response, question) =>
    question.url === '/oauth2/auth' && knows(question)
      ? response.writeHead(202, { 'X-Auth-Request-User': 'alice', 'X-Auth-Request-Email': 'a@b.test' }).end()
      : response.writeHead(question.url === '/oauth2/auth' ? 401 : 200).end('Unauthorized');
  async function ask(path: string, headers: Record<string, string>) {
    const answer = await request(`http://127.0.0.1:${gateway.port}${path}`, { headers });
    return [answer.statusCode, answer.headers.location, await answer.body.text()];
  }

  const start = '/oauth2/start?rd=%2Fa%3Fb%3D1';
  expect(await ask('/a?b=1', { accept: 'text/html' })).toEqual([302, start, expect.any(String)]);
  expect(await ask('/a', { accept: 'application/json' })).toEqual([401, undefined, 'Unauthorized']);
  expect(await ask('/oauth2/sign_in', {})).toEqual([200, undefined, 'Unauthorized']);
  expect(await ask('/a', { cookie: '_oauth2_proxy=alice' })).toMatchObject([200, undefined, 'app page /a']);
  expect(app.requests[0]?.headers).toMatchObject({ 'x-user': 'alice', 'x-email': 'a@b.test' });
});

test('a gateway that closes drops its connections to the service', async () => {
  const { service, gateway, ask } = await started();
  await ask('GET');
  const [question] = service.questions;
  await gateway.close();
  // By themselves they would last for another four seconds.
  await eventually(() => question?.socket.destroyed === true, 'the end of the connection', 3_000);
});
