import { once } from 'node:events';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { GatewayError } from '../../src/errors.ts';
import { createUpstreamDesk } from '../../src/gateway/upstream-desk.ts';
import { Sessions } from '../../src/session/registry.ts';
import { createUpstreamContext } from '../../src/upstream/context.ts';
import { RuleRecord } from '../../src/upstream/targets/rule-record.ts';
import { startEcho } from '../support/faulty.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { eventually } from '../support/patience.ts';
import { freePort } from '../support/ports.ts';

/** What operators see of targets, and of the configuration, by the admin listener. */

const SECRET = 'a-secret-of-operators-who-look-at-it';

async function start(routes: string): Promise<TestGateway> {
  const gateway = await startGateway(
    `listeners: [{ host: 127.0.0.1, port: 0 }]\nadmin: { port: 0, secret: ${SECRET} }\nroutes:\n${routes}`,
  );
  onTestFinished(() => gateway.close());
  return gateway;
}

function ask({ gateway }: TestGateway, path: string, secret = SECRET): Promise<Response> {
  const headers = { authorization: `Bearer ${secret}` };
  return fetch(`http://127.0.0.1:${gateway.adminAddress?.port}${path}`, { headers });
}

async function upstreams(gateway: TestGateway, query = ''): Promise<Record<string, unknown>[]> {
  const { upstreams } = (await (await ask(gateway, `/upstreams${query}`)).json()) as {
    upstreams: Record<string, unknown>[];
  };
  return upstreams;
}

async function connect(url: string): Promise<WebSocket> {
  const socket = new WebSocket(url);
  socket.on('error', () => undefined);
  onTestFinished(() => socket.terminate());
  await once(socket, 'open');
  return socket;
}

describe('GET /upstreams', () => {
  test('tells of each target how it does, and what leads there', async () => {
    const echo = await startEcho();
    onTestFinished(() => echo.close());
    const dead = await freePort();
    const gateway = await start(
      `  - { name: chat, match: { path: /chat }, auth: none, upstream: { websocket: ["ws://127.0.0.1:${dead}", { url: "ws://127.0.0.1:${echo.port}", weight: 2 }], http: "http://127.0.0.1:${echo.port}", balance: round-robin } }
  - { name: unix, match: { path: /unix }, auth: none, upstream: { tcp: unix:/run/nobody.sock } }\n`,
    );
    for (const _ of [1, 2, 3]) await connect(gateway.url('/chat'));
    const all = await upstreams(gateway);
    const [out, well, socket] = [dead, echo.port, 'sock'].map((end) =>
      all.find(({ target }) => String(target).endsWith(String(end))),
    );
    expect(all).toHaveLength(3);
    const chat = { route: 'chat', address: '127.0.0.1', balance: 'round-robin' };
    expect(out).toEqual({
      ...chat,
      ...{ kinds: ['websocket'], target: `127.0.0.1:${dead}`, weight: 1, inFlight: 0, sessions: 0 },
      state: expect.stringMatching(/^(out|due)$/),
      ...{ by: 'dial', error: 'UPSTREAM_REFUSED', since: expect.stringMatching(/^\d{4}-.*Z$/) },
    });
    expect(Date.now() - Date.parse(String(out?.since))).toBeGreaterThanOrEqual(0);
    expect(well).toMatchObject({
      ...chat,
      target: `127.0.0.1:${echo.port}`,
      state: 'well',
      inFlight: 3,
      sessions: 3,
    });
    expect(well?.kinds).toEqual(expect.arrayContaining(['websocket', 'http']));
    expect(well).not.toHaveProperty('error');
    expect(socket).toEqual({
      ...{ route: 'unix', kinds: ['tcp'], target: 'unix:/run/nobody.sock', state: 'well', weight: 1 },
      ...{ inFlight: 0, sessions: 0 },
    });
    expect(await upstreams(gateway, '?route=unix')).toEqual([socket]);
  });

  test('tells what a check has met', async () => {
    const dead = await freePort();
    const gateway = await start(
      `  - { name: a, match: { path: /a }, auth: none, upstream: { tcp: "127.0.0.1:${dead}", health: { every: 20ms, after: 1 } } }\n`,
    );
    await eventually(async () => (await upstreams(gateway))[0]?.state === 'out');
    expect((await upstreams(gateway))[0]).toMatchObject({
      by: 'check',
      error: expect.stringContaining('ECONNREFUSED'),
    });
  });

  test.each([
    ['/upstreams?target=a', 400, 'target is no parameter here'],
    ['/upstreams?route=a&route=b', 400, 'route comes twice'],
    ['/config?route=a', 400, 'route is no parameter here'],
  ])('%s is %d', async (path, status, words) => {
    const gateway = await start(
      '  - { name: a, match: { path: /a }, auth: none, upstream: { tcp: "127.0.0.1:9" } }\n',
    );
    const answer = await ask(gateway, path);
    expect([answer.status, await answer.text()]).toEqual([status, expect.stringContaining(words)]);
  });
});

test('names without an address, rules, and what gets nothing new any more are told of, too', async () => {
  const context = createUpstreamContext({ random: () => 0.5 });
  onTestFinished(() => context.resolver.close());
  const cause = Object.assign(new Error('nobody knows it'), { code: 'ENOTFOUND' });
  const error = new GatewayError('UPSTREAM_REFUSED', { cause });
  const unresolved = () => [{ target: 'nowhere.internal:80', error }];
  context.pools.add({ route: 'named', kind: 'http', endpoints: [], unresolved });
  context.endpoints.enlist(new RuleRecord('ruled', '10.0.0.0/8:5900', context));
  const target = { name: 'app:80', host: 'app', port: 80, socketPath: undefined, authority: 'app' };
  const parts = { secure: false, weight: 1, path: undefined, query: undefined, base: undefined };
  context.endpoints.obtain('left', { ...target, ...parts }, '10.0.0.7', false);
  const sessions = new Sessions(() => ({}) as never);
  const { upstreams, more } = await createUpstreamDesk(context, sessions, []).list(undefined);
  expect(more).toBe(0);
  expect(upstreams).toMatchObject([
    { route: 'left', kinds: [], target: 'app:80/10.0.0.7', address: '10.0.0.7', state: 'gone' },
    { route: 'ruled', kinds: ['tcp'], target: '10.0.0.0/8:5900', state: 'unknown' },
    {
      route: 'named',
      kinds: ['http'],
      target: 'nowhere.internal:80',
      state: 'unresolved',
      error: 'ENOTFOUND: nobody knows it',
    },
  ]);
});

test('however many there are, no more than a thousand are told', async () => {
  const context = createUpstreamContext();
  onTestFinished(() => context.resolver.close());
  for (let at = 0; at < 1_003; at += 1) context.endpoints.enlist(new RuleRecord('a', `rule ${at}`, context));
  const { upstreams, more } = await createUpstreamDesk(context, new Sessions(() => ({}) as never), []).list(
    'a',
  );
  expect([upstreams.length, more]).toEqual([1_000, 3]);
});

describe('GET /config', () => {
  test('tells the configuration with its defaults, and none of its secrets', async () => {
    const gateway = await start(
      '  - { name: a, match: { path: /a }, auth: none, upstream: { tcp: "127.0.0.1:9" } }\n',
    );
    const text = await (await ask(gateway, '/config')).text();
    expect(text).not.toContain(SECRET);
    expect(JSON.parse(text)).toMatchObject({
      admin: { host: '127.0.0.1', secret: '***' },
      drain: '10s',
      routes: [{ name: 'a', timeouts: { handshake: '10s' } }],
    });
  });

  test.each(['/config', '/upstreams'])('nobody sees %s without the secret', async (path) => {
    const gateway = await start(
      '  - { name: a, match: { path: /a }, auth: none, upstream: { tcp: "127.0.0.1:9" } }\n',
    );
    expect((await ask(gateway, path, 'another-secret-of-somebody-else-here')).status).toBe(401);
  });
});
