import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Application, startApplication } from '../support/application.ts';
import { TOKEN_ENV, TOKEN_ISSUER } from '../support/fresh.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { handshake, say } from '../support/raw.ts';

/** What of a request target decides about the route, and what the upstream gets to see of it: all bytes as sent. */

let app: Application;
let gateway: TestGateway;

beforeAll(async () => {
  app = await startApplication('app');
  const at = `127.0.0.1:${app.port}`;
  gateway = await startGateway(
    `
${TOKEN_ISSUER}
routes:
  - { name: other, match: { host: other.example, path: /* }, auth: none, upstream: { http: "http://${at}/other" } }
  - { name: admin, match: { path: /admin/* }, auth: { issuer: main }, upstream: { http: "http://${at}" } }
  - { name: any, match: { path: /Case/*, ignoreCase: true }, auth: { issuer: main }, upstream: { http: "http://${at}" } }
  - { name: strict, match: { path: /strict/* }, paths: strict, auth: none, upstream: { http: "http://${at}" } }
  - { name: stripped, match: { path: /app/* }, auth: none, upstream: { http: "http://${at}/base", stripPrefix: /app } }
  - { name: bare, match: { path: /bare }, auth: none, upstream: { http: "http://${at}", stripPrefix: /bare } }
  - { name: below, match: { path: "/w/{room}/*" }, auth: none, upstream: { websocket: "ws://${at}/root/{room}" } }
  - { name: polled, match: { path: "/poll/{room}" }, auth: none, timeouts: { close: 200ms }, upstream: { poll: { target: "http://${at}", poll: { path: "/rooms/{room}/news?in={room}" } } } }
  - { name: open, match: { path: /* }, auth: none, upstream: { http: "http://${at}" } }
`,
    TOKEN_ENV,
  );
});
afterAll(async () => {
  await gateway.close();
  await app.close();
});

/** The status and body of a plain request whose bytes are these. */
async function ask(line: string, fields: readonly string[] = ['Host: gate.localhost']) {
  const head = [line, ...fields, 'Connection: close', '', ''].join('\r\n');
  using client = await say(gateway.port, Buffer.from(head, 'latin1'));
  const { status, body } = await client.answer();
  return { status, body };
}

const get = (target: string) => ask(`GET ${target} HTTP/1.1`);

/** The status of an upgrade, and what the upstream says it was asked for. */
async function upgrade(target: string, changes: Parameters<typeof handshake>[1] = {}) {
  using client = await say(gateway.port, handshake(target, changes));
  const { status, body } = await client.answer();
  return { status, body: status === 101 ? (await client.message()).toString() : body };
}

describe('an open route', () => {
  test.each([
    '/api/queues/%2F',
    '/@scope%2fname',
    '//',
    '//x//y/',
    '/a//b',
    '/caf%E9',
    '/x;jsessionid=1?q;r',
    '/a\\b%5Cc',
    '/a"<>b',
    '/%61%00%0a',
    '/?a=%E9&b="<>',
    '/p?',
    '/p??',
  ])('passes %s on byte for byte, for both kinds of request', async (target) => {
    expect(await get(target)).toEqual({ status: 200, body: `app page ${target}` });
    expect(await upgrade(target)).toEqual({ status: 101, body: `app socket ${target}` });
  });

  test.each([
    '/a/../b',
    '/a/..;x/b',
    '/%2e%2e',
    '/a%2f..%2fb',
    '/..\\x',
    '/%zz',
    '/a#b',
    '/caf\u00e9',
    '/a?\u00e9',
  ])('never sees %s', async (target) => {
    expect((await get(target)).status).toBe(400);
  });
});

describe('beside a guarded route an open one', () => {
  test.each([
    '/admin;x/keys',
    '//admin/keys',
    '//x/admin/keys',
    '/admin%2fkeys',
    '/x/..%2fadmin',
    '/admin\\keys',
    '/a%5c..',
  ])('never sees %s, as which some server could serve what is guarded', async (target) => {
    expect((await get(target)).status).toBe(400);
    expect((await upgrade(target)).status).toBe(400);
    await gateway.logged(({ path, error }) => path === target && error === 'BAD_REQUEST');
  });

  test.each(['/admin/keys', '/%61dmin/keys', '/admin//a%2Fb', '/case/x', '/CASE/x'])(
    'leaves %s to the guarded one',
    async (target) => {
      expect((await get(target)).status).toBe(401);
    },
  );
});

test.each(['/strict/%2F', '/strict//x', '/strict/x;y', '/strict/%E9', '/strict/a\\b'])(
  'a route of strict paths refuses %s',
  async (target) => {
    expect((await get(target)).status).toBe(400);
    expect((await get('/strict/caf%C3%A9/')).status).toBe(200);
  },
);

describe('a prefix that is left out', () => {
  test.each([
    ['/app/', '/base/'],
    ['/app/a%2Fb//c;d?q=1', '/base/a%2Fb//c;d?q=1'],
    ['/%61pp/x', '/base/x'],
    ['/bare', '/'],
    ['/bare?x', '/?x'],
  ])('of %s leaves %s', async (target, rest) => {
    expect((await get(target)).body).toBe(`app page ${rest}`);
    expect((await upgrade(target)).body).toBe(`app socket ${rest}`);
  });
});

test.each([
  ['/w/blue/', '/root/blue/'],
  ['/w/a%2Fb/c;d//%E9?x', '/root/a%2Fb/c;d//%E9?x'],
  ['/w/caf%E9/x', '/root/caf%E9/x'],
])('a WebSocket target with a path is asked for what %s says behind it: %s', async (target, asked) => {
  expect((await upgrade(target)).body).toBe(`app socket ${asked}`);
});

test('a path that is polled is filled with the client’s own bytes', async () => {
  expect((await upgrade('/poll/caf%E9')).body).toBe('app page /rooms/caf%E9/news?in=caf%E9');
  expect((await upgrade('/poll/a&b=c')).body).toBe('app page /rooms/a%26b%3Dc/news?in=a%26b%3Dc');
});

describe('a target in absolute form', () => {
  test('takes the route of its own host, and goes on with that as Host and in origin form', async () => {
    const target = 'http://Other.example:81/x?y=1';
    expect((await get(target)).body).toBe('app page /other/x?y=1');
    expect((await upgrade(target)).body).toBe('app socket /other/x?y=1');
    for (const { headers } of app.requests.slice(-2))
      expect(headers).toMatchObject({ host: 'Other.example:81', 'x-forwarded-host': 'Other.example:81' });
  });

  test('is what the page’s own host is compared with', async () => {
    const target = 'http://other.example/x';
    expect((await upgrade(target, { Origin: 'http://other.example' })).status).toBe(101);
    expect((await upgrade(target, { Origin: 'http://127.0.0.1' })).status).toBe(403);
  });

  test('is refused with credentials, and without Host', async () => {
    expect((await get('http://me:s3cr3t@other.example/')).status).toBe(400);
    expect((await ask('GET http://other.example/ HTTP/1.1', [])).status).toBe(400);
  });
});

describe('OPTIONS of the whole server', () => {
  test.each(['*', 'http://gate.localhost'])('goes on as *, asked as %s', async (target) => {
    expect(await ask(`OPTIONS ${target} HTTP/1.1`)).toEqual({ status: 200, body: 'app page *' });
  });

  test('goes to the path that a service is below', async () => {
    expect((await ask('OPTIONS * HTTP/1.1', ['Host: other.example'])).body).toBe('app page /other');
  });
});

describe('HTTP/1.0', () => {
  test('is served', async () => {
    expect(await ask('GET /x HTTP/1.0')).toEqual({ status: 200, body: 'app page /x' });
  });

  test('is refused with a transfer coding, and as a handshake', async () => {
    const fields = ['Host: gate.localhost', 'Transfer-Encoding: chunked'];
    expect((await ask('POST /x HTTP/1.0', fields)).status).toBe(400);
    using client = await say(gateway.port, handshake('/x').replace('HTTP/1.1', 'HTTP/1.0'));
    expect((await client.answer()).status).toBe(400);
  });
});

test('an upgrade may say that its body is empty, and no more', async () => {
  expect((await upgrade('/x', { 'Content-Length': '0' })).status).toBe(101);
  expect((await upgrade('/x', { 'Content-Length': '1' })).status).toBe(400);
});
