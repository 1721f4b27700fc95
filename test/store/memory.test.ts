import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { createMemoryStore } from '../../src/store/memory.ts';
import { WeakValues } from '../../src/store/weak-values.ts';
import { eventually } from '../support/census.ts';

const RATE = { count: 1, perMs: 3_600_000 };

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

describe('a store in memory', () => {
  test('knows a rule again by its name', () => {
    const store = createMemoryStore();
    const buckets = store.buckets('chat/upgrades/address', RATE, 2);
    buckets.bucket('a').take(2);
    expect(store.buckets('chat/upgrades/address', { ...RATE }, 2).bucket('a').remaining).toBe(0);
    expect(store.buckets('other/upgrades/address', RATE, 2).bucket('a').remaining).toBe(2);

    const places = store.places('chat/connections/address');
    places.acquire('a', 1);
    expect(store.places('chat/connections/address').acquire('a', 1)).toBeUndefined();
    expect(store.places('other/connections/address').acquire('a', 1)).toBeDefined();
  });

  test.each([
    ['count', { count: 2, perMs: 3_600_000 }, 5],
    ['time', { count: 1, perMs: 60_000 }, 5],
    ['burst', RATE, 6],
  ])('starts a rule anew under another %s', (_what, rate, burst) => {
    const store = createMemoryStore({ now: () => 0 });
    const before = store.buckets('chat/upgrades/address', RATE, 5);
    before.bucket('a').take(5);
    expect(store.buckets('chat/upgrades/address', rate, burst).bucket('a').remaining).toBe(burst);
    expect(before.bucket('a').remaining).toBe(0);
  });

  test('counts by its clock', () => {
    let ms = 0;
    const bucket = createMemoryStore({ now: () => ms })
      .buckets('chat/bytes/route', { count: 1, perMs: 1000 }, 1)
      .bucket('');
    expect([bucket.take(), bucket.take()]).toEqual([0, 1000]);
    ms = 1000;
    expect(bucket.take()).toBe(0);
  });
});

describe('weak values', () => {
  test('are there while somebody holds them', () => {
    const values = new WeakValues<object>();
    const held = values.get('a', () => ({}));
    collectGarbage();
    expect(values.get('a', () => ({}))).toBe(held);
  });

  test('leave memory, key and all, when nobody does', async () => {
    const values = new WeakValues<object>();
    for (let i = 0; i < 1_000; i++) values.get(`rule ${i}`, () => ({}));
    expect(values.size).toBe(1_000);
    await eventually(() => {
      collectGarbage();
      return values.size === 0;
    });
  });
});
