import { once } from 'node:events';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import type { Places } from '../../src/store/index.ts';
import { openRedisStore, type RedisStore } from '../../src/store/redis/index.ts';
import { startServing } from '../support/cli.ts';
import { startEcho } from '../support/faulty.ts';
import { freshToken, TOKEN_ENV, TOKEN_ISSUER } from '../support/fresh.ts';
import { eventually, within } from '../support/patience.ts';
import { freePort } from '../support/ports.ts';
import { programPath, startServer } from '../support/servers.ts';
import { makeClock, type SetClock } from '../support/set-clock.ts';

/** Clocks that are set back and forward by an hour: nothing but the tokens' own ends depends on the time of day. */

const HOUR_S = 3_600;
const SECRET = 'a-secret-of-operators-who-set-clocks';

/** A gateway whose clock can be set, in a process of its own. */
async function startGateway() {
  const clock = await makeClock();
  const echo = await startEcho();
  onTestFinished(() => echo.close());
  const admin = await freePort();
  const { port } = await startServing(
    `listeners: [{ host: 127.0.0.1, port: 0 }]
admin: { port: ${admin}, secret: ${SECRET} }
${TOKEN_ISSUER}
routes:
  - name: chat
    match: { path: /chat }
    auth: { issuer: main }
    keepalive: { every: 200ms, within: 5s }
    limits: { upgrades: { rate: 6/h, burst: 6, per: subject }, connections: { max: 2, per: subject } }
    upstream: { websocket: "ws://127.0.0.1:${echo.port}" }`,
    { ...TOKEN_ENV, ...clock.env },
  );

  async function enter(claims: object): Promise<WebSocket | number> {
    const headers = { authorization: `Bearer ${freshToken({ exp: nowS() + 4 * HOUR_S, ...claims })}` };
    const socket = new WebSocket(`ws://127.0.0.1:${port}/chat`, { headers });
    socket.on('error', () => undefined);
    onTestFinished(() => socket.terminate());
    const { promise, resolve } = Promise.withResolvers<WebSocket | number>();
    socket.on('open', () => resolve(socket));
    socket.on('unexpected-response', (_, { statusCode = 0 }) => resolve(statusCode));
    return within(promise, 'an answer');
  }
  async function open(claims: object): Promise<WebSocket> {
    const socket = await enter(claims);
    if (typeof socket === 'number') throw new Error(`refused with ${socket}`);
    return socket;
  }
  async function revoke(what: object): Promise<void> {
    const headers = { authorization: `Bearer ${SECRET}` };
    const url = `http://127.0.0.1:${admin}/revocations`;
    const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(what) });
    expect(answer.status).toBeLessThan(300);
  }
  return { clock, enter, open, revoke };
}

const nowS = () => Math.floor(Date.now() / 1000);

/** Whether what it says comes back. */
async function answers(socket: WebSocket): Promise<void> {
  socket.send('still there');
  const [said] = await within(once(socket, 'message'), 'an echo');
  expect(String(said)).toBe('still there');
}

test.each([
  ['forward and back again', [HOUR_S, 0]],
  ['back and forward again', [-HOUR_S, 0]],
])('a gateway goes on where its clock is set an hour %s', async (_, settings) => {
  const { clock, enter, open, revoke } = await startGateway();
  const staying = [await open({ sub: 'alice' }), await open({ sub: 'alice' })];
  for (let count = 0; count < 4; count++) expect(await enter({ sub: 'alice' })).toBe(429);
  const short = await open({ sub: 'bob', exp: nowS() + HOUR_S / 2 });
  const ended = once(short, 'close');
  await revoke({ jti: 'bad', for: '4h' });
  for (const seconds of settings) {
    clock.set(seconds);
    expect(await enter({ sub: 'carol', jti: 'bad' })).toBe(401);
    // The rate is used up, and both places are taken.
    expect(await enter({ sub: 'alice' })).toBe(429);
    for (const socket of staying) await answers(socket);
    if (seconds > 0) expect((await within(ended, 'the end of its token', 10_000))[0]).toBe(3000);
  }
  if (Math.min(...settings) < 0) await answers(short);
  const goodbye = once(staying[0] as WebSocket, 'close');
  staying[0]?.close(1000);
  await goodbye;
  expect(await enter({ sub: 'alice' })).toBe(429);
  await open({ sub: 'dave' });
});

describe('gateways that share a Redis whose clock is set', () => {
  async function startScene(): Promise<{ clock: SetClock; open: () => Promise<RedisStore> }> {
    const clock = await makeClock();
    const program = programPath('redis-server', 'redis-server');
    const redis = await startServer(program, async (folder, port) => ({
      args: ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', ''],
      env: clock.env,
    }));
    onTestFinished(() => redis.close());
    const config = {
      redis: [`redis://127.0.0.1:${redis.port}`],
      prefix: 'test',
      onFailure: 'local' as const,
    };
    async function open(): Promise<RedisStore> {
      const store = await openRedisStore(config, { withinMs: 2_000 });
      onTestFinished(() => store.close());
      return store;
    }
    return { clock, open };
  }

  const placesOf = (store: RedisStore): Places => store.places('chat/connections/subject');

  /** How many of so many are let in, asked by turns. */
  async function letIn(
    stores: readonly RedisStore[],
    key: string,
    times: number,
    perMs: number,
  ): Promise<number> {
    const rates = stores.map((store) => store.rates('chat/upgrades/origin', { count: 10, perMs }, 10));
    const waits = await Promise.all(
      Array.from({ length: times }, (_, at) => rates[at % rates.length]?.take(key)),
    );
    return waits.filter((wait) => wait === 0).length;
  }

  test.each([HOUR_S, -HOUR_S])(
    'by %d s: a limit lets in its burst at most, and then what it refills',
    async (seconds) => {
      const { clock, open } = await startScene();
      const stores = [await open(), await open()];
      expect(await letIn(stores, 'slow', 40, HOUR_S * 1000)).toBe(10);
      expect(await letIn(stores, 'quick', 40, 2_000)).toBeLessThanOrEqual(20);
      clock.set(seconds);
      expect(await letIn(stores, 'slow', 40, HOUR_S * 1000)).toBeLessThanOrEqual(seconds > 0 ? 10 : 0);
      expect(await letIn(stores, 'slow', 40, HOUR_S * 1000)).toBe(0);
      await eventually(async () => (await letIn(stores, 'quick', 2, 2_000)) > 0, 'the limit sticks', 10_000);
    },
  );

  test.each([HOUR_S, -HOUR_S])('by %d s: places that are taken stay so', async (seconds) => {
    const { clock, open } = await startScene();
    const [one, two] = (await Promise.all([open(), open()])).map(placesOf) as [Places, Places];
    for (let count = 0; count < 5; count++)
      for (const places of [one, two]) expect(await places.acquire('alice', 10)).toBeDefined();
    clock.set(seconds);
    // With its next sign of life each gateway says again what it holds.
    await eventually(
      async () => {
        const releases = [await one.acquire('alice', 10), await two.acquire('alice', 10)];
        for (const release of releases) release?.();
        return releases.every((release) => release === undefined);
      },
      'the places are thought to be free',
      15_000,
    );
  });

  test('back: those of a gateway that is gone are free in 15 seconds all the same', async () => {
    const { clock, open } = await startScene();
    const [one, two] = [await open(), await open()];
    for (let count = 0; count < 3; count++) expect(await placesOf(one).acquire('alice', 3)).toBeDefined();
    clock.set(-HOUR_S);
    one.close();
    const isFree = async () => {
      const release = await placesOf(two).acquire('alice', 3);
      release?.();
      return release !== undefined;
    };
    await eventually(isFree, 'its places are still taken', 20_000);
    expect(two.gateways).toBe(1);
  });
});
