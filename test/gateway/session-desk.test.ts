import { once } from 'node:events';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { startEcho, type Upstream } from '../support/faulty.ts';
import { freshToken, TOKEN_ENV, TOKEN_ISSUER } from '../support/fresh.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { eventually } from '../support/patience.ts';

/** What operators see of sessions, and how they end them, by the admin listener. */

const ADMIN_SECRET = 'a-secret-of-operators-who-look-and-kill';
const AUTHORIZED = { authorization: `Bearer ${ADMIN_SECRET}` };

let gateway: TestGateway;
let echo: Upstream;

beforeEach(async () => {
  echo = await startEcho();
  onTestFinished(() => echo.close());
  const to = `auth: { issuer: main }, origins: ["https://*.test"], keepalive: { every: 50ms, within: 5s }, upstream: { websocket: "ws://127.0.0.1:${echo.port}" }`;
  gateway = await startGateway(
    `listeners: [{ host: 127.0.0.1, port: 0 }]
admin: { port: 0, secret: "\${ADMIN_SECRET}" }
${TOKEN_ISSUER}
routes:
  - { name: chat, match: { path: /chat }, ${to} }
  - { name: news, match: { path: /news }, ${to} }`,
    { ...TOKEN_ENV, ADMIN_SECRET },
  );
  onTestFinished(() => gateway.close());
});

async function enter(sub: string, path = '/chat', origin = 'https://a.test'): Promise<WebSocket> {
  const socket = new WebSocket(gateway.url(path), {
    headers: { authorization: `Bearer ${freshToken({ sub })}` },
    origin,
  });
  socket.on('error', () => undefined);
  onTestFinished(() => socket.terminate());
  await once(socket, 'open');
  return socket;
}

function ask(path: string, method = 'GET', headers: Record<string, string> = AUTHORIZED): Promise<Response> {
  return fetch(`http://127.0.0.1:${gateway.gateway.adminAddress?.port}${path}`, { method, headers });
}

async function list(
  query = '',
): Promise<{ sessions: Record<string, unknown>[]; open: number; next?: number }> {
  const answer = await ask(`/sessions${query}`);
  expect(answer.status).toBe(200);
  return (await answer.json()) as { sessions: Record<string, unknown>[]; open: number; next?: number };
}

async function closeOf(socket: WebSocket): Promise<[number, string]> {
  const [code, reason] = await once(socket, 'close');
  return [code, String(reason)];
}

describe('sessions are listed', () => {
  test('with who they are, where they lead to, and what has passed', async () => {
    const socket = await enter('alice');
    socket.send('four');
    await once(socket, 'message');
    const { sessions, open } = await list();
    expect(open).toBe(1);
    expect(sessions).toEqual([
      expect.objectContaining({
        route: 'chat',
        bridge: 'websocket',
        target: `127.0.0.1:${echo.port}`,
        subject: 'alice',
        address: '127.0.0.1',
        origin: 'https://a.test',
        path: '/chat',
        up: { messages: 1, bytes: 4 },
        down: { messages: 1, bytes: 4 },
      }),
    ]);
    const [{ id, expires, ageMs }] = sessions as [Record<string, unknown>];
    expect(Date.parse(String(expires))).toBeGreaterThan(Date.now() + 3_500_000);
    expect(ageMs).toBeGreaterThanOrEqual(0);
    const line = await gateway.logged(({ msg }) => msg === 'session opened');
    expect(id).toBe(line.id);
    expect(await (await ask(`/sessions/${id}`)).json()).toMatchObject({ id, subject: 'alice' });
    expect(JSON.stringify(sessions)).not.toContain('eyJ');
  });

  test('with how long the last answer to a ping took', async () => {
    await enter('alice');
    await eventually(async () => typeof (await list()).sessions[0]?.roundTripMs === 'number');
  });

  test('by each of their marks, and by all that are given', async () => {
    await enter('alice');
    await enter('alice', '/news', 'https://b.test');
    await enter('bob');
    const subjects = async (query: string) => (await list(query)).sessions.map(({ subject }) => subject);
    expect(await subjects('?route=chat')).toEqual(['alice', 'bob']);
    expect(await subjects('?subject=alice')).toEqual(['alice', 'alice']);
    expect(await subjects('?subject=alice&route=news')).toEqual(['alice']);
    expect(await subjects('?origin=https://b.test')).toEqual(['alice']);
    expect(await subjects('?address=127.0.0.1')).toHaveLength(3);
    expect(await subjects(`?target=127.0.0.1:${echo.port}`)).toHaveLength(3);
    expect(await subjects('?subject=nobody')).toEqual([]);
  });

  test('page by page, each of them once', async () => {
    for (let index = 0; index < 5; index++) await enter(`user-${index}`);
    const seen: unknown[] = [];
    let next: number | undefined = 0;
    while (next !== undefined) {
      const page = await list(`?limit=2&after=${next}`);
      expect(page.open).toBe(5);
      seen.push(...page.sessions.map(({ subject }) => subject));
      next = page.next;
    }
    expect(seen).toEqual(['user-0', 'user-1', 'user-2', 'user-3', 'user-4']);
  });
});

describe('sessions are ended', () => {
  test('one by its id, as an operator’s doing', async () => {
    const [alice, bob] = [await enter('alice'), await enter('bob')];
    const [first] = (await list('?subject=alice')).sessions;
    const closed = closeOf(alice);
    expect((await ask(`/sessions/${first?.id}`, 'DELETE')).status).toBe(204);
    expect(await closed).toEqual([1008, 'The session was ended by an operator.']);
    expect(await gateway.logged(({ msg }) => msg === 'session ended')).toMatchObject({
      error: 'SESSION_KILLED',
      by: 'gateway',
      subject: 'alice',
    });
    expect((await list()).sessions.map(({ subject }) => subject)).toEqual(['bob']);
    expect((await ask(`/sessions/${first?.id}`, 'DELETE')).status).toBe(410);
    expect(bob.readyState).toBe(WebSocket.OPEN);
  });

  test('all that fit, with a code and a reason', async () => {
    const sockets = [await enter('alice'), await enter('alice', '/news')];
    const bob = await enter('bob');
    const closed = Promise.all(sockets.map(closeOf));
    const answer = await ask('/sessions?subject=alice&code=4001&reason=moved', 'DELETE');
    expect(await answer.json()).toEqual({ ended: 2 });
    expect(await closed).toEqual([
      [4001, 'moved'],
      [4001, 'moved'],
    ]);
    expect(bob.readyState).toBe(WebSocket.OPEN);
  });

  test('all there are only if that is said', async () => {
    const socket = await enter('alice');
    expect((await ask('/sessions', 'DELETE')).status).toBe(400);
    expect(socket.readyState).toBe(WebSocket.OPEN);
    const closed = closeOf(socket);
    expect(await (await ask('/sessions?all=true', 'DELETE')).json()).toEqual({ ended: 1 });
    await closed;
  });
});

test.each([
  ['GET', '/sessions', 401, {}],
  ['DELETE', '/sessions?all=true', 401, { authorization: 'Bearer wrong' }],
  ['GET', '/sessions', 403, { ...AUTHORIZED, host: 'evil.test' }],
] as const)('%s %s without what it takes: %i', async (method, path, status, headers) => {
  const socket = await enter('alice');
  const { request } = await import('node:http');
  const port = gateway.gateway.adminAddress?.port;
  const asked = request({ host: '127.0.0.1', port, path, method, headers });
  asked.end();
  const [response] = await once(asked, 'response');
  response.resume();
  expect(response.statusCode).toBe(status);
  expect(socket.readyState).toBe(WebSocket.OPEN);
});

test.each([
  '/sessions?subjekt=alice',
  '/sessions?subject=a&subject=b',
  '/sessions?limit=0',
  '/sessions?limit=1001',
  '/sessions?after=x',
])('GET %s is refused, in words', async (path) => {
  const answer = await ask(path);
  expect(answer.status).toBe(400);
  expect(await answer.text()).toMatch(/^BAD_REQUEST: .{20,}/);
});

test.each(['code=1005', 'code=x', 'reason=why', `code=4000&reason=${'x'.repeat(124)}`])(
  'DELETE /sessions?subject=alice&%s is refused, and nothing ended',
  async (query) => {
    const socket = await enter('alice');
    expect((await ask(`/sessions?subject=alice&${query}`, 'DELETE')).status).toBe(400);
    expect(socket.readyState).toBe(WebSocket.OPEN);
  },
);
