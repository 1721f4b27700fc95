import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { GatewayError } from '../../src/errors.ts';
import { createPolicy } from '../../src/upstream/balance/index.ts';
import { HttpPool } from '../../src/upstream/http-pool.ts';
import { Pool } from '../../src/upstream/pool.ts';
import { backTo, census, eventually } from '../support/census.ts';
import { deadPort } from '../support/faulty.ts';
import { closeAll, openFront } from '../support/passthrough.ts';
import { httpRoute } from '../support/route.ts';
import { portOf } from '../support/servers.ts';
import { ASKING, poolRoute, surroundings } from '../support/upstreams.ts';

const undo: (() => unknown)[] = [];
afterEach(async () => {
  await closeAll();
  for (const step of undo.splice(0).reverse()) await step();
});

/** A service that says its name and what it was sent. */
async function service(name: string): Promise<Server & { connections: number }> {
  const server = Object.assign(
    createServer(async (request, response) => response.end(`${name} ${await text(request)}`)),
    { connections: 0 },
  );
  server.on('connection', () => {
    server.connections += 1;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  undo.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return server;
}

const urlOf = (server: Server) => `http://127.0.0.1:${portOf(server)}`;

/** The answers to so many requests, one after the other. */
async function answers(url: string, count: number, init?: RequestInit): Promise<string> {
  const texts: string[] = [];
  for (let asked = 0; asked < count; asked++) texts.push((await (await fetch(url, init)).text()).trim());
  return texts.join(' ');
}

describe('plain requests', () => {
  test('go to the targets in turn, each over connections of its own that are used again', async () => {
    const [a, b] = [await service('a'), await service('b')];
    const front = await openFront(httpRoute('', { upstream: { http: [urlOf(a), urlOf(b)] } }));
    expect(await answers(front.url, 6)).toBe('a b a b a b');
    expect([a.connections, b.connections]).toEqual([1, 1]);
  });

  test('go to the others when a target is dead, whatever their method and with their body whole', async () => {
    const alive = await service('alive');
    const dead = `http://127.0.0.1:${await deadPort()}`;
    const front = await openFront(httpRoute('', { upstream: { http: [dead, urlOf(alive)] } }));
    const body = 'x'.repeat(200_000);
    expect(await answers(front.url, 2, { method: 'POST', body })).toBe(`alive ${body} alive ${body}`);
  });

  test('that end with 5xx take nobody out', async () => {
    const sick = createServer((_request, response) => response.writeHead(503).end('sick'));
    sick.listen(0, '127.0.0.1');
    await once(sick, 'listening');
    undo.push(() => sick.close());
    const well = await service('well');
    const front = await openFront(httpRoute('', { upstream: { http: [urlOf(sick), urlOf(well)] } }));
    expect(await answers(front.url, 4)).toBe('sick well sick well');
    sick.closeAllConnections();
  });

  test('by hash stay where they were', async () => {
    const [a, b] = [await service('a'), await service('b')];
    const upstream = { http: [urlOf(a), urlOf(b)], balance: { hash: 'cookie:sid' } };
    const front = await openFront(httpRoute('', { upstream }));
    const seen = new Set<string>();
    for (let user = 0; user < 12; user++) {
      const mine = await answers(front.url, 3, { headers: { cookie: `sid=${user}` } });
      expect(['a a a', 'b b b']).toContain(mine);
      seen.add(mine);
    }
    expect(seen.size).toBe(2);
  });
});

describe('the client of an endpoint', () => {
  /** A pool of clients that are none, for a name that stands for `addresses`. */
  async function start(addresses: readonly string[]) {
    const around = surroundings();
    around.names.set('app.internal', addresses);
    const pool = new Pool(poolRoute({ http: 'http://app.internal:80' }), 'http', around.context);
    const closed: string[] = [];
    const taken: Promise<{ destroyed: boolean }>[] = [];
    const http = new HttpPool(pool, ({ address }, connect) => ({
      isIdle: () => false,
      close: () => closed.push(address),
      take: () => taken.push(connect()),
    }));
    undo.push(() => http.close());
    const policy = createPolicy('round-robin');
    const connect = () => http.connect(policy, ASKING, () => new AbortController().signal);
    /** Until the pool has heard what the name stands for now. */
    async function rename(now: readonly string[]): Promise<void> {
      around.names.set('app.internal', now);
      around.clock.ms += 1_000;
      await eventually(() => pool.endpoints.every(({ address }) => now.includes(address)));
    }
    return { ...around, http, closed, taken, connect, rename };
  }

  test('is closed when its name stands for others, after the last request that leads to it', async () => {
    const { connect, rename, closed, http, context } = await start(['10.0.0.1', '10.0.0.2']);
    const [one, two] = [await connect(), await connect()];
    http.release(two.lease);
    await rename(['10.0.0.3']);
    expect(closed).toEqual(['10.0.0.2']);
    http.release(one.lease);
    expect(closed).toEqual(['10.0.0.2', '10.0.0.1']);
    expect([...context.endpoints].map(({ address }) => address)).toEqual(['10.0.0.3']);
  });

  test('takes the connection that was dialled for it, and dials when it needs another', async () => {
    const { connect, dialled, taken } = await start(['10.0.0.1']);
    const { client } = await connect();
    client.take();
    client.take();
    await Promise.all(taken);
    expect(dialled).toEqual(['10.0.0.1:80', '10.0.0.1:80']);
    expect(await taken[0]).not.toBe(await taken[1]);
  });

  test('takes its endpoint out of service with a cause, when none can be dialled any more', async () => {
    const { connect, taken, behaviour, outages } = await start(['10.0.0.1']);
    const { client } = await connect();
    client.take();
    behaviour.set('10.0.0.1:80', new GatewayError('UPSTREAM_REFUSED'));
    client.take();
    await expect(taken[1]).rejects.toThrow();
    expect(outages).toEqual(['app.internal:80/10.0.0.1 UPSTREAM_REFUSED']);
  });

  test('may be given without a dial, and none is told of', async () => {
    const { http, heard, dialled, context } = await start(['10.0.0.1']);
    const { lease } = await http.place(createPolicy('round-robin'), ASKING, new AbortController().signal);
    http.release(lease);
    expect([dialled, heard]).toEqual([[], []]);
    expect([...context.endpoints].map(({ live }) => live)).toEqual([0]);
  });

  test('is closed with the pool, and so is what was dialled for it', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    undo.push(() => vi.useRealTimers());
    const { connect, closed, http, context, sockets } = await start(['10.0.0.1']);
    const { lease } = await connect();
    await http.close();
    http.release(lease);
    expect(closed).toEqual(['10.0.0.1']);
    expect([...context.endpoints]).toEqual([]);
    expect(sockets.map(({ destroyed }) => destroyed)).toEqual([true]);
    expect(vi.getTimerCount()).toBe(0);
  });
});

test('nothing is left of requests whose dial was in vain', async () => {
  const before = census();
  const dead = [`http://127.0.0.1:${await deadPort()}`, `http://127.0.0.1:${await deadPort()}`];
  const front = await openFront(httpRoute('', { upstream: { http: dead } }));
  expect((await fetch(front.url, { method: 'POST', body: 'x' })).status).toBe(503);
  const outcome = await front.outcome();
  expect(outcome).toMatchObject({ code: 'NO_HEALTHY_UPSTREAM', dials: [{}, {}] });
  await closeAll();
  await backTo(before);
});
