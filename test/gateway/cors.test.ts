import { createServer } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Application, startApplication } from '../support/application.ts';
import { metric } from '../support/census.ts';
import { deadPort } from '../support/faulty.ts';
import { freshToken, TOKEN_ENV, TOKEN_ISSUER } from '../support/fresh.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { type Answer, handshake, say } from '../support/raw.ts';

/** Pages of other origins: their preflights, what they may read of refusals, and of the service's answers. */

const ORIGIN = 'https://app.test';
const MODES = ['upstream', 'answer'] as const;

let app: Application;
let gateway: TestGateway;

/** A service that has its own idea of CORS. */
const service = () =>
  createServer((_request, response) => {
    response.setHeader('Access-Control-Allow-Origin', 'https://of-the-service.test');
    response.setHeader('Access-Control-Expose-Headers', 'X-Total');
    response.setHeader('Vary', 'Accept');
  });

beforeAll(async () => {
  app = await startApplication('app', service());
  const http = `{ http: "http://127.0.0.1:${app.port}" }`;
  const down = `{ http: "http://127.0.0.1:${await deadPort()}" }`;
  const main = 'auth: { issuer: main, token: [header, "query:t"] }';
  const route = (name: string, rest: string, upstream = http) =>
    `  - { name: ${name}, match: { path: /${name} }, origins: [${ORIGIN}], ${rest}, upstream: ${upstream} }`;
  const routes = MODES.flatMap((mode) => [
    route(`${mode}-header`, `cors: ${mode}, ${main}`),
    route(`${mode}-cookie`, `cors: ${mode}, auth: { issuer: main, token: ["cookie:session"] }`),
    route(`${mode}-open`, `cors: ${mode}, auth: none`),
    route(`${mode}-denied`, `cors: ${mode}, ${main}, addresses: { deny: [127.0.0.1] }`),
    route(`${mode}-rare`, `cors: ${mode}, ${main}, limits: { upgrades: { rate: 1/h, per: address } }`),
    route(`${mode}-counted`, `cors: ${mode}, ${main}, limits: { upgrades: { rate: 1/h, per: subject } }`),
    route(`${mode}-shared`, `cors: ${mode}, ${main}, limits: { upgrades: { rate: 1/h, per: origin } }`),
    route(`${mode}-down`, `cors: ${mode}, auth: none`, down),
  ]);
  routes.push(`  - { name: home, match: { path: /home }, ${main}, upstream: ${http} }`);
  routes.push(route('live', 'auth: none', `{ websocket: "ws://127.0.0.1:${app.port}" }`));
  gateway = await startGateway(`${TOKEN_ISSUER}\nroutes:\n${routes.join('\n')}`, TOKEN_ENV);
});
afterAll(async () => {
  await gateway.close();
  await app.close();
});
afterEach(() => {
  (app.requests as unknown[]).length = 0;
});

type Fields = Readonly<Record<string, string>>;

async function ask(method: string, path: string, fields: Fields = {}, body = ''): Promise<Answer> {
  const lines = Object.entries({ Host: '127.0.0.1', Origin: ORIGIN, Connection: 'close', ...fields });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  using client = await say(gateway.port, `${method} ${path} HTTP/1.1\r\n${head}\r\n${body}`);
  return await client.answer();
}

const preflight = (path: string, fields: Fields = {}, body = '') =>
  ask('OPTIONS', path, { 'Access-Control-Request-Method': 'PUT', ...fields }, body);

/** What a page may read of an answer. */
const readable = ({ headers }: Answer) => ({
  origin: headers['access-control-allow-origin'],
  credentials: headers['access-control-allow-credentials'],
  exposed: headers['access-control-expose-headers'],
});

const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });

describe.each(MODES)('with cors: %s', (mode) => {
  test.each(['header', 'cookie', 'open'])(
    'a preflight of a page that may come meets no token check: %s',
    async (auth) => {
      const { status } = await preflight(`/${mode}-${auth}`);
      expect(status).toBe(mode === 'answer' ? 204 : 200);
      expect(app.requests.map(({ method }) => method)).toEqual(mode === 'answer' ? [] : ['OPTIONS']);
    },
  );

  test('a preflight of any other page is refused, and the page may not read why', async () => {
    const answer = await preflight(`/${mode}-header`, { Origin: 'https://evil.test' });
    expect(answer).toMatchObject({ status: 403, body: expect.stringMatching(/^ORIGIN_REFUSED/) });
    expect(readable(answer)).toEqual({});
    expect(app.requests).toEqual([]);
  });

  test.each<[string, Fields, string]>([
    ['a body', { 'Content-Length': '2' }, 'hi'],
    ['a body of unknown length', { 'Transfer-Encoding': 'chunked' }, '2\r\nhi\r\n0\r\n\r\n'],
    ['a cookie', { Cookie: 'theme=dark' }, ''],
    ['an Authorization of another kind', { Authorization: 'Basic YTpi' }, ''],
    ['nothing to ask for', { 'Access-Control-Request-Method': '' }, ''],
  ])('what looks like one but has %s meets the token check', async (_, fields, body) => {
    const answer = await preflight(`/${mode}-header`, fields, body);
    expect(answer).toMatchObject({ status: 401, body: expect.stringMatching(/^TOKEN_MISSING/) });
    expect(app.requests).toEqual([]);
  });

  test('an address that is refused is refused its preflights too', async () => {
    const answer = await preflight(`/${mode}-denied`);
    expect(answer).toMatchObject({ status: 403, body: expect.stringMatching(/^ADDRESS_REFUSED/) });
    expect(readable(answer).origin).toBe(ORIGIN);
  });

  test('the limits by address count preflights, those by subject and origin do not', async () => {
    const first = await preflight(`/${mode}-rare`);
    expect(first.status).toBeLessThan(300);
    const answer = await preflight(`/${mode}-rare`);
    expect(answer.status).toBe(429);
    expect(readable(answer).exposed).toBe('retry-after, ratelimit-policy, ratelimit');
    const subject = bearer(freshToken());
    for (const path of [`/${mode}-counted`, `/${mode}-shared`]) {
      for (let i = 0; i < 3; i++) expect((await preflight(path)).status).toBeLessThan(300);
      const statuses = [(await ask('GET', path, subject)).status, (await ask('GET', path, subject)).status];
      expect(statuses).toEqual([200, 429]);
    }
  });

  test.each<[string, string, Fields, number, string, object]>([
    ['no token', 'header', {}, 401, 'TOKEN_MISSING', { exposed: 'www-authenticate' }],
    ['a bad one', 'header', bearer('x.y.z'), 401, 'TOKEN_INVALID', { exposed: 'www-authenticate' }],
    [
      'a bad cookie',
      'cookie',
      { Cookie: 'session=x.y.z' },
      401,
      'TOKEN_INVALID',
      { exposed: 'www-authenticate', credentials: 'true' },
    ],
    ['a service that is down', 'down', {}, 502, 'UPSTREAM_REFUSED', {}],
  ])('a page may read that it is refused for %s', async (_, name, fields, status, code, more) => {
    const answer = await ask('GET', `/${mode}-${name}`, fields);
    expect(answer).toMatchObject({ status, body: expect.stringMatching(new RegExp(`^${code}: `)) });
    expect(readable(answer)).toEqual({ origin: ORIGIN, ...more });
    expect(answer.headers.vary).toBe('Origin');
  });

  test('a refused handshake says nothing of it, for no script can read it', async () => {
    using client = await say(gateway.port, handshake(`/${mode}-header`, { Origin: ORIGIN }));
    const answer = await client.answer();
    expect(answer.status).toBe(401);
    expect(readable(answer)).toEqual({});
  });
});

test('a preflight meets the token check where no other origins are named, for then no browser sends one', async () => {
  const answer = await preflight('/home', { Origin: 'http://127.0.0.1' });
  expect(answer).toMatchObject({ status: 401, body: expect.stringMatching(/^TOKEN_MISSING/) });
});

test('a page may read that it asked for a page where only WebSockets are served', async () => {
  const answer = await ask('GET', '/live');
  expect(answer.status).toBe(426);
  expect(readable(answer).origin).toBe(ORIGIN);
  const foreign = await ask('GET', '/live', { Origin: 'https://evil.test' });
  expect([foreign.status, readable(foreign).origin]).toEqual([426, undefined]);
});

describe('the service', () => {
  test('is asked by a preflight as it came, but for the token that stands in the address', async () => {
    const fields = { 'Access-Control-Request-Headers': 'x-a' };
    await preflight(`/upstream-header?a=1&t=${freshToken()}`, fields);
    expect(app.requests).toMatchObject([
      {
        method: 'OPTIONS',
        url: '/upstream-header?a=1',
        headers: {
          origin: ORIGIN,
          'access-control-request-method': 'PUT',
          'access-control-request-headers': 'x-a',
        },
      },
    ]);
  });

  test('says nothing but its head to a preflight that has proven nothing', async () => {
    const [guarded, open] = await Promise.all([preflight('/upstream-header'), preflight('/upstream-open')]);
    expect(open.body).not.toBe('');
    expect(guarded).toMatchObject({ status: open.status, body: '' });
    expect(readable(guarded)).toEqual(readable(open));
    expect((await preflight('/upstream-header')).status).toBe(guarded.status);
  });

  test('speaks for itself with cors: upstream', async () => {
    const answer = await ask('GET', '/upstream-header', bearer(freshToken()));
    expect(readable(answer)).toEqual({ origin: 'https://of-the-service.test', exposed: 'X-Total' });
    expect(answer.headers.vary).toBe('Accept');
  });
});

describe('the gateway, where it answers', () => {
  test('allows what a preflight asks for, and serves it', async () => {
    const fields = { 'Access-Control-Request-Headers': 'authorization,x-a' };
    const { status, body, headers } = await preflight('/answer-cookie', fields);
    expect([status, body]).toEqual([204, '']);
    expect(headers).toMatchObject({
      'access-control-allow-origin': ORIGIN,
      'access-control-allow-credentials': 'true',
      'access-control-allow-methods': 'PUT',
      'access-control-allow-headers': 'authorization,x-a',
      'access-control-max-age': '600',
      vary: 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers',
    });
    const served = ({ msg, route, status }: Record<string, unknown>) =>
      msg === 'request served' && route === 'answer-cookie' && status === 204;
    const line = await gateway.logged(served);
    expect(line).toMatchObject({ method: 'OPTIONS', origin: ORIGIN, bytes: 0 });
    expect(line).not.toHaveProperty('target');
    const counted = { route: 'answer-cookie', status: '2xx' };
    expect(metric(await gateway.metrics(), 'sallyport_requests_total', counted)).toBeGreaterThan(0);
  });

  test('lets the page read the answers, in place of what the service says', async () => {
    const answer = await ask('GET', '/answer-cookie', { Cookie: `session=${freshToken()}` });
    expect([answer.status, answer.body]).toEqual([200, 'app page /answer-cookie']);
    expect(readable(answer)).toEqual({ origin: ORIGIN, credentials: 'true', exposed: 'X-Total' });
  });

  test('adds to what the service says its answer depends on, for requests without Origin too', async () => {
    const vary = async (headers: Fields) => {
      const { port } = gateway;
      return (await fetch(`http://127.0.0.1:${port}/answer-open`, { headers })).headers.get('vary');
    };
    expect(await vary({ Origin: ORIGIN })).toBe('Accept, Origin');
    expect(await vary({})).toBe('Accept, Origin');
  });

  test('hands on OPTIONS that are no preflight', async () => {
    const { status, body } = await ask('OPTIONS', '/answer-header', bearer(freshToken()));
    expect([status, body]).toEqual([200, 'app page /answer-header']);
  });
});

test("an application's own Authorization beside the gateway's cookie reaches it untouched", async () => {
  const own = bearer('of-the-application');
  const { status } = await ask('GET', '/upstream-cookie', { Cookie: `session=${freshToken()}`, ...own });
  expect(status).toBe(200);
  expect(app.requests[0]?.headers).toMatchObject({ authorization: own.Authorization });
  expect(app.requests[0]?.headers).not.toHaveProperty('cookie');
});
