import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { GatewayError } from '../../src/errors.ts';
import { createPolicy } from '../../src/upstream/balance/index.ts';
import { type DialRequest, dial } from '../../src/upstream/dial.ts';
import { NoSuchName } from '../../src/upstream/names/lookup.ts';
import { Pool } from '../../src/upstream/pool.ts';
import { ASKING, poolRoute, surroundings } from '../support/upstreams.ts';

const pools: Pool[] = [];
afterEach(() => {
  for (const pool of pools.splice(0)) pool.close();
});

const refused = new GatewayError('UPSTREAM_REFUSED', { cause: new Error('connect ECONNREFUSED') });

/** A pool of raw TCP targets, and what it takes to dial it. */
function start(tcp: unknown, upstream: object = {}, rest: object = {}) {
  const around = surroundings();
  const create = () => {
    const pool = new Pool(poolRoute({ tcp, ...upstream }, rest), 'tcp', around.context);
    pools.push(pool);
    return pool;
  };
  const pool = create();
  const policy = createPolicy('least-connections');
  const dialIt = (request: Partial<DialRequest<unknown>> = {}) => {
    const { signal } = new AbortController();
    return dial(pool, { policy, asking: ASKING, signal, join: () => undefined, ...request });
  };
  return { ...around, pool, create, policy, dialIt };
}

/** What the dial said of each target. */
async function failureOf(dialled: Promise<unknown>) {
  const error: GatewayError = await dialled.then(
    () => {
      throw new Error('it was dialled');
    },
    (thrown: GatewayError) => thrown,
  );
  return { code: error.code, dials: error.dials?.map(({ target, error: own }) => `${target} ${own.code}`) };
}

describe('a pool', () => {
  test('counts the live sessions of each endpoint, from the dial on', async () => {
    const { pool, dialIt } = start(['10.0.0.1:1', '10.0.0.2:1']);
    const live = () => pool.endpoints.map((endpoint) => endpoint.live);
    const first = await dialIt();
    await dialIt();
    await dialIt();
    expect(live()).toEqual([2, 1]);
    first.lease.release();
    first.lease.release();
    expect(live()).toEqual([1, 1]);
  });

  test('does not wait twice for one that is dead', async () => {
    const { dialIt, dialled, behaviour, clock } = start(['10.0.0.1:1', '10.0.0.2:1', '10.0.0.3:1']);
    behaviour.set('10.0.0.1:1', refused);
    for (let session = 0; session < 20; session++) (await dialIt()).lease.release();
    expect(dialled.filter((address) => address === '10.0.0.1:1')).toHaveLength(1);
    clock.ms += 1_000;
    for (let session = 0; session < 20; session++) (await dialIt()).lease.release();
    expect(dialled.filter((address) => address === '10.0.0.1:1')).toHaveLength(2);
  });

  test('lets one back that a single dial has probed', async () => {
    const { pool, dialIt, behaviour, clock, dialled } = start(['10.0.0.1:1', '10.0.0.2:1']);
    behaviour.set('10.0.0.1:1', refused);
    await dialIt();
    behaviour.set('10.0.0.1:1', 'silence');
    clock.ms += 1_000;
    const probes = [dialIt(), dialIt(), dialIt()];
    await Promise.all(probes.slice(1));
    expect(dialled.filter((address) => address === '10.0.0.1:1')).toHaveLength(2);
    await probes[0];
    expect(pool.endpoints[0]?.standing.state(clock.ms)).toBe('out');
    behaviour.set('10.0.0.1:1', 'fine');
    clock.ms += 2_000;
    await dialIt();
    expect(pool.endpoints[0]?.standing.state(clock.ms)).toBe('well');
  });

  test('tries those that are out when there are no others, and names all that failed', async () => {
    const { dialIt, behaviour, dialled } = start(['10.0.0.1:1', '10.0.0.2:1']);
    for (const address of ['10.0.0.1:1', '10.0.0.2:1']) behaviour.set(address, refused);
    const dead = {
      code: 'NO_HEALTHY_UPSTREAM',
      dials: ['10.0.0.1:1 UPSTREAM_REFUSED', '10.0.0.2:1 UPSTREAM_REFUSED'],
    };
    expect(await failureOf(dialIt())).toEqual(dead);
    expect((await failureOf(dialIt())).dials).toHaveLength(2);
    behaviour.clear();
    await dialIt();
    expect(dialled).toHaveLength(5);
  });

  test('says of a lone target what is wrong with it', async () => {
    const { dialIt, behaviour, pool } = start('10.0.0.1:1');
    behaviour.set('10.0.0.1:1', refused);
    expect(await failureOf(dialIt())).toEqual({
      code: 'UPSTREAM_REFUSED',
      dials: ['10.0.0.1:1 UPSTREAM_REFUSED'],
    });
    expect(pool.endpoints[0]?.live).toBe(0);
  });

  test('dials at most six for one client', async () => {
    const { dialIt, behaviour, dialled } = start(
      Array.from({ length: 9 }, (_, index) => `10.0.0.${index}:1`),
    );
    for (let index = 0; index < 9; index++) behaviour.set(`10.0.0.${index}:1`, refused);
    await failureOf(dialIt());
    expect(dialled).toHaveLength(6);
  });

  test('blames nobody when the client leaves', async () => {
    const { pool, dialIt, behaviour, clock, heard } = start(['10.0.0.1:1', '10.0.0.2:1']);
    behaviour.set('10.0.0.1:1', 'silence');
    const client = new AbortController();
    const dialling = failureOf(dialIt({ signal: client.signal }));
    client.abort();
    await dialling;
    expect(pool.endpoints.map(({ standing }) => standing.state(clock.ms))).toEqual(['well', 'well']);
    expect(heard).toEqual(['10.0.0.1:1 abandoned']);
  });

  test('leaves a probe to the next client when the first one leaves', async () => {
    const { pool, dialIt, behaviour, clock } = start(['10.0.0.1:1']);
    behaviour.set('10.0.0.1:1', refused);
    await failureOf(dialIt());
    behaviour.set('10.0.0.1:1', 'silence');
    clock.ms += 1_000;
    const client = new AbortController();
    const dialling = failureOf(dialIt({ signal: client.signal }));
    expect(pool.endpoints[0]?.standing.state(clock.ms)).toBe('out');
    client.abort();
    await dialling;
    expect(pool.endpoints[0]?.standing.state(clock.ms)).toBe('due');
  });

  test('blames the one that was silent till the deadline', async () => {
    const { pool, dialIt, behaviour, clock } = start('10.0.0.1:1');
    behaviour.set('10.0.0.1:1', 'silence');
    const client = new AbortController();
    const dialling = failureOf(dialIt({ signal: client.signal }));
    clock.ms += 10_000;
    client.abort();
    await dialling;
    expect(pool.endpoints[0]?.standing.state(clock.ms)).toBe('out');
  });
});

describe('what comes after the connection', () => {
  test('goes on to the next target when it fails', async () => {
    const { dialIt, heard } = start(['10.0.0.1:1', '10.0.0.2:1']);
    const join: DialRequest<unknown>['join'] = (_socket, { name }) => {
      if (name === '10.0.0.1:1') throw new GatewayError('UPSTREAM_INVALID');
    };
    expect((await dialIt({ join })).lease.endpoint.name).toBe('10.0.0.2:1');
    expect(heard).toEqual(['10.0.0.1:1 UPSTREAM_INVALID', '10.0.0.2:1 connected']);
  });

  test('ends the dial when the upstream has answered, and takes nobody out', async () => {
    const { dialIt, pool, clock, dialled, heard } = start(['10.0.0.1:1', '10.0.0.2:1']);
    const join = () => {
      throw new GatewayError('UPSTREAM_INVALID', { isAnswer: true });
    };
    expect(await failureOf(dialIt({ join }))).toEqual({
      code: 'UPSTREAM_INVALID',
      dials: ['10.0.0.1:1 UPSTREAM_INVALID'],
    });
    expect([dialled, heard]).toEqual([['10.0.0.1:1'], ['10.0.0.1:1 connected']]);
    expect(pool.endpoints.map(({ live, standing }) => [live, standing.state(clock.ms)])).toEqual([
      [0, 'well'],
      [0, 'well'],
    ]);
  });
});

describe('racing', () => {
  test('each of the targets has its share of the time for all', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const timeouts = { handshake: '12s' };
    const { dialIt, behaviour, heard } = start(['10.0.0.1:1', '10.0.0.2:1', '10.0.0.3:1'], {}, { timeouts });
    for (const host of [1, 2, 3]) behaviour.set(`10.0.0.${host}:1`, 'silence');
    const dialling = failureOf(dialIt());
    await vi.advanceTimersByTimeAsync(3_999);
    expect(heard).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(heard).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(8_000);
    expect((await dialling).dials).toHaveLength(3);
  });

  test('a silent target costs one client 250 ms, and then nobody anything', async () => {
    const { dialIt, behaviour, dialled, clock, heard } = start(['10.0.0.1:1', '10.0.0.2:1']);
    behaviour.set('10.0.0.1:1', 'silence');
    const startedAt = performance.now();
    (await dialIt()).lease.release();
    expect(performance.now() - startedAt).toBeLessThan(3_000);
    expect(heard).toEqual(['10.0.0.1:1 outpaced', '10.0.0.2:1 connected']);
    for (let session = 0; session < 10; session++) (await dialIt()).lease.release();
    expect(dialled.filter((address) => address === '10.0.0.1:1')).toHaveLength(1);
    expect(clock.ms).toBe(0);
  });
});

describe('names', () => {
  test('that have no address yet are looked up again for the next client', async () => {
    const { dialIt, names, clock } = start('app.internal:1');
    const why = { code: 'UPSTREAM_REFUSED', dials: ['app.internal:1 UPSTREAM_REFUSED'] };
    expect(await failureOf(dialIt())).toEqual(why);
    names.set('app.internal', ['2001:db8::1', '10.0.0.1']);
    expect(await failureOf(dialIt())).toEqual(why);
    clock.ms += 1_000;
    expect((await dialIt()).lease.endpoint.name).toBe('app.internal:1/2001:db8::1');
    expect((await dialIt()).lease.endpoint.name).toBe('app.internal:1/10.0.0.1');
  });

  test('new addresses join with a slow start; gone ones get nothing new, keep what they have and are then forgotten', async () => {
    const around = surroundings();
    around.names.set('app.internal', ['10.0.0.1', '2001:db8::1']);
    const pool = new Pool(poolRoute({ tcp: 'app.internal:1' }), 'tcp', around.context);
    pools.push(pool);
    const policy = createPolicy('least-connections');
    const dialIt = () =>
      dial(pool, { policy, asking: ASKING, signal: new AbortController().signal, join: () => undefined });
    const [one, two] = [await dialIt(), await dialIt()];
    expect(pool.endpoints.map(({ name, live }) => [name, live])).toEqual([
      ['app.internal:1/10.0.0.1', 1],
      ['app.internal:1/2001:db8::1', 1],
    ]);

    around.clock.ms += 1_000;
    around.names.set('app.internal', ['10.0.0.2', '10.0.0.1']);
    await refreshed(pool, around.context.resolver);
    expect(pool.endpoints.map(({ name }) => name)).toEqual([
      'app.internal:1/10.0.0.2',
      'app.internal:1/10.0.0.1',
    ]);
    expect(pool.endpoints.map((endpoint) => endpoint.weight(around.clock.ms))).toEqual([0.1, 1]);
    expect([...around.context.endpoints].map(({ name }) => name)).toContain('app.internal:1/2001:db8::1');
    expect(around.heard.some((text) => text.endsWith('forgotten'))).toBe(false);
    const gone = [one, two].find(({ lease }) => lease.endpoint.isGone);
    gone?.lease.release();
    expect(around.heard.at(-1)).toBe('app.internal:1/2001:db8::1 forgotten');
    expect([...around.context.endpoints]).toHaveLength(2);
  });

  test('that are gone leave the others to be dialled', async () => {
    const around = surroundings();
    around.names.set('gone', new NoSuchName('gone', 'ENOTFOUND'));
    const pool = new Pool(poolRoute({ tcp: ['gone:1', '10.0.0.1:1'] }), 'tcp', around.context);
    pools.push(pool);
    const { lease } = await dial(pool, {
      policy: createPolicy('round-robin'),
      asking: ASKING,
      signal: new AbortController().signal,
      join: () => undefined,
    });
    expect(lease.endpoint.name).toBe('10.0.0.1:1');
  });

  test('a client that leaves does not wait for them', async () => {
    const around = surroundings();
    const never = new Promise<never>(() => {});
    const context = { ...around.context };
    Object.assign(context, { resolver: { resolve: () => never, close() {} } });
    const pool = new Pool(poolRoute({ tcp: 'silent:1' }), 'tcp', context);
    pools.push(pool);
    const client = new AbortController();
    const policy = createPolicy('round-robin');
    const dialling = failureOf(
      dial(pool, { policy, asking: ASKING, signal: client.signal, join: () => undefined }),
    );
    client.abort();
    expect(await dialling).toMatchObject({ code: 'UPSTREAM_TIMEOUT' });
  });

  /** Until the pool has heard what the resolver says now. */
  async function refreshed(pool: Pool, resolver: Pool['context']['resolver']): Promise<void> {
    const before = pool.endpoints;
    await resolver.resolve('app.internal', 'dns');
    while (pool.endpoints === before) await new Promise((resolve) => setTimeout(resolve, 10));
  }
});

test('a pool made anew goes on with the counts and the health of the last', async () => {
  const { dialIt, create, pool, behaviour, clock } = start(['10.0.0.1:1', '10.0.0.2:1']);
  behaviour.set('10.0.0.1:1', refused);
  const { lease } = await dialIt();
  const next = create();
  pool.close();
  expect(next.endpoints.map(({ live, standing }) => [live, standing.state(clock.ms)])).toEqual([
    [0, 'out'],
    [1, 'well'],
  ]);
  lease.release();
  expect(next.endpoints.map(({ live }) => live)).toEqual([0, 0]);
  expect([...next.context.endpoints]).toHaveLength(2);
});
