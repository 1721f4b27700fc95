import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import type { StoreConfig } from '../../src/config/store.ts';
import type { Release } from '../../src/store/index.ts';
import { openRedisStore, type RedisStore } from '../../src/store/redis/index.ts';
import { eventually } from '../support/census.ts';
import { redisCli } from '../support/redis.ts';
import { type RunningServer, startRedis } from '../support/servers.ts';

/** What several gateways share, in Debian's Redis. */

let redis: RunningServer;
const heard: string[] = [];

beforeEach(async () => {
  heard.length = 0;
  redis = await startRedis();
  onTestFinished(() => redis.close());
});

function configOf(port: number, more: Partial<StoreConfig> = {}): StoreConfig {
  return { redis: [`redis://127.0.0.1:${port}`], prefix: 'test', onFailure: 'local', ...more };
}

/** Unless said, answers have time enough for a machine that is busy with other things. */
async function openStore(
  config = configOf(redis.port),
  withinMs: number | undefined = 2_000,
): Promise<RedisStore> {
  const store = await openRedisStore(config, {
    withinMs,
    observer: { failed: (cause) => heard.push(`failed: ${cause}`), recovered: () => heard.push('recovered') },
  });
  onTestFinished(() => store.close());
  return store;
}

const PLACES_OF_ALICE = 'test:places:chat/connections/subject alice';

const rate = { count: 100, perMs: 10_000 };

/** Asks both as often, all at once; resolves with how many were let in. */
async function storm(stores: readonly RedisStore[], key: string, times: number): Promise<number> {
  const rates = stores.map((store) => store.rates('chat/upgrades/origin', rate, 100));
  const waits = await Promise.all(
    Array.from({ length: times }, (_, index) => rates[index % rates.length]?.take(key)),
  );
  return waits.filter((wait) => wait === 0).length;
}

/** As long as it is asked, which nobody does of its own accord. */
async function recovered(stores: readonly RedisStore[]): Promise<void> {
  await eventually(
    async () => {
      await storm(stores, `probe ${performance.now()}`, stores.length);
      return stores.every((store) => store.isAnswering);
    },
    () => 'they do not ask Redis again',
    5_000,
  );
}

describe('rates', () => {
  test('of two gateways let in as many as one would', async () => {
    const stores = [await openStore(), await openStore()];
    const letIn = await storm(stores, 'alice', 1_000);
    expect(letIn).toBeGreaterThanOrEqual(100);
    expect(letIn).toBeLessThanOrEqual(102);
    expect(await storm(stores, 'bob', 50)).toBe(50);
  });

  test('are kept under keys that end by themselves', async () => {
    const store = await openStore();
    await storm([store], 'alice', 150);
    const places = await store.places('chat/connections/subject').acquire('alice', 10);
    for (const key of (await redisCli(redis.port, ['KEYS', '*'])).trim().split('\n')) {
      expect(key).toMatch(/^test:/);
      expect(Number(await redisCli(redis.port, ['PTTL', key])), key).toBeGreaterThan(0);
    }
    places?.();
  });
});

describe('places', () => {
  test('of two gateways are as many as there are', async () => {
    const stores = [await openStore(), await openStore()];
    const places = stores.map((store) => store.places('chat/connections/subject'));
    const taken = await Promise.all(
      Array.from({ length: 200 }, (_, index) => places[index % 2]?.acquire('alice', 50)),
    );
    const releases = taken.filter((release): release is Release => release !== undefined);
    expect(releases.length).toBe(50);
    for (const release of releases) release();
    await eventually(
      async () => (await redisCli(redis.port, ['EXISTS', PLACES_OF_ALICE])) === '0\n',
      () => 'the places are still taken',
    );
    expect(await places[0]?.acquire('alice', 1)).toBeDefined();
  });

  test('of a gateway that is gone without a word are free in 15 seconds', async () => {
    const [one, two] = [await openStore(), await openStore()];
    for (let i = 0; i < 3; i++)
      expect(await one.places('chat/connections/route').acquire('', 3)).toBeDefined();
    expect(await two.places('chat/connections/route').acquire('', 3)).toBeUndefined();
    one.close();
    const since = performance.now();
    await eventually(
      async () => (await two.places('chat/connections/route').acquire('', 3)) !== undefined,
      () => 'its places are still taken',
      15_000,
    );
    expect(performance.now() - since).toBeGreaterThan(5_000);
    expect(two.gateways).toBe(1);
  });

  test('are known again to a Redis that has lost everything', async () => {
    const [one, two] = [await openStore(), await openStore()];
    const held = await Promise.all(
      Array.from({ length: 5 }, () => one.places('chat/connections/route').acquire('', 10)),
    );
    await redisCli(redis.port, ['FLUSHALL']);
    await eventually(
      async () => (await redisCli(redis.port, ['HVALS', 'test:places:chat/connections/route '])) === '5\n',
      () => 'Redis does not know of them',
      10_000,
    );
    for (let i = 0; i < 5; i++)
      expect(await two.places('chat/connections/route').acquire('', 10)).toBeDefined();
    expect(await two.places('chat/connections/route').acquire('', 10)).toBeUndefined();
    expect(held.every((release) => release !== undefined)).toBe(true);
  });
});

test('messages of two gateways are as many as the limit has, within a twentieth', async () => {
  const stores = [await openStore(), await openStore()];
  const perSecond = { count: 200, perMs: 1_000 };
  const buckets = stores.map((store) =>
    store.buckets('chat/messages/subject', perSecond, 200).bucket('alice'),
  );
  const start = performance.now();
  let passed = 0;
  async function send(bucket: (typeof buckets)[0]): Promise<void> {
    while (performance.now() - start < 3_000) {
      let wait = bucket.debit(1, performance.now());
      const turn = bucket.taken;
      while (wait !== 0) {
        await new Promise((resolve) => setTimeout(resolve, Math.abs(wait)));
        wait = bucket.msUntil(turn, performance.now());
      }
      if (performance.now() - start < 3_000) passed += 1;
    }
  }
  await Promise.all(buckets.flatMap((bucket) => [send(bucket), send(bucket)]));
  const limit = 200 + 3 * 200;
  expect(passed).toBeLessThanOrEqual(limit * 1.05);
  expect(passed).toBeGreaterThanOrEqual(limit * 0.9);
});

describe('a Redis in trouble', () => {
  test.each(['SIGSTOP', 'SIGKILL'] as const)('%s: each gateway has its part, and no more', async (signal) => {
    const stores = [await openStore(configOf(redis.port), 50), await openStore(configOf(redis.port), 50)];
    await eventually(
      () => stores.every((store) => store.gateways === 2),
      () => 'they have not seen each other',
      10_000,
    );
    process.kill(redis.pid as number, signal);
    const since = performance.now();
    const letIn = await storm(stores, 'alice', 1_000);
    expect(performance.now() - since).toBeLessThan(1_000);
    expect(letIn).toBeGreaterThanOrEqual(98);
    expect(letIn).toBeLessThanOrEqual(102);
    for (let i = 0; i < 3; i++) await storm(stores, `another ${i}`, 2);
    expect(heard.filter((line) => line.startsWith('failed'))).toHaveLength(2);
    if (signal === 'SIGSTOP') process.kill(redis.pid as number, 'SIGCONT');
    else redis = await startRedis(redis.port);
    onTestFinished(() => redis.close());
    await recovered(stores);
  });

  test('full: likewise', async () => {
    const store = await openStore();
    await redisCli(redis.port, ['CONFIG', 'SET', 'maxmemory', '1']);
    expect(await storm([store], 'alice', 200)).toBe(100);
    for (let i = 0; i < 3; i++) await storm([store], `another ${i}`, 2);
    expect(heard[0]).toContain('OOM');
    await redisCli(redis.port, ['CONFIG', 'SET', 'maxmemory', '0']);
    await recovered([store]);
  });

  test('absent from the start: the gateway starts, and works without', async () => {
    const since = performance.now();
    const store = await openStore(configOf(1));
    expect(performance.now() - since).toBeLessThan(5_000);
    expect(await storm([store], 'alice', 200)).toBe(100);
  });
});
