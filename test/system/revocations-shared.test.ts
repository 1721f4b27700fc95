import { once } from 'node:events';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { bearer, connect } from '../support/endpoints.ts';
import { startEcho, type Upstream } from '../support/faulty.ts';
import { freshToken, TOKEN_ENV, TOKEN_ISSUER } from '../support/fresh.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { startWay, type Way } from '../support/partition.ts';
import { eventually, within } from '../support/patience.ts';
import { redisCli } from '../support/redis.ts';
import { type RunningServer, startRedis } from '../support/servers.ts';
import { ISSUER, mint, signingKey } from '../support/tokens.ts';

/** What is revoked on one of two gateways, with Debian's Redis between them, as clients and operators meet it. */

const SECRET = 'a-secret-of-operators-who-revoke-tokens';

let redis: RunningServer;
let echo: Upstream;

beforeEach(async () => {
  redis = await startRedis();
  onTestFinished(() => redis.close());
  echo = await startEcho();
  onTestFinished(() => echo.close());
});

async function startOne(port = redis.port): Promise<TestGateway> {
  const gateway = await startGateway(
    `listeners: [{ host: 127.0.0.1, port: 0 }]
store: { redis: "redis://127.0.0.1:${port}" }
admin: { port: 0, secret: ${SECRET} }
${TOKEN_ISSUER.replace(/ } }$/, ', logout: { clientId: app } } }')}
routes:
  - name: chat
    match: { path: /chat }
    auth: { issuer: main }
    timeouts: { close: 200ms }
    upstream: { websocket: "ws://127.0.0.1:${echo.port}" }`,
    TOKEN_ENV,
  );
  onTestFinished(() => gateway.close());
  return gateway;
}

/** Two that have seen each other. */
async function startTwo(ports: readonly [number, number] = [redis.port, redis.port]) {
  const gateways = [await startOne(ports[0]), await startOne(ports[1])] as const;
  await eventually(
    async () =>
      (await Promise.all(gateways.map((each) => each.metrics()))).every((text) =>
        text.includes('sallyport_store_gateways 2'),
      ),
    () => 'they have not seen each other',
    10_000,
  );
  return gateways;
}

const before = () => Math.floor(Date.now() / 1000) - 60;

/** A client with a token that was issued a minute ago: its WebSocket once it is open, or the status it got. */
async function enter(gateway: TestGateway, claims: object): Promise<WebSocket | number> {
  return connect(gateway.url('/chat'), bearer(freshToken({ iat: before(), ...claims })));
}

async function open(gateway: TestGateway, claims: object): Promise<WebSocket> {
  const socket = await enter(gateway, claims);
  if (!(socket instanceof WebSocket)) throw new Error(`refused: ${socket}`);
  return socket;
}

async function ask({ gateway }: TestGateway, method: string, body?: object, query = ''): Promise<Response> {
  const url = `http://127.0.0.1:${gateway.adminAddress?.port}/revocations${query}`;
  const headers = { authorization: `Bearer ${SECRET}` };
  return fetch(url, { method, headers, ...(body && { body: JSON.stringify(body) }) });
}

async function revoke(gateway: TestGateway, order: object): Promise<number> {
  const answer = await ask(gateway, 'POST', order);
  expect(answer.status, await answer.clone().text()).toBe(200);
  return ((await answer.json()) as { ended: number }).ended;
}

async function statusOf(gateway: TestGateway, claims: object): Promise<number> {
  const entered = await enter(gateway, claims);
  if (typeof entered === 'number') return entered;
  entered.close();
  return 101;
}

/** Within a second, as long as nothing else is slow. */
async function codeOf(closed: Promise<unknown[]>): Promise<unknown> {
  return (await within(closed, 'the end of a session', 10_000))[0];
}

test('a subject that is revoked on one loses its sessions on both, and comes in nowhere, until that is taken back', async () => {
  const [a, b] = await startTwo();
  const sockets = [
    await open(a, { sub: 'alice' }),
    await open(b, { sub: 'alice' }),
    await open(b, { sub: 'alice' }),
  ];
  const bob = await open(b, { sub: 'bob' });
  const closed = sockets.map((socket) => once(socket, 'close'));
  const since = performance.now();
  expect(await revoke(a, { subject: 'alice', issuer: 'main' })).toBe(3);
  for (const each of closed) expect(await codeOf(each)).toBe(3000);
  expect(performance.now() - since).toBeLessThan(1_000);
  expect(bob.readyState).toBe(WebSocket.OPEN);
  expect([await statusOf(a, { sub: 'alice' }), await statusOf(b, { sub: 'alice' })]).toEqual([401, 401]);
  const { revocations } = (await (await ask(b, 'GET')).json()) as { revocations: object[] };
  expect(revocations).toEqual([expect.objectContaining({ by: 'subject', value: 'alice' })]);
  expect((await ask(b, 'DELETE', undefined, '?subject=alice&issuer=main')).status).toBe(204);
  await eventually(async () => (await statusOf(a, { sub: 'alice' })) === 101);
});

test('a session is known on the other gateway by its id', async () => {
  const [a, b] = await startTwo();
  const socket = await open(b, { sub: 'alice', jti: 'the-token' });
  const { id } = await b.logged(({ msg }) => msg === 'session opened');
  const closed = once(socket, 'close');
  expect(await revoke(a, { session: id })).toBe(1);
  expect(await codeOf(closed)).toBe(3000);
  expect((await ask(a, 'POST', { session: 'no-such-session' })).status).toBe(410);
});

test('a sign-out that one hears of ends the sessions on both, and its token is not taken again by the other', async () => {
  const [a, b] = await startTwo();
  const closed = [await open(a, { sid: 's1' }), await open(b, { sid: 's1' })].map((socket) =>
    once(socket, 'close'),
  );
  const stays = await open(b, { sid: 's2' });
  const now = Math.floor(Date.now() / 1000);
  const events = { 'http://schemas.openid.net/event/backchannel-logout': {} };
  const claims = { iss: ISSUER, aud: 'app', iat: now, exp: now + 60, jti: 'sign-out', events, sid: 's1' };
  const token = mint(signingKey('HS256'), claims, { typ: 'logout+jwt' });
  const tell = (gateway: TestGateway) =>
    fetch(`http://127.0.0.1:${gateway.port}/.sallyport/logout`, {
      method: 'POST',
      body: new URLSearchParams({ logout_token: token }),
    });
  expect((await tell(a)).status).toBe(200);
  for (const each of closed) expect(await codeOf(each)).toBe(3000);
  expect([await statusOf(a, { sid: 's1' }), await statusOf(b, { sid: 's1' })]).toEqual([401, 401]);
  expect((await tell(b)).status).toBe(400);
  expect(stays.readyState).toBe(WebSocket.OPEN);
});

test('one that begins later knows what is revoked before it lets anybody in', async () => {
  const a = await startOne();
  await revoke(a, { subject: 'alice' });
  await eventually(async () => (await redisCli(redis.port, ['EXISTS', 'sallyport:registers'])) === '1\n');
  const b = await startOne();
  expect(await statusOf(b, { sub: 'alice' })).toBe(401);
});

const parted: [string, (way: Way) => void, (way: Way) => void][] = [
  ['the way of one of them is cut', (way) => way.cut(), (way) => way.heal()],
  [
    'Redis stands still',
    () => void process.kill(redis.pid as number, 'SIGSTOP'),
    () => void process.kill(redis.pid as number, 'SIGCONT'),
  ],
];
describe.each(parted)('while %s', (_name, part, heal) => {
  test('each revokes for itself, and afterwards both know all', async () => {
    const way = await startWay(redis.port);
    const [a, b] = await startTwo([redis.port, way.port]);
    const [alice, bob, ann] = [
      await open(b, { sub: 'alice' }),
      await open(a, { sub: 'bob' }),
      await open(b, { sub: 'ann' }),
    ];
    const closed = [once(alice, 'close'), once(bob, 'close')] as const;
    part(way);
    onTestFinished(() => heal(way));
    expect(await revoke(a, { subject: 'alice' })).toBe(0);
    expect(await revoke(b, { subject: 'bob' })).toBe(0);
    expect([await statusOf(a, { sub: 'alice' }), await statusOf(b, { sub: 'bob' })]).toEqual([401, 401]);
    expect([alice.readyState, bob.readyState]).toEqual([WebSocket.OPEN, WebSocket.OPEN]);
    heal(way);
    for (const each of closed) expect(await codeOf(each)).toBe(3000);
    expect([await statusOf(b, { sub: 'alice' }), await statusOf(a, { sub: 'bob' })]).toEqual([401, 401]);
    expect(ann.readyState).toBe(WebSocket.OPEN);
  });
});

test('no key is without an end, and none holds a token', async () => {
  const [a, b] = await startTwo();
  const claims = { sub: 'alice', iat: before() };
  const token = freshToken(claims);
  const socket = new WebSocket(b.url('/chat'), { headers: { authorization: `Bearer ${token}` } });
  onTestFinished(() => socket.terminate());
  await once(socket, 'open');
  const { id } = await b.logged(({ msg }) => msg === 'session opened');
  await revoke(a, { session: id });
  await once(socket, 'close');
  const keys = (await redisCli(redis.port, ['KEYS', '*'])).trim().split('\n');
  expect(keys).toEqual(expect.arrayContaining(['sallyport:events', 'sallyport:registers']));
  for (const key of keys) expect(Number(await redisCli(redis.port, ['PTTL', key])), key).toBeGreaterThan(0);
  const all = [
    await redisCli(redis.port, ['XRANGE', 'sallyport:events', '-', '+']),
    await redisCli(redis.port, ['HGETALL', 'sallyport:registers']),
  ].join();
  expect(all).toContain('alice');
  for (const part of token.split('.')) expect(all).not.toContain(part);
});
